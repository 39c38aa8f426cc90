"""The paper's numbers, against a few typed anew from its tables, and what stands beside them."""

from __future__ import annotations

import pytest

from fesr_tf.config.variants import FIG_8
from fesr_tf.report.paper_values import PRINTED, of


@pytest.mark.parametrize(
    ("place", "database", "method", "quantity", "yaw", "value"),
    [
        ("Table III", "ckplus", "FESGAN", "PSNR", None, 21.380),
        ("Table III", "mmi", "FESGAN", "SSIM", None, 0.761),
        ("Table III", "oulu_casia", "ExprGAN", "PSNR", None, 19.982),
        ("Table IV", "ckplus", "FG-IP", "verification rate", None, 55.15),
        ("Table IV", "mmi", "FG", "verification rate", None, 99.41),
        ("Table V", "ckplus", "FESR_JL-IL", "accuracy", None, 97.18),
        ("Table V", "oulu_casia", "FESR_JL", "accuracy", None, 88.13),
        ("Table V", "mmi", "BASELINE", "accuracy", None, 79.88),
        ("Table VI", "multi_pie", "FESR_JL", "accuracy", 0, 86.94),
        ("Table VI", "multi_pie", "FESR_JL", "accuracy", -30, 92.28),
        ("Table VI", "multi_pie", "FESR_JL", "accuracy", None, 92.09),
        ("Table VII", "tfd", "BASELINE", "accuracy", None, 85.45),
        ("Fig. 8", "ckplus", "FESR_JL-IL", "accuracy", None, 97.48),
        ("Fig. 8", "oulu_casia", "FESR_Real", "accuracy", None, 83.46),
    ],
)
def test_a_number_is_the_printed_one(place, database, method, quantity, yaw, value):
    (found,) = (
        each.value
        for each in PRINTED
        if (each.place, each.database, each.method, each.quantity, each.yaw)
        == (place, database, method, quantity, yaw)
    )
    assert found == value


def test_fig_8_has_a_bar_a_variant_and_database_and_the_best_is_the_whole_method():
    bars = of("Fig. 8")
    assert len(bars) == 21 and {each.method for each in bars} == set(FIG_8)
    for database in ("ckplus", "oulu_casia", "mmi"):
        here = {each.method: each.value for each in bars if each.database == database}
        assert max(here, key=here.get) == "FESR_JL" and min(here, key=here.get) == "BASELINE"


@pytest.mark.parametrize(("database", "drop"), [("oulu_casia", 1.75), ("mmi", 1.30)])
def test_fig_8_has_the_differences_that_the_text_names(database, drop):
    here = {each.method: each.value for each in of("Fig. 8") if each.database == database}
    assert here["FESR_JL-IL"] - here["FESR_Real"] == pytest.approx(drop, abs=0.005)


def test_table_v_and_fig_8_agree_but_for_the_one_bar_that_is_named():
    table = {(each.database, each.method): each.value for each in of("Table V")}
    bars = {(each.database, each.method): each.value for each in of("Fig. 8")}
    differ = {key for key in table.keys() & bars.keys() if table[key] != bars[key]}
    assert differ == {("ckplus", "FESR_JL-IL")}


def test_no_number_is_there_twice():
    keys = [each[:4] + each[5:] for each in PRINTED]
    assert len(set(keys)) == len(keys)
