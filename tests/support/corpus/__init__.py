"""Input that somebody broken, careless or hostile might hand to the preprocessing job.

Everything here is made from a few rendered faces and a seed, the same bytes each time. What
must become of each case follows from how it was made, and is written down with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KEEP, REJECT, EITHER, STRAY = "keep", "reject", "either", "stray"


@dataclass(frozen=True)
class Case:
    """One thing in a folder.

    name: its path there. verdict: KEEP (it must become a record), REJECT (it must be listed
    with a reason), EITHER (one of both), STRAY (not an image by its name; a note counts it).
    data: the file's bytes; else link: where a symbolic link leads; else fifo, folder; hole: a
    file of that many bytes that takes no room.
    """

    kind: str
    name: str
    verdict: str
    data: bytes | None = None
    link: str | None = None
    fifo: bool = False
    hole: int = 0

    @property
    def shown(self) -> str:
        """The name as a manifest can hold it."""
        return self.name.encode(errors="replace").decode()

    @property
    def key(self) -> str:
        """The key of the record that it becomes: the name without its ending."""
        return self.name.rsplit(".", 1)[0]


def write(cases: Iterable[Case], root: Path) -> None:
    """Puts the cases into the folder `root`."""
    for case in cases:
        path = root / case.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if case.data is not None:
            path.write_bytes(case.data)
        elif case.link is not None:
            path.symlink_to(case.link)
        elif case.fifo:
            os.mkfifo(path)
        elif case.hole:
            with path.open("wb") as file:
                file.truncate(case.hole)
        else:
            path.mkdir(parents=True)
