"""Locks that processes of several hosts share through a file system.

A folder's lock is a series of files, `crossval-0001.lock` and so on, each made with O_EXCL and none
ever removed: the newest names the holder or, once released, how its work ended. The next number can
be made by one process only, so a lock without a living holder cannot be taken over twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pipelines.common.files import write_whole

HEARTBEAT = 10.0  # seconds between two heartbeats of a holder
DEAD_AFTER = 120.0  # seconds without one after which a holder on another host counts as dead


@dataclass
class Lock:
    """A lock that this process holds. content: what its file says."""

    path: Path
    content: dict
    _beaten: float = field(default_factory=time.monotonic)

    def beat(self) -> bool:
        """Renews the heartbeat, the file's time of modification, where it is due.

        Returns False where another process took the lock over, as after a long sleep of this host.
        """
        if time.monotonic() - self._beaten < HEARTBEAT:
            return True
        self._beaten = time.monotonic()
        if newest(self.path.parent) != self.path:
            return False
        os.utime(self.path)
        return True

    def release(self, status: str, **about: object) -> None:
        """Records how the work ended, as `status` and more, and lets others take the lock."""
        self.content |= {"ended": _utc(), "status": status, **about}
        write_whole(self.path, json.dumps(self.content) + "\n")


def take(folder: Path, dead_after: float = DEAD_AFTER) -> Lock | None:
    """Takes the lock of a folder, which is created; None where a living process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    last = newest(folder)
    if last and held(last, dead_after):
        return None
    path = folder / f"crossval-{_number(last) + 1 if last else 1:04d}.lock"
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return None
    content = {
        "host": socket.gethostname(),
        "machine": _machine(),
        "process": os.getpid(),
        "process_started": _process_started(os.getpid()),
        "started": _utc(),
    }
    with os.fdopen(descriptor, "w") as file:
        file.write(json.dumps(content) + "\n")
    return Lock(path, content)


def newest(folder: Path) -> Path | None:
    """The file with the highest number; None where the folder was never locked."""
    return max(series(folder), key=_number, default=None)


def series(folder: Path) -> list[Path]:
    """Every file of a folder's lock, oldest first."""
    return sorted(folder.glob("crossval-*.lock"), key=_number)


def read(path: Path) -> dict:
    """What a lock file says; empty while its holder has not yet written it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    except (OSError, ValueError):
        return {}


def held(path: Path, dead_after: float = DEAD_AFTER) -> bool:
    """Whether the process that made a lock file lives and has not released it.

    On this machine the process itself is looked for; one on another is alive while its heartbeat is
    younger than `dead_after` seconds by the file system's clock.
    """
    content = read(path)
    if "status" in content:
        return False
    if content and content.get("machine") == _machine():
        return _process_started(content["process"]) == content["process_started"]
    with contextlib.suppress(FileNotFoundError):
        return now(path.parent) - path.stat().st_mtime < dead_after
    return False


def now(folder: Path) -> float:
    """The time by the clock of the folder's file system, which all hosts share."""
    with tempfile.TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_mtime


def _number(path: Path) -> int:
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def _machine() -> str:
    """What process numbers hold for: the host since its last boot and, in a container, there."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):  # without /proc, as on macOS
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _process_started(process: int) -> int | None:
    """When a process started, in ticks since boot (0 without /proc); None where it is gone."""
    try:
        if not Path("/proc/self/stat").exists():
            os.kill(process, 0)
            return 0
        # Behind the name, which may hold spaces and brackets: state, ..., start time (proc(5)).
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except (FileNotFoundError, ProcessLookupError):
        return None
    except PermissionError:
        return 0


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
