"""Settings of a run: what each may be (`schema`) and where it comes from (`loading`)."""

from fesr_tf.config.loading import (
    config_folder,
    differences,
    load,
    names,
    origins,
    own_keys,
    resolve,
    size,
    withheld,
)
from fesr_tf.config.schema import Config

__all__ = [
    "Config",
    "config_folder",
    "differences",
    "load",
    "names",
    "origins",
    "own_keys",
    "resolve",
    "size",
    "withheld",
]
