"""Statistics and schema: TensorFlow Metadata's messages, by numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from pipelines.common.roles import TEST, TRAIN, UNUSED, VALID
from pipelines.dataset import schema, statistics
from pipelines.dataset.examples import Record
from pipelines.dataset.inventory import Columns

# yaw, class, picture, role in the only fold
ROWS = [
    (-30.0, "calm", b"a" * 100, TRAIN),
    (0.0, "calm", b"b" * 200, TRAIN),
    (0.0, "glad", b"c" * 300, TRAIN),
    (15.0, "calm", b"c" * 300, TEST),
    (75.0, "glad", b"d" * 600, UNUSED),
]


def columns(rows=ROWS) -> Columns:
    made = Columns(1)
    for index, (yaw, name, image, role) in enumerate(rows):
        label = ["calm", "glad"].index(name)
        made.add(Record(f"k{index}", image, label, name, "p" * (index + 1), (role,), yaw=yaw))
    return made


def features(dataset) -> dict:
    return {feature.path.step[0]: feature for feature in dataset.features}


@pytest.fixture
def made():
    return statistics.build(columns())


def test_there_is_one_entry_for_all_and_one_for_each_part(made):
    assert [(each.name, each.num_examples) for each in made.datasets] == [
        ("all", 5),
        ("fold-00/train", 3),
        ("fold-00/valid", 0),
        ("fold-00/test", 1),
    ]
    assert len(made.datasets[0].features) == 10
    assert not made.datasets[2].features


def test_votes_are_described_where_there_are_some():
    made = Columns(1)
    for index, votes in enumerate([(8, 2), (0, 10)]):
        made.add(Record(f"k{index}", b"a" * 100, index, "calm", "", (TRAIN,), votes=votes))
    assert made.votes.tolist() == [[8, 2], [0, 10]]
    described = features(statistics.build(made).datasets[0])["votes"].num_stats
    assert (described.mean, described.max, described.common_stats.tot_num_values) == (5, 10, 4)


def test_numbers_by_hand(made):
    yaw = features(made.datasets[0])["yaw"].num_stats
    assert (yaw.mean, yaw.min, yaw.max, yaw.median, yaw.num_zeros) == (12, -30, 75, 0, 2)
    # Squares of the distances from 12: 1764, 144, 144, 9, 3969.
    assert yaw.std_dev == math.sqrt(6030 / 5)
    # Buckets of 10.5 from -30: -30 in the first, both zeros in the third, 15 in the fifth.
    buckets = [bucket.sample_count for bucket in yaw.histograms[0].buckets]
    assert buckets == [1, 0, 2, 0, 1, 0, 0, 0, 0, 1]
    assert (yaw.histograms[0].buckets[0].low_value, yaw.histograms[0].buckets[9].high_value) == (
        -30,
        75,
    )


def test_an_even_number_has_its_median_between_two():
    made = statistics.build(columns(ROWS[:2] + ROWS[3:]))
    assert features(made.datasets[0])["yaw"].num_stats.median == 7.5


def test_a_value_that_is_not_a_number_is_counted_apart():
    made = statistics.build(columns([*ROWS, (math.nan, "calm", b"e", VALID)]))
    yaw = features(made.datasets[0])["yaw"].num_stats
    assert (yaw.mean, yaw.histograms[0].num_nan) == (12, 1)


def test_names_by_hand(made):
    found = features(made.datasets[0])
    top = [(each.value, each.frequency) for each in found["class"].string_stats.top_values]
    assert top == [("calm", 3), ("glad", 2)]
    assert found["subject"].string_stats.unique == 5
    assert found["subject"].string_stats.avg_length == 3
    assert found["key"].string_stats.unique == 5


def test_pictures_are_counted_in_bytes(made):
    image = features(made.datasets[0])["image"].bytes_stats
    assert (image.unique, image.avg_num_bytes, image.max_num_bytes_int) == (4, 300, 600)
    assert image.min_num_bytes == 100


def test_the_bytes_do_not_depend_on_the_order_of_addition():
    # 0.1 added to 1e8 in another order changes the last digits of a plain float sum.
    rows = [(value, "calm", b"x", TRAIN) for value in (1e8, 0.1, -1e8, 0.1, 3e7) * 50]
    first = statistics.build(columns(rows))
    second = statistics.build(columns(rows[::-1]))
    for name in ("yaw", "intensity", "eyes"):
        left, right = (features(each.datasets[0])[name] for each in (first, second))
        assert left.SerializeToString() == right.SerializeToString()


def test_the_file_reads_back(made):
    data = statistics.serialised(made)
    assert statistics_pb2.DatasetFeatureStatisticsList.FromString(data) == made
    assert statistics.serialised(statistics.build(columns())) == data


def test_the_schema_states_every_feature():
    made = schema.build(["calm", "glad", "wild"], 4)
    found = {feature.name: feature for feature in made.feature}
    assert list(found) == [
        "key", "image", "label", "class", "subject", "splits", "frame", "intensity", "yaw", "eyes",
    ]  # fmt: skip
    assert (found["label"].int_domain.min, found["label"].int_domain.max) == (0, 2)
    assert (found["splits"].int_domain.min, found["splits"].int_domain.max) == (0, 3)
    assert [dim.size for dim in found["splits"].shape.dim] == [4]
    assert [dim.size for dim in found["eyes"].shape.dim] == [4]
    assert list(found["class"].string_domain.value) == ["calm", "glad", "wild"]
    assert (found["intensity"].float_domain.min, found["intensity"].float_domain.max) == (0, 1)
    assert (found["yaw"].float_domain.min, found["yaw"].float_domain.max) == (-180, 180)
    assert all(feature.presence.min_fraction == 1 for feature in made.feature)
    assert found["image"].type == schema_pb2.BYTES


def test_the_schema_text_reads_back():
    made = schema.build(["fröhlich", "wütend"], 2)
    assert "fröhlich" in schema.text(made)
    assert text_format.Parse(schema.text(made), schema_pb2.Schema()) == made
