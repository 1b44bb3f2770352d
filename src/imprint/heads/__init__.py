"""Unit vectors to decisions. Numpy only."""

from imprint.heads.auto import HEADS
from imprint.heads.calibration import Calibration
from imprint.heads.decider import Decider
from imprint.heads.decision import Decision

__all__ = ["HEADS", "Calibration", "Decider", "Decision"]
