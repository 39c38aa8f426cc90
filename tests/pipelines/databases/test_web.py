"""FER2013, FER+, RAF-DB and AffectNet, in miniature."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipelines.common.errors import BadUse
from pipelines.common.roles import TEST, TRAIN, VALID
from pipelines.databases import Database, affectnet, fer2013, open_database, rafdb
from pipelines.databases.base import UNKNOWN
from pipelines.media import images
from tests.support.miniatures import replace, web
from tests.support.naming import naming


def counts(found: Database) -> dict[str, int]:
    return {finding.name: finding.found for finding in found.findings}


def labels(found: Database) -> dict[str, str]:
    return {sample.key: found.classes[sample.label] for sample in found.samples}


def roles(found: Database) -> Counter:
    assert {len(sample.official) for sample in found.samples} == {1}
    return Counter(sample.official[0] for sample in found.samples)


def of_unknown_people(found: Database) -> bool:
    return found.subjects == UNKNOWN and {sample.subject for sample in found.samples} == {""}


@pytest.fixture(scope="module")
def fer(once, demo_images) -> Path:
    """FER2013 in all its editions: table, icml, folders, plus."""

    def build(folder: Path) -> None:
        web.fer2013(folder / "table", demo_images)
        web.fer2013(folder / "icml", demo_images, icml=True)
        web.fer2013_folders(folder / "folders", demo_images)
        web.ferplus(folder / "plus", demo_images)

    return once("fer2013", build)


@pytest.mark.parametrize("edition", ["table/fer2013.csv", "table", "icml/icml_face_data.csv"])
def test_fer2013_tables_give_the_pixels_labels_and_parts_of_their_rows(fer, demo_images, edition):
    found = open_database("fer2013", fer / edition)
    rows = web.fer_rows(demo_images)
    assert len(found.samples) == len(rows) == 63
    for number, (sample, (label, face, usage)) in enumerate(zip(found.samples, rows, strict=True)):
        assert (sample.key, sample.label) == (f"fer{number:07d}", label)
        np.testing.assert_array_equal(sample.pixels, face)
        assert sample.official == (fer2013.ROLES[usage],)
    assert roles(found) == {TRAIN: 21, VALID: 21, TEST: 21}
    assert of_unknown_people(found) and all(sample.aligned for sample in found.samples)
    assert (found.channels, found.folds) == (1, 1)


def test_fer2013_folders_hold_the_same_images(fer):
    table, folders = (
        open_database("fer2013", fer / "table"),
        open_database("fer2013", fer / "folders"),
    )
    assert roles(folders) == roles(table)
    by_row = {int(sample.key.rpartition("_")[2]): sample for sample in folders.samples}
    for number, sample in enumerate(table.samples):
        assert by_row[number].label == sample.label
        np.testing.assert_array_equal(images.read(Path(by_row[number].path)), sample.pixels)
    assert of_unknown_people(folders)


def test_published_counts_of_fer2013_add_up(fer):
    findings = {f.name: f for f in open_database("fer2013", fer / "table").findings}
    assert findings["images"].expected == 35_887
    parts = sum(findings[name].expected for name in fer2013.EXPECTED_BY_PART)
    assert parts == sum(findings[name].expected for name in fer2013.CLASSES) == 35_887
    assert findings["PublicTest"].found == 21


def test_an_emotion_of_fer2013_may_be_written_as_a_fraction(tmp_path):
    face = " ".join(["7"] * 48 * 48)
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n3.0,{face},Training\n4,{face},PrivateTest\n")
    assert [sample.label for sample in open_database("fer2013", path).samples] == [3, 4]
    path.write_text("emotion,pixels,Usage\n9,1,Training\n9,1,Training\n0,1,Training\n")
    with pytest.raises(BadUse, match=naming("3 were refused", "2 ×", "1 ×")):
        open_database("fer2013", path)


def test_without_a_private_test_the_public_one_is_tested(fer, tmp_path):
    lines = (fer / "table" / "fer2013.csv").read_text().splitlines(keepends=True)
    path = tmp_path / "fer2013.csv"
    path.write_text("".join(line for line in lines if "PrivateTest" not in line))
    assert roles(open_database("fer2013", path)) == {TRAIN: 21, TEST: 21}


def test_a_damaged_row_costs_only_itself(fer, tmp_path):
    head, *lines = (fer / "table" / "fer2013.csv").read_text().splitlines()
    lines[1] = lines[1].replace(" ", " 300 ", 1)
    lines[3] = lines[3].replace(" ", " 300 ", 1).replace(" 0 ", " ", 1)
    label, pixels, usage = lines[5].split(",")
    lines[5] = f"7,{pixels},{usage}"
    lines[7] = f"{label},{pixels},Test"
    lines[9] = f"{label},{pixels.rpartition(' ')[0]},{usage}"
    lines[11] = f"{label},{pixels.replace(' ', ' x', 1)},{usage}"
    lines[13] = f"{label},{pixels.rpartition(' ')[0]} 256,{usage}"
    lines[15] = f"{label},{pixels.rpartition(' ')[0]} 99999999999999999999,{usage}"
    path = tmp_path / "fer2013.csv"
    path.write_text("\n".join([head, *lines]))
    found = open_database("fer2013", path)
    damaged = [1, 3, 5, 7, 9, 11, 13, 15]
    assert [r.source for r in found.rejects] == [f"fer2013.csv, line {k + 2}" for k in damaged]
    assert [r.key for r in found.rejects] == [fer2013.row_key(k) for k in damaged]
    kept = [int(sample.key.removeprefix("fer")) for sample in found.samples]
    assert kept == [k for k in range(63) if k not in damaged]


def test_fer2013_is_told_from_other_tables_and_folders(tmp_path, demo_images):
    path = tmp_path / "train.csv"
    path.write_text("emotion,pixels\n0,1 2 3\n")
    with pytest.raises(BadUse, match=naming("'Usage'", "train.csv")):
        open_database("fer2013", path)
    path.write_text("emotion,pixels,Usage\n0,1 2 3,Training\n")
    with pytest.raises(BadUse, match=naming("train.csv, line 2", "2,304")):
        open_database("fer2013", path)
    with pytest.raises(BadUse, match=naming(str(demo_images), "fer2013.csv")):
        open_database("fer2013", demo_images)


def test_most_votes_decide_in_ferplus(fer, demo_images):
    found = open_database("ferplus", fer / "plus")
    names = labels(found)
    for row, (label, _, _) in enumerate(web.fer_rows(demo_images)):
        key, first = f"fer{row:07d}", fer2013.CLASSES[label]
        if row % 3 < 2:
            assert names[key] == first
        elif label < 4:
            assert key not in names
        else:
            assert names[key] == "contempt"
    reasons = {reject.key: reject.reason for reject in found.rejects}
    assert len(reasons) == 12 and len(found.samples) == 51
    assert {"5", "anger", "contempt"} <= set(reasons["fer0000002"].replace(",", "").split())
    found_counts = counts(found)
    for kind in ("ties", "unknown", "NF", "removed"):
        assert found_counts[f"left out, {kind}"] == 3
    assert roles(found) == {TRAIN: 17, VALID: 17, TEST: 17}
    assert of_unknown_people(found)


def test_the_votes_for_the_eight_classes_travel_with_the_images(fer):
    votes = {s.key: s.votes for s in open_database("ferplus", fer / "plus").samples}
    # Rows 0 and 1 show anger: neutral, happiness, surprise, sadness, anger, …, contempt.
    assert votes["fer0000000"] == (0, 0, 0, 0, 10, 0, 0, 0)
    assert votes["fer0000001"] == (0, 0, 0, 0, 6, 0, 0, 4)


def test_a_row_has_the_same_key_in_fer2013_and_ferplus(fer, tmp_path):
    (tmp_path / "fer2013.csv").symlink_to(fer / "plus" / "fer2013.csv")
    # As where somebody took rows out of both tables.
    text = (fer / "plus" / "fer2013new.csv").read_text().replace("fer00000", "fer00090")
    (tmp_path / "fer2013new.csv").write_text(text)
    faces = {s.key: s.pixels for s in open_database("fer2013", tmp_path).samples}
    for sample in open_database("ferplus", tmp_path).samples:
        np.testing.assert_array_equal(sample.pixels, faces[sample.key])


@pytest.mark.parametrize("given", ["fer2013.csv", "fer2013new.csv"])
def test_ferplus_may_be_given_by_either_table(fer, given):
    assert len(open_database("ferplus", fer / "plus" / given).samples) == 51


def test_votes_of_another_edition_are_refused(fer, tmp_path):
    (tmp_path / "fer2013.csv").symlink_to(fer / "plus" / "fer2013.csv")
    votes = tmp_path / "fer2013new.csv"
    with pytest.raises(BadUse, match=naming("fer2013new.csv")):
        open_database("ferplus", tmp_path)
    lines = (fer / "plus" / "fer2013new.csv").read_text().splitlines()
    votes.write_text("\n".join(lines[:-1]))
    with pytest.raises(BadUse, match=naming(62, 63)):
        open_database("ferplus", tmp_path)
    votes.write_text("\n".join([lines[0], *reversed(lines[1:])]))
    with pytest.raises(BadUse, match=naming("Usage", 42, "line 2")):
        open_database("ferplus", tmp_path)
    votes.write_text("\n".join([*lines[:5], lines[5][:-1] + "x", *lines[6:]]))
    with pytest.raises(BadUse, match=naming("line 6")):
        open_database("ferplus", tmp_path)


def test_damaged_rows_of_fer2013_do_not_shift_the_votes(fer, tmp_path):
    (tmp_path / "fer2013new.csv").symlink_to(fer / "plus" / "fer2013new.csv")
    lines = (fer / "plus" / "fer2013.csv").read_text().splitlines()
    lines[1] = "0,1 2 3,Training"
    (tmp_path / "fer2013.csv").write_text("\n".join(lines))
    whole, found = (
        labels(open_database("ferplus", fer / "plus")),
        open_database("ferplus", tmp_path),
    )
    assert labels(found) == {key: name for key, name in whole.items() if key != "fer0000000"}


@pytest.mark.parametrize("original", [False, True])
def test_rafdb_by_its_list(tmp_path, demo_images, original):
    web.rafdb(tmp_path / "basic", demo_images, original=original)
    found = open_database("rafdb", tmp_path)
    assert roles(found) == {TRAIN: 14, TEST: 7}
    assert labels(found)["train_00003"] == "fear" and labels(found)["test_0007"] == "neutral"
    assert {sample.aligned for sample in found.samples} == {not original}
    assert of_unknown_people(found) and not found.rejects


def test_a_line_of_rafdb_that_cannot_be_taken_is_rejected(tmp_path, demo_images):
    web.rafdb(tmp_path, demo_images)
    (tmp_path / "Image" / "aligned" / "train_00001_aligned.jpg").unlink()
    table = tmp_path / "EmoLabel" / "list_patition_label.txt"
    lines = table.read_text().splitlines()
    lines[1], lines[2] = "train_00002.jpg 8", "val_00003.jpg 1"
    table.write_text("\n".join(lines))
    found = open_database("rafdb", tmp_path)
    assert [(r.key, r.source.rpartition(" ")[2]) for r in found.rejects] == [
        ("train_00001", "1"),
        ("train_00002", "2"),
        ("val_00003", "3"),
    ]
    assert len(found.samples) == 18


def test_rafdb_in_numbered_folders(tmp_path, demo_images):
    web.rafdb_folders(tmp_path, demo_images)
    found = open_database("rafdb", tmp_path)
    assert roles(found) == {TRAIN: 14, TEST: 7} and found.samples[0].aligned
    assert labels(found)["train_00003_aligned"] == "fear" and not found.rejects
    table = tmp_path / "train_labels.csv"
    table.write_text(
        table.read_text().replace("train_00003_aligned.jpg,2", "train_00003_aligned.jpg,5")
    )
    assert [r.key for r in open_database("rafdb", tmp_path).rejects] == ["train_00003_aligned"]


@pytest.mark.slow
def test_published_counts_of_rafdb(tmp_path, demo_images):
    found = open_database("rafdb", web.rafdb(tmp_path, demo_images, full=True))
    assert [f for f in found.findings if f.differs] == []
    assert (rafdb.EXPECTED_BY_PART, len(found.samples)) == ({TRAIN: 12_271, TEST: 3_068}, 15_339)


def test_affectnet_by_its_lists(tmp_path, demo_images):
    found = open_database("affectnet", web.affectnet(tmp_path, demo_images))
    assert roles(found) == {TRAIN: 16, TEST: 8}
    assert Counter(sample.label for sample in found.samples) == dict.fromkeys(range(8), 3)
    assert {sample.box for sample in found.samples} == {(10, 10, 210, 210)}
    assert of_unknown_people(found) and found.classes[:2] == ("neutral", "happiness")
    assert [counts(found)[f"left out, {name}"] for name in affectnet.UNUSED.values()] == [3, 3, 3]
    crops = open_database("affectnet", tmp_path, prealigned=True).samples
    assert {(sample.aligned, sample.box) for sample in crops} == {(True, None)}


def test_affectnet_in_sets(tmp_path, demo_images):
    folder = web.affectnet_sets(tmp_path, demo_images)
    found = open_database("affectnet", folder)
    assert roles(found) == {TRAIN: 16, TEST: 8} and of_unknown_people(found)
    assert labels(found)["train_set/images/2"] == "happiness"
    annotations = folder / "train_set" / "annotations"
    np.save(annotations / "0_exp.npy", np.array([{"a": 1}], object), allow_pickle=True)
    (annotations / "1_exp.npy").unlink()
    np.save(annotations / "2_exp.npy", np.array("11"))
    replace(annotations / "3_exp.npy", b"not an array")
    found = open_database("affectnet", folder)
    assert [r.key for r in found.rejects] == [f"train_set/images/{k}" for k in range(4)]
    assert len(found.samples) == 20


def test_a_row_of_affectnet_outside_the_folder_is_rejected(tmp_path, demo_images):
    folder = web.affectnet(tmp_path / "in", demo_images)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    with (folder / "training.csv").open("a") as file:
        file.write("../../secret.jpg,1,1,9,9,,1,0,0\r\n0/none.jpg,1,1,9,9,,1,0,0\r\n")
    found = open_database("affectnet", folder)
    assert len(found.samples) == 24
    assert [r.source for r in found.rejects] == ["training.csv, line 24", "training.csv, line 25"]


def test_published_counts_of_affectnet_add_up():
    assert sum(affectnet.EXPECTED[TRAIN]) == 287_651 and sum(affectnet.EXPECTED[TEST]) == 4_000
