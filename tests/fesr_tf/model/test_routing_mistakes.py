"""Mistakes of public re-implementations, made one at a time in the real step: each is seen.

A mistake replaces a method or a loss by itself with the mistake in it. The routing of a real step
must then differ from the right one in exactly these changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import tensorflow as tf

from fesr_tf.model import fesgan, fesr, losses
from fesr_tf.model.fesgan import FESGAN
from fesr_tf.model.fesr import FESR
from tests.support import routing
from tests.support.recorded_step import FLOWS, NONE, ZERO, Unexplained
from tests.support.routing_changes import Change, changes, marked

Patch = pytest.MonkeyPatch
Mistake = Callable[[Patch], None]


def replaced(patch: Patch, owner: Any, name: str, wrong: Callable) -> None:
    """`owner.name(...)` becomes `wrong(right, ...)`, where `right` is the function as it was."""
    right = getattr(owner, name)
    patch.setattr(owner, name, lambda *given, **options: wrong(right, *given, **options))


def while_in(patch: Patch, method: tuple[type, str], place: tuple[Any, str], made: Callable):
    """`place` is replaced while `method` runs: by `made(right, *arguments of the method)`."""
    owner, name = place

    def wrong(right_method, *given):
        right = getattr(owner, name)
        with mock.patch.object(owner, name, made(right, *given)):
            return right_method(*given)

    replaced(patch, *method, wrong)


def open_tapes(patch: Patch) -> list[tf.GradientTape]:
    """The tapes that are open, the innermost last: it fills as the step runs."""
    tapes: list[tf.GradientTape] = []

    def enter(right, tape):
        tapes.append(tape)
        return right(tape)

    def leave(right, tape, *error):
        tapes.remove(tape)
        return right(tape, *error)

    replaced(patch, tf.GradientTape, "__enter__", enter)
    replaced(patch, tf.GradientTape, "__exit__", leave)
    return tapes


def detached(owner: type, method: str, place: int) -> Mistake:
    """The gradient of the method's argument number `place` (self is 0) is stopped."""

    def wrong(right, *given):
        given = list(given)
        given[place] = tf.stop_gradient(given[place])
        return right(*given)

    return lambda patch: replaced(patch, owner, method, wrong)


def x_hat_off_the_tape(patch: Patch) -> None:
    tapes = open_tapes(patch)

    def wrong(right, *given):
        with tapes[-1].stop_recording():
            return right(*given)

    replaced(patch, FESGAN, "translate", wrong)


def penalty_on(code: Callable) -> Mistake:
    """The penalty on G_dec([code, u(y)]) in place of x_hat."""

    def made(right, gan, image, translated, label, draws):
        def penalty(critic, real, fake, seed, **options):
            other = gan.reconstruct(code(gan, image, draws), label, draws)
            return right(critic, real, other, seed, **options)

        return penalty

    place = losses, "gradient_penalty"
    return lambda patch: while_in(patch, (FESGAN, "update_image_critic"), place, made)


def on_fakes(gan: FESGAN, translated: tf.Tensor, draws: Any) -> tf.Tensor:
    logits = gan.image_critic(translated)[1]
    return losses.classification(draws.target_label, logits)


def class_head_on_fakes(patch: Patch) -> None:
    def made(right, gan, image, translated, label, draws):
        def classification(label, logits):
            fake = gan.image_critic(translated)[1]
            return right(label, logits) + right(draws.target_label, fake)

        return classification

    while_in(patch, (FESGAN, "update_image_critic"), (losses, "classification"), made)


def generator_moves_the_critic(patch: Patch) -> None:
    own = FESGAN.generator_variables.fget
    both = property(lambda gan: gan.image_critic.trainable_variables + own(gan))
    patch.setattr(FESGAN, "generator_variables", both)


def intra_class_on_the_trunk(patch: Patch) -> None:
    def made(right, model, maps, *_):
        means = [tf.reduce_mean(each, [1, 2]) for each in maps]
        return lambda *features, **options: right(*means, **options)

    while_in(patch, (FESR, "update_recognizer"), (losses, "intra_class"), made)


def recogniser_moved_by_the_generators_loss(patch: Patch) -> None:
    def made(right, model, _):
        def update(gan, tape, loss):
            logs = right(gan, tape, loss)
            own = model.recognizer.trained_variables
            fesgan.minimise(model.recognizer_optimizer, tape, loss, own)
            return logs

        return update

    while_in(patch, (FESR, "train_step"), (FESGAN, "update_generator"), made)


def generator_moved_by_the_recognisers_loss(patch: Patch) -> None:
    """R's update is recorded by the generator's tape, and L_R is a term of L_G."""
    tapes, reported = open_tapes(patch), {}

    def update(right, *given):
        with tapes[-1]:  # entered again, as its recording is stopped around the update
            reported.update(right(*given))
        return dict(reported)

    replaced(patch, FESR, "update_recognizer", update)
    replaced(
        patch,
        FESGAN,
        "generator_terms",
        lambda right, *given: right(*given) | {"L_R": (1.0, reported["L_R"])},
    )


def another_z(patch: Patch) -> None:
    def wrong(right, model, image, face_code, label, draws):
        z = tf.random.uniform(draws.prior_code.shape, -1.0, 1.0)
        return right(model, image, face_code, label, draws._replace(prior_code=z))

    replaced(patch, FESR, "synthesize", wrong)


def guided_everywhere(patch: Patch) -> None:
    def wrong(right, real, positive, synthetic, **options):
        return right(tf.stop_gradient(real), positive, synthetic, **options)

    replaced(patch, losses, "intra_class", wrong)


def guided_on_the_wrong_side(patch: Patch) -> None:
    def wrong(right, real, positive, synthetic, **options):
        return right(real, positive, tf.stop_gradient(synthetic), **options | {"rdbp": False})

    replaced(patch, losses, "intra_class", wrong)


MISTAKES: dict[str, tuple[Mistake, list[set[Change]]]] = {
    "x_hat detached in the generator's loss": (
        detached(FESGAN, "generator_terms", 4),
        [
            marked(loss, verb, names, NONE)
            for loss in ("L_advg_img", "L_cls_D_f")
            for verb, names in (("moves", "G_enc G_dec"), ("reads", "x g(x) x_hat"))
        ],
    ),
    "x_hat kept off the generator's tape": (
        x_hat_off_the_tape,
        [marked(loss, "moves", "G_enc G_dec", NONE) for loss in ("L_advg_img", "L_cls_D_f")],
    ),
    "g(x) detached in x_hat": (
        detached(FESGAN, "translate", 3),
        [
            marked("L_advg_img", "moves", "G_enc", NONE),
            marked("L_cls_D_f", "moves", "G_enc", NONE),
            marked("L_advg_img", "reads", "x g(x)", NONE),
            marked("L_cls_D_f", "reads", "x g(x)", NONE),
            marked("L_advd_img", "reads", "g(x)", NONE),
            marked("penalty", "reads", "g(x)", NONE),
        ],
    ),
    "g(x) detached in L_advg^z": (
        detached(FESGAN, "generator_terms", 3),
        [
            marked("L_advg_z", "moves", "G_enc", NONE),
            marked("L_advg_z", "reads", "x g(x)", NONE),
        ],
    ),
    "x_rec detached in L_id": (
        detached(FESR, "map_generated", 1),
        [
            marked("L_id", "moves", "G_enc G_dec", NONE),
            marked("L_id", "reads", "g(x) x_rec", NONE),
        ],
    ),
    "the penalty on x_rec": (
        penalty_on(lambda gan, image, draws: gan.encode(image)),
        [marked("penalty", "reads", "x_hat", NONE), marked("penalty", "reads", "x_rec", ZERO)],
    ),
    "the penalty on faces from z": (
        penalty_on(lambda gan, image, draws: draws.prior_code),
        [
            marked("penalty", "reads", "g(x) x_hat", NONE),
            marked("penalty", "reads", "z x_rec", ZERO),
        ],
    ),
    "the class head trained on fakes as well": (
        class_head_on_fakes,
        [marked("L_cls_D_r", "reads", "g(x) x_hat", FLOWS)],
    ),
    "the generator's losses move the image critic": (
        generator_moves_the_critic,
        [
            marked("L_advg_img", "moves", "D_img_trunk D_img_adv", FLOWS),
            marked("L_cls_D_f", "moves", "D_img_trunk D_img_cls", FLOWS),
        ],
    ),
    "the intra-class loss on the frozen trunk's map": (
        intra_class_on_the_trunk,
        [
            {("L_dist_r", "weight", None), ("L_dist_rf", "weight", None)},
            {("L_dist_r", "update", ""), ("L_dist_rf", "update", "")},
            marked("L_dist_r", "moves", "R_ext", NONE),
            marked("L_dist_rf", "moves", "R_ext", NONE),
            marked("L_dist_r", "reads", "R_ext(x) R_ext(x^{p,r})", NONE),
            marked("L_dist_rf", "reads", "R_ext(x^{p,f})", NONE),
        ],
    ),
    "R moved by the generator's loss": (
        recogniser_moved_by_the_generators_loss,
        [marked("L_cls_R_f_to_G", "moves", "R_ext R_cls", FLOWS)],
    ),
    "the generator moved by R's loss": (
        generator_moved_by_the_recognisers_loss,
        [
            {
                (loss, "update", "L_R and L_G")
                for loss in ("L_dist_r", "L_dist_rf", "L_cls_R_r", "L_cls_R_f")
            },
            marked("L_dist_rf", "moves", "G_dec", FLOWS),
            marked("L_cls_R_f", "moves", "G_dec", FLOWS),
        ],
    ),
    "x^{p,f} detached in the loss that guides the generator": (
        detached(FESR, "map_generated", 2),
        [
            marked("L_cls_R_f_to_G", "moves", "G_dec", NONE),
            *(
                marked(loss, "reads", "z x^{p,f} R_ext(x^{p,f})", NONE)
                for loss in ("L_dist_rf", "L_cls_R_f", "L_cls_R_f_to_G")
            ),
        ],
    ),
    "a second z for x^{p,f}": (
        another_z,
        [marked(loss, "reads", "z", NONE) for loss in ("L_dist_rf", "L_cls_R_f", "L_cls_R_f_to_G")],
    ),
    "RDBP on the real-real term too": (
        guided_everywhere,
        [marked("L_dist_r", "reads", "x R_ext(x)", NONE)],
    ),
    "RDBP on the wrong side": (
        guided_on_the_wrong_side,
        [
            marked("L_dist_rf", "reads", "z x^{p,f} R_ext(x^{p,f})", NONE),
            marked("L_dist_rf", "reads", "x R_ext(x)", FLOWS),
        ],
    ),
}
# Those that re-implementations are known for; `make test-all` makes the others as well.
COMMON = (
    "x_hat detached in the generator's loss",
    "g(x) detached in x_hat",
    "the penalty on x_rec",
    "the class head trained on fakes as well",
    "the intra-class loss on the frozen trunk's map",
    "R moved by the generator's loss",
    "the generator moved by R's loss",
)


def unreported(module: Any, method: tuple[type, str], extra: Callable) -> Mistake:
    """`extra(*arguments of the method)` is added to the loss that the method's update lowers, and
    to nothing that it reports."""

    def made(right, *given):
        def minimise(optimizer, tape, loss, variables):
            with tape:
                loss = loss + extra(*given)
            return right(optimizer, tape, loss, variables)

        return minimise

    return lambda patch: while_in(patch, method, (module, "minimise"), made)


UNREPORTED: dict[str, Mistake] = {
    "the class head trained on fakes by a loss that is not reported": unreported(
        fesgan,
        (FESGAN, "update_image_critic"),
        lambda gan, image, translated, label, draws: on_fakes(gan, translated, draws),
    ),
    "R's features of x made small by a loss that is not reported": unreported(
        fesr,
        (FESR, "update_recognizer"),
        lambda model, maps, *_: 0.1 * tf.nn.l2_loss(model.recognizer.extract(maps[0])),
    ),
}


def routed() -> routing.Routing:
    """The routing of a step of stage 2, which has every loss of stage 1 too."""
    return routing.routing(routing.build(routing.settings("FESR_JL")), stages=(2,))


@pytest.fixture(scope="module")
def right(measured):
    return {2: measured["FESR_JL"][2]}


def test_without_a_mistake_nothing_changes(right):
    assert changes(right, routed()) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param(name, marks=() if name in COMMON else pytest.mark.slow, id=name)
        for name in MISTAKES
    ],
)
def test_a_mistake_changes_the_table(right, mistake, monkeypatch):
    make, expected = MISTAKES[mistake]
    make(monkeypatch)
    assert changes(right, routed()) == set().union(*expected)


@pytest.mark.parametrize("mistake", UNREPORTED)
def test_a_gradient_that_the_reported_losses_do_not_explain_is_refused(mistake, monkeypatch):
    UNREPORTED[mistake](monkeypatch)
    with pytest.raises(Unexplained):
        routed()
