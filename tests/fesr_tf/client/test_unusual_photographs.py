"""Photographs without a face, or with a small or turned one, by the command and its own model."""

from __future__ import annotations

import csv

import imageio_ffmpeg
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw

from fesr_tf.client import Client
from fesr_tf.client.__main__ import main
from fesr_tf.client.errors import UnknownSignature
from pipelines.common.errors import BadUse
from pipelines.demo_faces import Pose, build_figure, load_head, person, render


def drawn(ears: bool) -> Image.Image:
    """A smile of a few lines, or a cat's head."""
    image = Image.new("RGB", (640, 480), "white")
    pen = ImageDraw.Draw(image)
    if ears:
        for side in (-1, 1):
            corners = [(320 + side * x, y) for x, y in ((40, 130), (120, 170), (120, 60))]
            pen.polygon(corners, "orange")
    pen.ellipse((200, 110, 440, 350), "orange", "black", 4)
    for x in (275, 365):
        pen.ellipse((x - 16, 185, x + 16, 225), "black")
    pen.arc((255, 190, 385, 310), 20, 160, "black", 8)
    return image


def seen(yaw: float, side: int = 300) -> Image.Image:
    """A rendered person, turned by `yaw` degrees, before gray."""
    head = Image.fromarray(render(build_figure(load_head(), person(5, 1)), pose=Pose(yaw=yaw)))
    image = Image.new("RGB", (640, 480), "gray")
    image.paste(head.resize((side, side), Image.Resampling.LANCZOS), (200, 80))
    return image


UNFIT = {
    "cat": lambda: drawn(True),
    "drawing": lambda: drawn(False),
    "back": lambda: seen(180),
    "twenty pixels": lambda: seen(0, side=40),
}


@pytest.mark.parametrize("name", UNFIT)
def test_an_image_without_a_face_fails_and_gets_no_copy(name, tmp_path, capfd):
    photo = tmp_path / "photo.png"
    UNFIT[name]().save(photo)
    assert main([str(photo)]) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.startswith(f"error: {photo}") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [photo]


def test_a_profile_is_classified(tmp_path, capfd):
    seen(85).save(tmp_path / "profile.png")
    assert main([str(tmp_path / "profile.png")]) == 0
    assert "1 face" in capfd.readouterr().out


def test_a_film_of_a_still_image_has_one_answer(tmp_path):
    film, frame = tmp_path / "still.mp4", np.asarray(seen(0))
    writer = imageio_ffmpeg.write_frames(str(film), (640, 480), fps=10, quality=9)
    writer.send(None)
    for _ in range(14):
        writer.send(frame)
    writer.close()
    assert main([str(film)]) == 0
    with (tmp_path / "still.faces.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["face"] for row in rows] == ["1"] * 14
    # The film's frames differ by its codec.
    assert len({row["label"] for row in rows}) == 1
    shares = np.array([float(row["happiness"]) for row in rows])
    assert np.ptp(shares) < 0.02


def test_a_version_without_a_signature():
    with Client() as client, pytest.raises(UnknownSignature, match="sample"):
        client.sample(["happiness"], [1.0], [0])


def test_a_version_without_its_first_signature(tmp_path):
    double = tf.function(lambda x: {"y": 2 * x}, [tf.TensorSpec([None], tf.float32, "x")])
    tf.saved_model.save(tf.Module(), str(tmp_path / "m" / "1"), {"double": double})
    with pytest.raises(BadUse, match="serving_default"):
        Client(model=tmp_path / "m")
