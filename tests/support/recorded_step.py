"""One step of training as it is, with its tapes kept open: what each loss moves and reads.

Nothing of the step is derived anew. `tf.GradientTape` is replaced, while the step runs, by
itself with `persistent=True`; when the step is over, its own tapes are asked again, one loss at
a time, about the very variables that the step asked them about. `Recording.rows` refuses a step
whose losses, so weighted and so routed, do not add up to what its optimizers were given.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import tensorflow as tf

from fesr_tf.model.fesr import FESR
from fesr_tf.networks.light_cnn import layers_of

NONE, ZERO, PART, FLOWS = "·", "0", "part", "∇"
"""No gradient at all; one that is exactly 0; one of some weights only; one of every weight."""

# What train_step reports beside the single losses: their weighted sums.
SUMS = ("L_D_img", "L_intra", "L_R", "L_G")
READ = (
    *("x", "x^{p,r}", "g(x)", "z", "x_hat", "x_rec", "x^{p,f}"),
    *("R_ext(x)", "R_ext(x^{p,r})", "R_ext(x^{p,f})"),
)


class Unexplained(Exception):
    """The reported losses do not account for what an optimizer was given."""


class Row(NamedTuple):
    """One loss: the update that it is a term of, its weight there, what it moves and reads.

    `moves` and `reads` map the names of `networks()` and of `READ` to NONE, ZERO, PART or FLOWS.
    """

    update: str
    weight: float | None
    moves: dict[str, str]
    reads: dict[str, str]


class Question(NamedTuple):
    """What a step asked one of its tapes: d target / d variables, and the answer."""

    tape: tf.GradientTape
    target: tf.Tensor
    variables: list[tf.Variable]
    answer: list[tf.Tensor | None]


def networks(model: FESR) -> dict[str, list[tf.Variable]]:
    """Every weight of the model, by the part of the paper's networks that it belongs to."""
    gan, recognizer = model.fesgan, model.recognizer
    critic, face_network = gan.image_critic, model.face_network.network
    shared = {linear.name: linear.in_trunk for linear in layers_of(face_network.spec)}
    frozen = face_network.layers_by_name.items()
    parts = {
        "G_enc": [gan.encoder],
        "G_dec": [gan.decoder],
        "D_img_trunk": critic.trunk,
        "D_img_adv": [critic.adversarial],
        "D_img_cls": [critic.class_hidden, critic.class_logits],
        "D_z": [gan.code_critic],
        "R_trunk": [layer for name, layer in frozen if shared[name]],  # and F_id's
        "F_id": [layer for name, layer in frozen if not shared[name]],
        "R_ext": [*recognizer.convolutions, *recognizer.dense],
        "R_cls": [recognizer.logits],
    }
    return {
        name: [v for layer in layers for v in layer.variables] for name, layers in parts.items()
    }


@dataclass
class Recording:
    """A finished step: what it reported, what it asked and what its optimizers were given."""

    logs: dict[str, tf.Tensor] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    given: list[tuple[tf.Tensor, tf.Variable]] = field(default_factory=list)
    draws: list[Any] = field(default_factory=list)
    expressions: list[tf.Tensor] = field(default_factory=list)
    seen: dict[str, list[tf.Tensor]] = field(default_factory=lambda: defaultdict(list))
    whole: tf.GradientTape = field(default_factory=lambda: tf.GradientTape(persistent=True))

    @property
    def losses(self) -> dict[str, tf.Tensor]:
        """The single losses by name: all that is no sum of others, and no sign of collapse."""
        signs = {name for name in self.logs if "/" in name}
        return {name: self.logs[name] for name in self.logs if name not in {*SUMS, *signs}}

    def name(self, tensor: tf.Tensor) -> str | None:
        """The name in `READ` of a tensor that the step made."""
        named = ((n, each) for n, tensors in self.seen.items() for each in tensors)
        return next((n for n, each in named if each is tensor), None)

    def rows(self, parts: dict[str, list[tf.Variable]]) -> dict[str, Row]:
        """The routing of the step, loss by loss. Raises `Unexplained`."""
        total: dict[int, np.ndarray] = defaultdict(float)
        factors = [
            tf.GradientTape.gradient(tape, target, self.losses)
            for tape, target, _, _ in self.questions
        ]
        rows = {}
        for name, loss in self.losses.items():
            terms = [
                (question, float(found[name]))
                for question, found in zip(self.questions, factors, strict=True)
                if found[name] is not None
            ]
            shares = _shares(loss, terms)
            for key, share in shares.items():
                total[key] = total[key] + share
            updates = dict.fromkeys(self._update(question) for question, _ in terms)
            rows[name] = Row(
                " and ".join(updates),
                terms[-1][1] if terms else None,
                {part: _mark(variables, shares) for part, variables in parts.items()},
                self._reads(loss),
            )
        self._check(total)
        return rows

    def _update(self, question: Question) -> str:
        named = (name for name in SUMS if self.logs.get(name) is question.target)
        return next(named, "L_D_z")

    def _reads(self, loss: tf.Tensor) -> dict[str, str]:
        reads = dict.fromkeys(READ, NONE)
        sources = {name: self.seen[name] for name in READ if self.seen[name]}
        for name, gradients in self.whole.gradient(loss, sources).items():
            found = [each for each in gradients if each is not None]
            flows = any(np.any(each.numpy()) for each in found)
            reads[name] = FLOWS if flows else ZERO if found else NONE
        return reads

    def _check(self, total: dict[int, np.ndarray]) -> None:
        answers, largest = set(), {}
        for question in self.questions:
            found = [each for each in question.answer if each is not None]
            answers |= {id(each) for each in found}
            scale = max(np.abs(each.numpy()).max() for each in found)
            largest |= {id(variable): scale for variable in question.variables}
        given: dict[int, np.ndarray] = defaultdict(float)
        for gradient, variable in self.given:
            if id(gradient) not in answers:
                raise Unexplained(f"{variable.name} was given what no tape answered")
            given[id(variable)] = given[id(variable)] + gradient.numpy()
        for _, variable in self.given:
            wanted = given[id(variable)]
            error = np.abs(total[id(variable)] - wanted).max()
            # Before a normalisation a bias has rounding for a gradient, as large as the others'.
            if error > 1e-4 * np.abs(wanted).max() + 1e-5 * largest[id(variable)]:
                raise Unexplained(f"{variable.name}: its losses add up to something else")


def record(model: FESR, stage: int, batch: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> Recording:
    """Takes one eager step of stage 1 (FESGAN) or 2 (FESR) on a batch as `fesr_tf.data` makes
    them, and keeps its tapes. The model is left as the step leaves it."""
    made = Recording()
    seen, (image, positive, _) = made.seen, batch
    seen["x"].append(image)
    seen["x^{p,r}"].append(positive)
    maps: list[tuple[tf.Tensor, str]] = []

    class KeptTape(tf.GradientTape):
        def __init__(self, **options: Any):
            super().__init__(**options | {"persistent": True})

        def gradient(self, target: Any, sources: Any, **options: Any) -> Any:
            answer = super().gradient(target, sources, **options)
            if isinstance(sources, list):  # the gradient penalty asks about an image
                made.questions.append(Question(self, target, sources, answer))
            return answer

    def drawn(_: tuple, draws: Any) -> None:
        made.draws.append(draws)
        seen["z"].append(draws.prior_code)
        made.whole.watch(draws.prior_code)

    def mapped(arguments: tuple, result: tf.Tensor) -> None:
        name = made.name(arguments[0])
        if name:
            maps.append((result, name))

    def extracted(arguments: tuple, result: tf.Tensor) -> None:
        for feature_map, name in maps:
            if feature_map is arguments[0]:
                seen[f"R_ext({name})"].append(result)

    def noted(name: str) -> Callable[[tuple, Any], None]:
        return lambda _, result: seen[name].append(result)

    gan = model.fesgan
    spied = [
        (gan, "draw", drawn),
        (gan, "encode", noted("g(x)")),
        (gan, "translate", noted("x_hat")),
        (gan, "reconstruct", noted("x_rec")),
        (gan, "decode", lambda arguments, _: made.expressions.append(arguments[1])),
        (model, "synthesize", lambda _, result: seen["x^{p,f}"].append(result[0])),
        (model.face_network, "trunk", mapped),
        (model.recognizer, "extract", extracted),
        (
            model.recognizer_optimizer,
            "apply_gradients",
            lambda arguments, _: made.given.extend(arguments[0]),
        ),
    ]
    step = (gan if stage == 1 else model).train_step
    with contextlib.ExitStack() as stack:
        for owner, method, note in spied:
            stack.enter_context(_spy(type(owner), method, note))
        with made.whole:
            made.whole.watch([image, positive])
            stack.enter_context(mock.patch.object(tf, "GradientTape", KeptTape))
            made.logs.update(step(batch))
    return made


def _spy(owner: type, method: str, note: Callable[[tuple, Any], None]) -> Any:
    """Patches a method so that `note(arguments, result)` sees each call."""
    original = getattr(owner, method)

    def spy(self: Any, *arguments: Any, **options: Any) -> Any:
        result = original(self, *arguments, **options)
        note(arguments, result)
        return result

    return mock.patch.object(owner, method, spy)


def _shares(loss: tf.Tensor, terms: list[tuple[Question, float]]) -> dict[int, np.ndarray]:
    """By variable, what a loss contributes to the answers, with its weight in each target."""
    shares: dict[int, np.ndarray] = defaultdict(float)
    for (tape, _, variables, _), weight in terms:
        gradients = tf.GradientTape.gradient(tape, loss, variables)
        for variable, gradient in zip(variables, gradients, strict=True):
            if gradient is not None:
                shares[id(variable)] = shares[id(variable)] + weight * gradient.numpy()
    return shares


def _mark(variables: list[tf.Variable], shares: dict[int, np.ndarray]) -> str:
    """Kernels decide between FLOWS and PART: before a normalisation a bias moves nothing."""
    reached = {id(v): np.any(shares[id(v)]) for v in variables if id(v) in shares}
    if not reached:
        return NONE
    if not any(reached.values()):
        return ZERO
    kernels = [v for v in variables if len(v.shape) > 1]
    return FLOWS if all(reached.get(id(v)) for v in kernels) else PART
