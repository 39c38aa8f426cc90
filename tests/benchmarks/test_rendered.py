"""The conditions of the block study: what they change in rendered people, and what they keep."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.training import rendered
from pipelines.databases import demo


def samples(folder) -> list[tuple]:
    """What the reader takes of a database, but for the paths."""
    read = demo.read(folder).samples
    return [(s.key, s.label, s.subject, s.frame, s.intensity, s.yaw, s.test) for s in read]


@pytest.fixture(scope="module")
def few(demo_images, tmp_path_factory):
    """One rendered sequence of fear, and one of happiness."""
    folder = tmp_path_factory.mktemp("few") / "images"
    rendered.thin(demo_images, folder, 0, {"fear": 1, "happiness": 1})
    return folder


def test_the_gap_keeps_every_image_and_its_labels(few, tmp_path):
    rendered.photograph(few, tmp_path / "gap", seed=5)
    assert samples(tmp_path / "gap") == samples(few)
    paths = [sample.path for sample in demo.read(tmp_path / "gap").samples]
    assert {Image.open(path).format for path in paths} == {"JPEG"}


def test_equal_seeds_give_equal_images(few, tmp_path):
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    for folder, seed in ((first, 5), (again, 5), (other, 6)):
        rendered.photograph(few, folder, seed)
    for path in (sample.path for sample in demo.read(first).samples):
        name = Path(path).relative_to(first)
        assert (again / name).read_bytes() == (first / name).read_bytes()
        assert (other / name).read_bytes() != (first / name).read_bytes()


def test_sensor_noise_is_that_of_the_photons(tmp_path, monkeypatch):
    # Poisson: a gray of 0.4 at 100 photons has 40, with a standard deviation of sqrt(40), so that
    # values vary by 255 sqrt(40) / 100 = 16.13 levels. A JPEG of quality 100 keeps the luminance.
    monkeypatch.setattr(rendered, "PHOTONS", (100,))
    monkeypatch.setattr(rendered, "QUALITIES", (100,))
    (tmp_path / "source/fear").mkdir(parents=True)
    gray = np.full((192, 192, 3), 102, np.uint8)
    Image.fromarray(gray).save(tmp_path / "source/fear/p000_00.png")
    (tmp_path / "source/faces.csv").write_text("path\nfear/p000_00.png,\n")
    rendered.photograph(tmp_path / "source", tmp_path / "gap", seed=1)
    image = Image.open(tmp_path / "gap/fear/p000_00.jpg").convert("L")
    # Luminance is 0.299 R + 0.587 G + 0.114 B of three independent channels.
    deviation = 16.13 * np.sqrt(0.299**2 + 0.587**2 + 0.114**2)
    assert np.std(image) == pytest.approx(deviation, rel=0.03)
    assert np.mean(image) == pytest.approx(102, abs=0.5)


def test_the_classes_are_as_unbalanced_as_ckplus():
    # 83 sequences are 15 people: 45 are 8.1, 18 are 3.3, 59 are 10.7, 25 are 4.5 (above a half:
    # 4.518), 69 are 12.5 (below: 12.470), 28 are 5.1.
    assert rendered.ckplus_people(15) == {
        "anger": 8, "contempt": 3, "disgust": 11, "fear": 5, "happiness": 12, "sadness": 5,
        "surprise": 15,
    }  # fmt: skip


def test_thinning_keeps_whole_sequences_of_so_many_people(demo_images, tmp_path):
    everyone = len({sample.subject for sample in demo.read(demo_images).samples})
    rendered.thin(demo_images, tmp_path / "thin", 3, {"fear": 1, "surprise": everyone})
    all_, kept = set(samples(demo_images)), set(samples(tmp_path / "thin"))
    sequences = Counter((demo.CLASSES[label], subject) for _, label, subject, *_ in kept)
    assert Counter(label for label, _ in sequences) == {"fear": 1, "surprise": everyone}
    assert kept == {one for one in all_ if (demo.CLASSES[one[1]], one[2]) in sequences}
