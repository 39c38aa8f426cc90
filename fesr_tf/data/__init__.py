"""Preprocessed faces as folds, batches and network input."""

from fesr_tf.data.batches import batches
from fesr_tf.data.faces import (
    ALL,
    Faces,
    Fold,
    FoldNumber,
    fold_number,
    load_fold,
    load_tested,
    role,
)

__all__ = [
    "ALL",
    "Faces",
    "Fold",
    "FoldNumber",
    "batches",
    "fold_number",
    "load_fold",
    "load_tested",
    "role",
]
