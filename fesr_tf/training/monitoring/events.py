"""The event files of a run that may be killed and resumed, and the description they begin with."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from tensorboard.plugins.hparams import api, api_pb2
from tensorboard.plugins.hparams import summary as hparams

from fesr_tf import config as configs
from fesr_tf.config import Config
from fesr_tf.data import Fold
from fesr_tf.runs import RunInfo
from pipelines.common.errors import FailedWork
from pipelines.common.files import write_whole
from pipelines.common.subjects import counted
from pipelines.dataset.examples import framed

PREFIX = "events.out.tfevents."
METRICS = ("validation/accuracy", "validation/L_cls_R_r", "losses/L_rec", "losses/L_id")
PARTS = ("train", "valid", "test")


def open_writer(folder: Path, resumed: int | None) -> tf.summary.SummaryWriter:
    """The writer of a run's events in `folder`.

    `resumed` is the iteration at which the run resumes; events that a stopped process wrote after
    it are removed, so that no curve has two values at a step. None restarts the run and removes
    all earlier events. Raises `FailedWork` where `folder` cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            # A killed process leaves its unfinished files hidden.
            if path.is_file() and (resumed is None or path.name.startswith(".")):
                path.unlink()
        if resumed is not None:
            _remove_after(folder, resumed)
        return tf.summary.create_file_writer(str(folder))
    except (OSError, tf.errors.OpError):
        raise FailedWork(
            f"cannot write into {folder}: free some space, make it writable, or choose another "
            "--runs folder"
        ) from None


def _remove_after(folder: Path, step: int) -> None:
    """Removes the events after `step` from the event files in `folder`, and an incomplete last
    record.

    TensorBoard's session log can void later events, but only its own server honours that, and
    the writer of TensorFlow 2 cannot write it: other readers would see two values at a step.
    """
    for path in sorted(folder.glob(f"{PREFIX}*")):
        kept, complete = [], True
        try:
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
                if tf.compat.v1.Event.FromString(record).step <= step:
                    kept.append(record)
                else:
                    complete = False
        except tf.errors.DataLossError:
            complete = False
        if not complete:
            write_whole(path, b"".join(map(framed, kept)))


def write_description(config: Config, info: RunInfo, fold: Fold) -> None:
    """Writes the configuration, the data and the run's row in the table of runs to the default
    writer, as step 0."""
    settings = setting_rows(config, info.database, info.variant)
    tf.summary.text("run/config", _markdown(("key", "value", "from"), settings), step=0)
    tf.summary.text("run/data", _markdown(("class", *PARTS), count_rows(fold)), step=0)
    # TensorBoard sorts the columns by name and shows the first few: capitals come first.
    values = {"Variant": info.variant, "Fold": info.fold, "Database": info.database}
    compared = {key: getattr(config, key) for key in configs.compared_keys()}
    # TensorBoard's table has no null.
    values |= {key: "null" if value is None else value for key, value in compared.items()}
    columns = [api.HParam(name) for name in values]
    api.hparams_config(columns, [api.Metric(tag) for tag in METRICS])
    api.hparams(values, trial_id=f"{info.database} {info.variant} fold {info.fold}")


def mark_complete(writer: tf.summary.SummaryWriter) -> None:
    """Marks the run as complete in the table of runs."""
    end = hparams.session_end_pb(api_pb2.STATUS_SUCCESS)
    with writer.as_default():
        tf.summary.experimental.write_raw_pb(end.SerializeToString(), step=0)


def setting_rows(config: Config, database: str, variant: str) -> list[tuple[str, str, str]]:
    """Key, value and origin of every setting."""
    origins = configs.origins(config, database, variant)
    values = config.model_dump().items()
    return [(key, configs.as_yaml(value), origins[key]) for key, value in values]


def count_rows(fold: Fold) -> list[tuple[str, int, int, int]]:
    """For each class, for all images and for all known people: the name and its count in each
    part."""
    parts = [getattr(fold, name) for name in PARTS]
    rows = [
        (name, *(int((part.labels == k).sum()) for part in parts))
        for k, name in enumerate(fold.classes)
    ]
    rows.append(("all images", *(len(part) for part in parts)))
    people, unknown = zip(*(counted(part.subjects) for part in parts), strict=True)
    rows += [("people", *people)] if any(people) else []
    rows += [("images of unknown subjects", *unknown)] if any(unknown) else []
    return rows


def _markdown(head: tuple[str, ...], rows: list[tuple]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in lines
    )
