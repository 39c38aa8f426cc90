"""Both training steps beside the same steps in PyTorch: losses, gradients, parameters.

    python -m benchmarks.torch_port [--dtype float64] [--width 1 --size 128 --batch 16
        --identity light_cnn_29] [--steps 10] [--variants FESR_JL FESR_SL]

Needs `pip install -e '.[bench]'`. Both start from the same weights and use the same batches and
draws; the gradients are those that this project's own training steps hand to their optimizers.
Ends with 1 where a goal is missed. The settings are the paper's, but for those named here and
those given as key=value.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from typing import TYPE_CHECKING

from benchmarks.machine import heading
from fesr_tf import config
from pipelines.common.errors import BadUse, FailedWork, command

if TYPE_CHECKING:
    from benchmarks.torch_port import parity

VARIANTS = ("FESR_JL", "FESR_JL-RDBP", "FESR_Real", "FESR_SL")


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.torch_port", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    made.add_argument("--width", type=float, default=0.25, help="multiple of the channel counts")
    made.add_argument("--size", type=int, default=64, help="side of the pictures")
    made.add_argument("--batch", type=int, default=8)
    made.add_argument("--identity", default="light_cnn_demo", help="the face network")
    made.add_argument("--steps", type=int, default=10, help="steps of Adam, at least 1")
    made.add_argument("--variants", nargs="+", default=VARIANTS, metavar="VARIANT")
    made.add_argument(
        "--own-adam", action="store_true", help="PyTorch's Adam as it is, not as Keras has it"
    )
    made.add_argument(
        "--set", nargs="+", default=[], metavar="key=value", help="other settings to override"
    )
    return made


def resolved(arguments: argparse.Namespace, variant: str) -> config.Config:
    """The paper's settings at the sizes asked for."""
    own = [
        f"width={arguments.width}",
        f"image_size={arguments.size}",
        f"batch_size={arguments.batch}",
        f"identity={arguments.identity}",
    ]
    return config.resolve("ckplus", variant, own + arguments.set)


def plan(settings: dict[str, config.Config]) -> list[tuple[int, str]]:
    """Which stage of which variant to run: the joint ones have their first stage in common."""
    joint = [name for name, each in settings.items() if each.trains_recognizer]
    alone = [name for name in settings if name not in joint]
    first = [name for name in joint if settings[name].trains_fesgan][:1]
    return [(1, name) for name in first + alone] + [(2, name) for name in joint]


def table(found: parity.Comparison, steps: int) -> str:
    """One comparison as it is printed; a row that misses its goal is marked."""

    def mark(row: parity.Row) -> str:
        return "  MISSED" if row.missed else "  excused" if row.excused else ""

    def itself(row: parity.Row) -> str:
        return " " * 8 if row.itself is None else f"{row.itself:>8.1e}"

    lines = [f"\n{found.title}", f"{'loss':<15} {'TensorFlow':>16} {'PyTorch':>16} {'error':>8}"]
    for row in found.losses:
        ours, theirs = row.values
        lines.append(f"{row.name:<15} {ours:>16.9g} {theirs:>16.9g} {row.error:>8.1e}{mark(row)}")
    lines.append(
        f"{'gradient':<8} {'tensors':>7} {'parameters':>11} {'error':>8}   itself  largest at"
    )
    for row in found.gradients:
        lines.append(
            f"{row.name:<8} {row.tensors:>7} {row.parameters:>11,} {row.error:>8.1e} "
            f"{itself(row)}  {row.worst}{mark(row)}"
        )
    lines.append(f"after {steps} steps")
    lines += [f"{row.name:<28} {row.error:>8.1e} {itself(row)}{mark(row)}" for row in found.steps]
    return "\n".join(line.rstrip() for line in lines)


@command
def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    if arguments.steps < 1:
        raise BadUse(f"--steps must be at least 1: {arguments.steps}")
    settings = {variant: resolved(arguments, variant) for variant in arguments.variants}
    try:
        import torch
    except ImportError:
        raise BadUse("PyTorch is not installed: pip install -e '.[bench]'") from None
    import tensorflow as tf
    import tf_keras as keras

    from benchmarks.torch_port import parity

    # Before any network is built: all layers take their float type from here.
    keras.backend.set_floatx(arguments.dtype)
    print(heading("benchmarks.torch_port", argv))
    print(f"TensorFlow {tf.__version__}, PyTorch {torch.__version__}, {arguments.dtype}\n")
    print(textwrap.dedent(parity.__doc__).strip())
    goal = parity.GOALS[arguments.dtype]
    print(
        f"goals: {goal:g} for losses and gradients, {parity.steps_goal(goal):.2g} (the root of "
        f"twice that) after {arguments.steps} steps"
    )
    missed, excused = [], 0
    for stage, variant in plan(settings):
        title = f"stage {stage}, {variant}"
        found = parity.compare(title, settings[variant], stage, arguments.steps, arguments.own_adam)
        print(table(found, arguments.steps), flush=True)
        missed += [f"{row.name} in {title}" for row in found.rows if row.missed]
        excused += sum(row.excused for row in found.rows)
    if missed:
        raise FailedWork(f"{len(missed)} goals missed: {', '.join(missed)}")
    if excused:
        print(f"\nnothing missed, but {excused} rows are over their goal and excused")
    else:
        print("\nevery goal met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
