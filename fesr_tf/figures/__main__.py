"""`python -m fesr_tf.figures RUNS… --output DIR`: the paper's figures, of one's own runs.

Writes DIR/fig-4.png to fig-9.png, interpolation.png and two GIFs, and DIR/figures.json, a list of
{file, figure, title, caption, runs, command}. docs/guide/figures.md says what each shows.
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
from fesr_tf.figures.figure import Picture
from fesr_tf.figures.run_images import Drawn
from fesr_tf.figures.sources import Source, Sources, read
from pipelines.common.errors import BadUse, command
from pipelines.common.files import folder_whole, write_whole

FIGURES = ("4", "5", "6", "7", "8", "9", "interpolation")
LIST = "figures.json"
# Which runs a figure of faces is drawn from, or why it cannot be; and how.
FROM_RUNS = {
    "4": (faces.sources_4, faces.figure_4),
    "5": (faces.sources_fesgan, faces.figure_5),
    "6": (faces.sources_fesgan, faces.figure_6),
    "7": (faces.sources_7, faces.figure_7),
    "9": (features.sources_9, features.figure_9),
    "interpolation": (faces.sources_fesgan, interpolation.interpolation),
}


def draw_all(
    sources: Sources, wanted: Sequence[str], data: Path | None, people: int, seed: int
) -> tuple[list[Picture], list[str]]:
    """The pictures of the figures that can be drawn, and a sentence about each other one."""
    chosen: dict[str, list[Source]] = {}
    why: dict[str, str] = {}
    for name in wanted:
        if name in FROM_RUNS:
            found = FROM_RUNS[name][0](sources)
            (why if isinstance(found, str) else chosen)[name] = found
        elif reason := accuracies.missing_8(sources):
            why[name] = reason
    seen = _look(chosen, data, people, seed)
    made: list[Picture] = []
    for name in wanted:
        if name == "8" and name not in why:
            made += accuracies.figure_8(sources)
        elif name in chosen:
            shown = {each.info.variant: seen[each.info.variant] for each in chosen[name]}
            if name == "interpolation" and not next(iter(shown.values())).between:
                why[name] = "no expression is shown by two test people"
            else:
                more = (seed,) if name == "9" else ()
                made += FROM_RUNS[name][1](shown, *more)
    return made, [f"{_called(name)}: not drawn, {why[name]}" for name in wanted if name in why]


def _look(
    chosen: dict[str, list[Source]], data: Path | None, people: int, seed: int
) -> dict[str, Drawn]:
    """Every run that any figure shows, drawn once, one after another."""
    needed = {each.info.variant: each for group in chosen.values() for each in group}
    with_features = {each.info.variant for each in chosen.get("9", ())}
    return {
        name: run_images.draw(each, data, people, seed, name in with_features)
        for name, each in needed.items()
    }


def _called(name: str) -> str:
    return f"Fig. {name}" if name.isdecimal() else name.capitalize()


def save(output: Path, made: Sequence[Picture], words: Sequence[str]) -> None:
    """Writes the pictures and figures.json, all of it or nothing, in place of what was there.

    words: the command line without --figures. Raises `BadUse` where `output` holds anything else
    than an earlier call's figures.
    """
    require_own(output)
    told = []
    for each in made:
        about = dataclasses.asdict(each)
        del about["content"]
        told.append(about | {"command": shlex.join([*words, "--figures", each.figure])})
    with folder_whole(output) as folder:
        for each in made:
            write_whole(folder / each.file, each.content)
        write_whole(folder / LIST, json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def require_own(output: Path) -> None:
    """Raises `BadUse` where `output` is a file, or holds what this command did not write."""
    if output.exists() and not output.is_dir():
        raise BadUse(f"--output {output} is a file: give a folder")
    names = {path.name for path in output.iterdir()} if output.exists() else set()
    try:
        listed = {each["file"] for each in json.loads((output / LIST).read_text("utf-8"))}
    except (OSError, ValueError, TypeError, KeyError):
        listed = set()
    if foreign := sorted(names - listed - {LIST}):
        raise BadUse(
            f"--output {output} holds {foreign[0]}, which is no figure: the whole folder is "
            "written anew, so give one of its own"
        )


def figures_of(text: str) -> list[str]:
    """'9,4' -> ['4', '9']. Raises `BadUse` for a figure that there is not."""
    asked = [part.strip() for part in text.split(",")]
    if unknown := [part for part in asked if part not in FIGURES]:
        raise BadUse(f"--figures: no figure {unknown[0]!r}; there are: {', '.join(FIGURES)}")
    return [name for name in FIGURES if name in asked]


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(
        prog="python -m fesr_tf.figures",
        description="The paper's figures 4 to 9 and identity interpolation, of one's own runs.",
    )
    add = made.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN",
        help="run folders, one a variant, and a folder with crossval.json")  # fmt: skip
    add("--output", required=True, type=Path, help="a folder of their own")
    add("--data", type=Path, help="the runs' data, if the folder has moved")
    add("--people", type=int, default=4, help="test people shown, and z [4]")
    add("--seed", type=int, default=0, help="of people, z and t-SNE [0]")
    add("--figures", default=",".join(FIGURES), help=f"as in 4,9 [{','.join(FIGURES)}]")
    return made


@command
def main(argv: list[str] | None = None) -> int:
    """Draws what there are runs of; exit code 0, 2 (bad use) or 1 (failed work)."""
    options = parser().parse_args(argv)
    if options.people < 1 or not 0 <= options.seed < 2**32:
        raise BadUse("--people must be at least 1 and --seed from 0 to 2**32 - 1")
    wanted = figures_of(options.figures)
    require_own(options.output)
    sources = read(options.runs)
    made, missing = draw_all(sources, wanted, options.data, options.people, options.seed)
    if not made:
        raise BadUse("; ".join(missing))
    words = ["python", "-m", "fesr_tf.figures", *map(str, options.runs)]
    words += ["--output", str(options.output), "--people", str(options.people)]
    words += ["--data", str(options.data)] if options.data else []
    save(options.output, made, [*words, "--seed", str(options.seed)])
    for each in missing:
        print(each)
    shown = {folder for each in made for folder in each.runs}
    for each in sources.runs.values():
        if str(each.folder) not in shown:
            print(f"note: {each.folder}, a run of {each.info.variant}, is in none of them")
    for each in made:
        print(f"written: {options.output / each.file}")
    print(f"written: {options.output / LIST}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
