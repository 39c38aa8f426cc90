"""The last part of the job: what was written is what was planned, and is described."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re

import numpy as np
import pytest

from pipelines.common.errors import FailedWork
from pipelines.common.records import Reject
from pipelines.common.roles import TEST, TRAIN, UNUSED, VALID
from pipelines.databases.base import UNKNOWN
from pipelines.dataset import fold_file, folds, manifest, rejects
from pipelines.dataset.copies import ALLOWED, DROPPED
from pipelines.dataset.fold_file import Member
from pipelines.dataset.folds import divide
from pipelines.dataset.subjects import cautions
from pipelines.faces import alignment
from pipelines.inspection.checks import check_folder
from pipelines.inspection.console import closing_report
from pipelines.job.finish import finish
from pipelines.media import images
from tests.support.data_folders import build, records, some, write_job
from tests.support.inspection import mentions


def rejecting(*keys: str):
    return lambda record: None if record.key in keys else record


@pytest.fixture(scope="module")
def lossy(demo_people, tmp_path_factory):
    """Six pictures of three people, of which two of p001 are rejected."""
    folder = tmp_path_factory.mktemp("lossy")
    made = build(folder, some(demo_people), rejecting("fear/p001_01", "happiness/p001_01"))
    return folder, made


def test_every_side_file_is_listed_with_its_digest(lossy):
    folder, made = lossy
    assert {each.path for each in made.files if "/" not in each.path} == {
        "anomalies.pbtxt",
        "contact_sheet.png",
        "folds.json",
        "index.html",
        "people.csv",
        "rejected_sheet.png",
        "rejects.jsonl",
        "schema.pbtxt",
        "statistics.pb",
    }
    thumbnails = rejects.pictures(rejects.read(folder, made))
    assert len(thumbnails) == 2
    for each in (*made.files, *thumbnails):
        content = (folder / each.path).read_bytes()
        assert (each.bytes, each.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    on_disk = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    listed = {each.path for each in (*made.files, *made.shards, *thumbnails)}
    assert on_disk == listed | {"manifest.json"}


def test_losses_are_counted_by_class_and_by_subject(lossy):
    counts = lossy[1].counts
    assert counts["rejected_by_class"] == {"fear": 1, "happiness": 1}
    assert counts["rejected_by_subject"] == {"p001": 2}
    assert lossy[1].losses("subject") == [
        ("p001", 2, 0, 2, 1.0),
        ("p000", 2, 2, 0, 0.0),
        ("p002", 2, 2, 0, 0.0),
    ]
    assert lossy[1].losses("class")[0] == ("fear", 3, 2, 1, 1 / 3)


def test_the_closing_report_shows_losses_worst_first(lossy):
    folder, made = lossy
    text = closing_report(made, folder, {}, 3.0, replaced=False)
    rows = [line.split() for line in text.splitlines()]
    assert ["p001", "2", "0", "2", "100.0%"] in rows
    assert ["fear", "3", "2", "1", "33.3%"] in rows
    assert mentions(text, "0.750")  # 3 s for 4 faces
    assert mentions(text, folder / "index.html")


def test_losses_of_nobody_are_no_table(lossy):
    folder, made = lossy
    counts = made.counts | {"rejected_by_subject": {}}
    text = closing_report(dataclasses.replace(made, counts=counts), folder, {}, replaced=False)
    assert re.findall("lost by ([a-z]+)", text) == ["class"]


def test_rejects_keep_their_roles_and_have_a_sheet(lossy):
    folder, made = lossy
    assert [each.splits for each in rejects.read(folder, made)] == [(TRAIN, TEST, TRAIN)] * 2
    assert images.read(folder / "rejected_sheet.png").shape[0] > 128


def test_the_fold_manifest_does_not_depend_on_what_was_rejected(lossy, demo_people, tmp_path):
    whole = build(tmp_path, some(demo_people))
    assert whole.fold_digest == lossy[1].fold_digest
    assert (tmp_path / "folds.json").read_bytes() == (lossy[0] / "folds.json").read_bytes()
    assert whole.digest != lossy[1].digest


def test_the_fold_digest_is_over_sorted_lines():
    members = [
        Member("b", 1, "y", (TEST,)),
        Member("c", 0, "x", (TRAIN,)),
        Member("a", 0, "x", (TRAIN,)),
    ]
    described = manifest.Manifest("db", ("calm", "glad"), 1, 1, True, {}, (), {}, valid_share=0.1)
    text, digest = fold_file.to_json(described, members)
    data = json.loads(text)
    train = hashlib.sha256(b"a\t1\t0\tx\nc\t1\t0\tx\n").hexdigest()
    test = hashlib.sha256(b"b\t3\t1\ty\n").hexdigest()
    empty = hashlib.sha256(b"").hexdigest()
    assert data["parts"][0]["train"] == {
        "records": 2,
        "by_class": {"calm": 2, "glad": 0},
        "subjects": ["x"],
        "sha256": train,
    }
    lines = f"{train}  fold-00/train\n{empty}  fold-00/valid\n{test}  fold-00/test\n"
    assert data["digest"] == digest == hashlib.sha256(lines.encode()).hexdigest()
    assert (data["rule"], data["valid_share"]) == ("step", 0.1)


def test_equal_input_gives_equal_bytes(lossy, demo_people, tmp_path):
    build(tmp_path, some(demo_people), rejecting("fear/p001_01", "happiness/p001_01"))
    names = {p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()}
    assert all((tmp_path / name).read_bytes() == (lossy[0] / name).read_bytes() for name in names)


def test_a_person_who_crosses_a_split_is_refused(demo_people, tmp_path):
    database = some(demo_people)
    division = divide(database)
    splits = division.splits | {"fear/p001_01": (TEST, TRAIN, TRAIN)}
    crossed = dataclasses.replace(division, splits=splits)
    with pytest.raises(FailedWork, match=r"\bp001\b.*\b0\b"):
        build(tmp_path, database, division=crossed)
    assert not (tmp_path / manifest.NAME).exists()


@pytest.mark.parametrize("change", [{"subject": "p000"}, {"label": 1}, {"splits": (3, 3, 3)}])
def test_a_record_that_was_not_planned_so_is_refused(demo_people, tmp_path, change):
    def swap(record):
        return dataclasses.replace(record, **change) if record.key == "fear/p001_01" else record

    with pytest.raises(FailedWork, match="'fear/p001_01'"):
        build(tmp_path, some(demo_people), swap)
    assert not (tmp_path / manifest.NAME).exists()


def test_a_record_that_was_lost_is_noticed(demo_people, tmp_path):
    database = some(demo_people)
    more = [*database.samples, dataclasses.replace(database.samples[0], key="fear/p000_99")]
    division = divide(dataclasses.replace(database, samples=more))
    build(tmp_path, database, division=division)
    # Finished once with what was written, now asked for one more sample.
    made = manifest.load(tmp_path)
    write_job(tmp_path, made.shards, [], division.folds)
    with pytest.raises(FailedWork, match=r"\b7\b.*\b6\b.*\b0\b"):
        finish(tmp_path, dataclasses.replace(database, samples=more), division)


def test_people_on_both_sides_of_an_official_division_are_a_caution(demo_people, tmp_path):
    database = some(demo_people)
    splits = {s.key: (TEST if s.key == "fear/p000_01" else TRAIN,) for s in database.samples}
    division = folds.Division(1, splits, dict.fromkeys(splits, 0), False, folds.OFFICIAL)
    assert mentions(cautions(build(tmp_path, database, division=division)), "1 of 3 people", "p000")


def test_people_who_validate_leave_their_training_images_idle(demo_people, tmp_path):
    database = some(demo_people)
    samples = [dataclasses.replace(s, test=s.label == 0) for s in database.samples]
    database = dataclasses.replace(database, name="images", samples=samples)
    made = build(tmp_path, database, division=divide(database, 3, valid_share=0))
    assert not mentions(made.notes, "--valid-share 0")
    roles = {"p000": (TEST, UNUSED), "p001": (TRAIN, TRAIN), "p002": (VALID, UNUSED)}
    splits = {s.key: (roles[s.subject][not s.test],) for s in samples}
    division = folds.Division(1, splits, dict.fromkeys(splits, 0), True)
    made = build(tmp_path / "again", database, division=division)
    assert mentions(made.notes, "1 in fold 0", "--valid-share 0")


def test_a_division_whose_test_images_were_all_rejected_is_refused(demo_people, tmp_path):
    database = some(demo_people)
    splits = {s.key: (TEST if s.subject == "p001" else TRAIN,) for s in database.samples}
    division = folds.Division(1, splits, dict.fromkeys(splits, 0), True, folds.OFFICIAL)
    lost = rejecting("fear/p001_01", "happiness/p001_01")
    with pytest.raises(FailedWork, match=r"4 train, 0 valid, 0 test.*2 images.*no face"):
        build(tmp_path, database, lost, division)


def test_a_division_whose_training_images_were_all_dropped_is_refused(demo_people, tmp_path):
    database = some(demo_people)
    splits = {s.key: (TRAIN if s.key == "fear/p000_01" else TEST,) for s in database.samples}
    division = folds.Division(1, splits, dict.fromkeys(splits, 0), False, folds.OFFICIAL)
    change = copied("fear/p001_01", "fear/p000_01", demo_people)
    with pytest.raises(FailedWork, match=r"0 train, 0 valid, 5 test.*1 images.*--drop-copies"):
        build(tmp_path, database, change, division, rule=DROPPED)


def test_names_that_hardly_differ_are_noted(demo_people, tmp_path):
    database = some(demo_people)
    samples = [
        dataclasses.replace(each, subject="P001 " if each.key == "fear/p001_01" else each.subject)
        for each in database.samples
    ]
    # Two faint expressions of one person, who is now two: copies.
    made = build(tmp_path, dataclasses.replace(database, samples=samples), rule=ALLOWED)
    assert mentions(made.notes, "'P001 '", "'p001'")


def test_records_read_back_as_they_were_planned(lossy):
    folder, made = lossy
    stored = records(folder, made)
    assert [record.key for record in stored] == [
        "fear/p000_01",
        "happiness/p000_01",
        "fear/p002_01",
        "happiness/p002_01",
    ]


def nameless(people):
    """The same six images, their subjects unknown, in one official division."""
    known = some(people)
    parts = {"p000": (TEST,), "p001": (TRAIN,), "p002": (TRAIN,)}
    samples = [dataclasses.replace(s, subject="", official=parts[s.subject]) for s in known.samples]
    return dataclasses.replace(known, samples=samples, people={}, subjects=UNKNOWN)


def test_an_unknown_subject_is_nobody(demo_people, tmp_path):
    made = build(tmp_path, nameless(demo_people), rejecting("fear/p001_01"))
    assert (made.subjects, made.subject_independent, made.folds) == ("unknown", False, 1)
    assert made.counts["by_subject"] == made.counts["rejected_by_subject"] == {}
    assert made.unknown_subjects == 5
    assert made.counts["by_fold"] == [{"train": 3, "valid": 0, "test": 2}]
    assert not [anomaly for anomaly in made.anomalies if anomaly.feature == "subject"]
    parts = json.loads((tmp_path / "folds.json").read_text())
    assert parts["subjects"] == "unknown" and parts["parts"][0]["train"]["subjects"] == []
    checks, _ = check_folder(tmp_path)
    assert [check.name for check in checks if check.failures] == []
    text = (
        closing_report(made, tmp_path, {}, 3.0, replaced=False)
        + (tmp_path / "index.html").read_text()
    )
    assert mentions(text, "subjects unknown") and "person crosses" not in text
    assert not mentions(text, "people") and "subject-independent" not in text


def test_a_folder_of_an_earlier_version_still_loads_and_verifies(demo_people, tmp_path):
    # Its manifest and its folds.json have no field subjects.
    database = some(demo_people)
    earlier = dataclasses.replace(divide(database), subjects="")
    made = build(tmp_path, database, division=earlier)
    assert "subjects" not in json.loads((tmp_path / manifest.NAME).read_text())
    assert "subjects" not in json.loads((tmp_path / "folds.json").read_text())
    assert made.subjects == "" and made.subject_independent
    assert not [check for check in check_folder(tmp_path)[0] if check.failures]


def copied(key: str, other: str, people):
    """A change that gives one record the picture of another, mirrored."""
    image = images.read(people / f"{other}.png")
    png = images.encode_png(np.ascontiguousarray(alignment.resize_face(image)[:, ::-1]))
    return lambda record: dataclasses.replace(record, image=png) if record.key == key else record


def test_copies_on_two_sides_are_refused_and_listed(demo_people, tmp_path):
    change = copied("fear/p001_01", "fear/p000_01", demo_people)
    listing = tmp_path / "list.csv"
    with pytest.raises(FailedWork, match=r"fear/p000_01 = fear/p001_01.*list\.csv.*p000 and p001"):
        build(tmp_path / "data", some(demo_people), change, listing=listing)
    assert not (tmp_path / "data" / manifest.NAME).exists()
    assert "fear/p000_01,fear/p001_01,fear,fear" in listing.read_text()


def test_the_list_of_a_refused_job_is_removed_by_one_that_succeeds(demo_people, tmp_path):
    change = copied("fear/p001_01", "fear/p000_01", demo_people)
    listing, other = tmp_path / "list.csv", tmp_path / "other.csv"
    with pytest.raises(FailedWork):
        build(tmp_path / "a", some(demo_people), change, listing=listing)
    other.write_text("of the user")
    for path in (listing, other):
        build(tmp_path / path.stem, some(demo_people), change, rule=ALLOWED, listing=path)
    assert not listing.exists() and other.exists()


def test_copies_that_are_allowed_are_a_warning(demo_people, tmp_path):
    change = copied("fear/p001_01", "fear/p000_01", demo_people)
    made = build(tmp_path, some(demo_people), change, rule=ALLOWED)
    assert [each.severity for each in made.anomalies if "split" in each.short] == ["WARNING"]
    assert mentions(made.notes, "p000 and p001")
    checks = {each.name: each for each in check_folder(tmp_path)[0]}
    assert checks["copies"].status == checks["recomputed"].status == "ok"
    assert "p000_01 = fear/p001_01" in checks["copies"].about


def test_copies_that_are_dropped_train_nowhere(demo_people, tmp_path):
    change = copied("fear/p001_01", "fear/p000_01", demo_people)
    made = build(tmp_path, some(demo_people), change, rule=DROPPED)
    # Each is tested in its person's fold, and trains in the third person's alone. The happiness of
    # p000 is faint, and so a copy of the mirrored image too.
    assert {each.key: each.folds for each in made.dropped} == {
        "fear/p000_01": (1,),
        "fear/p001_01": (0,),
        "happiness/p000_01": (1,),
    }
    roles = {record.key: record.splits for record in records(tmp_path, made)}
    assert roles["fear/p000_01"] == (TEST, UNUSED, TRAIN)
    assert roles["fear/p001_01"] == (UNUSED, TEST, TRAIN)
    assert [part["train"] for part in made.counts["by_fold"]] == [3, 2, 4]
    assert not any(check.failures for check in check_folder(tmp_path)[0])


def test_a_folder_of_an_earlier_version_is_still_read(lossy):
    _, made = lossy
    earlier = dataclasses.replace(made, copies="", dropped=())
    assert '"copies"' not in earlier.to_json() and '"dropped"' not in earlier.to_json()


def test_crops_that_no_detector_finds_are_offered_prealigned(demo_people, tmp_path):
    crop = images.resize(images.read(demo_people / "fear/p000_01.png")[40:170, 40:150], 48, 48)
    with pytest.raises(alignment.NoFaceFound) as caught:
        alignment.FaceAligner().align(crop[8:40, 8:40])
    write_job(tmp_path, [], [Reject("a", "a.png", "fear", "p", str(caught.value))], 2)
    sample = dataclasses.replace(some(demo_people).samples[0], key="a")
    database = dataclasses.replace(some(demo_people), samples=[sample])
    division = folds.Division(2, {"a": (TEST, TRAIN)}, {"a": 0}, True)
    with pytest.raises(FailedWork, match=r"1 of the 1 .*--prealigned"):
        finish(tmp_path, database, division)
