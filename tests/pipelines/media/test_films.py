"""Frames out of real films, written here by ffmpeg."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import dlib
import imageio_ffmpeg
import numpy as np
import pytest
from upath import UPath

from pipelines.databases import Film
from pipelines.faces.alignment import FaceAligner
from pipelines.media import ffmpeg, films
from pipelines.media.films import UnreadableFilm, View
from pipelines.media.images import to_gray
from tests.support.inspection import mentions
from tests.support.miniatures import mmi


def run_ffmpeg(*arguments: str | Path) -> None:
    program = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([program, "-y", "-loglevel", "error", *map(str, arguments)], check=True)


def reason(path: Path | str, numbers: tuple[int, ...] = (0,)) -> str:
    with pytest.raises(UnreadableFilm) as caught:
        films.read_frames(path, numbers)
    return str(caught.value)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """24 frames; frame k is gray, of the level 10 + 5·k."""
    return mmi.write_film(tmp_path_factory.mktemp("films") / "gray.avi", mmi.gray_frames(24))


@pytest.mark.parametrize(
    ("name", "codec", "count"),
    [
        ("a.avi", "mjpeg", 1),
        ("a.avi", "mjpeg", 31),
        ("b.avi", "mpeg4", 30),
        ("c.avi", "rawvideo", 17),
        ("d.mp4", "libx264", 25),
        ("e.mpg", "mpeg1video", 26),
        ("f.mkv", "huffyuv", 12),
        ("g.webm", "libvpx", 12),
        ("h.mov", "libx264", 12),
    ],
)
def test_as_many_frames_are_counted_as_were_written(tmp_path, name, codec, count):
    pixels = {"rawvideo": "bgr24", "huffyuv": "rgb24", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
    frames = mmi.gray_frames(count)
    path = mmi.write_film(tmp_path / name, frames, codec, fps=25, pix_fmt_out=pixels)
    assert films.looks_like_film(path)
    assert films.count_frames(path) == count


def test_frames_at_uneven_times_are_neither_doubled_nor_dropped(tmp_path, film):
    path = tmp_path / "uneven.mkv"
    run_ffmpeg("-i", film, "-vf", "setpts=N*N*40/TB/1000", "-fps_mode", "vfr", path)
    assert films.count_frames(path) == 24


def test_the_frames_asked_for_come_in_the_order_asked(film):
    read = films.read_frames(film, [23, 0, 7, 7])
    assert [frame.shape for frame in read] == [(48, 64, 3)] * 4
    for frame, level in zip(read, (125, 10, 45, 45), strict=True):
        assert frame.dtype == np.uint8
        assert abs(frame.astype(int) - level).max() <= 2
        assert frame.flags.writeable


def test_colours_are_red_green_blue(tmp_path):
    frames = [np.full((48, 64, 3), (200, 40, 90), np.uint8)] * 3
    path = mmi.write_film(tmp_path / "c.avi", frames, "rawvideo", pix_fmt_out="bgr24")
    np.testing.assert_array_equal(films.read_frames(path, [1])[0], frames[1])


def test_a_gray_film_has_three_equal_channels(tmp_path):
    frames = mmi.gray_frames(4)
    path = mmi.write_film(tmp_path / "g.avi", frames, "rawvideo", pix_fmt_out="gray")
    np.testing.assert_allclose(films.read_frames(path, [3])[0], frames[3], atol=1)


def test_a_film_that_says_it_lies_on_its_side_is_turned(tmp_path, film):
    upright, rotated = tmp_path / "u.mp4", tmp_path / "r.mp4"
    run_ffmpeg("-i", film, "-c:v", "libx264", upright)
    run_ffmpeg("-display_rotation", "90", "-i", upright, "-c", "copy", rotated)
    assert films.read_frames(rotated, [0])[0].shape == (64, 48, 3)


def test_a_film_elsewhere_is_read_like_one_here(film):
    there = UPath("memory://films/sessions/a.avi")
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_bytes(film.read_bytes())
    for path in (there, str(there)):
        assert films.count_frames(path) == 24
    assert films.read_frames(there, [4])[0].shape == (48, 64, 3)
    assert "file" in reason("memory://films/sessions/b.avi")


def test_names_that_ffmpeg_could_take_for_something_else(tmp_path, film, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("-i.avi", "concat:x|y.avi", "%03d.avi", "фильм 1.avi"):
        os.link(film, name)
        assert films.count_frames(Path(name)) == 24


def test_a_number_outside_the_film_is_named_with_the_range(film):
    assert mentions(reason(film, (3, 24)), 24, 0, 23)
    assert mentions(reason(film, (-1,)), -1, 0, 23)


def test_files_that_are_no_films(tmp_path):
    path = tmp_path / "x.avi"
    missing = reason(path)
    assert "file" in missing
    assert reason(tmp_path) == missing
    path.write_bytes(b"")
    empty = reason(path)
    assert "empty" in empty
    foreign = set()
    for content in (b"not a film at all", bytes(5000), b"RIFF\x10\0\0\0AVI LIST" + bytes(8)):
        path.write_bytes(content)
        foreign.add(reason(path))
    assert len(foreign) == 1 and mentions(foreign, "format")
    run_ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", path)
    # Sound alone has a reason of its own.
    assert len({missing, empty, *foreign, reason(path)}) == 4


def test_a_list_that_names_another_film_is_no_film(tmp_path, film):
    os.link(film, tmp_path / "other.avi")
    path = tmp_path / "list.avi"
    path.write_text("ffconcat version 1.0\nfile other.avi\n")
    assert "format" in reason(path)


def test_films_cut_anywhere_are_refused_with_a_reason(tmp_path, film):
    whole = film.read_bytes()
    path = tmp_path / "cut.avi"
    for length in range(1, len(whole), len(whole) // 25):
        path.write_bytes(whole[:length])
        found = reason(path)
        assert mentions(found, f"{length:,}", f"{len(whole):,}") or mentions(found, "format")


def test_a_film_that_breaks_off_within_a_frame_is_damaged(tmp_path, film):
    path = tmp_path / "cut.mkv"
    run_ffmpeg("-i", film, "-c:v", "libx264", "-g", "5", path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    assert "damaged" in reason(path)


def test_flipped_bits_give_the_same_answer_twice(tmp_path):
    """The answer is a count or a reason, without crash, hang or left-over noise."""
    frames = mmi.widened(mmi.performance(3, "surprise", frames=6, size=96), 128)
    path = mmi.write_film(tmp_path / "x.avi", frames, "mpeg4", pix_fmt_out="yuv420p")
    whole, rng = path.read_bytes(), np.random.default_rng(8)

    def answer() -> int | str:
        try:
            return films.count_frames(path)
        except UnreadableFilm as error:
            return str(error)

    answers = []
    for _ in range(25):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        answers.append(answer())
        assert answers[-1] == answer()
    assert sum(isinstance(each, str) for each in answers) > 3


def test_more_pixels_than_the_limit_are_refused_before_they_are_decoded(tmp_path):
    path = tmp_path / "big.avi"
    run_ffmpeg(
        "-f", "lavfi", "-i", "color=s=8200x8200:r=5", "-frames:v", "1", "-c:v", "mjpeg", path
    )
    assert mentions(reason(path), "8200×8200", "67,108,864")


def test_the_limits_on_frames_time_and_bytes(film, monkeypatch):
    monkeypatch.setattr(ffmpeg, "MAX_FRAMES", 23)
    assert mentions(reason(film), "frames", 23)
    monkeypatch.setattr(ffmpeg, "MAX_FRAMES", 24)
    assert films.count_frames(film) == 24
    monkeypatch.setattr(ffmpeg, "TIME_LIMIT", 0.0)
    assert mentions(reason(film), "0 seconds")
    monkeypatch.setattr(ffmpeg, "MAX_BYTES", 1000)
    assert mentions(reason(film), "1,000 bytes")


def test_nothing_is_left_running_and_nothing_is_printed(tmp_path, film, capfd):
    threads = threading.active_count()
    stopped = ffmpeg.frames(film)
    next(stopped)
    stopped.close()
    damaged = tmp_path / "d.avi"
    damaged.write_bytes(film.read_bytes()[:3000].ljust(film.stat().st_size, b"\x55"))
    reason(damaged)
    films.count_frames(film)
    assert threading.active_count() == threads
    assert capfd.readouterr() == ("", "")
    if sys.platform == "linux":
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        names = [Path(f"/proc/{child}/comm").read_text() for child in children]
        assert not [name for name in names if "ffmpeg" in name]


@pytest.mark.parametrize(
    ("count", "peak", "numbers"),
    [
        (3, None, [0, 1, 2]),
        (9, None, [3, 4, 5]),
        (10, None, [4, 5, 6]),
        (9, 6, [5, 6, 7]),
        (9, 8, [7, 8, 6]),
        (9, 0, [2, 0, 1]),
        (3, 2, [1, 2, 0]),
    ],
)
def test_the_peak_and_its_neighbours(count, peak, numbers):
    chosen = [films.select(Film(peak=peak, offset=offset), count) for offset in (-1, 0, 1)]
    assert chosen == numbers


@pytest.mark.parametrize(
    ("film_", "count", "values"),
    [
        (Film(peak=9), 9, r"\b9\b.*\b0\b.*\b8\b"),
        (Film(), 2, r"\b2\b.*\b3\b"),
        (Film(), 1, r"\b1\b.*\b3\b"),
        (Film(peak=0), 0, r"\b0\b.*\b3\b"),
        (Film(offset=7), 9, r"\b7\b.*\b4\b"),
    ],
)
def test_frames_that_a_film_does_not_have(film_, count, values):
    with pytest.raises(UnreadableFilm, match=values):
        films.select(film_, count)


def test_the_order_of_the_views():
    assert films.views(Film()) == [View(turn, "whole") for turn in (0, 90, 180, 270)]
    assert films.views(Film(halves=True, turn=90)) == [
        View(90, half) for half in ("left", "right", "whole")
    ]
    assert len(films.views(Film(halves=True))) == 12


def test_a_view_turns_first_and_cuts_then():
    image = np.arange(2 * 3).reshape(2, 3)  # 0 1 2 over 3 4 5
    np.testing.assert_array_equal(films.look(image, View(90, "whole")), [[2, 5], [1, 4], [0, 3]])
    np.testing.assert_array_equal(films.look(image, View(90, "left")), [[2], [1], [0]])
    np.testing.assert_array_equal(films.look(image, View(0, "left")), [[0, 1], [3, 4]])
    np.testing.assert_array_equal(films.look(image, View(0, "right")), [[1, 2], [4, 5]])
    assert films.look(image[:, :1], View(0, "right")).shape == (2, 1)
    assert films.look(image, View(180, "whole")).flags.c_contiguous


@pytest.fixture(scope="module")
def certainty():
    """dlib's own score of its surest face, at full size."""
    detector = dlib.get_frontal_face_detector()

    def score(image: np.ndarray) -> float:
        scores = detector.run(to_gray(image), 0, 0.0)[1]
        return max(scores, default=0.0)

    return score


@pytest.fixture(scope="module")
def faces():
    """The frontal and the turned view of three people at the peak, (240, 240, 3) each."""
    return [
        (mmi.performance(seed, "surprise", 3)[1], mmi.performance(seed, "surprise", 3, yaw=75)[1])
        for seed in (21, 24, 38)
    ]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_film_on_its_side_is_set_upright(tmp_path, faces, certainty, degrees):
    for number, (front, _) in enumerate(faces):
        lying = mmi.turned(mmi.widened([front] * 3), degrees)
        path = mmi.write_film(tmp_path / f"{number}.avi", lying)
        middle = films.read_frames(path, [1])[0]
        view = films.choose_view(middle, Film(), certainty)
        assert view == View(degrees, "whole")
        left, top, right, bottom = FaceAligner().align(films.look(middle, view)).box
        assert left < 160 < right
        assert top < 120 < bottom


@pytest.mark.parametrize("degrees", [0, 90, 270])
@pytest.mark.parametrize("side", ["left", "right"])
def test_of_two_views_the_frontal_one_is_taken(faces, certainty, degrees, side):
    for front, profile in faces:
        pair = ([front], [profile]) if side == "left" else ([profile], [front])
        middle = mmi.turned(mmi.beside(*pair), degrees)[0]
        view = films.choose_view(middle, Film(halves=True), certainty)
        assert view == View(degrees, side)
        np.testing.assert_array_equal(films.look(middle, view), front)


def test_one_face_in_the_middle_of_two_halves_is_not_cut_in_two(faces, certainty):
    middle = mmi.widened([faces[0][0]], 480)[0]
    assert films.choose_view(middle, Film(halves=True), certainty) == View(0, "whole")


def test_no_face_in_any_view_is_none_and_a_given_view_is_not_searched(certainty):
    wall = np.full((120, 160, 3), 90, np.uint8)
    assert films.choose_view(wall, Film(halves=True), certainty) is None
    assert films.choose_view(wall, Film(turn=270), certainty) == View(270, "whole")
