"""Seconds, memory, and the machines they were measured on."""

from __future__ import annotations

import statistics

from fesr_tf.report.material import Material
from fesr_tf.report.values import SECONDS, Part, Table, Text
from fesr_tf.results.curves import MEMORY, SPEED
from fesr_tf.results.sources import CrossValidation, RunSource

TIMINGS = "timings"
UNKNOWN = "not recorded"


def section(m: Material) -> dict:
    """Seconds from cross-validations, speed and memory from events, machines from machine.json."""
    seconds = [_seconds(m, crossval) for crossval in m.sources.crossvals]
    return {"seconds": seconds, "speed": _speed(m), "machines": _machines(m)}


def _seconds(m: Material, crossval: CrossValidation) -> Table:
    rows = []
    for key, label in (("runs", ""), ("first_stages", ", shared stage 1")):
        for index, entry in enumerate(crossval.document.at(key)):
            item = f"{entry['variant']}, fold {entry['fold']}, seed {entry['seed']}"
            show = Part(m.book, TIMINGS, crossval.document, item, (key, index))
            seconds = [
                show(what, SECONDS, what, unit="s", missing=UNKNOWN) if what in entry else "–"
                for what in ("train_seconds", "evaluate_seconds")
            ]
            rows.append([item + label, *seconds, entry["status"], entry.get("first_stage") or ""])
    head = ["run", "training", "evaluation", "status", "stage 1 taken from"]
    return Table(head, rows, name="Seconds of each run")


def _speed(m: Material) -> Table | None:
    rows = []
    for run in m.runs:
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
        return None
    head = ["run", "step time, s (median)", "peak memory, GiB", "batch", "image", "width"]
    return Table(head, rows, "As logged: both stages, with sample images and validation")


def _machines(m: Material) -> Table:
    """A line for each machine and commit, with the runs that were trained on it."""
    names: dict[tuple[str, ...], list[str]] = {}
    for run in m.runs:
        for machine in _starts(run):
            names.setdefault(machine, []).append(run.name)
    rows = []
    for (commit, *described), runs in names.items():
        runs = list(dict.fromkeys(runs))
        more = f" and {len(runs) - 4} more" if len(runs) > 4 else ""
        code = commit if commit == UNKNOWN else Text(commit, "code")
        rows.append(["; ".join(runs[:4]) + more, code, *described])
    head = ["runs", "commit", "processor", "cores", "memory", "GPUs", "Python", "TensorFlow"]
    return Table(head, rows, "Machines and code")


def _starts(run: RunSource) -> list[tuple[str, ...]]:
    if run.machine:
        return list(dict.fromkeys(_described(start) for start in run.machine.at("starts")))
    about = run.checkpoint.data if run.checkpoint else {}
    cores, version = (str(about.get(name, UNKNOWN)) for name in ("cores", "tensorflow"))
    return [(UNKNOWN, UNKNOWN, cores, UNKNOWN, UNKNOWN, UNKNOWN, version)]


def _described(start: dict) -> tuple[str, ...]:
    processor, cores, python, tensorflow, commit = (
        str(start.get(name) or UNKNOWN)
        for name in ("processor", "cores", "python", "tensorflow", "commit")
    )
    if commit != UNKNOWN:
        commit = commit[:12] + "+" * commit.endswith("+")
    memory = f"{start['memory_gib']:g} GiB" if start.get("memory_gib") else UNKNOWN
    gpus = ", ".join(start.get("gpus") or ()) or "none"
    return commit, processor, cores, memory, gpus, python, tensorflow
