"""The names of the files in a run folder, once.

runs/<db>/
    crossval.json   the results of a cross-validation over the runs below; .csv has a line per run
runs/<db>/<variant>/fold-NN/
    config.yaml     the resolved configuration
    run.json        database, variant, fold, data folder and digest, classes
    machine.json    processor, cores, memory, GPUs, TensorFlow and commit of each start of training
    first_stage.json  the variant whose first stage the run took over, if any
    checkpoints/step-NNNNNN/   networks, optimizers, iteration (`fesr_tf.runs.checkpoints`)
    best/step-NNNNNN/          the same, where R was best on the validation part
    events/         TensorBoard
    pictures/       image sheets, confusion matrix
    evaluation.json, evaluation-<part>.json, evaluation-best.json, evaluation-people.json
    synthesis.json  the quality of generated images
    train.log, evaluate.log    of a cross-validation
    crossval-NNNN.lock         each attempt of a cross-validation at this run: host, process, times
                               and end (`fesr_tf.processes.locks`)

`fold-all` is a run without held-out subjects: it trains on all people and is tested on none.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

CONFIG, INFO, MACHINE = "config.yaml", "run.json", "machine.json"
FIRST_STAGE, SYNTHESIS, CROSSVAL = "first_stage.json", "synthesis.json", "crossval.json"
INITIAL_WEIGHTS = "initial_weights.json"
"""The run whose weights it started with; only in a run of `--initial-weights`."""
CHECKPOINTS, EVENTS, IMAGES = "checkpoints", "events", "pictures"
# The two checkpoints that a command can open; the best one's folder has its name.
LAST, BEST = "last", "best"
# In a checkpoint's folder, beside config.yaml.
WEIGHTS, CHECKPOINT_INFO = "weights", "checkpoint.json"
LOCK, TRAIN_LOG, EVALUATE_LOG = ".lock", "train.log", "evaluate.log"

_TEST = "test"
_STEP = "step-"


def is_run(folder: Path) -> bool:
    """Whether training was ever started in `folder`."""
    return (folder / INFO).exists()


def steps(folder: Path) -> list[int]:
    """The iterations that have a checkpoint in `folder` (checkpoints or best), ascending."""
    names = (path.name.removeprefix(_STEP) for path in folder.glob(f"{_STEP}*"))
    return sorted(int(name) for name in names if name.isdecimal())


def step_folder(folder: Path, step: int) -> Path:
    """The folder of one checkpoint in `folder` (checkpoints or best)."""
    return folder / f"{_STEP}{step:06d}"


def checkpoint_info(folder: Path) -> dict:
    """checkpoint.json of the newest checkpoint in `folder`; empty if it is missing or damaged."""
    with contextlib.suppress(OSError, ValueError):  # also of max()
        path = step_folder(folder, max(steps(folder))) / CHECKPOINT_INFO
        return json.loads(path.read_text(encoding="utf-8"))
    return {}


def suffix(split: str, checkpoint: str) -> str:
    """The suffix of results on a part other than test or of a checkpoint other than the last:
    "-valid"."""
    return "".join(f"-{name}" for name in (split, checkpoint) if name not in (_TEST, LAST))


def evaluation(split: str = _TEST, checkpoint: str = LAST) -> str:
    """The name of the file with R's predictions on a part."""
    return f"evaluation{suffix(split, checkpoint)}.json"
