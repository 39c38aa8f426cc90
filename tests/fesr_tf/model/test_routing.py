"""Which loss moves which network, asked of the tapes of real steps (tests/support/routing.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support import routing
from tests.support.recorded_step import FLOWS, NONE, ZERO, networks, record
from tests.support.routing_changes import changes

G = {"G_enc", "G_dec"}
X_HAT = {"x", "g(x)", "x_hat"}
X_REC = {"x", "g(x)", "x_rec"}
SYNTHETIC = {"z", "x^{p,f}", "R_ext(x^{p,f})"}
# Written from the paper's equations: the update, the weight there, what is moved, what is read.
STAGE_1 = {
    "L_advd_z": ("L_D_z", 1, {"D_z"}, {"x", "g(x)", "z"}),
    "L_advd_img": ("L_D_img", 1, {"D_img_trunk", "D_img_adv"}, X_HAT),
    "penalty": ("L_D_img", 10, {"D_img_trunk", "D_img_adv"}, X_HAT),
    "L_cls_D_r": ("L_D_img", 1, {"D_img_trunk", "D_img_cls"}, {"x"}),
    "L_advg_img": ("L_G", 1, G, X_HAT),
    "L_cls_D_f": ("L_G", 1, G, X_HAT),
    "L_advg_z": ("L_G", 1, {"G_enc"}, {"x", "g(x)"}),
    "L_rec": ("L_G", 10, G, X_REC),
    "L_id": ("L_G", 5, G, X_REC),
}
STAGE_2 = STAGE_1 | {
    "L_dist_r": ("L_R", 0.001, {"R_ext"}, {"x", "x^{p,r}", "R_ext(x)", "R_ext(x^{p,r})"}),
    "L_dist_rf": ("L_R", 0.001, {"R_ext"}, SYNTHETIC),
    "L_cls_R_r": ("L_R", 1, {"R_ext", "R_cls"}, {"x", "R_ext(x)"}),
    "L_cls_R_f": ("L_R", 1, {"R_ext", "R_cls"}, SYNTHETIC),
    "L_cls_R_f_to_G": ("L_G", 1, {"G_dec"}, SYNTHETIC),
}
PAGE = Path(__file__).parents[3] / "docs/method/method.md"


@pytest.fixture(scope="module")
def model():
    return routing.build(routing.settings("FESR_JL"))


@pytest.fixture(scope="module")
def found(measured):
    return measured["FESR_JL"]


@pytest.mark.parametrize(
    ("stage", "loss"), [(1, loss) for loss in STAGE_1] + [(2, loss) for loss in STAGE_2]
)
def test_each_loss_moves_and_reads_what_the_paper_says(found, stage, loss):
    """And nothing else: every other network gets no gradient at all, not even a zero."""
    update, weight, moves, reads = {1: STAGE_1, 2: STAGE_2}[stage][loss]
    row = found[stage][loss]
    assert row.update == update
    assert row.weight == pytest.approx(weight)
    assert row.moves == {name: FLOWS if name in moves else NONE for name in row.moves}
    # A critic of ReLUs is linear around nearly every picture: its slope stays as the picture
    # moves, and with it the penalty.
    mark = ZERO if loss == "penalty" else FLOWS
    assert row.reads == {name: mark if name in reads else NONE for name in row.reads}


def test_the_steps_have_these_losses_and_no_other(found):
    assert {stage: set(rows) for stage, rows in found.items()} == {1: set(STAGE_1), 2: set(STAGE_2)}


def test_every_weight_of_the_model_is_in_the_table(model):
    tabled = {id(v) for variables in networks(model).values() for v in variables}
    assert tabled == {id(v) for v in model.variables if v is not model.fesgan.step}


@pytest.mark.parametrize("stage", [1, 2])
def test_each_optimizer_is_asked_once_for_its_own_network(model, stage):
    made = record(model, stage, routing.batch(model.config))
    gan = model.fesgan
    own = [
        gan.code_critic.trainable_variables,
        gan.image_critic.trainable_variables,
        *([model.recognizer.trained_variables] if stage == 2 else []),
        gan.generator_variables,
    ]
    asked = [[id(v) for v in question.variables] for question in made.questions]
    assert asked == [[id(v) for v in variables] for variables in own]  # and in this order
    given = {id(variable) for _, variable in made.given}
    assert given == {key for keys in asked for key in keys}


@pytest.mark.parametrize("rdbp", [True, False])
def test_real_data_guided_back_propagation_on_the_features(measured, rdbp):
    """Eq. 17 and 18: the real-synthetic term leaves the real features alone, plain
    back-propagation does not; the real-real term moves both."""
    variant = "FESR_JL" if rdbp else "FESR_JL-RDBP"
    rows = measured[variant][2]
    reads = rows["L_dist_rf"].reads
    assert reads["R_ext(x^{p,f})"] == FLOWS
    assert reads["R_ext(x)"] == (NONE if rdbp else FLOWS)
    reads = rows["L_dist_r"].reads
    assert (reads["R_ext(x)"], reads["R_ext(x^{p,r})"]) == (FLOWS, FLOWS)


@pytest.mark.parametrize("stage", [1, 2])
def test_what_fit_compiles_gives_the_optimizers_what_was_recorded(stage):
    """Adam's first moment after one step is (1 - beta1) times the gradient it was given."""
    configuration = routing.settings("FESR_JL")
    eager, compiled = (routing.build(configuration) for _ in range(2))
    batch = routing.batch(configuration)
    made = record(eager, stage, batch)
    target = compiled.fesgan if stage == 1 else compiled
    target.fit(tf.data.Dataset.from_tensors(batch), steps_per_epoch=1, verbose=0)
    gan = compiled.fesgan
    optimizers = [gan.code_critic_optimizer, gan.image_critic_optimizer]
    optimizers += [compiled.recognizer_optimizer] if stage == 2 else []
    moments = [
        variable.numpy()
        for optimizer in [*optimizers, gan.generator_optimizer]
        for variable in optimizer.variables
        if variable.name.startswith("m/")
    ]
    assert len(moments) == len(made.given)
    for moment, (gradient, variable) in zip(moments, made.given, strict=True):
        wanted = 0.5 * gradient.numpy()
        error = np.abs(moment - wanted).max()
        assert error <= 1e-3 * np.abs(wanted).max() + 1e-6, variable.name


@pytest.mark.slow
def test_the_frozen_face_network_keeps_every_bit_over_both_stages():
    """A hundred steps; test_fesr.py has one of each stage."""
    model = routing.build(routing.settings("FESR_JL"))
    before = [v.numpy() for v in model.face_network.variables]
    moved = [v.numpy() for v in model.recognizer.trained_variables]
    data = tf.data.Dataset.from_tensors(routing.batch(model.config)).repeat()
    model.fesgan.fit(data, steps_per_epoch=50, verbose=0)
    model.fit(data, steps_per_epoch=50, verbose=0)
    assert int(model.fesgan.step) == 100
    for array, variable in zip(before, model.face_network.variables, strict=True):
        np.testing.assert_array_equal(array, variable.numpy())
    for array, variable in zip(moved, model.recognizer.trained_variables, strict=True):
        assert not np.array_equal(array, variable.numpy())


def test_a_weight_of_zero_is_an_exact_zero(measured):
    rows = measured["FESR_JL-IL"][2]
    for loss in ("L_dist_r", "L_dist_rf"):
        assert rows[loss].weight == 0
        assert rows[loss].moves["R_ext"] == ZERO


def test_the_page_holds_the_tables(measured):
    text = PAGE.read_text(encoding="utf-8")
    for table in routing.page(measured).split("\n\n"):
        assert table in text


@pytest.mark.slow
def test_the_networks_of_the_paper_s_size_are_routed_alike(found):
    full = routing.routing(routing.build(routing.settings("FESR_JL", full=True)))
    assert changes(found, full) == set()
    assert {stage: list(rows) for stage, rows in full.items()} == {
        stage: list(rows) for stage, rows in found.items()
    }
