"""scikit-learn face: a few-shot classifier on vectors."""

from imprint.estimator.classifier import FewShotClassifier

__all__ = ["FewShotClassifier"]
