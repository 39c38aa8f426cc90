"""`python -m fesr_tf.synthesize RUN`: writes labelled sheets of a run's generated images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fesr_tf import runs
from fesr_tf.data import ALL
from fesr_tf.plots import image_grids
from fesr_tf.runs import files
from fesr_tf.runs.opening import load_data
from fesr_tf.synthesis.generation import require_generator
from fesr_tf.synthesis.sheets import sheets
from pipelines.common.errors import BadUse, command
from pipelines.common.files import write_whole


@command
def main(argv: list[str] | None = None) -> int:
    """Writes the sheets of one run; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.synthesize",
        description="Expression grid, intensity sweep and new identities of a run as PNG files.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="runs/<db>/<variant>/fold-NN")
    parser.add_argument("--output", type=Path, help="folder of the images [RUN/pictures]")
    parser.add_argument("--data", type=Path, help="the run's data, if the folder has moved")
    parser.add_argument("--people", type=int, default=8, help="rows of the grids [8]")
    parser.add_argument("--seed", type=int, default=0, help="of people and z [0]")
    options = parser.parse_args(argv)
    if options.people < 1 or options.seed < 0:
        raise BadUse("--people must be at least 1 and --seed at least 0")
    run = runs.open_run(options.run)
    require_generator(run)
    fold = load_data(run, options.data)
    faces = fold.train if run.info.fold == ALL else fold.test
    output = options.output or run.folder / files.IMAGES
    for name, sheet in sheets(run, faces, options.people, options.seed).items():
        write_whole(output / name, image_grids.png(sheet))
        print(f"written: {output / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
