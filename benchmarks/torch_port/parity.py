"""One training step in both implementations, and what differs.

Measures, with a of TensorFlow and b of PyTorch:
  loss         |a - b| / max(|b|, 1e-8)
  gradient     max |a - b| / max |b| over a parameter's tensor; the largest of a network's
  zero         the same for biases whose gradient is 0 in exact arithmetic (before IN; of D_adv),
               where both hold rounding only: max |a - b| / max |b of the layer's weights|
  after steps  ||da - db|| / ||db|| over all of a network, da and db the way that its
               parameters went in `steps` steps of Adam, the zero ones apart
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
import tf_keras as keras
import torch

from benchmarks.torch_port.sharing import (
    Pair,
    fill_biases,
    port_of,
    random_batch,
    torch_batch,
    torch_draws,
)
from benchmarks.torch_port.training import JointTraining
from fesr_tf import fesr
from fesr_tf.config import Config
from fesr_tf.networks.face_networks import FaceNetwork, load_face_network

NUM_CLASSES = 7
GOALS = {"float32": 1e-4, "float64": 1e-6}
"""Of losses and gradients."""
OPTIMIZERS = (
    "generator_optimizer",
    "image_critic_optimizer",
    "code_critic_optimizer",
    "recognizer_optimizer",
)


def steps_goal(goal: float) -> float:
    """How far apart Adam's steps may lead where gradients differ by `goal`.

    Adam's first step is the learning rate times the gradient's sign, so a gradient that errs
    by e of its usual size s turns the step of the components below e s, some 0.4 e of them;
    each then errs by twice the rate, and the norm by sqrt(4 * 0.4 e). Later steps are smoother.
    """
    return math.sqrt(2 * goal)


@dataclass
class Row:
    """One line of a table: `error` is compared with `goal`."""

    name: str
    error: float
    goal: float
    values: tuple[float, float] | None = None  # a loss's: TensorFlow, PyTorch
    tensors: int = 0
    parameters: int = 0
    worst: str = ""

    @property
    def missed(self) -> bool:
        return not self.error <= self.goal


@dataclass
class Comparison:
    """What one stage of one variant gave."""

    title: str
    losses: list[Row] = field(default_factory=list)
    gradients: list[Row] = field(default_factory=list)
    steps: list[Row] = field(default_factory=list)

    @property
    def missed(self) -> list[Row]:
        return [row for row in (*self.losses, *self.gradients, *self.steps) if row.missed]


class Recorder:
    """Stands in an optimizer's place in the real model, and keeps the gradients it is given."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: list[tf.Variable]):
        self.optimizer = optimizer
        self.kept = {each.ref(): tf.Variable(tf.zeros_like(each)) for each in variables}
        self.reached = set()

    def apply_gradients(self, pairs: Iterable[tuple[tf.Tensor, tf.Variable]]) -> None:
        """Keeps, then hands on. Works inside a `tf.function`, where the step is traced once."""
        pairs = list(pairs)
        for gradient, variable in pairs:
            self.reached.add(variable.ref())
            self.kept[variable.ref()].assign(gradient)
        self.optimizer.apply_gradients(pairs)

    def gradient(self, variable: tf.Variable) -> np.ndarray | None:
        """What `variable` got in the last step; None where nothing."""
        ref = variable.ref()
        return self.kept[ref].numpy() if ref in self.reached else None


def record(model: fesr.FESR) -> dict[str, Recorder]:
    """Puts a recorder before each of the model's optimizers; by network."""
    gan = model.fesgan
    for owner, name, variables in (
        (gan, "generator_optimizer", gan.generator_variables),
        (gan, "image_critic_optimizer", gan.image_critic.trainable_variables),
        (gan, "code_critic_optimizer", gan.code_critic.trainable_variables),
        (model, "recognizer_optimizer", model.recognizer.trained_variables),
    ):
        setattr(owner, name, Recorder(getattr(owner, name), variables))
    return {
        "G_enc": gan.generator_optimizer,
        "G_dec": gan.generator_optimizer,
        "D_img": gan.image_critic_optimizer,
        "D_z": gan.code_critic_optimizer,
        "R": model.recognizer_optimizer,
    }


def keras_adam(port: JointTraining) -> None:
    """Lets PyTorch's Adam step as Keras' does, whose two departures would drown the rest.

    Keras adds the epsilon to the root of the second moment before the bias correction, PyTorch
    after: one is the other with an epsilon of 1e-8 / sqrt(1 - beta2^t), at first 32 times as
    large, which a gradient of 1e-5 feels in the second digit. And Keras rounds beta2 to float32
    before it takes the power, so that 1 - beta2^t errs by 1e-5 at first.
    """
    number = np.dtype(keras.backend.floatx()).type

    def before_step(optimizer: torch.optim.Adam, *_) -> None:
        group = optimizer.param_groups[0]
        state = optimizer.state.get(group["params"][0])
        step = int(state["step"]) + 1 if state else 1
        beta2 = group["betas"][1]
        correction = math.sqrt(1 - beta2**step)
        rounded = math.sqrt(1 - np.power(number(np.float32(beta2)), number(step)))
        group["eps"] = 1e-8 / correction
        group["lr"] = port.config.learning_rate * rounded / correction

    for name in OPTIMIZERS:
        getattr(port, name).register_step_pre_hook(before_step)


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
    port, pairs = port_of(model, config, NUM_CLASSES)
    if not own_adam:
        keras_adam(port)
    trained = model.fesgan if stage == 1 else model
    ours: Callable = tf.function(trained.train_step, autograph=False)
    theirs: Callable = port.stage1_step if stage == 1 else port.stage2_step
    goal = GOALS[keras.backend.floatx()]
    comparison = Comparison(title)
    start = [pair.parameter.detach().clone() for pair in pairs]
    for step in range(steps):
        batch = random_batch(config, NUM_CLASSES, seed=step)
        draws = torch_draws(model, batch[2])
        their_losses = theirs(torch_batch(batch), draws)
        our_losses = ours(batch)
        if step == 0:
            comparison.losses = loss_rows(our_losses, their_losses, goal)
            comparison.gradients = gradient_rows(pairs, recorders, goal)
    comparison.steps = step_rows(pairs, start, recorders, steps_goal(goal))
    return comparison


def loss_rows(ours: dict, theirs: dict, goal: float) -> list[Row]:
    """Every loss by its name, in the order of TensorFlow's step."""
    rows = []
    for name in [*ours, *(theirs.keys() - ours.keys())]:
        a, b = (float(losses.get(name, math.nan)) for losses in (ours, theirs))
        rows.append(Row(name, abs(a - b) / max(abs(b), 1e-8), goal, values=(a, b)))
    return rows


def gradient_errors(pairs: list[Pair], recorders: dict[str, Recorder]) -> dict[str, float]:
    """The error of every parameter that either implementation moves, by network and name."""
    errors, size = {}, 0.0
    for pair in pairs:
        a, b = recorders[pair.network].gradient(pair.variable), pair.parameter.grad
        if a is None and b is None:
            continue
        name = f"{pair.network}: {pair.name}"
        if a is None or b is None:
            errors[name] = math.inf
            continue
        b = b.numpy()
        if not pair.vanishes:
            size = np.abs(b).max()
        difference = np.abs(pair.as_torch(a) - b).max()
        errors[name] = float(difference / size) if size else math.inf
    return errors


def gradient_rows(pairs: list[Pair], recorders: dict[str, Recorder], goal: float) -> list[Row]:
    """A row a network, one for the zero gradients."""
    errors = gradient_errors(pairs, recorders)

    def row(title: str, chosen: list[Pair]) -> Row | None:
        found = {
            name: pair.variable.shape.num_elements()
            for pair in chosen
            if (name := f"{pair.network}: {pair.name}") in errors
        }
        if not found:
            return None
        worst = max(found, key=lambda name: errors[name])
        return Row(
            title, errors[worst], goal, tensors=len(found),
            parameters=sum(found.values()), worst=worst,
        )  # fmt: skip

    rows = [
        row(network, [each for each in pairs if each.network == network and not each.vanishes])
        for network in recorders
    ]
    rows.append(row("zero", [each for each in pairs if each.vanishes]))
    return [each for each in rows if each]


def step_rows(
    pairs: list[Pair], start: list[torch.Tensor], recorders: dict[str, Recorder], goal: float
) -> list[Row]:
    """How far apart the ways of the parameters led; a row a network that moved."""
    rows = []
    for network in recorders:
        apart = way = 0.0
        for pair, first in zip(pairs, start, strict=True):
            if pair.network != network or pair.vanishes:
                continue
            theirs = pair.parameter.detach().numpy()
            ours = pair.as_torch(pair.variable.numpy())
            apart += float(np.square(ours - theirs, dtype=np.float64).sum())
            way += float(np.square(theirs - first.numpy(), dtype=np.float64).sum())
        if apart or way:
            rows.append(Row(network, math.sqrt(apart / way) if way else math.inf, goal))
    return rows
