"""Copies of one image: found in any dress, told from other images, and kept or taken out."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from pipelines.common.roles import TEST, TRAIN, UNUSED, VALID
from pipelines.dataset import copies, fingerprints
from pipelines.dataset.examples import Record
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import Dropped
from pipelines.faces.chips import resize_face
from pipelines.media import images


@pytest.fixture(scope="module")
def faces(demo_people) -> list[np.ndarray]:
    """The peak of happiness of every rendered person, as a cropped face."""
    paths = sorted((demo_people / "happiness").glob("*_01.png"))
    return [resize_face(images.read(path)) for path in paths]


def columns(*rows: tuple) -> Columns:
    """(image, subject, class, splits) each, under the keys a, b, c, …"""
    made = Columns(len(rows[0][3]))
    for index, (image, subject, name, splits) in enumerate(rows):
        png = images.encode_png(np.asarray(image))
        made.add(Record("abcdef"[index], png, int(name == "glad"), name, subject, splits))
    return made


def jpeg(image: Image.Image) -> Image.Image:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=40)
    return Image.open(data)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    first, second = (fingerprints.vectors(fingerprints.fingerprint(x)) for x in (one, other))
    probes = (second, fingerprints.mirrored(second), fingerprints.mirrored_and_aligned(second))
    unit = [x[0] / np.linalg.norm(x) for x in (first, *probes)]
    return max(float(unit[0] @ probe) for probe in unit[1:])


@pytest.mark.parametrize(
    "change",
    [
        jpeg,
        lambda image: image.resize((40, 40)),
        ImageOps.mirror,
        lambda image: image.rotate(2, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128)),
        lambda image: ImageEnhance.Brightness(image).enhance(0.8),
        lambda image: ImageEnhance.Contrast(image).enhance(0.5),
        ImageOps.grayscale,
        lambda image: jpeg(ImageOps.mirror(image).resize((64, 64))),
    ],
    ids=[
        "jpeg",
        "resized",
        "mirrored",
        "turned",
        "darker",
        "half contrast",
        "gray",
        "mirrored, resized, jpeg",
    ],
)
def test_a_copy_is_found_in_any_dress(faces, change):
    changed = resize_face(np.asarray(change(Image.fromarray(faces[0]))))
    assert cosine(faces[0], changed) >= copies.COSINE
    table = columns(
        (faces[0], "", "calm", (TRAIN,)),
        (changed, "", "glad", (TEST,)),
        (faces[1], "", "calm", (TEST,)),
    )
    assert [pair[:2] for pair in copies.find(table).across] == [(0, 1)]


def test_different_people_are_no_copies(faces):
    for one in range(len(faces)):
        for other in range(one):
            assert cosine(faces[one], faces[other]) < copies.COSINE


def test_the_fingerprint_of_one_colour_is_empty():
    gray = np.full((128, 128), 90, np.uint8)
    assert fingerprints.fingerprint(gray) == bytes(fingerprints.BYTES)
    assert len(fingerprints.fingerprint(np.tile(np.arange(128, dtype=np.uint8), (128, 1)))) == 143


def test_images_of_one_known_person_have_to_be_equal(faces):
    brighter = np.clip(faces[0].astype(int) + 6, 0, 255).astype(np.uint8)
    rows = [(faces[0], "p", "calm", (TRAIN,)), (brighter, "p", "calm", (TRAIN,))]
    assert copies.find(columns(*rows)) == copies.Copies((), ())
    equal = [*rows, (faces[0], "p", "calm", (TRAIN,))]
    assert [pair[:2] for pair in copies.find(columns(*equal)).within] == [(0, 2)]


@pytest.mark.parametrize("change", [jpeg, lambda image: image.resize((64, 64)), ImageOps.mirror])
def test_a_copy_of_one_person_on_two_sides_of_a_split_is_found(demo_people, faces, change):
    """The official parts have the person on both sides in the second fold alone."""
    changed = resize_face(np.asarray(change(Image.fromarray(faces[0]))))
    other = resize_face(images.read(next((demo_people / "surprise").glob("p000_01.png"))))
    for split, found in (((TRAIN, TEST), [(0, 1)]), ((TRAIN, UNUSED), []), ((TRAIN, TRAIN), [])):
        table = columns(
            (faces[0], "p", "calm", (TRAIN, TRAIN)),
            (changed, "p", "calm", split),
            (other, "p", "glad", split),
        )
        assert [pair[:2] for pair in copies.find(table).across] == found


def test_unused_records_are_on_no_side(faces):
    rows = [(faces[0], "", "calm", (TRAIN,)), (faces[0], "", "calm", (UNUSED,))]
    assert copies.find(columns(*rows)) == copies.Copies((), ())


def test_the_role_further_from_the_test_is_dropped(faces):
    table = columns(
        (faces[0], "", "calm", (TRAIN, VALID, TRAIN)),
        (faces[0], "", "glad", (TEST, TRAIN, TRAIN)),
        (faces[1], "", "calm", (TRAIN, TEST, TRAIN)),
    )
    found = copies.find(table)
    taken = copies.dropped(table, found.across)
    assert taken == (Dropped("a", "b", (0,)), Dropped("b", "a", (1,)))
    rows = list(csv.DictReader(io.StringIO(copies.table(table, found.across))))
    assert [(row["image"], row["copy"], row["class"], row["class_of_copy"]) for row in rows] == [
        ("a", "b", "calm", "glad")
    ]
    assert (rows[0]["parts"], rows[0]["parts_of_copy"]) == ("train valid train", "test train train")


def test_every_training_copy_of_a_test_image_is_dropped(faces):
    """Images of one colour have no fingerprint: only equality finds their copies."""
    gray = np.full((48, 48), 90, np.uint8)
    for image in (gray, faces[0]):
        rows = [(image, "", "calm", (TRAIN,))] * 3 + [(image, "", "glad", (TEST,))]
        table = columns(*rows)
        taken = copies.dropped(table, copies.find(table).across)
        assert [(each.key, each.folds) for each in taken] == [("a", (0,)), ("b", (0,)), ("c", (0,))]


def test_many_copies_of_one_image_cost_one_pair_a_part(faces):
    rows = [(faces[0], "", "calm", (TRAIN if i < 5 else TEST,)) for i in range(6)]
    found = copies.find(columns(*rows))
    assert {row for pair in found.across for row in pair[:2]} == set(range(6))
    assert len(found.across) + len(found.within) <= 12


def test_both_classes_of_a_copy_are_named(faces):
    table = columns((faces[0], "", "calm", (TRAIN,)), (faces[0], "", "glad", (TEST,)))
    text = copies.described(table, copies.find(table).across)
    assert "a (calm) = b (glad)" in text
