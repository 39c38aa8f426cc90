"""`python -m fesr_tf.report RUNS… --output DIR`: what came of one or more runs, as one page."""

from __future__ import annotations

import argparse
import base64
import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.config import Config
from fesr_tf.evaluate import sentence
from pipelines import manifest as manifests
from pipelines.errors import BadUse, FailedWork, FesrError, command
from pipelines.files import write_whole

PICTURES = {
    "expressions.png": "People of the test part: the input, its reconstruction, and the same "
    "face with every expression.",
    "intensity.png": "One face, every expression, intensity from -1 to 1.",
    "new_identities.png": "People who do not exist, each with every expression.",
}

# What a page takes from an evaluation.
NEEDED = {"accuracy", "interval", "correct", "total", "split", "people", "step", "max_iterations",
          "classes", "confusion", "per_class"}  # fmt: skip

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 3rem; border-top: 1px solid #ccd; padding-top: 1rem; }
.wide { overflow-x: auto; } img { max-width: 100%; height: auto; }
table { border-collapse: collapse; margin: .5rem 0; } caption { text-align: left; color: #555; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #dde; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
td.c { text-align: center; min-width: 2.5rem; } code { background: #f2f3f6; padding: .1rem .3rem; }
pre { background: #f2f3f6; padding: .6rem; overflow-x: auto; } .none { color: #777; font-style: italic; }
"""  # noqa: E501


@dataclass(frozen=True)
class Result:
    """A run as its folder tells it; `evaluation` is None where it was not evaluated."""

    folder: Path
    info: runs.RunInfo
    config: Config
    evaluation: dict | None

    @property
    def name(self) -> str:
        return f"{self.info.variant}, {self.info.database}, fold {self.info.fold}"


def read_result(folder: Path) -> Result:
    """Raises `BadUse` for a folder that is not a run, `FailedWork` for a damaged one and for
    an evaluation on other data than the run's."""
    info, config = runs.read_info(folder), configs.load(folder / "config.yaml")
    path = folder / "evaluation.json"
    if not path.exists():
        return Result(folder, info, config, None)
    try:
        evaluation = json.loads(path.read_text(encoding="utf-8"))
        if missing := NEEDED - evaluation.keys():
            raise KeyError(min(missing))
        same = evaluation["data_digest"] == info.data_digest
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FailedWork(f"{path} is damaged ({error!r}): evaluate the run again") from None
    if not same:
        raise FailedWork(f"{path} is of other data than the run: evaluate the run again")
    return Result(folder, info, config, evaluation)


def require_same_data(results: Sequence[Result]) -> None:
    """Raises `BadUse` naming two runs whose data or classes differ."""
    first = results[0]
    for other in results[1:]:
        for what in ("data_digest", "classes"):
            if getattr(first.info, what) != getattr(other.info, what):
                raise BadUse(
                    f"{first.folder} and {other.folder} differ in their "
                    f"{what.replace('_', ' ')}: runs of one report must share them"
                )


def train_command(result: Result) -> str:
    """The command that trains this very run."""
    info = result.info
    usual = configs.resolve(info.database, info.variant)
    changed = configs.differences(usual, result.config)
    overrides = [f"{key}={json.dumps(value)}" for key, (_, value) in changed.items()]
    runs_folder = result.folder.parent.parent.parent
    words = ["python", "-m", "fesr_tf.train", "--db", info.database, "--data", info.data]
    words += ["--fold", str(info.fold), "--variant", info.variant, "--runs", str(runs_folder)]
    return shlex.join(words + overrides)


def page(results: Sequence[Result]) -> str:
    """The report as one HTML document without outside references."""
    title = f"FESR-TF: {', '.join(dict.fromkeys(r.info.database for r in results))}"
    body = [f"<h1>{escape(title)}</h1>", _overview(results), _data(results[0])]
    body += [_section(result) for result in results]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _overview(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        found = result.evaluation
        accuracy, rest = "not run", ["", "", "", ""]
        if found:
            accuracy = f"{found['accuracy']:.1%}"
            rest = [
                "{:.1%} to {:.1%}".format(*found["interval"]),
                f"{found['correct']} of {found['total']}",
                str(found["people"]),
                f"{found['step']} of {found['max_iterations']}",
            ]
        rows.append([result.info.variant, str(result.info.fold), accuracy, *rest])
    head = ["variant", "fold", "accuracy", "95 % interval", "pictures", "people", "iteration"]
    note = (
        "<p>Test pictures are peak frames of people whom no network saw in training. The interval "
        "is Wilson's and supposes independent pictures; several are of one person, so the true one "
        "is somewhat wider. Runs whose intervals overlap are not told apart by this test.</p>"
    )
    return "<h2>Accuracy</h2>" + _table(head, rows, numbers=range(1, 7)) + note


def _data(result: Result) -> str:
    info = result.info
    facts = [["folder", info.data], ["digest", info.data_digest]]
    facts.append(["classes", ", ".join(info.classes)])
    try:
        manifest = manifests.load(info.data)
    except FesrError:
        manifest = None
    known = manifest and manifest.digest == info.data_digest
    if known and info.fold in range(manifest.folds):
        counts = manifest.counts
        facts += [[name, str(counts[name])] for name in ("read", "aligned", "rejected")]
        facts.append(["people", str(len(counts["by_subject"]))])
        fold = counts["by_fold"][info.fold]
        facts.append([f"fold {info.fold}", ", ".join(f"{v} {k}" for k, v in fold.items())])
    else:
        facts.append(["counts", "not available: the data folder is not there"])
    return "<h2>Data</h2>" + _table(None, facts)


def _section(result: Result) -> str:
    parts = [f"<h2>{escape(result.name)}</h2>"]
    if result.evaluation is None:
        parts.append('<p class="none">Evaluation: not run.</p>')
    else:
        parts.append(f"<p>Accuracy {escape(sentence(result.evaluation))}.</p>")
        parts += [_confusion(result.evaluation), _per_class(result.evaluation)]
    for name, about in PICTURES.items():
        path = result.folder / "pictures" / name
        if path.exists():
            data = base64.b64encode(path.read_bytes()).decode()
            image = f'<img alt="{escape(about)}" src="data:image/png;base64,{data}">'
            parts.append(f'<h3>{escape(about)}</h3><div class="wide">{image}</div>')
        elif result.config.trains_fesgan:
            parts.append(f'<p class="none">{escape(about)} Not run.</p>')
    base = configs.load(configs.config_folder() / "base.yaml")
    changed = configs.differences(base, result.config)
    rows = [[key, str(paper), str(here)] for key, (paper, here) in changed.items()]
    parts.append("<h3>Settings that differ from the paper's (configs/base.yaml)</h3>")
    parts.append(_table(["key", "base", "this run"], rows) if rows else "<p>None.</p>")
    parts.append(f"<h3>Trained by</h3><pre>{escape(train_command(result))}</pre>")
    return "".join(parts)


def _confusion(found: dict) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in found["classes"])
    rows = []
    for name, counts in zip(found["classes"], found["confusion"], strict=True):
        total = sum(counts) or 1
        cells = "".join(
            f'<td class="c" style="background:rgba(31,90,166,{0.8 * n / total:.2f});'
            f'color:{"#fff" if n / total > 0.6 else "#222"}">{n or ""}</td>'
            for n in counts
        )
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    caption = "<caption>Rows: true class; columns: predicted class.</caption>"
    table = f"<table>{caption}<tr><th></th>{head}</tr>{''.join(rows)}</table>"
    return f'<h3>Confusion matrix</h3><div class="wide">{table}</div>'


def _per_class(found: dict) -> str:
    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.0%}"

    rows = [
        [
            row["class"],
            f"{row['correct']} of {row['count']}",
            share(row["recall"]),
            share(row["precision"]),
        ]
        for row in found["per_class"]
    ]
    head = ["class", "right", "recall", "precision"]
    return "<h3>Per class</h3>" + _table(head, rows, numbers=range(1, 4))


def _table(
    head: Sequence[str] | None, rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()
) -> str:
    right = set(numbers)

    def row(cells: Sequence[str], tag: str) -> str:
        marks = (' class="n"' if i in right else "" for i in range(len(cells)))
        pairs = zip(cells, marks, strict=True)
        return "<tr>" + "".join(f"<{tag}{m}>{escape(c)}</{tag}>" for c, m in pairs) + "</tr>"

    top = row(head, "th") if head else ""
    return f'<div class="wide"><table>{top}{"".join(row(r, "td") for r in rows)}</table></div>'


@command
def main(argv: list[str] | None = None) -> int:
    """Writes DIR/index.html; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.report",
        description="One self-contained HTML page of one or more runs of the same data.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--output", required=True, type=Path, help="folder of the page")
    options = parser.parse_args(argv)
    results = [read_result(folder) for folder in dict.fromkeys(options.runs)]
    require_same_data(results)
    target = options.output / "index.html"
    write_whole(target, page(results))
    print(f"written: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
