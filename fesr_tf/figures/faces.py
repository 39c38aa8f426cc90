"""Figures 4 to 7: generated images of the same people and codes, side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fesr_tf.figures.figure import FigureFile, of_runs, sentences
from fesr_tf.figures.run_images import RunImages
from fesr_tf.figures.sources import Source, Sources, all_of, other_settings, require_comparable
from fesr_tf.plots import image_grids
from fesr_tf.synthesis.generation import LEVELS

FIG_4 = ("FG-CO", "FG-IP", "FG-Dimg", "FG-Dimg_cls", "FG-Dz", "FG")
FIG_7 = ("FG", "FG-Dz")
# The variant whose generator is shown as FESGAN's: stage 1 alone, else one trained with R.
FESGAN = ("FG", "FESR_JL", "FESR_JL-RDBP", "FESR_JL-IL", "FESR_SL", "FESR_OneSt", "FESR_Real")


def sources_4(sources: Sources) -> list[Source] | str:
    there = [sources.runs[name] for name in FIG_4 if name in sources.runs]
    if len(there) < 2:
        only = f"there is {there[0].info.variant} alone" if there else "there is none"
        return f"it compares two or more of {', '.join(FIG_4)}, and {only}"
    require_comparable("Fig. 4", there)
    return there


def sources_7(sources: Sources) -> list[Source] | str:
    return all_of(sources, "Fig. 7", FIG_7)


def sources_fesgan(sources: Sources) -> list[Source] | str:
    """The one run whose generator is shown where the paper shows FESGAN's."""
    there = [sources.runs[name] for name in FESGAN if name in sources.runs]
    return there[:1] or f"it needs a run of FG (or of {' or '.join(FESGAN[1:])})"


def figure_4(images: Mapping[str, RunImages]) -> list[FigureFile]:
    """A block for each person: a row for each variant, a column for each expression."""
    shown = list(images.values())
    first = shown[0]
    classes, people = first.source.info.classes, first.people
    blocks = []
    for i, (subject, label) in enumerate(zip(people.names, people.labels, strict=True)):
        # The input stands once, beside the first row.
        rows = [[run.rows[i][0] if run is first else None, *run.rows[i][2:]] for run in shown]
        title = f"{subject}, input: {classes[label]}"
        names = list(images)
        blocks.append(image_grids.grid(rows, ["input", *classes], names, title, first.cell))
    missing = [name for name in FIG_4 if name not in images]
    caption = sentences(
        f"Test people of {first.where}: the input x, then "
        "G_dec([g(x), u(y')]) with every expression at intensity 1, a row a variant: "
        f"{', '.join(run.state for run in shown)}.",
        f"Without {', '.join(missing)}: no run was given." if missing else "",
        "The paper's ExprGAN is another method and is not part of this project.",
        other_settings([run.source for run in shown]),
        first.enlarged,
    )
    title = "Expressions by variants of FESGAN"
    sheet = image_grids.stacked(blocks, f"Fig. 4: {title}, {first.where}")
    return [of_runs("fig-4.png", "4", title, caption, shown, sheet)]


def figure_5(images: Mapping[str, RunImages]) -> list[FigureFile]:
    """A row for each person: input, reconstruction, every expression."""
    (only,) = images.values()
    classes, people = only.source.info.classes, only.people
    title = "Expressions of test people"
    names = [f"{s}, {classes[k]}" for s, k in zip(people.names, people.labels, strict=True)]
    columns = ["input", "reconstruction", *classes]
    headed = f"Fig. 5: {title}, {only.variant}, {only.where}"
    sheet = image_grids.grid(only.rows, columns, names, headed, only.cell)
    caption = sentences(
        f"{_generated_by(only)}, of test people: the input x, its reconstruction "
        "(eq. 11), and the same face code with every expression at intensity 1 (eq. 3). Left of "
        "each row: person and expression of the input.",
        "The paper shows three databases; here is one.",
        only.enlarged,
    )
    return [of_runs("fig-5.png", "5", title, caption, [only], sheet)]


def figure_6(images: Mapping[str, RunImages]) -> list[FigureFile]:
    """One person: a row for each expression, with the input and the intensities from -1 to 1."""
    (only,) = images.values()
    classes, image = only.source.info.classes, only.people.images[0]
    title = "Intensity of each expression"
    rows = [[image if k == 0 else None, *row] for k, row in enumerate(only.sweep)]
    columns = ["input", *(f"{level:+.2f}" for level in LEVELS)]
    headed = f"Fig. 6: {title}, {only.people.names[0]}, {only.variant}, {only.where}"
    sheet = image_grids.grid(rows, columns, classes, headed, only.cell)
    changes = [np.abs(row[-1].astype(np.float64) - row[0]).mean() for row in only.sweep]
    caption = sentences(
        f"{_generated_by(only)}: one test person. The entry of the row's class in the expression "
        "code goes from -1 (weak) to 1 (strong), all others stay at -1; the paper shows five of "
        "these nine levels. At -1 all rows are the same picture.",
        "Mean change of a pixel from the weakest to the strongest, of 255 levels of gray: "
        + ", ".join(f"{name} {change:.1f}" for name, change in zip(classes, changes, strict=True))
        + ".",
        only.enlarged,
    )
    return [of_runs("fig-6.png", "6", title, caption, [only], sheet)]


def figure_7(images: Mapping[str, RunImages]) -> list[FigureFile]:
    """Three rows for each test person and z: real, FG, FG-Dz."""
    shown = list(images.values())
    first = shown[0]
    rows, names = [], []
    for i, subject in enumerate(first.people.names):
        rows += [first.real[i], *(run.new[i] for run in shown)]
        names += [f"real, {subject}", *(f"{run.variant}, z {i + 1}" for run in shown)]
    title = "Real faces, and faces drawn from the prior"
    caption = sentences(
        f"Test people of {first.where} as photographed, and below each a person who does not "
        "exist: G_dec([z, u(y)]) with z from U(-1, 1) (eq. 13), intensity 1, by "
        f"{' and by '.join(run.state for run in shown)}, of the same z. A gap: no test picture "
        "of that person and expression. Real and drawn rows have nothing in common but the "
        "expression.",
        other_settings([run.source for run in shown]),
        first.enlarged,
    )
    sheet = image_grids.grid(
        rows, first.source.info.classes, names, f"Fig. 7: {title}, {first.where}", first.cell
    )
    return [of_runs("fig-7.png", "7", title, caption, shown, sheet)]


def _generated_by(images: RunImages) -> str:
    return f"Drawn by {images.state}, {images.where}"
