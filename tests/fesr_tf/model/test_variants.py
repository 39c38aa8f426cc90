"""Fig. 4 and Fig. 8: each variant's routing differs from FESR_JL's as the paper says."""

from __future__ import annotations

import numpy as np
import pytest

from fesr_tf import config
from tests.support import routing
from tests.support.recorded_step import FLOWS, NONE, ZERO, record
from tests.support.routing_changes import Change, changes, marked


def without(*losses: str) -> set[Change]:
    return {("no loss", loss) for loss in losses}


NO_STAGE_1, NO_STAGE_2 = {("no stage", 1)}, {("no stage", 2)}
ON_D_IMG = ("L_advd_img", "penalty", "L_cls_D_r", "L_advg_img", "L_cls_D_f")
ON_G = ("L_advd_z", *ON_D_IMG, "L_advg_z", "L_rec", "L_id")
ON_R = ("L_dist_r", "L_dist_rf", "L_cls_R_f", "L_cls_R_f_to_G")  # but L_cls_R_r
# Section IV-C (FG) and IV-D (FESR), as changes of what was measured.
WANTED: dict[str, set[Change]] = {
    "FESR_JL": set(),
    "BASELINE": NO_STAGE_1 | without(*ON_G, *ON_R),
    "FESR_SL": without("L_cls_R_f_to_G"),
    "FESR_OneSt": NO_STAGE_1,
    "FESR_JL-IL": {
        change
        for loss in ("L_dist_r", "L_dist_rf")
        for change in ((loss, "weight", 0), (loss, "moves", "R_ext", ZERO))
    },
    "FESR_JL-RDBP": marked("L_dist_rf", "reads", "x R_ext(x)", FLOWS),
    "FG": NO_STAGE_2,
    "FG-CO": NO_STAGE_2 | without("L_rec", "L_id"),
    "FG-IP": NO_STAGE_2 | without("L_id"),
    "FG-Dimg": NO_STAGE_2 | without(*ON_D_IMG),
    "FG-Dimg_cls": NO_STAGE_2 | without("L_cls_D_r", "L_cls_D_f"),
    "FG-Dz": NO_STAGE_2 | without("L_advd_z", "L_advg_z"),
}
# "The only difference between FESR_Real and FESR_JL-IL is the strategy of generating the
# auxiliary training data": x^{p,f} comes from g(x), and so G_enc learns from R as well.
REAL_AGAINST_IL = marked("L_cls_R_f_to_G", "moves", "G_enc", FLOWS).union(
    *(
        marked(loss, "reads", "z", NONE) | marked(loss, "reads", "x g(x)", FLOWS)
        for loss in ("L_dist_rf", "L_cls_R_f", "L_cls_R_f_to_G")
    )
)


def test_every_variant_file_is_measured():
    assert sorted(routing.VARIANTS) == config.names("variants")
    assert {*WANTED, "FESR_Real"} == set(routing.VARIANTS)


@pytest.mark.parametrize("variant", WANTED)
def test_a_variant_differs_from_the_whole_method_in_this_and_nothing_else(measured, variant):
    assert changes(measured["FESR_JL"], measured[variant]) == WANTED[variant]


def test_fesr_real_differs_from_fesr_jl_il_in_where_its_faces_come_from(measured):
    assert changes(measured["FESR_JL-IL"], measured["FESR_Real"]) == REAL_AGAINST_IL


def test_fesr_real_draws_the_input_s_identity_with_any_expression():
    model = routing.build(routing.settings("FESR_Real"))
    _, _, label = batch = routing.batch(model.config)
    made = record(model, 2, batch)
    (draws,) = made.draws
    drawn = made.expressions[2].numpy().argmax(-1)
    np.testing.assert_array_equal(drawn, draws.synthetic_label)
    assert not np.array_equal(draws.synthetic_label, label)
    assert made.seen["x^{p,f}"][0].shape == batch[0].shape  # one an image, as FESR_JL-IL has


@pytest.mark.parametrize("variant", routing.VARIANTS)
def test_a_variant_overrides_switches_and_weights_of_the_paper_alone(variant):
    """No variant has settings of its own for anything that the paper does not name."""
    base, other = (config.resolve("ckplus", name) for name in ("FESR_JL", variant))
    allowed = {
        *("synthetic", "recognizer_guides_generator", "rdbp", "image_critic", "code_critic"),
        *("auxiliary_classifier", "stop_after_pretraining", "pretrain_iterations"),
        *("lambda2", "lambda3", "lambda6"),
    }
    assert set(config.differences(base, other)) <= allowed


def test_fesr_onest_has_as_many_iterations_in_all_as_the_whole_method():
    both = [config.resolve("ckplus", name) for name in ("FESR_JL", "FESR_OneSt")]
    assert both[0].max_iterations == both[1].max_iterations
    assert both[1].pretrain_iterations == 0
