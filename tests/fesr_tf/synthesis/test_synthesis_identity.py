"""Verification by definition and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve
from sklearn.metrics.pairwise import cosine_similarity

from fesr_tf.metrics.face_verification import auc, best_threshold, eer
from fesr_tf.synthesis.quality.embeddings import cosine
from fesr_tf.synthesis.quality.identity import verify


@pytest.fixture(params=[0, 1, 2])
def scored(request):
    """Scores in twentieths, so that many tie."""
    random = np.random.default_rng(request.param)
    same = random.random(300) < 0.3
    return np.round(random.normal(0, 0.3, 300) + 0.4 * same, request.param), same


def test_cosine_is_scikit_learns():
    a, b = np.random.default_rng(0).normal(size=(2, 5, 7))
    np.testing.assert_allclose(cosine(a, b), np.diag(cosine_similarity(a, b)))


def test_the_auc_is_the_share_of_pairs_of_scores_in_the_right_order(scored):
    scores, same = scored
    above = scores[same][:, None] - scores[~same]
    assert auc(scores, same) == pytest.approx(np.mean((above > 0) + (above == 0) / 2), abs=1e-12)


def test_the_eer_lies_where_scikit_learns_curve_crosses(scored):
    scores, same = scored
    false, true, _ = roc_curve(same, scores, drop_intermediate=False)
    rate = eer(scores, same)
    assert np.interp(rate, false, true) == pytest.approx(1 - rate, abs=1e-9)


def test_eer_by_hand():
    same = np.array([True, True, False, False])
    assert eer(np.array([0.9, 0.8, 0.2, 0.1]), same) == 0
    assert eer(np.array([0.1, 0.2, 0.8, 0.9]), same) == 1
    assert eer(np.array([0.9, 0.3, 0.5, 0.1]), same) == 0.5
    assert eer(np.full(4, 0.5), same) == 0.5


def test_the_threshold_is_halfway_and_no_other_is_better(scored):
    same = np.array([True, True, False, False])
    assert best_threshold(np.array([0.9, 0.6, 0.2, 0.1]), same) == pytest.approx(0.4)
    scores, same = scored
    threshold = best_threshold(scores, same)

    def balanced(at):
        return (scores[same] >= at).mean() + (scores[~same] < at).mean()

    assert balanced(threshold) == max(balanced(at) for at in [*np.unique(scores), 9])


def test_the_rate_is_at_the_given_threshold_not_at_the_best():
    scores, same = np.array([0.9, 0.6, 0.2, 0.1]), np.array([True, True, False, False])
    found = verify(scores, same, np.array(list("abab")), threshold=0.7, seed=0)
    assert found["rate"]["value"] == 0.75 and found["auc"]["value"] == 1
    assert found["same_accepted"]["value"] == 0.5 and found["different_refused"]["value"] == 1
    assert found["rate"]["n"] == 4 and found["same_accepted"]["n"] == 2
    assert found["rate"]["people"] == 2


def test_the_interval_is_over_people_not_pairs():
    """Each person is all right or all wrong: 400 pairs then tell no more than 4 do."""
    people = np.repeat(list("abcd"), 100)
    same = np.tile([True, False], 200)
    right = np.isin(people, ["a", "b"])
    scores = np.where(same == right, 1.0, 0.0)
    low, high = verify(scores, same, people, 0.5, seed=0)["rate"]["interval"]
    assert low == 0 and high == 1


def test_all_right_is_not_certainty():
    """Six of six people right: Wilson's interval begins at 61 %, whatever the pairs."""
    people, same = np.repeat(np.arange(6), 20), np.tile([True, False], 60)
    found = verify(same.astype(float), same, people, 0.5, seed=0)["rate"]
    assert found["interval"] == pytest.approx([6 / (6 + 1.959964**2), 1])


def test_one_kind_alone_has_no_curve():
    with pytest.raises(ValueError):
        best_threshold(np.ones(3), np.ones(3, bool))
    assert np.isnan(auc(np.ones(3), np.ones(3, bool)))
    assert np.isnan(eer(np.ones(3), np.zeros(3, bool)))
