"""What a run was trained on: machine.json in its folder, an entry for each start of training."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

from fesr_tf.runs.files import MACHINE
from pipelines.common.files import write_whole

_SECONDS = 10


def commit(home: Path | None = None) -> str | None:
    """The commit of this project's code, with `+` where files differ from it; None where it is
    not a working tree of its own, as when installed from a wheel."""
    home = home or Path(__file__).resolve().parents[2]
    # A repository further up is somebody else's, in which this was installed.
    if not (home / ".git").exists():
        return None

    def git(*words: str) -> str:
        asked = ["git", "-C", str(home), *words]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=_SECONDS, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_gib() -> float | None:
    """The machine's memory in GiB; None where the system does not tell."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None


def description() -> dict[str, object]:
    """This machine and this code, ready for JSON; `cores` are those that this process may use."""
    # Imported here: benchmarks without TensorFlow print the commit and the processor too.
    import tensorflow as tf

    counted = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
    gpus = tf.config.list_physical_devices("GPU")
    named = [tf.config.experimental.get_device_details(gpu).get("device_name", "?") for gpu in gpus]
    return {
        "commit": commit(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "system": platform.system(),
        "processor": processor(),
        "cores": len(counted(0)),
        "memory_gib": memory_gib(),
        "gpus": named,
    }


def note_start(folder: Path, step: int) -> None:
    """Adds to a run's machine.json that training begins here at iteration `step`. What was noted
    of starts that came to more than `step` is of a run that was begun anew, and goes."""
    path = folder / MACHINE
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["starts"]
        before = [start for start in before if start["step"] < step]
    except (OSError, ValueError, KeyError, TypeError):
        before = []
    starts = [*before, {"step": step, **description()}]
    write_whole(path, json.dumps({"starts": starts}, indent=1) + "\n")
