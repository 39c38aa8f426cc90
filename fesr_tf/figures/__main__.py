"""`python -m fesr_tf.figures RUNS… --output DIR`: the paper's figures for your own runs.

Writes DIR/fig-4.png to fig-9.png, interpolation.png and two GIFs, and DIR/figures.json, a list of
{file, figure, title, caption, runs, command}. docs/guide/figures.md explains each figure.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from fesr_tf.figures import accuracies, faces, features, interpolation, run_images
from fesr_tf.figures.figure import FigureFile
from fesr_tf.figures.sources import Source, Sources, read
from pipelines.common.errors import BadUse, command
from pipelines.common.files import folder_whole, write_whole

FIGURES = ("4", "5", "6", "7", "8", "9", "interpolation")
LIST = "figures.json"
# For a figure of faces: the runs it shows or the reason why it is missing, and its files.
FROM_RUNS = {
    "4": (faces.sources_4, faces.figure_4),
    "5": (faces.sources_fesgan, faces.figure_5),
    "6": (faces.sources_fesgan, faces.figure_6),
    "7": (faces.sources_7, faces.figure_7),
    "9": (features.sources_9, features.figure_9),
    "interpolation": (faces.sources_fesgan, interpolation.interpolation),
}


def make_figures(
    sources: Sources, wanted: Sequence[str], data: Path | None, people: int, seed: int
) -> tuple[list[FigureFile], list[str]]:
    """The files of the figures that the sources allow, and a sentence about each missing one."""
    chosen: dict[str, list[Source]] = {}
    missing: dict[str, str] = {}
    for name in wanted:
        if name in FROM_RUNS:
            found = FROM_RUNS[name][0](sources)
            (missing if isinstance(found, str) else chosen)[name] = found
        elif reason := accuracies.missing_8(sources):
            missing[name] = reason
    needed = {source.info.variant: source for group in chosen.values() for source in group}
    with_features = {source.info.variant for source in chosen.get("9", ())}
    # One run after another, each opened once for all figures that show it.
    images = {
        variant: run_images.generate(source, data, people, seed, variant in with_features)
        for variant, source in needed.items()
    }
    files: list[FigureFile] = []
    for name in wanted:
        if name in chosen:
            shown = {source.info.variant: images[source.info.variant] for source in chosen[name]}
            if name == "interpolation" and not next(iter(shown.values())).interpolations:
                missing[name] = "no two test people show one expression"
            else:
                files += FROM_RUNS[name][1](shown, *((seed,) if name == "9" else ()))
        elif name not in missing:
            files += accuracies.figure_8(sources)
    titles = {name: f"Fig. {name}" if name.isdecimal() else name.capitalize() for name in missing}
    return files, [f"{titles[n]}: not generated, {missing[n]}" for n in wanted if n in missing]


def save(output: Path, files: Sequence[FigureFile], words: Sequence[str]) -> None:
    """Writes the files and figures.json atomically, in place of an earlier call's.

    words: the command line without --figures. Raises `BadUse` where `output` holds anything but
    an earlier call's figures.
    """
    require_own(output)
    entries = []
    with folder_whole(output) as folder:
        for file in files:
            write_whole(folder / file.file, file.content)
            entry = dataclasses.asdict(file)
            del entry["content"]
            entries.append(entry | {"command": shlex.join([*words, "--figures", file.figure])})
        write_whole(folder / LIST, json.dumps(entries, indent=1, ensure_ascii=False) + "\n")


def require_own(output: Path) -> None:
    """Raises `BadUse` where `output` is a file, or holds files that this command did not write."""
    if output.exists() and not output.is_dir():
        raise BadUse(f"--output {output} is a file; give a folder")
    names = {path.name for path in output.iterdir()} if output.exists() else set()
    try:
        listed = {entry["file"] for entry in json.loads((output / LIST).read_text("utf-8"))}
    except (OSError, ValueError, TypeError, KeyError):
        listed = set()
    if foreign := sorted(names - listed - {LIST}):
        raise BadUse(
            f"--output {output} holds {foreign[0]}, which this command did not write and would "
            "delete; give an empty folder"
        )


def figures_of(text: str) -> list[str]:
    """'9,4' -> ['4', '9']. Raises `BadUse` for an unknown figure."""
    names = [part.strip() for part in text.split(",")]
    if unknown := [name for name in names if name not in FIGURES]:
        raise BadUse(f"--figures: no figure {unknown[0]!r}; choose from {', '.join(FIGURES)}")
    return [name for name in FIGURES if name in names]


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    result = argparse.ArgumentParser(
        prog="python -m fesr_tf.figures",
        description="The paper's figures 4 to 9 and identity interpolation for your own runs.",
    )
    add = result.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN",
        help="run folders, one for each variant, and a folder with crossval.json")  # fmt: skip
    add("--output", required=True, type=Path, help="folder for the figures alone")
    add("--data", type=Path, help="the runs' data, if the folder has moved")
    add("--people", type=int, default=4, help="number of test people, and of z [4]")
    add("--seed", type=int, default=0, help="of people, z and t-SNE [0]")
    add("--figures", default=",".join(FIGURES), help=f"as in 4,9 [{','.join(FIGURES)}]")
    return result


@command
def main(argv: list[str] | None = None) -> int:
    """Writes the figures that the runs allow; exit code 0, 2 (bad use) or 1 (failed work)."""
    options = parser().parse_args(argv)
    if options.people < 1 or not 0 <= options.seed < 2**32:
        raise BadUse("--people must be at least 1 and --seed from 0 to 2**32 - 1")
    wanted = figures_of(options.figures)
    require_own(options.output)
    sources = read(options.runs)
    files, missing = make_figures(sources, wanted, options.data, options.people, options.seed)
    if not files:
        raise BadUse("; ".join(missing))
    words = ["python", "-m", "fesr_tf.figures", *map(str, options.runs)]
    words += ["--output", str(options.output), "--people", str(options.people)]
    words += ["--data", str(options.data)] if options.data else []
    save(options.output, files, [*words, "--seed", str(options.seed)])
    for sentence in missing:
        print(sentence)
    shown = {folder for file in files for folder in file.runs}
    for source in sources.runs.values():
        if str(source.folder) not in shown:
            print(f"note: no figure shows {source.folder}, a run of {source.info.variant}")
    for name in (*(file.file for file in files), LIST):
        print(f"written: {options.output / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
