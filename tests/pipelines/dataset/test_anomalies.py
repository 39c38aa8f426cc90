"""Anomalies: each kind of oddity, put in by hand, is said once and in plain words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2

from pipelines.common.roles import TEST, TRAIN, UNUSED
from pipelines.dataset import anomalies, copies, schema
from pipelines.dataset.examples import Record
from pipelines.dataset.inventory import Columns
from pipelines.media import images
from tests.support.inspection import mentions

CLASSES = ["calm", "glad"]
SCHEMA = schema.build(CLASSES, 2)
CUSTOM = "CUSTOM_VALIDATION"


def picture(number: int) -> bytes:
    return images.encode_png(np.random.default_rng(number).integers(0, 256, (32, 32), np.uint8))


def sound() -> list[dict]:
    """Four people, two classes each, two of them tested in either fold."""
    return [
        {
            "key": f"{name}/p{person}",
            "image": picture(10 * person + label),
            "label": label,
            "class_name": name,
            "subject": f"p{person}",
            "splits": (TEST, TRAIN) if person % 2 == 0 else (TRAIN, TEST),
            "eyes": (41.0, 40.0, 86.0, 40.0),
        }
        for label, name in enumerate(CLASSES)
        for person in range(4)
    ]


def columns(rows: list[dict]) -> Columns:
    made = Columns(2)
    for row in rows:
        made.add(Record(**row))
    return made


def found(rows: list[dict], independent: bool = True) -> list:
    table = columns(rows)
    return list(anomalies.find(table, SCHEMA, independent, copies.find(table)))


def test_nothing_is_odd_in_sound_records():
    assert found(sound()) == []


@pytest.mark.parametrize(
    ("change", "feature", "severity", "kind", "values"),
    [
        (
            {"label": 2, "class_name": "glad"},
            "label",
            "ERROR",
            "INT_TYPE_BIG_INT",
            [1, "calm/p1"],
        ),
        ({"intensity": 1.5}, "intensity", "ERROR", "FLOAT_TYPE_BIG_FLOAT", [1, "calm/p1"]),
        ({"yaw": -200.0}, "yaw", "ERROR", "FLOAT_TYPE_SMALL_FLOAT", [-180, "calm/p1"]),
        ({"yaw": math.nan}, "yaw", "ERROR", "FLOAT_TYPE_HAS_NAN", ["calm/p1"]),
        ({"frame": -1}, "frame", "ERROR", "INT_TYPE_SMALL_INT", [0, "calm/p1"]),
        ({"splits": (TRAIN, 7)}, "splits", "ERROR", "INT_TYPE_BIG_INT", [3, "calm/p1"]),
        (
            {"class_name": "mad"},
            "class",
            "ERROR",
            "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
            ["mad"],
        ),
        ({"class_name": "glad"}, "label", "ERROR", CUSTOM, ["class", "calm/p1"]),
        ({"key": "calm/p0"}, "key", "ERROR", "FEATURE_TYPE_LOW_UNIQUE", ["calm/p0"]),
        ({"eyes": (41.0, 40.0, 86.0, 51.0)}, "eyes", "WARNING", CUSTOM, ["calm/p1 (11 rows)"]),
        (
            {"image": images.encode_png(np.zeros((128, 128), np.uint8))},
            "image",
            "WARNING",
            CUSTOM,
            ["colour", "calm/p1"],
        ),
        ({"image": picture(30)}, "image", "WARNING", CUSTOM, ["part", "calm/p1 = calm/p3"]),
        ({"image": picture(0)}, "image", "ERROR", CUSTOM, ["split", "calm/p0 = calm/p1"]),
        ({"splits": (TEST, TRAIN)}, "subject", "ERROR", CUSTOM, ["1 of 4", "p1"]),
    ],
)
def test_an_oddity_is_named(change, feature, severity, kind, values):
    rows = sound()
    rows[1] |= change
    odd = [each for each in found(rows) if (each.feature, each.kind) == (feature, kind)]
    assert [each.severity for each in odd if mentions(each.text, *values)] == [severity]
    assert anomalies_pb2.AnomalyInfo.Type.Value(kind)


def test_eyes_within_the_landmarks_scatter_or_not_known_are_not_odd():
    rows = sound()
    rows[1]["eyes"] = (41.0, 31.0, 86.0, 49.5)
    rows[2]["eyes"] = (0.0, 0.0, 0.0, 0.0)
    assert found(rows) == []


def test_a_class_that_is_tested_but_not_trained_on():
    rows = sound()
    for row in rows:
        if row["class_name"] == "glad" and row["subject"] in ("p1", "p3"):
            row["splits"] = (UNUSED, TEST)
    texts = [each.text for each in found(rows) if each.kind == "SCHEMA_TRAINING_SERVING_SKEW"]
    assert len(texts) == 1 and mentions(texts, "glad (fold 0)")
    assert not mentions(texts, "calm")


def test_class_shares_that_differ_by_more_than_the_schema_allows():
    rows = [row for row in sound() if row["key"] not in ("glad/p0", "glad/p2")]
    # Fold 0 trains on 2 calm and 2 glad and tests 2 calm: shares differ by a half.
    made = columns(rows)
    assert [skew for skew, *_ in anomalies.class_skews(made)] == [0.5, 0.5]
    texts = [each.text for each in found(rows) if each.kind == "COMPARATOR_L_INFTY_HIGH"]
    assert mentions(texts, "calm in fold 0", "0.50", "4 training", "2 test")


def test_people_may_cross_official_folds_with_a_warning():
    rows = sound()
    rows[1]["splits"] = (TEST, TRAIN)
    hits = [each for each in found(rows, independent=False) if each.feature == "subject"]
    assert hits[0].severity == "WARNING"
    assert mentions(hits[0].text, "official", "1 of 4")


def test_the_message_holds_schema_reasons_and_the_skew_of_each_fold():
    rows = sound()
    rows[1] |= {"label": 9, "image": picture(0)}
    made = columns(rows)
    odd = anomalies.find(made, SCHEMA, True, copies.find(made))
    text = schema.text(anomalies.proto(odd, made, SCHEMA))
    message = text_format.Parse(text, anomalies_pb2.Anomalies())
    assert message.baseline == SCHEMA
    assert sorted(message.anomaly_info) == ["image", "label"]
    assert len(message.anomaly_info["label"].reason) == 2  # above the domain; not its class's
    assert message.anomaly_info["image"].severity == anomalies_pb2.AnomalyInfo.ERROR
    skews = message.drift_skew_info[0].skew_measurements
    assert [(each.value, each.threshold) for each in skews] == [(0, schema.SKEW)] * 2
    assert schema.text(message) == text


def test_words_of_earlier_versions_are_known():
    earlier = "2 records have a picture of a single colour: a. 3 test pictures"
    assert (
        anomalies.current_words(earlier)
        == "2 records have an image of a single colour: a. 3 test images"
    )
