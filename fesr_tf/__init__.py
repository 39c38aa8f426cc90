"""FESR-TF: joint deep learning of facial expression synthesis and recognition.

    import fesr_tf

    config = fesr_tf.load_config("demo")                     # settings
    fold = fesr_tf.load_fold("data/demo", 0, config)         # aligned faces
    model = fesr_tf.build_model(config, len(fold.classes))   # FESGAN and R
    fesr_tf.train_model(model, fold, "runs/mine")            # both stages of Algorithm 1
    run = fesr_tf.open_run("runs/mine")                      # .classify, .synthesize
    fesr_tf.Client(model="saved_models/fesr_demo")           # an exported model

Keras 2 (`tf_keras`) is chosen here, before TensorFlow can be imported, so that `tf.keras`,
`tf_keras` and the layers of tensorflow-addons are one library. Everything else loads on first use.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
# TensorFlow 2.15 logs three harmless "Unable to register" errors at every start.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"
__all__ = ["Client", "build_model", "load_config", "load_fold", "open_run", "train_model"]

_PUBLIC = {
    "load_config": ("fesr_tf.config", "resolve"),
    "load_fold": ("fesr_tf.data", "load_fold"),
    "build_model": ("fesr_tf.model.fesr", "build"),
    "train_model": ("fesr_tf.training.loop", "train_model"),
    "open_run": ("fesr_tf.runs", "open_run"),
    "Client": ("fesr_tf.client", "Client"),
}

if TYPE_CHECKING:
    from fesr_tf.client import Client
    from fesr_tf.config import resolve as load_config
    from fesr_tf.data import load_fold
    from fesr_tf.model.fesr import build as build_model
    from fesr_tf.runs import open_run
    from fesr_tf.training.loop import train_model


def __getattr__(name: str) -> Any:
    """Loads a public name on first use (PEP 562)."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
