"""Builds every licensed layout in miniature and prints what its reader finds.

    python tests/support/show_readers.py

First with the published counts, then with what may be wrong or different in an edition.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.common.errors import FesrError, command
from pipelines.databases import Database, open_database
from pipelines.demo_faces import render_database
from pipelines.inspection.console import findings_report
from tests.support.miniatures import ckplus, mmi, multi_pie, oulu_casia, tfd

_479 = "the edition of 479 sequences"


def editions(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Database, what is to be seen, and where it lies; each is built when it is asked for."""
    faces = folder / "faces"
    render_database(faces, subjects=4, seed=11, frames=4, size=160, progress=False)
    for name, maker in (("ckplus", ckplus), ("oulu_casia", oulu_casia), ("multi_pie", multi_pie)):
        yield name, "published counts", maker.build(folder / name, faces, full=True)
        for oddity in maker.ODDITIES:
            place = folder / f"{name}_{oddity}"
            # Landmark files have to be there before one of them can be missing.
            wanted = {oddity, "landmarks"} if "landmarks" in oddity else {oddity}
            yield name, oddity, maker.build(place, faces, oddities=wanted)
    place = folder / "oulu_casia_479"
    yield "oulu_casia", _479, oulu_casia.build(place, faces, True, ["empty_sequence"])
    film = mmi.write_film(folder / "film.avi", mmi.performance(3, "happiness", 9))
    yield "mmi", "published counts", mmi.full_counts(folder / "mmi", film)
    yield "mmi", "everything that occurs", mmi.odd_edition(folder / "mmi_odd")
    yield "tfd", "published counts", tfd.full_counts(folder / "TFD_48x48.mat")
    yield "tfd", "v7.3, 96 pixels", tfd.write_v73(folder / "TFD_96x96.mat", tfd.arrays(96))
    yield "images", "a folder a class", faces


def said(database: Database, counts: bool) -> Iterator[str]:
    """What the reader has to say: counts beside the published ones, notes, rejects."""
    if counts and database.findings:
        yield findings_report(database.findings)
    yield f"  {len(database.samples)} samples, {len(database.rejects)} rejected by the reader"
    yield from (f"  note: {note}" for note in database.notes)
    yield from (f"  rejected: {each.source}: {each.reason}" for each in database.rejects)


@command
def main(argv: list[str] | None = None) -> int:
    """Works in a temporary folder."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        for name, what, path in editions(Path(folder)):
            print(f"\n{name}: {what}")
            try:
                options = {"landmarks": True} if "landmarks" in what else {}
                # Of a small edition with an oddity the counts of a few people say nothing.
                counts = what in ("published counts", _479)
                lines = list(said(open_database(name, path, **options), counts))
            except FesrError as error:
                lines = [f"  error: {error}"]
            print("\n".join(lines), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
