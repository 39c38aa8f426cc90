"""Builds every layout in miniature and prints what its reader finds beside the published counts.

    python tests/support/show_readers.py [--fer2013 DIR]

First with the published counts, then with what may be wrong or different in an edition. FER2013,
FER+ and AffectNet are smaller than published; --fer2013 names a folder with the real one.
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
from tests.support.miniatures import ckplus, laboratory, mmi, multi_pie, oulu_casia, tfd, web

_479 = "the edition of 479 sequences"
_SHOWN = 12
_SMALL = "smaller than published"
_COUNTED = ("published counts", _479, _SMALL, "the real one")


def editions(folder: Path, real: Path | None) -> Iterator[tuple[str, str, Path]]:
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
    for name in ("ckplus48", "jaffe", "kdef", "rafd"):
        yield name, "published counts", getattr(laboratory, name)(folder / name, faces, full=True)
    yield "rafdb", "published counts", web.rafdb(folder / "rafdb", faces, full=True)
    yield "rafdb", "numbered folders", web.rafdb_folders(folder / "rafdb_folders", faces)
    yield "fer2013", _SMALL, web.fer2013(folder / "fer2013", faces)
    yield "fer2013", "icml_face_data.csv", web.fer2013(folder / "icml", faces, icml=True)
    yield "fer2013", "folders", web.fer2013_folders(folder / "fer2013_folders", faces)
    yield "ferplus", _SMALL, web.ferplus(folder / "ferplus", faces)
    yield "affectnet", _SMALL, web.affectnet(folder / "affectnet", faces)
    yield "affectnet", "the second release", web.affectnet_sets(folder / "affectnet_sets", faces)
    if real is not None:
        yield "fer2013", "the real one", real
        yield "ferplus", "the real one", real
    yield "images", "a folder a class", faces
    yield "demo", "rendered", faces


def said(database: Database, counts: bool) -> Iterator[str]:
    """What the reader has to say: counts beside the published ones, notes, rejects."""
    if counts and database.findings:
        yield findings_report(database.findings)
    yield f"  {len(database.samples)} samples, {len(database.rejects)} rejected by the reader"
    yield from (f"  note: {note}" for note in database.notes)
    for each in database.rejects[:_SHOWN]:
        yield f"  rejected: {each.source}: {each.reason}"
    if len(database.rejects) > _SHOWN:
        yield f"  and {len(database.rejects) - _SHOWN} more"


@command
def main(argv: list[str] | None = None) -> int:
    """Works in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fer2013", type=Path, metavar="DIR", help="folder of the real FER2013")
    real = parser.parse_args(argv).fer2013
    with tempfile.TemporaryDirectory() as folder:
        for name, what, path in editions(Path(folder), real):
            print(f"\n{name}: {what}")
            try:
                options = {"landmarks": True} if "landmarks" in what else {}
                # Of a small edition with an oddity the counts of a few people say nothing.
                counts = what in _COUNTED
                lines = list(said(open_database(name, path, **options), counts))
            except FesrError as error:
                lines = [f"  error: {error}"]
            print("\n".join(lines), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
