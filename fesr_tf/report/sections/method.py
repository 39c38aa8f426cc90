"""The method: what was run, with which settings, and what of it is not the paper's."""

from __future__ import annotations

from fesr_tf import config as configs
from fesr_tf.report.html import Raw, Section, bullets, details, escape, heading, paragraph, table
from fesr_tf.report.material import BASE, Material
from fesr_tf.results.sources import RunSource, train_command
from fesr_tf.training.monitoring.description import as_yaml

METHOD = "method"


def section(m: Material) -> Section:
    """Settings against base.yaml, the paper's silences, and the commands."""
    found = m.sources.every_run
    lead = paragraph(
        "FESR-TF implements “Joint Deep Learning of Facial Expression Synthesis and Recognition”: "
        "FESGAN learns to draw faces of an expression and intensity (stage 1), then FESGAN and "
        "the recogniser R learn together (stage 2). R is tested on peak frames of people whom no "
        "network saw, in inference mode; no drawn face is ever counted as a test picture."
    )
    if not found:
        return Section(METHOD, "Method", lead + paragraph("No run's folder is there.", "none"))
    parts = [lead, heading("What is not the paper's"), _departures(found)]
    parts.append(details("Where the paper is silent", _silent(found)))
    parts.append(details("Every setting of every variant", _settings(found)))
    commands = "\n".join(train_command(run) for run in found)
    parts.append(
        details(f"Commands that train these {len(found)} runs", f"<pre>{escape(commands)}</pre>")
    )
    return Section(METHOD, "Method", "".join(parts))


def _first_of_variants(found: tuple[RunSource, ...]) -> dict[str, RunSource]:
    chosen: dict[str, RunSource] = {}
    for run in found:
        chosen.setdefault(run.info.variant, run)
    return chosen


def _departures(found: tuple[RunSource, ...]) -> str:
    """Settings other than base.yaml's, which holds the paper's values; a row a key."""
    base = configs.load(configs.config_folder() / BASE)
    chosen = _first_of_variants(found)
    changed = {v: configs.differences(base, run.config) for v, run in chosen.items()}
    keys = [key for key in configs.KEYS if any(key in each for each in changed.values())]
    own = {v: configs.own_keys(v) if v in configs.names("variants") else () for v in chosen}
    rows = []
    for key in keys:
        row: list = [key, as_yaml(getattr(base, key))]
        for variant in chosen:
            value = as_yaml(changed[variant][key][1]) if key in changed[variant] else ""
            row.append(Raw(f"<em>{escape(str(value))}</em>") if key in own[variant] else value)
        rows.append(row)
    if not rows:
        return paragraph("None: every setting is that of configs/base.yaml.")
    note = "Empty: the paper's value. In italics: what makes the variant what it is."
    notes = [
        "The paper's face network is Light CNN-29 trained on CASIA-WebFace and MS-Celeb-1M; "
        f"these runs took {_listed(run.config.identity for run in found)}.",
    ]
    head = ["key", "the paper (base.yaml)", *chosen]
    return (
        table(head, rows, caption="Settings other than the paper's")
        + paragraph(note, "note")
        + bullets(notes)
    )


def _silent(found: tuple[RunSource, ...]) -> str:
    """The keys that the paper does not state, and the sources of their defaults."""
    run = found[-1]
    rows = [
        [key, as_yaml(getattr(run.config, key)), source]
        for key, source in configs.silent_keys().items()
    ]
    head = ["key", run.info.variant, "source of the default"]
    return table(head, rows, caption="What the paper does not state")


def _settings(found: tuple[RunSource, ...]) -> str:
    chosen = _first_of_variants(found)
    values = {v: run.config.model_dump() for v, run in chosen.items()}
    rows = [
        [key, *(as_yaml(values[variant][key]) for variant in chosen)]
        for key in next(iter(values.values()))
    ]
    return table(["key", *chosen], rows, caption="Every setting")


def _listed(values) -> str:
    return ", ".join(dict.fromkeys(values))
