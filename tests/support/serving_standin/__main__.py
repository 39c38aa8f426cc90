"""Serves a model by the stand-in until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from pipelines.common.errors import command
from tests.support.serving_standin import Models, serve_grpc, serve_rest


@command
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.serving_standin",
        description="A stand-in that speaks TensorFlow Serving's protocols. It is not it.",
    )
    parser.add_argument("--model", type=Path, required=True, help="saved_models/NAME")
    parser.add_argument("--grpc", type=int, default=8500, help="port [8500]; 0 takes a free one")
    parser.add_argument("--rest", type=int, default=8501, help="port [8501]; 0 takes a free one")
    options = parser.parse_args(argv)
    models = Models(options.model, options.model.resolve().name)
    with serve_grpc(models, options.grpc) as grpc, serve_rest(models, options.rest) as rest:
        print(f"the stand-in (not TensorFlow Serving) serves {models.name} at {grpc} and {rest}",
              flush=True)  # fmt: skip
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
