"""Time and memory of a training step: this project's plain and optimised, and the PyTorch port's.

    python -m benchmarks.training.step [--quick] [--batch 8,16] [--stage joint]
        [--identity light_cnn_29,light_cnn_v4]
        [--modes plain,optimised,bfloat16,port,port-bfloat16,port-compiled]

Each mode runs in a process of its own with equally many threads; they take turns, step by step,
and wait meanwhile. Time is the median of `--runs` steps after two; memory is the process's peak
(on a GPU, the most that was allocated on it). Needs `pip install -e '.[bench]'` for the port.
plain: one pass a face, the library's operations, nothing cached. optimised: see
docs/benchmarks/speed.md.
bfloat16: as optimised, the frozen face network in bfloat16. Weights and images are random.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.heading import heading, parser
from benchmarks.training.step_worker import CLASSES, OWN, PORT
from fesr_tf import config
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.text import table
from tests.support import multiply_adds
from tests.support.workers import Worker, thread_limits

MODES = (*OWN, *PORT)
EXPECTED = """\
goals: optimised 1.4 times faster than plain and than the eager port; bfloat16 2 times faster than
the eager port; peak memory no higher than the port's; input 10 times the rate of the step
expected beforehand (batch 8, Light CNN 29): the cache saves 20 % of the multiply-adds, hence 1.26
times; joint passes, Adam in one pass and the cheaper gradients another 10 %; bfloat16 halves the
41 % that then is the frozen network's, hence 1.7 times plain"""
QUICK = {"batch": "8", "modes": "plain,optimised,bfloat16,port", "runs": 5}
HEAD = ("mode", "s a step", "fastest", "slowest", "against plain", "against port", "GMAC a step",
        "GMAC/s", "peak GiB", "losses off plain's")  # fmt: skip


@dataclass
class Result:
    """The measurements of a mode; `losses` are the first step's."""

    losses: dict[str, float]
    seconds: list[float] = field(default_factory=list)
    memory: int = 0

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))


def measure(
    overrides: list[str], stage: str, threads: int, modes: list[str], runs: int
) -> tuple[dict[str, Result], dict[str, Any], dict[str, str]]:
    """Steps of every mode in turn: results by mode, `ceiling` and `input` of one of them, and the
    error of each mode that does not run."""
    results: dict[str, Result] = {}
    failed: dict[str, str] = {}
    limits = thread_limits(threads)
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for mode in modes:
            words = [
                sys.executable,
                "-m",
                "benchmarks.training.step_worker",
                mode,
                stage,
                *overrides,
            ]
            worker = stack.enter_context(Worker(f"the mode {mode}", words, limits))
            try:
                worker.line()
                results[mode] = Result(worker.ask("step")[1])
            except FailedWork as error:
                failed[mode] = str(error)
                continue
            workers[mode] = worker
        for turn in range(runs + 1):
            for mode, worker in workers.items():
                seconds, _ = worker.ask("step")
                if turn:
                    results[mode].seconds.append(seconds)
        for mode, worker in workers.items():
            results[mode].memory = worker.ask("memory")
        rates = {}
        # The first is one of this project's, where there is one.
        for mode in sorted(workers, key=lambda mode: mode not in OWN)[:1]:
            rates["ceiling"] = workers[mode].ask("ceiling")
            if mode in OWN:
                rates["input"] = workers[mode].ask("input")
    return results, rates, failed


def rows(results: dict[str, Result], settings: config.Config, stage: str) -> list[tuple]:
    """A row a mode, under `HEAD`."""
    made = []
    plain = results.get("plain")
    for mode, result in results.items():
        cached = mode in ("optimised", "bfloat16")
        work = settings.batch_size * multiply_adds.step(settings, CLASSES, stage, cached) / 1e9
        own, off = result.median, ""
        against = (f"{results[base].median / own:.2f} x" if base in results else ""
                   for base in ("plain", "port"))  # fmt: skip
        if plain and mode in OWN and mode != "plain":
            errors = [result.losses[name] / value - 1
                      for name, value in plain.losses.items() if value]  # fmt: skip
            off = f"{np.abs(errors).max():.1e}"
        times = (f"{each:.3f}" for each in (own, min(result.seconds), max(result.seconds)))
        rates = f"{work:.0f}", f"{work / own:.1f}", f"{result.memory / 2**30:.2f}"
        made.append((mode, *times, *against, *rates, off))
    return made


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.training.step", __doc__)
    options.add_argument("--width", type=float, default=1.0, help="multiple of the channel counts")
    options.add_argument("--size", type=int, default=128, help="side of the images")
    options.add_argument("--batch", default="8,16")
    options.add_argument("--identity", default="light_cnn_29,light_cnn_v4")
    options.add_argument("--stage", choices=("joint", "pretrain"), default="joint")
    options.add_argument("--modes", default=",".join(MODES))
    options.add_argument("--runs", type=int, default=9, help="steps that count")
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--quick", action="store_true", help="batch 8, four modes, 5 runs")
    args = options.parse_args(argv)
    if args.quick:
        options.set_defaults(**QUICK)
        args = options.parse_args(argv)
    modes = args.modes.split(",")
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise BadUse(f"no mode {unknown[0]!r}; choose from {', '.join(MODES)}")
    if args.runs < 1:
        raise BadUse(f"--runs is {args.runs}; it must be at least 1")
    print(f"{heading(options, argv)}\n{args.threads} threads each\n{EXPECTED}", flush=True)
    for identity in args.identity.split(","):
        for batch in args.batch.split(","):
            overrides = [f"width={args.width}", f"image_size={args.size}", f"batch_size={batch}",
                         f"identity={identity}"]  # fmt: skip
            settings = config.resolve("ckplus", "FESR_JL", overrides)
            results, rates, failed = measure(overrides, args.stage, args.threads, modes, args.runs)
            print(f"\n{args.stage} step, batch {batch}, {identity}, width {args.width:g}, "
                  f"{args.size} px")  # fmt: skip
            print(table(HEAD, rows(results, settings, args.stage)))
            for mode, message in failed.items():
                print(f"{mode}: {message}")
            products = [f"{name} {each / 1e9:.1f} GMAC/s"
                        for name, each in rates.get("ceiling", {}).items()]  # fmt: skip
            print(f"matrix product of 2048: {', '.join(products)}")
            if "input" in rates:
                fastest = min(result.median for result in results.values())
                times = fastest / rates["input"]
                print(f"input pipeline: {1e3 * rates['input']:.1f} ms a batch, {times:.0f} times "
                      "the rate of the fastest step")  # fmt: skip
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
