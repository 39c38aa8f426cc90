"""Data that do not fit what is asked for, through the command: one sentence each."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fesr_tf import config
from fesr_tf.data import checks, load_fold
from fesr_tf.train import main
from pipelines.preprocess import main as preprocess

COLOUR = ("identity=light_cnn_demo", "width=0.0625", "image_size=32", "batch_size=4")


def prepared(demo_images: Path, place: Path, counts: dict[str, int], *more: str) -> Path:
    """`counts` pictures of each class, spread over the people, as a database of two folds."""
    for name, count in counts.items():
        (place / "faces" / name).mkdir(parents=True)
        # One frame of each person first.
        order = sorted((demo_images / name).iterdir(), key=lambda path: path.name[::-1])
        for path in order[:count]:
            shutil.copy(path, place / "faces" / name)
    words = ["--db", "images", "--input", place / "faces", "--output", place / "data"]
    more = ("--folds", 2, "--prealigned", *more)
    assert preprocess([str(word) for word in (*words, *more)]) == 0
    return place / "data"


def said(capsys, data: Path, runs: Path, *settings: str) -> tuple[int, list[str]]:
    """The exit code of the training command, and its notes and errors."""
    code = main(["--db", "images", "--data", str(data), "--runs", str(runs), *COLOUR, *settings])
    lines = capsys.readouterr().err.splitlines()
    return code, [line for line in lines if line.startswith(("note: ", "error: "))]


def test_a_class_with_one_image_is_said_at_the_start(demo_images, tmp_path, capsys):
    counts = {"anger": 8, "fear": 2, "happiness": 8}
    data = prepared(demo_images, tmp_path, counts)
    short = ("pretrain_iterations=1", "max_iterations=2")
    code, lines = said(capsys, data, tmp_path / "runs", *short)
    assert code == 0
    # Its own positive; and the data have no validation part.
    alone, unvalidated = lines
    assert alone.startswith("note: ") and "fear" in alone and "anger" not in alone
    assert unvalidated.startswith("note: ") and "fear" not in unvalidated
    dry = ["--db", "images", "--data", str(data), *COLOUR, *short, "--dry-run"]
    assert main(dry) == 0
    assert set(lines) <= set(capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(("channels", "noted"), [(1, True), (3, False)])
def test_other_channels_than_the_data_have_are_said(demo_data, channels, noted):
    """A note of the command's, as the one above."""
    settings = config.resolve("demo", overrides=[*COLOUR, f"channels={channels}"])
    notes = checks.notes(load_fold(demo_data, 0, settings), settings, demo_data)
    assert any("channels=1" in note for note in notes) == noted
