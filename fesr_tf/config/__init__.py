"""Settings of a run: their declaration (`schema`) and their resolution (`loading`)."""

from fesr_tf.config.loading import (
    as_yaml,
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
from fesr_tf.config.schema import KEYS, Config, compared_keys, keys_of, silent_keys

__all__ = [
    "KEYS", "Config", "as_yaml", "compared_keys", "config_folder", "differences", "keys_of", "load",
    "names", "origins", "own_keys", "resolve", "silent_keys", "size", "withheld",
]  # fmt: skip
