"""A run's folder: its settings and data, and a lock so that only one process trains in it.

`fesr_tf.runs.files` lists its files.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf.config import Config
from fesr_tf.data import ALL, FoldNumber
from fesr_tf.data.origin import Origin
from fesr_tf.runs import files
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import write_whole
from pipelines.common.records import typed


@dataclass(frozen=True)
class RunInfo:
    """run.json: the data that a run was trained on. `data` is the folder as given by the user;
    origin is None in runs of earlier versions."""

    database: str
    variant: str
    fold: FoldNumber
    data: str
    data_digest: str
    classes: tuple[str, ...]
    origin: Origin | None = None


def run_folder(runs: str | Path, database: str, variant: str, fold: FoldNumber) -> Path:
    """Where a run lives: `<runs>/<database>/<variant>/fold-NN`, or `fold-all`."""
    return Path(runs) / database / variant / (f"fold-{ALL}" if fold == ALL else f"fold-{fold:02d}")


def require_held_out(info: RunInfo, folder: Path) -> None:
    """Raises `BadUse` for a run without held-out subjects."""
    if info.fold == ALL:
        raise BadUse(
            f"{folder} was trained on all images, with none held out to test it on; "
            "estimate its accuracy by cross-validation (python -m fesr_tf.crossval)"
        )


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Creates the run's folder and prevents other processes from training in it.

    The kernel holds the lock until this process ends, however it ends. Raises `BadUse` where
    another process holds it. A file system without locks (some NFS) gives no protection.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / files.LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise BadUse(
                f"another process (number {file.read().strip() or 'unknown'}) is training in "
                f"{folder}: wait for it, stop it, or choose another --runs folder"
            ) from None
        except OSError:
            yield
            return
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def in_training(folder: Path) -> bool:
    """Whether a process trains in the run's folder (`alone`), as far as the file system knows."""
    try:
        file = (folder / files.LOCK).open("rb")
    except FileNotFoundError:
        return False
    with file, contextlib.suppress(OSError):
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def start(folder: Path, config: Config, info: RunInfo) -> None:
    """Creates the run's folder, or checks that the run it holds has these settings and data.

    A run without a checkpoint is restarted. Raises `BadUse` and names the keys that differ.
    """
    if not files.is_run(folder) or not files.steps(folder / files.CHECKPOINTS):
        folder.mkdir(parents=True, exist_ok=True)
        # The best state of a run that stopped before its first checkpoint.
        shutil.rmtree(folder / files.BEST, ignore_errors=True)
        config.save(folder / files.CONFIG)
        write_whole(folder / files.INFO, json.dumps(dataclasses.asdict(info), indent=2) + "\n")
        return
    before = configs.differences(configs.load(folder / files.CONFIG), config)
    changed = [f"{key} was {old}, now {new}" for key, (old, new) in before.items()]
    there = read_info(folder)
    if there.classes != info.classes:
        changed.append(f"the classes were {other_classes(there.classes, info.classes)}")
    if there.data_digest != info.data_digest:
        changed.append(f"the data were {there.data_digest[:12]}, now {info.data_digest[:12]}")
    if changed:
        raise BadUse(
            f"{folder} holds a run with other settings ({'; '.join(changed)}): resume with those, "
            "or choose another --runs folder"
        )


def other_classes(before: tuple[str, ...], now: tuple[str, ...]) -> str:
    """How two lists of classes differ: "8, now 7 (contempt is in one of them only)"."""
    odd = sorted(set(before) ^ set(now))
    if not odd:
        return f"{', '.join(before)}, now {', '.join(now)}"
    verb = "is" if len(odd) == 1 else "are"
    return f"{len(before)}, now {len(now)} ({', '.join(odd)} {verb} in one of them only)"


def read_info(folder: str | Path) -> RunInfo:
    """Reads run.json. Raises `BadUse` where `folder` is not a run."""
    path = Path(folder) / files.INFO
    try:
        return typed(RunInfo, json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        raise BadUse(
            f"{folder} is not a run: it has no run.json (runs are <runs>/<db>/<variant>/fold-NN)"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise FailedWork(f"{path} is damaged ({error}); restore it or train again") from None
