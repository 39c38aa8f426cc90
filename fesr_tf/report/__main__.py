"""`python -m fesr_tf.report RUNS… --output DIR`: results of runs and cross-validations as one page
that needs no other file, with every value as CSV and JSON beside it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fesr_tf.report.document import CSV, JSON, PAGE, write
from fesr_tf.results.groups import read_people
from fesr_tf.results.sources import read
from fesr_tf.runs.machine import commit
from pipelines.common.errors import BadUse, command
from pipelines.common.files import folder_whole


def require_own(output: Path) -> None:
    """Raises `BadUse` unless `output` is new, empty, or an earlier report, which is replaced."""
    if not output.exists():
        return
    if not output.is_dir() or {path.name for path in output.iterdir()} - {PAGE, CSV, JSON}:
        raise BadUse(f"--output {output} holds other things than a report; give another folder")


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    options = argparse.ArgumentParser(
        prog="python -m fesr_tf.report",
        description="One self-contained HTML page about runs and cross-validations of the same "
        "data, and figures.csv and figures.json with every value on it.",
    )
    add = options.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN",
        help="runs/<db>/<variant>/fold-NN, or runs/<db> that holds crossval.json")  # fmt: skip
    add("--output", required=True, type=Path, metavar="DIR", help="folder of the page")
    add("--data", type=Path, help="the runs' data, if the folder has moved")
    add("--people", type=Path, metavar="CSV",
        help="table of people: subject, then a column for each attribute "
        "[people.csv in the data folder]")  # fmt: skip
    return options


@command
def main(argv: list[str] | None = None) -> int:
    """Writes DIR atomically; exit code 0, 2 (bad use) or 1 (failed work)."""
    options = parser().parse_args(argv)
    require_own(options.output)
    sources = read(options.runs, options.data)
    manifest = sources.manifest
    data = sources.data / manifest.version if manifest else None
    report = write(sources, read_people(data, sources.database, options.people), commit())
    with folder_whole(options.output) as folder:
        for name, content in report.files.items():
            (folder / name).write_text(content, encoding="utf-8")
    size = len(report.files[PAGE].encode()) / 1e6
    print(
        f"{report.figures:,} values, {report.images} images, a page of {size:.1f} MB\n"
        f"written: {', '.join(str(options.output / name) for name in report.files)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
