"""The conditions of the block study: what they change in rendered people, and what they keep."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from benchmarks.training import rendered
from pipelines.databases import demo
from tests.conftest import FRAMES, SUBJECTS


def samples(folder) -> list[tuple]:
    """What the reader takes of a database, but for the paths."""
    read = demo.read(folder).samples
    return [(s.key, s.label, s.subject, s.frame, s.intensity, s.yaw, s.test) for s in read]


@pytest.fixture(scope="module")
def photographed(demo_images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gap") / "images"
    rendered.photograph(demo_images, folder, seed=5)
    return folder


def test_the_gap_keeps_every_image_and_its_labels(demo_images, photographed):
    assert samples(photographed) == samples(demo_images)
    assert {Image.open(s.path).format for s in demo.read(photographed).samples} == {"JPEG"}


def test_equal_seeds_give_equal_images(demo_images, photographed, tmp_path):
    for seed in (5, 6):
        rendered.photograph(demo_images, tmp_path / str(seed), seed)
    paths = sorted(path.relative_to(photographed) for path in photographed.glob("*/*.jpg"))
    first, again, other = (
        [(folder / path).read_bytes() for path in paths]
        for folder in (photographed, tmp_path / "5", tmp_path / "6")
    )
    assert first == again
    assert not set(first) & set(other)


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
    rendered.thin(demo_images, tmp_path / "thin", 3, {"fear": 1, "surprise": SUBJECTS})
    kept = demo.read(tmp_path / "thin").samples
    counts = Counter((demo.CLASSES[sample.label], sample.subject) for sample in kept)
    assert set(counts.values()) == {FRAMES}
    assert Counter(label for label, _ in counts) == {"fear": 1, "surprise": SUBJECTS}
    assert set(samples(tmp_path / "thin")) < set(samples(demo_images))
