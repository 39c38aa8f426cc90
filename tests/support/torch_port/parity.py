"""One training step in both implementations, and what differs.

Measures, with a of TensorFlow and b of PyTorch:
  loss         |a - b| / max(|b|, 1e-8)
  gradient     max |a - b| / max |b| over a parameter's tensor; the largest of a network's
  zero         the same for biases whose gradient is 0 in exact arithmetic (before IN; of D_adv),
               where both hold rounding only: max |a - b| / max |b of the layer's weights|
  after steps  ||da - db|| / ||db|| over all of a network, da and db the way that its
               parameters went in `steps` steps of Adam, the zero ones apart
  itself       float32 only, the same measure of PyTorch beside PyTorch with all weights moved by
               1e-6 of themselves, the largest of three: the networks are piecewise linear, and
               one unit whose input rounds to the other side of 0 changes a gradient by percents.
               What is over its goal by no more than that is `excused`: it shows nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config
from fesr_tf.model import fesr
from fesr_tf.networks.face_networks import FaceNetwork, load_face_network
from tests.support.torch_port.peer import NUM_CLASSES, Run
from tests.support.torch_port.recording import record
from tests.support.torch_port.sharing import (
    Pair,
    fill_biases,
    random_batch,
    torch_batch,
    torch_draws,
)

GOALS = {"float32": 1e-4, "float64": 1e-6}
"""Of losses and gradients."""


def steps_goal(goal: float) -> float:
    """How far apart Adam's steps may lead where gradients differ by `goal`.

    Adam's first step is the learning rate times the gradient's sign, so a gradient that errs
    by e of its usual size s turns the step of the components below e s, some 0.4 e of them;
    each then errs by twice the rate, and the norm by sqrt(4 * 0.4 e). Later steps are smoother.
    """
    return math.sqrt(2 * goal)


@dataclass
class Row:
    """One line of a table. `itself` is the error of PyTorch beside itself, where measured."""

    name: str
    error: float
    goal: float
    values: tuple[float, float] | None = None  # a loss's: TensorFlow, PyTorch
    tensors: int = 0
    parameters: int = 0
    worst: str = ""
    itself: float | None = None

    @property
    def missed(self) -> bool:
        return not self.error <= max(self.goal, self.itself or 0.0)

    @property
    def excused(self) -> bool:
        """Over the goal, by no more than PyTorch differs from itself."""
        return self.error > self.goal and not self.missed


@dataclass
class Comparison:
    """What one stage of one variant gave."""

    title: str
    losses: list[Row] = field(default_factory=list)
    gradients: list[Row] = field(default_factory=list)
    steps: list[Row] = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        return [*self.losses, *self.gradients, *self.steps]


def face_network(config: Config) -> FaceNetwork:
    """F_id with its weights, where there are any; else with random ones."""
    if config.identity_weights or config.identity == "light_cnn_demo":
        return load_face_network(config.identity, config.identity_weights)
    return load_face_network(config.identity, random_seed=config.seed)


def compare(
    title: str, config: Config, stage: int, steps: int, own_adam: bool = False
) -> Comparison:
    """Runs `steps` steps of a stage in both from the same weights, on the same batches and
    draws; losses and gradients are those of the first.

    TensorFlow's are of the model's own `train_step`, as a graph, as `fit` runs it. The float
    type is Keras' (`set_floatx`). `own_adam` leaves PyTorch's Adam as it is.
    """
    model = fesr.build(config, NUM_CLASSES, face_network(config))
    fill_biases(model, config.seed)
    recorders = record(model)
    port = Run(model, stage, own_adam)
    moved = 3 if keras.backend.floatx() == "float32" else 0
    others = [Run(model, stage, own_adam, moved_by=seed) for seed in range(1, moved + 1)]
    trained = model.fesgan if stage == 1 else model
    ours: Callable = tf.function(trained.train_step, autograph=False)
    goal = GOALS[keras.backend.floatx()]
    comparison = Comparison(title)
    for step in range(steps):
        batch = random_batch(config, NUM_CLASSES, seed=step)
        draws = torch_draws(model, batch[2])
        their_losses, *_ = [each.step(torch_batch(batch), draws) for each in (port, *others)]
        # The signs of collapse beside the losses move nothing, and the port has none.
        our_losses = {name: value for name, value in ours(batch).items() if "/" not in name}
        if step:
            continue
        comparison.losses = loss_rows(our_losses, their_losses, goal)
        given = [recorders[pair.network].gradient(pair.variable) for pair in port.pairs]
        given = [
            None if each is None else pair.as_torch(each)
            for pair, each in zip(port.pairs, given, strict=True)
        ]
        apart = [gradient_errors(port, each.gradients()) for each in others]
        comparison.gradients = gradient_rows(port, gradient_errors(port, given), apart, goal)
    ways = [
        pair.as_torch(pair.variable.numpy()) - start
        for pair, start in zip(port.pairs, port.start, strict=True)
    ]
    apart = [way_errors(port, each.ways()) for each in others]
    comparison.steps = [
        Row(network, error, steps_goal(goal), itself=largest([each[network] for each in apart]))
        for network, error in way_errors(port, ways).items()
    ]
    return comparison


def largest(values: list[float]) -> float | None:
    """The largest; None of none."""
    return max(values, default=None)


def loss_rows(ours: dict, theirs: dict, goal: float) -> list[Row]:
    """Every loss by its name, in the order of TensorFlow's step."""
    rows = []
    for name in [*ours, *(theirs.keys() - ours.keys())]:
        a, b = (float(losses.get(name, math.nan)) for losses in (ours, theirs))
        rows.append(Row(name, abs(a - b) / max(abs(b), 1e-8), goal, values=(a, b)))
    return rows


def gradient_errors(port: Run, others: list[np.ndarray | None]) -> list[float | None]:
    """The error of every parameter's gradient; None where neither has one."""
    errors, size = [], 0.0
    for pair, a, b in zip(port.pairs, others, port.gradients(), strict=True):
        if a is None or b is None:
            errors.append(None if a is b else math.inf)
            continue
        if not pair.vanishes:  # else: the layer's weights, which come first
            size = np.abs(b).max()
        errors.append(float(np.abs(a - b).max() / size) if size else math.inf)
    return errors


def gradient_rows(
    port: Run, errors: list[float | None], apart: list[list[float | None]], goal: float
) -> list[Row]:
    """A row a network, one for the zero gradients."""

    def row(title: str, chosen: Callable[[Pair], bool]) -> Row | None:
        found = [i for i, pair in enumerate(port.pairs) if errors[i] is not None and chosen(pair)]
        if not found:
            return None
        worst = max(found, key=lambda i: errors[i])
        pair = port.pairs[worst]
        return Row(
            title, errors[worst], goal, tensors=len(found),
            parameters=sum(port.pairs[i].parameter.numel() for i in found),
            worst=f"{pair.network} {pair.name}",
            itself=largest([each[i] for each in apart for i in found]),
        )  # fmt: skip

    networks = dict.fromkeys(pair.network for pair in port.pairs)
    rows = [
        row(name, lambda pair, name=name: pair.network == name and not pair.vanishes)
        for name in networks
    ]
    rows.append(row("zero", lambda pair: pair.vanishes))
    return [each for each in rows if each]


def way_errors(port: Run, others: list[np.ndarray]) -> dict[str, float]:
    """How far apart the parameters' ways led, for each network that moved."""
    sums: dict[str, np.ndarray] = {}
    for pair, a, b in zip(port.pairs, others, port.ways(), strict=True):
        if not pair.vanishes:
            apart, way = (np.square(each, dtype=np.float64).sum() for each in (a - b, b))
            sums[pair.network] = sums.get(pair.network, 0) + np.array([apart, way])
    return {
        network: math.sqrt(apart / way) if way else math.inf
        for network, (apart, way) in sums.items()
        if apart or way
    }
