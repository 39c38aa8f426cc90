"""Fig. 4 and Fig. 8: each variant's routing differs from FESR_JL's as the paper says."""

from __future__ import annotations

import numpy as np
import pytest

from fesr_tf import config
from tests.support import routing
from tests.support.recorded_step import record

# Section IV-C (FG) and IV-D (FESR), as sentences on what was measured.
WANTED = {
    "FESR_JL": set(),
    "BASELINE": {"no stage 1", "only L_cls_R_r"},
    "FESR_SL": {"no L_cls_R_f_to_G"},
    "FESR_OneSt": {"no stage 1"},
    "FESR_JL-IL": {
        sentence
        for loss in ("L_dist_r", "L_dist_rf")
        for sentence in (
            f"{loss} has weight 0, not 0.001",
            f"{loss} no longer moves R_ext",
        )
    },
    "FESR_JL-RDBP": {"L_dist_rf also reads x", "L_dist_rf also reads R_ext(x)"},
    "FG": {"no stage 2"},
    "FG-CO": {"no stage 2", "no L_rec", "no L_id"},
    "FG-IP": {"no stage 2", "no L_id"},
    "FG-Dimg": {
        *("no stage 2", "no L_advd_img", "no penalty", "no L_cls_D_r"),
        *("no L_advg_img", "no L_cls_D_f"),
    },
    "FG-Dimg_cls": {"no stage 2", "no L_cls_D_r", "no L_cls_D_f"},
    "FG-Dz": {"no stage 2", "no L_advd_z", "no L_advg_z"},
}
# "The only difference between FESR_Real and FESR_JL-IL is the strategy of generating the
# auxiliary training data": x^{p,f} comes from g(x), and so G_enc learns from R as well.
REAL_AGAINST_IL = {
    sentence
    for loss in ("L_dist_rf", "L_cls_R_f", "L_cls_R_f_to_G")
    for sentence in (
        f"{loss} no longer reads z",
        f"{loss} also reads x",
        f"{loss} also reads g(x)",
    )
} | {"L_cls_R_f_to_G also moves G_enc"}


def test_every_variant_file_is_measured():
    assert sorted(routing.VARIANTS) == config.names("variants")
    assert {*WANTED, "FESR_Real"} == set(routing.VARIANTS)


@pytest.mark.parametrize("variant", WANTED)
def test_a_variant_differs_from_the_whole_method_in_this_and_nothing_else(measured, variant):
    assert set(routing.differences(measured["FESR_JL"], measured[variant])) == WANTED[variant]


def test_fesr_real_differs_from_fesr_jl_il_in_where_its_faces_come_from(measured):
    said = routing.differences(measured["FESR_JL-IL"], measured["FESR_Real"])
    assert set(said) == REAL_AGAINST_IL


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
