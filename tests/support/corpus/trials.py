"""The whole corpus through the commands: builds it, runs them, says what was wrong."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import KEEP, REJECT, STRAY, Case, folder, judge, matlab, measure, sequences, tables, write
from .pictures import stored

SECONDS, PEAK = 240.0, 1_200_000_000
"""What a job over any of these may take, and how much memory its largest process."""


@dataclass(frozen=True)
class Trial:
    """What became of one corpus. rows: a line a kind; wrong: what should not have been."""

    name: str
    outcome: measure.Outcome
    rows: list[judge.Row]
    wrong: list[str]


def in_a_folder(faces: Sequence[np.ndarray], place: Path, every: int = 1) -> Trial:
    """The folder of `images`; of what was cut or flipped only every so many-th, and where that
    is not 1 nothing huge."""
    cases = folder.cases(faces, huge=every == 1)
    damaged = [case for case in cases if case.kind.startswith(("cut", "flip"))]
    left_out = set(damaged) - set(damaged[::every])
    cases = [case for case in cases if case not in left_out]
    root = place / "faces"
    write(cases, root)
    (place / "outside.png").write_bytes(stored(faces[0], "png"))
    (place / "elsewhere").mkdir()
    (place / "elsewhere" / "p0_1.png").write_bytes(stored(faces[0], "png"))
    return _job("folder", "images", root, place, cases)


def in_a_table(faces: Sequence[np.ndarray], place: Path) -> Trial:
    """A CSV of `images` with sound and hostile rows."""
    root = place / "table"
    write(tables.files(faces), root)
    (place / "outside.png").write_bytes(stored(faces[0], "png"))
    table, lines = tables.rows(str(place / "outside.png"))
    (root / tables.NAME).write_bytes(table)
    also = {case: f"{tables.NAME}, line {line}" for case, line in lines.items()}
    return _job("table", "images", root / tables.NAME, place, list(lines), also)


def in_ckplus(faces: Sequence[np.ndarray], place: Path) -> Trial:
    """CK+ with nonsense in its label and landmark files."""
    cases = sequences.ckplus(faces)
    write(cases, place / "ckplus")
    images = [case for case in cases if case.kind != sequences.BESIDE]
    # The key of an image of CK+ is the file's name alone, and a label is listed by its own.
    also = {case: sequences.label_of(case.name) for case in images}
    keys = {case.key.rpartition("/")[2]: case.key for case in images}
    return _job("CK+", "ckplus", place / "ckplus", place, images, also, keys, "--landmarks")


def in_mmi(faces: Sequence[np.ndarray], place: Path) -> Trial:
    """MMI with films that break off."""
    place.mkdir(parents=True, exist_ok=True)
    cases = sequences.mmi(faces, place)
    write(cases, place / "mmi")
    films = [case for case in cases if case.kind != sequences.BESIDE]
    # A film gives three records.
    keys = {
        f"{case.key.rpartition('/')[2]}_{number}": case.key for case in films for number in range(3)
    }
    return _job("MMI", "mmi", place / "mmi", place, films, {}, keys)


def refused(place: Path) -> Trial:
    """MATLAB files as TFD's, and whole CSV files that cannot be used: read one after the other
    by one process."""
    requests, musts = [], []
    for number, (kind, verdict, data) in enumerate(matlab.files()):
        path = place / f"{number:04d}" / "TFD_48x48.mat"
        write([Case(kind, path.relative_to(place).as_posix(), verdict, data)], place)
        requests.append(("read", ("tfd", path)))
        musts.append((f".mat {kind}", verdict))
    for number, (kind, data) in enumerate(tables.broken()):
        path = place / f"{number:04d}.csv"
        path.write_bytes(data)
        given = ("--db", "images", "--input", path, "--output", place / "out")
        requests.append(("job", given))
        musts.append((f"CSV {kind}", REJECT))
    answers, whole = measure.run_many(requests, place / "log", SECONDS)
    wrong = _unbearable(whole)
    if len(answers) != len(requests):
        wrong.append(f"only {len(answers)} of {len(requests)} files were answered")
    counts: dict[tuple[str, str], Counter[int]] = {}
    for must, answer in zip(musts, answers, strict=False):
        counts.setdefault(must, Counter())[bool(answer.code)] += 1
        became = REJECT if answer.code else KEEP
        if complaint := answer.complaint():
            wrong.append(f"{must[0]}: {complaint}")
        elif must[1] in (KEEP, REJECT) and became != must[1]:
            wrong.append(f"{must[0]} must be: {must[1]}; became: {became} {answer.err}")
    if (place / "out").exists():
        wrong.append("something was written, though nothing could be used")
    rows = [
        judge.Row(kind, verdict, sum(found.values()), found[False], found[True], 0)
        for (kind, verdict), found in counts.items()
    ]
    return Trial("TFD and CSV files", whole, rows, wrong)


def _job(
    name: str,
    database: str,
    source: Path,
    place: Path,
    cases: Sequence[Case],
    also: Mapping[Case, str] | None = None,
    keys: Mapping[str, str] | None = None,
    *more: str,
) -> Trial:
    """Runs the job and verifies what it left. keys: the cases' keys by those of records."""
    output = place / "out"
    # 24 faces make all the cases, so that there are copies.
    given = ("--db", database, "--input", source, "--output", output, "--folds", 2)
    given = (*given, "--allow-copies", *more)
    outcome = measure.run(["-m", "pipelines.preprocess", *given], place / "log", SECONDS)
    wrong = _unbearable(outcome)
    if outcome.code != 0:
        return Trial(name, outcome, [], [*wrong, f"ended with {outcome.code}: {outcome.err}"])
    verified = measure.run(["-m", "pipelines.verify", output], place / "log", SECONDS)
    if verified.code != 0:
        wrong.append(f"is not verified: {verified.out[-2000:]} {verified.err[-2000:]}")
    found = judge.left(output)
    if keys is not None:
        found = dataclasses.replace(found, kept=frozenset(keys[key] for key in found.kept))
    if found.counts["aligned"] + found.counts["rejected"] != found.counts["read"]:
        wrong.append(f"counts do not add up: {found.counts}")
    wrong += [
        f"{source} is rejected without a reason"
        for source in found.rejected
        if not found.rejected[source]
    ]
    wrong += judge.wrong(cases, found, also or {})
    if any(case.verdict == STRAY for case in cases) and not found.notes:
        wrong.append("no note tells what was passed over")
    return Trial(name, outcome, judge.table(cases, found, also or {}), wrong)


def _unbearable(outcome: measure.Outcome) -> list[str]:
    problems = [complaint] if (complaint := outcome.complaint()) else []
    if outcome.peak > PEAK:
        problems.append(f"took {outcome.peak / 1e6:,.0f} MB, more than {PEAK / 1e6:,.0f}")
    return problems
