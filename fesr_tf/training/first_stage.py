"""Stage 1 once for several variants: a run that begins where another one's stage 1 ended.

Stage 1 trains FESGAN alone, and most variants of Fig. 8 differ only in what comes after it. Draws
and batches are functions of the seed and the step, so equal settings give equal weights, and
beginning from them gives what training them again would have given, to the bit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.config import Config
from fesr_tf.model.fesr import FESR
from fesr_tf.runs import files
from fesr_tf.runs.checkpoints import Checkpoints
from pipelines.common.errors import BadUse
from pipelines.common.files import write_whole

UNREAD = configs.keys_of("second", "monitoring")
"""The keys that stage 1 does not read. `synthetic: none` has no stage 1 at all."""


def has_one(config: Config) -> bool:
    """Whether a run of these settings has a stage 1 and one after it."""
    first = config.trains_fesgan and config.pretrain_iterations > 0
    second = config.trains_recognizer and config.max_iterations > config.pretrain_iterations
    return first and second


def differences(first: Config, config: Config) -> dict[str, tuple[Any, Any]]:
    """The keys that stage 1 reads in which two configurations differ, with both values."""
    found = configs.differences(first, config)
    return {key: both for key, both in found.items() if key not in UNREAD}


def refuse(first: Path, config: Config, info: runs.RunInfo) -> None:
    """Raises `BadUse` where a run of `config` and `info` cannot begin from `first`, another run's
    folder: other settings of stage 1, other data, another fold, or a stage 1 without an end."""
    if not has_one(config):
        raise BadUse(f"{info.variant} has no first stage to take from {first}: leave it out")
    there = runs.read_info(first)
    before = configs.load(first / files.CONFIG)
    changed = [
        f"{key} is {old} there and {new} here"
        for key, (old, new) in differences(before, config).items()
    ]
    for name in ("fold", "classes", "data_digest"):
        old, new = getattr(there, name), getattr(info, name)
        if old != new:
            changed.append(f"{name} is {_short(old)} there and {_short(new)} here")
    if not before.trains_fesgan:
        changed.append(f"{there.variant} has no first stage")
    if changed:
        raise BadUse(
            f"the first stage of {first} is not that of this run ({'; '.join(changed)}): give a "
            "run that is equal in these, or none"
        )
    path = _end(first, config)
    if not path.is_dir():
        raise BadUse(
            f"{first} has no checkpoint of step {config.pretrain_iterations}, where stage 1 ends: "
            "train it to there (a run of FG ends there and keeps it), or give no --first-stage"
        )


def begin(model: FESR, first: Path, checkpoints: Checkpoints, folder: Path) -> int:
    """Loads the end of `first`'s stage 1 into `model`, of the run in `folder`, saves it as that
    run's own checkpoint and notes in first_stage.json where it came from.

    Returns the step. `refuse` has agreed. Raises `FailedWork` for a checkpoint that is damaged.
    """
    there = Checkpoints(model, first / files.CHECKPOINTS, 1)
    there.read(_end(first, model.config))
    if elsewhere := there.elsewhere():
        print(f"note: {elsewhere}", file=sys.stderr, flush=True)
    checkpoints.save()
    step, variant = int(model.fesgan.step.numpy()), runs.read_info(first).variant
    write_whole(folder / files.FIRST_STAGE, json.dumps({"variant": variant, "step": step}) + "\n")
    return step


def taken_from(folder: Path) -> str | None:
    """The variant whose stage 1 the run in `folder` began from; None where it trained its own."""
    try:
        return json.loads((folder / files.FIRST_STAGE).read_text(encoding="utf-8"))["variant"]
    except FileNotFoundError:
        return None


def _end(folder: Path, config: Config) -> Path:
    return files.step_folder(folder / files.CHECKPOINTS, config.pretrain_iterations)


def _short(value: object) -> str:
    return value[:12] if isinstance(value, str) else str(value)
