"""`python -m pipelines.demo_faces`: renders the demo database into a folder."""

from __future__ import annotations

import argparse
import sys
import time

from pipelines.common.errors import command
from pipelines.demo_faces.database import TABLE, render_database


@command
def main(argv: list[str] | None = None) -> int:
    """Parses the command line and renders."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.demo_faces",
        description="Renders people with known expressions: PNG files and a table of ground truth.",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--subjects", type=int, default=20, metavar="N", help="people (20)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the people (0)")
    parser.add_argument(
        "--frames", type=int, default=5, metavar="F", help="images from neutral to peak (5)"
    )
    parser.add_argument("--size", type=int, default=192, metavar="PX", help="image side (192)")
    parser.add_argument(
        "--pose", type=float, default=0.0, metavar="DEG", help="largest yaw in degrees (0)"
    )
    parser.add_argument("--light", action="store_true", help="vary light and backdrop")
    parser.add_argument("--jobs", type=int, metavar="J", help="processes (the cores)")
    options = parser.parse_args(argv)
    started = time.monotonic()
    count = render_database(**vars(options))
    seconds = time.monotonic() - started
    print(
        f"{options.subjects} people, {count} images and {TABLE} in {options.output}"
        f" ({seconds:.0f} s)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
