"""Experiment tracking: what every training run keeps, and how runs are read and compared.

Nothing here needs torch: runs can be listed and compared on a machine that cannot train.
"""

from imprint.train.tracking.folder import FolderRecorder
from imprint.train.tracking.mlflow_server import MlflowRecorder
from imprint.train.tracking.provenance import Origin, hash_of_arrays, hash_of_files
from imprint.train.tracking.reading import Artifact, Run, find_run, list_runs, read_run
from imprint.train.tracking.tracker import Tracker

__all__ = [
    "Artifact",
    "FolderRecorder",
    "MlflowRecorder",
    "Origin",
    "Run",
    "Tracker",
    "find_run",
    "hash_of_arrays",
    "hash_of_files",
    "list_runs",
    "read_run",
]
