"""FER2013's table with the votes of FER+, as the trunk of a face network learns from it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from fesr_tf.weights.expression_faces import COLUMNS, read_faces, training_faces
from pipelines.common.errors import BadUse
from pipelines.databases.fer2013 import VOTED

# The images are gray of one level: 20 twice, and 30 also in PublicTest.
LEVELS = [20, 10, 20, 30, 30]
USAGES = ["Training"] * 4 + ["PublicTest"]
EMOTIONS = [0, 3, 6, 3, 3]  # anger, happiness, neutral
VOTES = [
    # neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF
    [2, 0, 0, 0, 8, 0, 0, 0, 0, 0],
    [0, 5, 0, 0, 0, 0, 0, 5, 0, 0],
    [6, 0, 0, 0, 4, 0, 0, 0, 0, 0],
    [0, 9, 0, 0, 0, 0, 0, 0, 1, 0],
    [0, 1, 0, 0, 0, 0, 0, 0, 1, 8],
]


def write_tables(folder: Path) -> tuple[Path, Path]:
    faces, ballots = folder / "fer2013.csv", folder / "fer2013new.csv"
    with open(faces, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["emotion", "pixels", "Usage"])
        for level, emotion, usage in zip(LEVELS, EMOTIONS, USAGES, strict=True):
            rows.writerow([emotion, " ".join([str(level)] * 48 * 48), usage])
    with open(ballots, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Usage", "Image name", *VOTED])
        for number, (counts, usage) in enumerate(zip(VOTES, USAGES, strict=True)):
            rows.writerow([usage, f"fer{number:07d}.png", *counts])
    return faces, ballots


@pytest.fixture
def tables(tmp_path):
    return write_tables(tmp_path)


def test_every_image_of_each_part(tables):
    parts = read_faces(*tables)
    assert {name: len(faces) for name, faces in parts.items()} == {"Training": 4, "PublicTest": 1}
    training = parts["Training"]
    assert training.images.shape == (4, 48, 48, 1) and training.images.dtype == np.uint8
    assert training.images[:, 0, 0, 0].tolist() == LEVELS[:4]
    assert training.labels.argmax(1).tolist() == EMOTIONS[:4]
    np.testing.assert_allclose(training.votes.sum(1), 1)
    assert training.votes[0, COLUMNS.index("anger")] == pytest.approx(0.8)


def test_copies_share_the_mean_and_images_of_another_part_are_left_out(tables):
    faces, counts = training_faces(read_faces(*tables))
    assert counts == {"training": 4, "elsewhere": 1, "copies": 1}
    assert faces.images[:, 0, 0, 0].tolist() == [10, 20]
    assert faces.keys.tolist() == ["fer0000001", "fer0000000 fer0000002"]
    anger, neutral = COLUMNS.index("anger"), COLUMNS.index("neutral")
    assert faces.labels[1].tolist() == [0.5, 0, 0, 0, 0, 0, 0.5]
    np.testing.assert_allclose(faces.votes[1, [anger, neutral]], [0.6, 0.4], rtol=1e-6)


def test_the_majority_is_one_of_seven_classes_and_no_tie(tables):
    parts = read_faces(*tables)
    anger, neutral, happiness = (COLUMNS.index(n) for n in ("anger", "neutral", "happiness"))
    assert parts["Training"].majority.tolist() == [anger, -1, neutral, happiness]
    assert parts["PublicTest"].majority.tolist() == [-1]


def test_held_out_images_do_not_train_and_follow_from_the_seed(tables):
    faces, _ = training_faces(read_faces(*tables))
    trained, held_out = faces.divided(1, seed=4)
    assert sorted([*trained.images[:, 0, 0, 0], *held_out.images[:, 0, 0, 0]]) == [10, 20]
    assert faces.divided(1, seed=4)[1].digest == held_out.digest
    with pytest.raises(BadUse):
        faces.divided(2, seed=4)


def test_tables_of_two_editions(tables, tmp_path):
    short = tmp_path / "short.csv"
    short.write_text("\n".join(tables[1].read_text().splitlines()[:-1]))
    with pytest.raises(BadUse):
        read_faces(tables[0], short)
