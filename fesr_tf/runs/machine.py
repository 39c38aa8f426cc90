"""Describes the machine and the code of a run: machine.json, an entry per start of training."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

from fesr_tf.runs.files import MACHINE
from pipelines.common.cores import available_cores
from pipelines.common.files import write_whole

_SECONDS = 10


def commit(home: Path | None = None) -> str | None:
    """The commit of this project's code, with `+` where files differ from it; None where the code
    is not in its own working tree, as when installed from a wheel."""
    home = home or Path(__file__).resolve().parents[2]
    # A repository further up belongs to another project, in which this one is installed.
    if not (home / ".git").exists():
        return None

    def git(*words: str) -> str:
        command = ["git", "-C", str(home), *words]
        output = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
        return output.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def processor() -> str:
    """The processor's name as the system reports it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_gib() -> float | None:
    """The machine's memory in GiB; None where the system does not report it."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None


def description() -> dict[str, object]:
    """This machine and code, ready for JSON; `cores` counts those that this process may use."""
    # Imported here: benchmarks without TensorFlow also use this module.
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    named = [tf.config.experimental.get_device_details(gpu).get("device_name", "?") for gpu in gpus]
    return {
        "commit": commit(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "system": platform.system(),
        "processor": processor(),
        "cores": len(available_cores()),
        "memory_gib": memory_gib(),
        "gpus": named,
    }


def note_start(folder: Path, step: int) -> None:
    """Records in machine.json that training starts here at iteration `step`. Entries from `step`
    on belong to a run that was restarted, and are removed."""
    path = folder / MACHINE
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["starts"]
        before = [start for start in before if start["step"] < step]
    except (OSError, ValueError, KeyError, TypeError):
        before = []
    starts = [*before, {"step": step, **description()}]
    write_whole(path, json.dumps({"starts": starts}, indent=1) + "\n")
