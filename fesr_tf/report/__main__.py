"""`python -m fesr_tf.report RUNS… --output DIR`: what came of runs and cross-validations, as one
page that needs no other file, with every figure as CSV and JSON beside it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fesr_tf.report.document import JSON, PAGE, write
from fesr_tf.results.groups import read_people
from fesr_tf.results.sources import read
from fesr_tf.runs.machine import commit
from pipelines.common.errors import BadUse, command
from pipelines.common.files import folder_whole


def require_own(output: Path) -> None:
    """Raises `BadUse` where `output` is something else than an earlier report, which is taken
    away for the new one."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    ours = {PAGE, JSON, "figures.csv"}
    if not output.is_dir() or {each.name for each in output.iterdir()} - ours:
        raise BadUse(f"--output {output} holds other things than a report: name another folder")


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(
        prog="python -m fesr_tf.report",
        description="One self-contained HTML page of runs and cross-validations of the same data, "
        "and figures.csv and figures.json with every figure on it.",
    )
    about = "runs/<db>/<variant>/fold-NN, or runs/<db> that holds crossval.json"
    made.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=about)
    made.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="folder of the page"
    )
    made.add_argument("--data", type=Path, help="the runs' data, if the folder has moved")
    made.add_argument("--people", type=Path, metavar="CSV",
                      help="who the people are: subject, then a column an attribute "
                      "[people.csv in the data folder]")  # fmt: skip
    return made


@command
def main(argv: list[str] | None = None) -> int:
    """Writes DIR, whole or not at all; exit code 0, 2 (bad use) or 1 (failed work)."""
    options = parser().parse_args(argv)
    require_own(options.output)
    sources = read(options.runs, options.data)
    people = read_people(
        sources.data if sources.manifest else None, sources.database, options.people
    )
    report = write(sources, people, commit())
    with folder_whole(options.output) as folder:
        for name, content in report.files.items():
            (folder / name).write_text(content, encoding="utf-8")
    size = len(report.files[PAGE].encode()) / 1e6
    print(
        f"{report.figures:,} figures, {report.pictures} pictures, a page of {size:.1f} MB\n"
        f"written: {', '.join(str(options.output / name) for name in report.files)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
