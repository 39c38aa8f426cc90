"""What a run is, beside its curves: the configuration as text and for the table of runs."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf
from tensorboard.plugins.hparams import api, api_pb2
from tensorboard.plugins.hparams import summary as hparams

from fesr_tf import config as configs
from fesr_tf.config import Config, as_yaml
from fesr_tf.data import Fold
from fesr_tf.runs import RunInfo

METRICS = ("validation/accuracy", "validation/L_cls_R_r", "losses/L_rec", "losses/L_id")


def write_about(config: Config, info: RunInfo, fold: Fold) -> None:
    """Configuration, data and the run's line in the table, to the default writer, as step 0."""
    origins = configs.origins(config, info.database, info.variant)
    tf.summary.text("run/config", config_table(config, origins), step=0)
    tf.summary.text("run/data", data_table(fold), step=0)
    # TensorBoard sorts the columns by name and shows the first few: capitals come first.
    values = {"Variant": info.variant, "Fold": info.fold, "Database": info.database}
    values |= {key: getattr(config, key) for key in configs.compared_keys()}
    columns = [api.HParam(name) for name in values]
    shown = [api.Metric(tag) for tag in METRICS]
    api.hparams_config(columns, shown)
    api.hparams(values, trial_id=f"{info.database} {info.variant} fold {info.fold}")


def write_end() -> None:
    """Says that the run is complete, in the table of runs."""
    end = hparams.session_end_pb(api_pb2.STATUS_SUCCESS)
    tf.summary.experimental.write_raw_pb(end.SerializeToString(), step=0)


def config_table(config: Config, origins: Mapping[str, str]) -> str:
    """The configuration as a Markdown table: key, value, where the value comes from."""
    rows = [(key, as_yaml(value), origins[key]) for key, value in config.model_dump().items()]
    return _markdown(("key", "value", "from"), rows)


def data_table(fold: Fold) -> str:
    """Pictures of each class and people in each part, as a Markdown table."""
    return _markdown(("class", *PARTS), count_rows(fold))


PARTS = ("train", "valid", "test")


def count_rows(fold: Fold) -> list[tuple[str, int, int, int]]:
    """A row a class, then all pictures, then all people: the name and a number for each part."""
    parts = [getattr(fold, name) for name in PARTS]
    rows = [
        (name, *(int((part.labels == k).sum()) for part in parts))
        for k, name in enumerate(fold.classes)
    ]
    rows.append(("all pictures", *(len(part) for part in parts)))
    rows.append(("people", *(len(set(part.subjects.tolist())) for part in parts)))
    return rows


def _markdown(head: tuple[str, ...], rows: list[tuple]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in lines
    )
