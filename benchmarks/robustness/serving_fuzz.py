"""Malformed images through every image signature of a model, in TensorFlow's C++ loader.

    python -m benchmarks.robustness.serving_fuzz saved_models/NAME [--count 1000]

Prints how many requests of each kind were answered and refused, and the peak of memory. Exits
with 1 if an image ended the process.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from benchmarks.heading import heading, parser
from fesr_tf.client.saved_model import version_folder
from pipelines.common.errors import FailedWork, command
from pipelines.common.text import table
from tests.support.image_fuzz import ANSWERED, CRASHED, REFUSED, fuzz, image_signatures


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.robustness.serving_fuzz", __doc__)
    options.add_argument("model", type=Path, metavar="MODEL", help="saved_models/NAME[/VERSION]")
    options.add_argument("--count", type=int, default=1000, help="malformed images [1000]")
    args = options.parse_args(argv)
    folder = version_folder(args.model)
    print(heading(options, argv))
    print(f"{args.count} images x {', '.join(image_signatures(folder))}")
    outcomes, before, after = fuzz(folder, args.count)
    total = sum(outcomes.values(), Counter())
    names = (ANSWERED, REFUSED, CRASHED)
    rows = [(kind, *(found[name] for name in names))
            for kind, found in (*outcomes.items(), ("all", total))]  # fmt: skip
    print(table(("kind", *names), rows))
    print(f"peak memory {after:.0f} MB; {before:.0f} MB after sound images only")
    if total[CRASHED]:
        raise FailedWork(f"{total[CRASHED]} requests ended the process")
    return 0


if __name__ == "__main__":
    sys.exit(main())
