"""JAFFE, KDEF, RaFD and CK+48, in miniature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from pipelines.common.errors import BadUse
from pipelines.databases import open_database
from pipelines.databases.base import KNOWN
from tests.support.miniatures import laboratory
from tests.support.naming import naming

BUILT: dict[str, tuple[Callable, int]] = {
    "jaffe": (laboratory.jaffe, 213),
    "kdef": (laboratory.kdef, 980),
    "rafd": (laboratory.rafd, 1_608),
    "ckplus48": (laboratory.ckplus48, 981),
}


@pytest.mark.parametrize("name", BUILT)
def test_published_counts(tmp_path, demo_images, name):
    build, images = BUILT[name]
    found = open_database(name, build(tmp_path, demo_images, full=True))
    assert [f for f in found.findings if f.differs] == []
    assert len(found.samples) == images and not found.rejects
    assert found.subjects == KNOWN


@pytest.mark.parametrize("name", BUILT)
def test_another_folder_is_named(demo_images, name):
    with pytest.raises(BadUse, match=naming(str(demo_images))):
        open_database(name, demo_images)


def test_jaffe_names_person_and_expression(tmp_path, demo_images):
    found = open_database("jaffe", laboratory.jaffe(tmp_path, demo_images))
    assert len(found.samples) == 21
    by_key = {s.key: (s.subject, found.classes[s.label]) for s in found.samples}
    assert by_key["KA.NE1.1"] == ("KA", "neutral") and by_key["KL.SU1.20"] == ("KL", "surprise")


def test_sessions_of_kdef_are_the_same_people(tmp_path, demo_images):
    found = open_database("kdef", laboratory.kdef(tmp_path, demo_images))
    by_key = {s.key: (s.subject, found.classes[s.label], s.yaw) for s in found.samples}
    assert by_key["AF01AFS"] == by_key["BF01AFS"] == ("F01", "fear", 0.0)
    assert Counter(s.subject for s in found.samples) == {"F01": 14, "M01": 14}
    assert found.people == {"F01": {"sex": "F"}, "M01": {"sex": "M"}}


def test_angles_of_kdef(tmp_path, demo_images):
    folder = laboratory.kdef(tmp_path, demo_images)
    found = open_database("kdef", folder, angles=("HL", "S"))
    assert {s.yaw for s in found.samples} == {-45.0, 0.0} and len(found.samples) == 56
    for angles in (("X",), ()):
        with pytest.raises(BadUse, match=naming("--angles", "FL")):
            open_database("kdef", folder, angles=angles)


def test_the_person_of_rafd_is_the_second_number(tmp_path, demo_images):
    found = open_database("rafd", laboratory.rafd(tmp_path, demo_images))
    assert Counter(s.subject for s in found.samples) == {"01": 24, "05": 24}
    assert Counter(found.classes[s.label] for s in found.samples) == dict.fromkeys(found.classes, 6)
    assert found.people["05"] == {"sex": "M", "group": "Moroccan"}


def test_cameras_of_rafd(tmp_path, demo_images):
    folder = laboratory.rafd(tmp_path, demo_images)
    found = open_database("rafd", folder, cameras=("045", "090", "135"))
    assert Counter(s.yaw for s in found.samples) == {-45.0: 48, 0.0: 48, 45.0: 48}
    with pytest.raises(BadUse, match=naming("--cameras", "090")):
        open_database("rafd", folder, cameras=("90",))


def test_the_peak_of_a_sequence_of_ckplus48_is_tested(tmp_path, demo_images):
    found = open_database("ckplus48", laboratory.ckplus48(tmp_path, demo_images))
    assert len(found.samples) == 63 and all(s.train and s.aligned for s in found.samples)
    assert {s.frame for s in found.samples if s.test} == {17}
    assert {s.subject for s in found.samples} == {"S010", "S011", "S012"}
    assert "happiness" in found.classes
