"""`python -m fesr_tf.check_export MODEL`: lists an exported model's signatures and checks them.

The model's answers are compared with those of the run's networks (`--run`), or with those of
`tf.saved_model.load`. See `fesr_tf.serving.signatures_check`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fesr_tf import runs
from fesr_tf.client import training_data
from fesr_tf.client.saved_model import EXTRA, version_folder
from fesr_tf.serving import signatures_check as check
from fesr_tf.serving.cpp_loader import CppSession, meta_graph
from fesr_tf.serving.requests import eager
from pipelines.common.errors import FailedWork, command


@command
def main(argv: list[str] | None = None) -> int:
    """Checks one exported model; exit code 0, 2 (bad use) or 1 (it breaks its contract)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.check_export",
        description="Lists a model's signatures and runs them in TensorFlow's C++ loader.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="saved_models/NAME[/VERSION]")
    parser.add_argument("--run", type=Path, help="compare with this run's networks, run eagerly")
    runs.add_checkpoint_option(parser)
    options = parser.parse_args(argv)
    folder = version_folder(options.model)
    graph = meta_graph(folder)
    print(check.listing(graph))
    if breaches := check.breaches(graph):
        raise FailedWork(f"{folder} breaks the contract: {'; '.join(breaches)}")
    print("contract: kept\n")
    origin = training_data.read(folder / EXTRA / training_data.FILE)
    print(f"training data: {origin or 'not recorded'}")
    for note in training_data.doubts(origin):
        print(f"note: {note}")
    print()
    classes = (folder / check.LABELS).read_text(encoding="utf-8").splitlines()
    if options.run:
        expected = eager(runs.open_run(options.run, options.checkpoint).fesr, classes)
        print(f"differences between the C++ loader, XLA off, and the networks of {options.run}:")
    else:
        expected = check.python_loader(folder)
        print("differences between the C++ loader, XLA off, and tf.saved_model.load row by row:")
    with CppSession(folder) as session:
        rows = check.prove(session, classes, expected)
    print(check.as_text(rows))
    worst, limit = max(max(row.differences) for row in rows), check.TOLERANCE
    if not worst <= limit:
        raise FailedWork(f"the largest difference is {worst:.1e}, more than {limit:.0e}")
    print(f"largest difference {worst:.1e} (limit {limit:.0e})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
