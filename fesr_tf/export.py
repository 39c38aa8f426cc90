"""`python -m fesr_tf.export --run RUN --name NAME`: exports a run's networks for serving."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fesr_tf import runs
from fesr_tf.client.training_data import origin_of
from fesr_tf.serving.cpp_loader import meta_graph
from fesr_tf.serving.export import check_name, export, first_label, missing
from fesr_tf.serving.signatures_check import signatures_of
from pipelines.common.errors import BadUse, command


@command
def main(argv: list[str] | None = None) -> int:
    """Exports one run; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.export",
        description="Writes a run's networks as a SavedModel that TensorFlow Serving loads.",
    )
    parser.add_argument(
        "--run", type=Path, required=True, metavar="RUN", help="runs/<db>/<variant>/fold-NN"
    )
    parser.add_argument("--name", required=True, help="the model's name for clients")
    parser.add_argument("--version", type=int, help="an integer from 1 [the highest + 1]")
    parser.add_argument("--models", type=Path, default=Path("saved_models"), help="[%(default)s]")
    runs.add_checkpoint_option(parser)
    options = parser.parse_args(argv)
    if options.version is not None and options.version < 1:
        raise BadUse(f"--version must be at least 1: {options.version}")
    check_name(options.name)
    run = runs.open_run(options.run, options.checkpoint)
    target = export(run, options.models / options.name, options.version)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"written: {target} ({size / 1e6:.1f} MB)")
    print(f"  signatures: {', '.join(signatures_of(meta_graph(target)))}")
    if reason := missing(run):
        print(f"  {reason}")
    print(f"  classes: {', '.join(run.info.classes)}")
    print(f"  training data: {origin_of(run.info.database, run.info.origin)}")
    print(f"  {first_label(options.models, options.name, int(target.name))}")
    print(f"  inspect it: python -m fesr_tf.check_export {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
