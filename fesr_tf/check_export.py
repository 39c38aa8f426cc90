"""`python -m fesr_tf.check_export MODEL`: lists an exported model's signatures and checks them.

The model's answers are compared with those of the run's networks (`--run`), or with those of
`tf.saved_model.load`. See `fesr_tf.serving.signatures_check`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fesr_tf import runs
from fesr_tf.client.saved_model import version_folder
from fesr_tf.serving.cpp_session import CppSession, meta_graph
from fesr_tf.serving.requests import eager
from fesr_tf.serving.signatures_check import (
    LABELS,
    TOLERANCE,
    breaches,
    listing,
    prove,
    python_loader,
    table,
)
from pipelines.common.errors import FailedWork, command


@command
def main(argv: list[str] | None = None) -> int:
    """Checks one exported model; exit code 0, 2 (bad use) or 1 (it breaks its contract)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.check_export",
        description="Lists what an exported model promises and runs it in TensorFlow's C++ loader.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="saved_models/NAME[/VERSION]")
    parser.add_argument("--run", type=Path, help="compare with this run's networks, run eagerly")
    runs.add_checkpoint_option(parser)
    options = parser.parse_args(argv)
    folder = version_folder(options.model)
    graph = meta_graph(folder)
    print(listing(graph))
    found = breaches(graph)
    if found:
        raise FailedWork(f"{folder} breaks the contract: {'; '.join(found)}")
    print("contract: kept\n")
    classes = (folder / LABELS).read_text(encoding="utf-8").splitlines()
    if options.run:
        expected = eager(runs.open_run(options.run, options.checkpoint).fesr, classes)
        print(f"C++ loader, XLA off, beside the eager networks of {options.run}:")
    else:
        expected = python_loader(folder)
        print("C++ loader, XLA off, beside tf.saved_model.load, a row at a time:")
    with CppSession(folder) as session:
        rows = prove(session, classes, expected)
    print(table(rows))
    worst = max(max(row.differences) for row in rows)
    if not worst <= TOLERANCE:
        raise FailedWork(f"the largest difference is {worst:.1e}, more than {TOLERANCE:.0e}")
    print(f"largest difference {worst:.1e} (limit {TOLERANCE:.0e})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
