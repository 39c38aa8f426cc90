"""Seconds, memory and the machines that they were taken on."""

from __future__ import annotations

import statistics

from fesr_tf.report.html import Raw, Section, escape, heading, paragraph, table
from fesr_tf.report.material import Material
from fesr_tf.report.values import SECONDS
from fesr_tf.results.curves import MEMORY, SPEED
from fesr_tf.results.sources import CrossValidation, RunSource

TIMINGS = "timings"
UNKNOWN = "not noted"


def section(m: Material) -> Section:
    """Seconds as cross-validations noted them, speed and memory out of events, machines."""
    parts = [_seconds(m, crossval) for crossval in m.sources.crossvals]
    parts += [_speed(m), _machines(m)]
    note = (
        "Wall-clock time on a machine that may have had other work; with several processes at once "
        "each has its share of the cores. No comparison of methods by these is meant."
    )
    return Section(TIMINGS, "Timings and machine", "".join(parts) + paragraph(note, "note"))


def _seconds(m: Material, crossval: CrossValidation) -> str:
    document, rows = crossval.document, []
    for name, key in (("runs", "runs"), ("shared stage 1", "first_stages")):
        for index, entry in enumerate(document.at(key)):
            item = f"{entry['variant']}, fold {entry['fold']}, seed {entry['seed']}"
            row: list = [item + (", shared stage 1" if name != "runs" else "")]
            for what in ("train_seconds", "evaluate_seconds"):
                if what not in entry:
                    row.append("–")
                    continue
                row.append(m.book.of(TIMINGS, f"{item}, {what}", document, (key, index, what),
                                     SECONDS, unit="s", missing=UNKNOWN))  # fmt: skip
            row += [entry["status"], entry.get("first_stage") or ""]
            rows.append(row)
    head = ["run", "training", "evaluation", "status", "stage 1 taken from"]
    return heading("Seconds of each run") + table(head, rows, (1, 2), name="Seconds of each run")


def _speed(m: Material) -> str:
    rows = []
    for run in m.sources.every_run:
        curves = m.curves.get(run.folder, {})
        speeds = [value for _, value in curves.get(SPEED, ())]
        memory = [value for _, value in curves.get(MEMORY, ())]
        if not speeds and not memory:
            continue
        source = f"{run.folder}/events, "
        rows.append([
            run.name,
            m.book.show(TIMINGS, f"{run.name}, seconds a step", statistics.median(speeds) if speeds
                        else None, ".3g", f"{source}{SPEED}: the median", n=len(speeds), unit="s",
                        missing="–"),
            m.book.show(TIMINGS, f"{run.name}, peak memory", max(memory) if memory else None, ".2f",
                        f"{source}{MEMORY}: the largest", unit="GiB", missing="–"),
            f"{run.config.batch_size}", f"{run.config.image_size}", f"{run.config.width:g}",
        ])  # fmt: skip
    if not rows:
        m.book.show(TIMINGS, "seconds a step", None, SECONDS, "no events in any run")
        return paragraph("Seconds a step and memory: not run, no run has events.", "none")
    head = ["run", "seconds a step, median", "peak memory, GiB", "batch", "image", "width"]
    caption = "Speed as logged: both stages, pictures and validation included"
    return heading("Speed and memory") + table(head, rows, (1, 2), caption)


def _machines(m: Material) -> str:
    """One line a machine and commit, with the runs that were trained on it."""
    found: dict[tuple, list[str]] = {}
    for run in m.sources.every_run:
        for key in _starts(run):
            found.setdefault(key, []).append(run.name)
    rows = [
        [_some(names), *(Raw(f"<code>{escape(v)}</code>") if i == 0 and v != UNKNOWN else v
                         for i, v in enumerate(key))]
        for key, names in found.items()
    ]  # fmt: skip
    head = ["runs", "commit", "processor", "cores", "memory", "GPUs", "Python", "TensorFlow"]
    note = (
        "A commit that ends in + had changed files. What an older run did not note is said to be."
    )
    return (
        heading("Machines")
        + table(head, rows, caption="Machines and code")
        + paragraph(note, "note")
    )


def _starts(run: RunSource) -> list[tuple[str, ...]]:
    if run.machine:
        return list(dict.fromkeys(_described(start) for start in run.machine.at("starts")))
    about = run.checkpoint.data if run.checkpoint else {}
    cores, version = (str(about.get(name, UNKNOWN)) for name in ("cores", "tensorflow"))
    return [(UNKNOWN, UNKNOWN, cores, UNKNOWN, UNKNOWN, UNKNOWN, version)]


def _described(start: dict) -> tuple[str, ...]:
    def text(name: str) -> str:
        return str(start.get(name) or UNKNOWN)

    memory = f"{start['memory_gib']:g} GiB" if start.get("memory_gib") else UNKNOWN
    gpus = ", ".join(start.get("gpus") or ()) or "none"
    commit = start.get("commit") or UNKNOWN
    if commit != UNKNOWN:
        commit = commit[:12] + "+" * commit.endswith("+")
    return (
        commit,
        text("processor"),
        text("cores"),
        memory,
        gpus,
        text("python"),
        text("tensorflow"),
    )


def _some(names: list[str], limit: int = 4) -> str:
    names = list(dict.fromkeys(names))
    more = len(names) - limit
    return "; ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
