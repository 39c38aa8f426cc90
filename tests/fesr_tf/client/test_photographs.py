"""Photographs in, every face classified; what cannot be read is told in a sentence."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from fesr_tf.client.__main__ import main
from tests.support.naming import naming


@pytest.fixture
def photo(demo_images, tmp_path):
    """A copy of a rendered face, to be annotated."""
    source = sorted((demo_images / "happiness").glob("*.png"))[-1]
    return shutil.copy(source, tmp_path / "photo.png")


def run(capfd, *arguments):
    code = main([str(each) for each in arguments])
    out, err = capfd.readouterr()
    return code, out, err


def test_a_distribution_is_printed_and_a_copy_annotated(photo, exported_model, capfd):
    before = photo.read_bytes()
    code, out, _ = run(capfd, photo, "--model", exported_model)
    assert code == 0
    assert re.search(naming(photo.name, 1, "happiness"), out)
    with Image.open(photo) as source, Image.open(photo.with_name("photo.annotated.png")) as copy:
        assert copy.width > source.width
    assert photo.read_bytes() == before


def test_json_names_every_class_and_adds_up(photo, exported_model, opened_run, tmp_path, capfd):
    output = tmp_path / "out"
    code, out, _ = run(capfd, photo, "--model", exported_model.parent, "--json", "--output", output)
    answer = json.loads(out)
    assert code == 0 and answer["failures"] == []
    assert answer["model"] == str(exported_model)
    (face,) = answer["photos"][0]["faces"]
    assert tuple(face["probabilities"]) == opened_run.info.classes
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert face["label"] == max(face["probabilities"], key=face["probabilities"].get)
    left, top, right, bottom = face["box"]
    assert left < right and top < bottom
    assert (output / "photo.annotated.png").is_file()


def test_two_faces_are_both_found_from_left_to_right(photo, exported_model, tmp_path, capfd):
    image = np.asarray(Image.open(photo).convert("RGB"))
    both = tmp_path / "both.png"
    Image.fromarray(np.concatenate([image, image[:, ::-1]], axis=1)).save(both)
    code, out, _ = run(capfd, both, "--model", exported_model, "--json")
    faces = json.loads(out)["photos"][0]["faces"]
    assert code == 0 and len(faces) == 2
    assert faces[0]["box"][0] < image.shape[1] / 2 < faces[1]["box"][0]


def test_one_photograph_that_fails_is_one_sentence(exported_model, tmp_path, capfd):
    empty, text = tmp_path / "empty.png", tmp_path / "text.jpg"
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(empty)
    text.write_text("not a picture")
    reasons = set()
    for path, code in ((empty, 1), (text, 1), (tmp_path / "missing.png", 2)):
        found, _, err = run(capfd, path, "--model", exported_model)
        assert found == code
        (line,) = [line for line in err.splitlines() if not line.startswith("note: ")]
        assert line.startswith("error: ") and str(path) in line
        reasons.add(err.replace(str(path), ""))
    assert len(reasons) == 3
    assert not list(tmp_path.glob("*.annotated.png"))


def test_several_photographs_go_on_after_a_failure(photo, exported_model, tmp_path, capfd):
    missing = tmp_path / "missing.png"
    code, out, err = run(capfd, missing, photo, "--model", exported_model)
    assert code == 1
    assert re.search(naming("photo.png", 1), out) and str(missing) not in out
    assert re.search(naming(1, 2, missing), err) and str(photo) not in err


def test_a_copy_never_takes_a_photographs_place(photo, exported_model, capfd):
    twin = shutil.copy(photo, photo.with_name("photo.annotated.png"))
    before = twin.read_bytes()
    code, out, _ = run(capfd, photo, twin, "--model", exported_model, "--json")
    copies = [each["annotated"] for each in json.loads(out)["photos"]]
    assert code == 0 and len(set(copies)) == 2 and str(twin) not in copies
    assert twin.read_bytes() == before


def test_what_is_no_model_is_refused(photo, tmp_path, exported_model, capfd):
    code, _, err = run(capfd, photo, "--model", tmp_path / "nothing")
    assert code == 2 and str(tmp_path / "nothing") in err
    code, _, err = run(capfd, photo, "--model", tmp_path)
    assert code == 2 and str(tmp_path) in err and "saved_model.pb" in err
    damaged = shutil.copytree(exported_model, tmp_path / "damaged" / "1")
    (damaged / "saved_model.pb").write_bytes(b"\x08\x01garbage")
    code, _, err = run(capfd, photo, "--model", damaged)
    assert code == 1 and str(damaged) in err and err.count("\n") == 1
    shutil.copy(exported_model / "saved_model.pb", damaged)
    for path in (damaged / "variables").glob("*.data-*"):
        path.write_bytes(path.read_bytes()[:100])
    code, _, err = run(capfd, photo, "--model", damaged)
    assert code == 1 and str(damaged) in err and err.count("\n") == 1


def test_another_saved_model_is_refused(photo, tmp_path, capfd):
    import tensorflow as tf

    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def double(self, x):
            return {"y": 2 * x}

    other = Other()
    tf.saved_model.save(other, str(tmp_path / "other"), signatures=other.double)
    code, _, err = run(capfd, photo, "--model", tmp_path / "other")
    assert code == 2 and str(tmp_path / "other") in err and "fesr_tf.export" in err
