"""Films and cameras: a table of every frame, and an annotated film of the same frames."""

from __future__ import annotations

import csv
import itertools
import re
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from fesr_tf.client import Client, sources
from fesr_tf.client.__main__ import device, main
from pipelines.media import ffmpeg

RATE, FRAMES = 10, 6


@pytest.fixture(scope="module")
def film(demo_images, tmp_path_factory):
    """Six frames of 160 × 160: four of a rising smile, then two of nothing."""
    path = tmp_path_factory.mktemp("film") / "smile.mp4"
    faces = sorted((demo_images / "happiness").glob("*.png"))[:4]
    frames = [np.asarray(Image.open(face).convert("RGB")) for face in faces]
    frames += [np.full_like(frames[0], 90)] * 2
    writer = imageio_ffmpeg.write_frames(str(path), (160, 160), fps=RATE, quality=9)
    writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()
    return path


@pytest.fixture(scope="module")
def client(exported_model):
    return Client(model=exported_model)


def retime(times, film, output):
    """Writes a film with its frames at other times, an expression of ffmpeg's setpts."""
    words = ["-loglevel", "error", "-i", film, "-vf", f"setpts='{times}'",
             "-fps_mode", "passthrough", "-enc_time_base", "1/1000", output]  # fmt: skip
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *map(str, words)], check=True)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_frame_has_its_rows_and_its_picture(film, exported_model, client, tmp_path, capfd):
    words = [str(film), "--model", str(exported_model), "--output", str(tmp_path)]
    assert main(words) == 0
    table = rows(tmp_path / "smile.faces.csv")
    assert [int(row["frame"]) for row in table] == list(range(FRAMES))
    assert [float(row["seconds"]) for row in table] == pytest.approx(np.arange(FRAMES) / RATE)
    assert [row["face"] for row in table] == ["1"] * 4 + [""] * 2
    for row, frame in zip(table[:4], ffmpeg.frames(film), strict=False):
        (face,) = client.faces(frame.copy())
        assert [int(row[edge]) for edge in ("left", "top", "right", "bottom")] == list(face.box)
        assert row["label"] == face.label
        shares = [float(row[name]) for name in client.classes]
        assert shares == pytest.approx(list(face.probabilities.values()), abs=1e-4)
    copies = list(ffmpeg.frames(tmp_path / "smile.annotated.mp4"))
    assert len(copies) == FRAMES and len({copy.shape for copy in copies}) == 1
    assert copies[0].shape[1] > copies[0].shape[0]
    assert ffmpeg.rate(tmp_path / "smile.annotated.mp4") == RATE
    (said,) = (line for line in capfd.readouterr().out.splitlines() if line.startswith(str(film)))
    # Faces, frames that show one, frames.
    assert re.findall(r"\d+", said.removeprefix(str(film)))[:3] == ["4", "4", "6"]


@pytest.mark.parametrize("name", ["uneven.mkv", "uneven.mp4"])
def test_seconds_are_those_of_unevenly_spaced_frames(name, film, exported_model, tmp_path):
    uneven = tmp_path / name
    # Frames 0, 1 and 2 are 0.1 s apart, the later ones 0.5 s.
    retime("if(lt(N,3),N,2+(N-2)*5)/10/TB", film, uneven)
    assert main([str(uneven), "--model", str(exported_model)]) == 0
    seconds = [float(row["seconds"]) for row in rows(tmp_path / "uneven.faces.csv")]
    assert seconds == pytest.approx([0, 0.1, 0.2, 0.7, 1.2, 1.7], abs=2e-3)


def test_every_second_frame(film, exported_model, tmp_path):
    words = [str(film), "--model", str(exported_model), "--output", str(tmp_path)]
    assert main([*words, "--every", "2"]) == 0
    assert [row["frame"] for row in rows(tmp_path / "smile.faces.csv")] == ["0", "2", "4"]
    assert ffmpeg.rate(tmp_path / "smile.annotated.mp4") == RATE / 2


def test_a_film_that_breaks_off_leaves_nothing(film, exported_model, tmp_path, capfd):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(film.read_bytes()[:2000])
    playlist = tmp_path / "list.mp4"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    for path in (cut, playlist, tmp_path / "missing.mp4"):
        code = main([str(path), "--model", str(exported_model), "--output", str(tmp_path / "o")])
        error = capfd.readouterr().err
        assert code == (1 if path.exists() else 2)
        assert error.count("error: ") == 1 and str(path) in error
    assert {path.name for path in (tmp_path / "o").iterdir()} == {"faces.csv", "faces.json"}


def test_a_camera_by_number_or_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert device("0") == "/dev/video0" and device("/dev/video2") == "/dev/video2"
    (tmp_path / "0").touch()
    assert device("0") is None and device("photo.jpg") is None


def test_a_camera_that_is_not_there_is_a_sentence(exported_model, tmp_path, capfd):
    for name in ("/dev/video977", "977"):
        code = main([name, "--model", str(exported_model), "--output", str(tmp_path)])
        error = capfd.readouterr().err
        assert code == 2 and error.count("error: ") == 1 and "/dev/video977" in error


def test_a_live_picture_is_recorded_until_stopped(film, exported_model, tmp_path, monkeypatch):
    """A camera is untested for want of one; a film that never ends stands for it."""

    def endless(_device):
        yield from itertools.cycle(list(ffmpeg.timed_frames(film)))

    monkeypatch.setattr(ffmpeg, "camera", endless)
    monkeypatch.setattr(sources, "_require_camera", lambda text, path: None)
    words = ["/dev/video0", "--model", str(exported_model), "--output", str(tmp_path)]
    assert main([*words, "--frames", "5"]) == 0
    assert len(rows(tmp_path / "video0.faces.csv")) == 5
    assert len(list(ffmpeg.frames(tmp_path / "video0.annotated.mp4"))) == 5
