"""The method: settings of the runs, and where they depart from the paper."""

from __future__ import annotations

import json
import shlex

from fesr_tf import config as configs
from fesr_tf.config import as_yaml
from fesr_tf.report.material import Material, first_of_variants
from fesr_tf.report.values import Cell, Table, Text
from fesr_tf.results.sources import RunSource

BASE = "base.yaml"


def section(m: Material) -> dict:
    """Settings other than base.yaml's, those that the paper does not state, and the commands."""
    if not m.runs:
        return {"commands": []}
    chosen = first_of_variants(m.runs)
    return {
        "departures": _departures(chosen),
        "networks": list(
            dict.fromkeys(name for run in m.runs for name in run.config.face_networks)
        ),
        "silent": _silent(m.runs[-1]),
        "settings": _settings(chosen),
        "commands": [train_command(run) for run in m.runs],
    }


def _departures(chosen: dict[str, RunSource]) -> Table | None:
    """Settings other than base.yaml's, which holds the paper's values; None if there are none."""
    base = configs.load(configs.config_folder() / BASE)
    changed = {v: configs.differences(base, run.config) for v, run in chosen.items()}
    known = configs.names("variants")
    own = {v: configs.own_keys(v) if v in known else () for v in chosen}
    rows = []
    for key in configs.KEYS:
        if not any(key in each for each in changed.values()):
            continue
        row: list[Cell] = [key, str(as_yaml(getattr(base, key)))]
        for variant in chosen:
            value = str(as_yaml(changed[variant][key][1])) if key in changed[variant] else ""
            row.append(Text(value, "em") if key in own[variant] else value)
        rows.append(row)
    head = ["key", f"the paper ({BASE})", *chosen]
    return Table(head, rows, "Settings other than the paper's") if rows else None


def _silent(run: RunSource) -> Table:
    """The keys that the paper does not state, and the sources of their defaults."""
    rows = [
        [key, str(as_yaml(getattr(run.config, key))), source]
        for key, source in configs.silent_keys().items()
    ]
    head = ["key", run.info.variant, "source of the default"]
    return Table(head, rows, "What the paper does not state")


def _settings(chosen: dict[str, RunSource]) -> Table:
    values = [run.config.model_dump() for run in chosen.values()]
    rows = [[key, *(str(as_yaml(each[key])) for each in values)] for key in configs.KEYS]
    return Table(["key", *chosen], rows, "Every setting")


def train_command(run: RunSource) -> str:
    """The command that trains this run."""
    info = run.info
    usual = configs.resolve(info.database, info.variant)
    changed = configs.differences(usual, run.config)
    overrides = [f"{key}={json.dumps(value)}" for key, (_, value) in changed.items()]
    words = ["python", "-m", "fesr_tf.train", "--db", info.database, "--data", info.data]
    words += ["--fold", str(info.fold), "--variant", info.variant]
    words += ["--runs", str(run.folder.parent.parent.parent)]
    return shlex.join(words + overrides)
