"""A run: its folder, checkpoints and machine, and how a finished one is opened."""

from fesr_tf.runs.files import BEST, LAST
from fesr_tf.runs.folder import (
    RunInfo,
    alone,
    in_training,
    other_classes,
    read_info,
    require_held_out,
    run_folder,
    start,
)
from fesr_tf.runs.opening import Run, add_checkpoint_option, load_data, open_run, require_recognizer

__all__ = [
    "BEST",
    "LAST",
    "Run",
    "RunInfo",
    "add_checkpoint_option",
    "alone",
    "in_training",
    "load_data",
    "open_run",
    "other_classes",
    "read_info",
    "require_held_out",
    "require_recognizer",
    "run_folder",
    "start",
]
