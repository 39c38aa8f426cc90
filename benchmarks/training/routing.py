"""Which loss moves which network, measured on real steps: the tables of docs/method/method.md.

    python -m benchmarks.training.routing [--full]

Prints the routing of FESR_JL, what each loss reads, and how the routing of every variant differs.
Small networks of Tables I and II unless `--full`.
"""

from __future__ import annotations

import sys

from benchmarks.heading import heading, parser
from pipelines.common.errors import command
from tests.support.routing import measure, page


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.training.routing", __doc__)
    options.add_argument("--full", action="store_true", help="the paper's sizes and Light CNN-29")
    args = options.parse_args(argv)
    print(f"{heading(options, argv)}\n\n{page(measure(args.full))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
