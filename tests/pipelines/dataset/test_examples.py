"""The stored record: TensorFlow's own bytes, TensorFlow's own framing, damage noticed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines.common.errors import FailedWork
from pipelines.dataset import examples

RECORD = examples.Record(
    key="fear/p001_04",
    image=b"\x89PNG\x00\xff",
    label=3,
    class_name="fear",
    subject="Zoë",
    splits=(1, 2, 3),
    frame=4,
    intensity=0.5,
    yaw=-7.5,
    eyes=(40.5, 39.75, 85.75, 39.5),
)
VOTED = dataclasses.replace(RECORD, votes=(7.0, 0.0, 1.0, 2.0))


def tensorflow_example(record: examples.Record) -> tf.train.Example:
    """The same record built with TensorFlow's own classes."""

    def text(*values: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    def whole(*values: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    def real(*values: float) -> tf.train.Feature:
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    feature = {
        "key": text(record.key.encode()),
        "image": text(record.image),
        "label": whole(record.label),
        "class": text(record.class_name.encode()),
        "subject": text(record.subject.encode()),
        "splits": whole(*record.splits),
        "frame": whole(record.frame),
        "intensity": real(record.intensity),
        "yaw": real(record.yaw),
        "eyes": real(*record.eyes),
    }
    if record.votes:
        feature["votes"] = real(*record.votes)
    return tf.train.Example(features=tf.train.Features(feature=feature))


@pytest.mark.parametrize("record", [RECORD, VOTED])
def test_bytes_are_those_of_tensorflow(record):
    expected = tensorflow_example(record).SerializeToString(deterministic=True)
    assert examples.encode(record) == expected


@pytest.mark.parametrize("record", [RECORD, VOTED])
def test_decode_is_the_inverse_of_encode(record):
    assert examples.decode(examples.encode(record)) == record


def test_votes_parse_where_there_are_some():
    parsed = tf.io.parse_single_example(examples.encode(VOTED), examples.features(3, 4))
    assert parsed["votes"].numpy().tolist() == [7, 0, 1, 2]
    assert "votes" not in examples.schema(3)


def test_features_parse_every_field():
    parsed = tf.io.parse_single_example(examples.encode(RECORD), examples.features(3))
    assert parsed["splits"].numpy().tolist() == [1, 2, 3]
    assert parsed["subject"].numpy().decode() == "Zoë"
    np.testing.assert_array_equal(parsed["eyes"], RECORD.eyes)
    assert parsed["yaw"].numpy() == -7.5
    assert set(parsed) == set(examples.schema(3))


def test_another_number_of_folds_does_not_parse():
    with pytest.raises(tf.errors.InvalidArgumentError, match="splits"):
        tf.io.parse_single_example(examples.encode(RECORD), examples.features(4))


def test_schema_names_every_field_of_the_record_once():
    assert len(examples.schema(2, 7)) == len(dataclasses.fields(examples.Record))
    assert examples.schema(2)["splits"]["shape"] == [2]


def test_tensorflow_reads_the_framing(tmp_path):
    payloads = [b"", b"a", bytes(range(256)) * 40]
    path = tmp_path / "x.tfrecord"
    path.write_bytes(b"".join(map(examples.framed, payloads)))
    assert [record.numpy() for record in tf.data.TFRecordDataset(str(path))] == payloads


def test_reads_what_tensorflow_wrote(tmp_path):
    path = tmp_path / "x.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"one")
        writer.write(b"two")
    assert list(examples.read_records(path)) == [b"one", b"two"]


def test_every_cut_and_every_flipped_byte_is_noticed(tmp_path):
    whole = examples.framed(b"first") + examples.framed(b"second")
    boundary = len(examples.framed(b"first"))
    path = tmp_path / "x.tfrecord"
    for cut in range(1, len(whole)):
        path.write_bytes(whole[:cut])
        if cut == boundary:
            assert list(examples.read_records(path)) == [b"first"]
            continue
        with pytest.raises(FailedWork, match=r"x\.tfrecord.*\b[01]\b"):
            list(examples.read_records(path))
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(FailedWork, match=r"x\.tfrecord.*\b[01]\b"):
            list(examples.read_records(path))
