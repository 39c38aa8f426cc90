"""Time and memory of a training step: this project's plain and fast, and the PyTorch port's.

    python -m benchmarks.train_step [--quick] [--batch 8,16] [--identity light_cnn_29,light_cnn_v4]
        [--stage joint] [--modes plain,optimised,bfloat16,port,port-bfloat16,port-compiled]

Each mode runs in a process of its own with equally many threads; they take turns, step by step,
and wait meanwhile. Time is the median of `--runs` steps after two; memory is the process's peak
(on a GPU, the most that was allocated on it). Needs `pip install -e '.[bench]'` for the port.
plain: one pass a face, the library's operations, nothing cached. optimised: docs/benchmarks/speed.md.
bfloat16: as optimised, the frozen face network in bfloat16. Weights and pictures are random.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks import arithmetic
from benchmarks.asked import Asked
from benchmarks.machine import heading
from benchmarks.step_worker import CLASSES, MODES, TENSORFLOW
from fesr_tf import config
from pipelines.common.errors import BadUse, FailedWork, command

EXPECTED = """\
goals: optimised 1.4 times faster than plain and than the eager port; bfloat16 2 times faster than
the eager port; peak memory no higher than the port's; input 10 times the rate of the step
expected beforehand (batch 8, Light CNN 29): the cache saves 20 % of the multiply-adds, hence 1.26
times; joint passes, Adam in one pass and the cheaper gradients another 10 %; bfloat16 halves the
41 % that then is the frozen network's, hence 1.7 times plain"""
QUICK = {"batch": "8", "modes": "plain,optimised,bfloat16,port", "runs": 5}


@dataclass
class Worker:
    """A mode's process, and what it has said."""

    mode: str
    process: Asked
    seconds: list[float] = field(default_factory=list)
    losses: dict[str, float] = field(default_factory=dict)

    def step(self, counted: bool) -> None:
        seconds, losses = self.process.ask("step")
        # Of a step's signs of collapse PyTorch's has none.
        losses = {name: value for name, value in losses.items() if "/" not in name}
        self.losses = self.losses or losses
        if counted:
            self.seconds.append(seconds)


def measure(asked: dict[str, Any], modes: list[str], runs: int) -> tuple[list[Worker], dict]:
    """Steps of every mode in turn. Also the ceilings, memory and the input's seconds."""
    extra: dict[str, Any] = {"memory": {}, "failed": {}}
    with ExitStack() as stack:
        workers = []
        for mode in modes:
            words = [sys.executable, "-m", "benchmarks.step_worker"]
            words.append(json.dumps(asked | {"mode": mode}))
            threads = {"OMP_NUM_THREADS": str(asked["threads"])}
            process = stack.enter_context(Asked(f"the mode {mode}", words, threads))
            worker = Worker(mode, process)
            try:
                process.answer()
                worker.step(counted=False)
            except FailedWork as error:
                extra["failed"][mode] = str(error)
                continue
            workers.append(worker)
        for turn in range(runs + 1):
            for worker in workers:
                worker.step(counted=turn > 0)
        for worker in workers:
            extra["memory"][worker.mode] = worker.process.ask("memory")
        ours = [worker for worker in workers if worker.mode in TENSORFLOW]
        for worker in (ours or workers)[:1]:
            extra["ceiling"] = worker.process.ask("ceiling")
        for worker in ours[:1]:
            extra["input"] = worker.process.ask("input")
    return workers, extra


def table(asked: dict[str, Any], workers: list[Worker], extra: dict[str, Any]) -> str:
    """One setting as it is printed, in Markdown."""
    settings = config.resolve("ckplus", "FESR_JL", asked["overrides"])
    seconds = {worker.mode: statistics.median(worker.seconds) for worker in workers}
    lines = [
        f"\n{asked['stage']} step, batch {settings.batch_size}, {settings.identity}, width "
        f"{settings.width:g}, {settings.image_size} px\n",
        "| mode | s a step | fastest to slowest | against plain | against port | GMAC a step "
        "| GMAC/s | peak GiB | losses off plain's |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    plain = next((worker.losses for worker in workers if worker.mode == "plain"), None)
    for worker in workers:
        mode, own = worker.mode, seconds[worker.mode]
        cached = mode in ("optimised", "bfloat16")
        work = settings.batch_size * arithmetic.step(settings, CLASSES, asked["stage"], cached)
        against = [f"{seconds[base] / own:.2f} x" if base in seconds else "·" for base in BASES]
        off = "·"
        if plain and mode in TENSORFLOW and mode != "plain":
            off = f"{max(abs(worker.losses[n] / plain[n] - 1) for n in plain if plain[n]):.1e}"
        lines.append(
            f"| {mode} | {own:.3f} | {min(worker.seconds):.3f} to {max(worker.seconds):.3f} | "
            f"{against[0]} | {against[1]} | {work / 1e9:.0f} | {work / own / 1e9:.1f} | "
            f"{extra['memory'][mode] / 2**30:.2f} | {off} |"
        )
    lines += [f"\n{mode}: {said}" for mode, said in extra["failed"].items()]
    rates = extra.get("ceiling", {})
    lines.append("\nmatrix product of 2048: " + ", ".join(
        f"{name} {rate / 1e9:.1f} GMAC/s" for name, rate in rates.items()
    ))  # fmt: skip
    if "input" in extra:
        rate = min(seconds.values()) / extra["input"]
        lines.append(
            f"input pipeline: {1e3 * extra['input']:.1f} ms a batch, {rate:.0f} times the rate of "
            "the fastest step"
        )
    return "\n".join(lines)


BASES = ("plain", "port")


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.train_step", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("--width", type=float, default=1.0, help="multiple of the channel counts")
    made.add_argument("--size", type=int, default=128, help="side of the pictures")
    made.add_argument("--batch", default="8,16")
    made.add_argument("--identity", default="light_cnn_29,light_cnn_v4")
    made.add_argument("--stage", choices=("joint", "pretrain"), default="joint")
    made.add_argument("--modes", default=",".join(MODES))
    made.add_argument("--runs", type=int, default=9, help="steps that count")
    made.add_argument("--threads", type=int, default=os.cpu_count())
    made.add_argument("--quick", action="store_true", help="batch 8, four modes, 5 runs")
    return made


@command
def main(argv: list[str] | None = None) -> int:
    made = parser()
    arguments = made.parse_args(argv)
    if arguments.quick:
        made.set_defaults(**QUICK)
        arguments = made.parse_args(argv)
    modes = arguments.modes.split(",")
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise BadUse(f"no mode {unknown[0]!r}; there are: {', '.join(MODES)}")
    if arguments.runs < 1:
        raise BadUse(f"--runs must be at least 1: {arguments.runs}")
    print(heading("benchmarks.train_step", argv))
    print(f"{arguments.threads} threads each\n{EXPECTED}", flush=True)
    for identity in arguments.identity.split(","):
        for batch in arguments.batch.split(","):
            overrides = [
                f"width={arguments.width}",
                f"image_size={arguments.size}",
                f"batch_size={batch}",
                f"identity={identity}",
            ]
            config.resolve("ckplus", "FESR_JL", overrides)
            asked = {
                "overrides": overrides,
                "stage": arguments.stage,
                "threads": arguments.threads,
            }
            print(table(asked, *measure(asked, modes, arguments.runs)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
