"""Both training steps against the same steps in PyTorch: losses, gradients, parameters.

    python -m benchmarks.parity.torch_port [--dtype float64] [--width 1 --size 128 --batch 16
        --identity light_cnn_29] [--steps 10] [--variants FESR_JL FESR_SL]

Needs `pip install -e '.[bench]'`. Both start from the same weights and use the same batches and
random values; the gradients are those that this project's own training steps give to their
optimizers. Exits with 1 where a goal is missed. The settings are the paper's, but for those named
here and those given as key=value.
"""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

from benchmarks.heading import heading, parser
from fesr_tf import config
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.text import table

if TYPE_CHECKING:
    from tests.support.torch_port import parity

VARIANTS = ("FESR_JL", "FESR_JL-RDBP", "FESR_Real", "FESR_SL")


def plan(settings: dict[str, config.Config]) -> list[tuple[int, str]]:
    """Which stage of which variant to run: the joint ones have their first stage in common."""
    joint = [name for name, each in settings.items() if each.trains_recognizer]
    alone = [name for name in settings if name not in joint]
    first = [name for name in joint if settings[name].trains_fesgan][:1]
    return [(1, name) for name in first + alone] + [(2, name) for name in joint]


def tables(found: parity.Comparison, steps: int) -> str:
    """One comparison as it is printed; a row that misses its goal is marked."""

    def ends(row: parity.Row) -> tuple[str, str, str]:
        itself = "" if row.itself is None else f"{row.itself:.1e}"
        mark = "MISSED" if row.missed else "excused" if row.excused else ""
        return f"{row.error:.1e}", itself, mark

    measures = ("error", "itself", "")
    losses = [(row.name, *(f"{value:.9g}" for value in row.values), *ends(row))
              for row in found.losses]  # fmt: skip
    gradients = [(row.name, row.tensors, row.parameters, *ends(row), row.worst)
                 for row in found.gradients]  # fmt: skip
    return "\n".join((
        f"\n{found.title}",
        table(("loss", "TensorFlow", "PyTorch", *measures), losses),
        table(("gradient", "tensors", "parameters", *measures, "largest at"), gradients),
        table((f"after {steps} steps", *measures), [(r.name, *ends(r)) for r in found.steps]),
    ))  # fmt: skip


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.parity.torch_port", __doc__)
    options.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    options.add_argument("--width", type=float, default=0.25, help="multiple of the channel counts")
    options.add_argument("--size", type=int, default=64, help="side of the images")
    options.add_argument("--batch", type=int, default=8)
    options.add_argument("--identity", default="light_cnn_demo", help="the face network")
    options.add_argument("--steps", type=int, default=10, help="steps of Adam, at least 1")
    options.add_argument("--variants", nargs="+", default=VARIANTS, metavar="VARIANT")
    options.add_argument(
        "--own-adam", action="store_true", help="PyTorch's Adam as it is, not as Keras has it"
    )
    options.add_argument(
        "--set", nargs="+", default=[], metavar="key=value", help="other settings to override"
    )
    args = options.parse_args(argv)
    if args.steps < 1:
        raise BadUse(f"--steps is {args.steps}; it must be at least 1")
    own = (f"width={args.width}", f"image_size={args.size}", f"batch_size={args.batch}",
           f"identity={args.identity}", *args.set)  # fmt: skip
    settings = {variant: config.resolve("ckplus", variant, own) for variant in args.variants}
    try:
        import torch
    except ImportError:
        raise BadUse("PyTorch is not installed: pip install -e '.[bench]'") from None
    import tensorflow as tf
    import tf_keras as keras

    from tests.support.torch_port import parity

    # Before any network is built: all layers take their float type from here.
    keras.backend.set_floatx(args.dtype)
    print(heading(options, argv))
    print(f"TensorFlow {tf.__version__}, PyTorch {torch.__version__}, {args.dtype}\n")
    print(textwrap.dedent(parity.__doc__).strip())
    goal = parity.GOALS[args.dtype]
    print(
        f"goals: {goal:g} for losses and gradients, {parity.steps_goal(goal):.2g} (the root of "
        f"twice that) after {args.steps} steps"
    )
    missed, excused = [], 0
    for stage, variant in plan(settings):
        title = f"stage {stage}, {variant}"
        found = parity.compare(title, settings[variant], stage, args.steps, args.own_adam)
        print(tables(found, args.steps), flush=True)
        missed += [f"{row.name} in {title}" for row in found.rows if row.missed]
        excused += sum(row.excused for row in found.rows)
    if missed:
        raise FailedWork(f"{len(missed)} goals missed: {', '.join(missed)}")
    print(f"\nno goal missed; {excused} rows are over their goal and excused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
