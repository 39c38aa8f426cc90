"""The page: what its parts answer, and the whole of it in a real browser."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from fesr_tf import demo_app
from fesr_tf.client import Client
from pipelines.media import images
from tests.support.naming import naming


@pytest.fixture(scope="module")
def client(drawing_folder):
    return Client(model=drawing_folder)


@pytest.fixture
def photo(demo_images):
    return sorted((demo_images / "happiness").glob("*.png"))[-1]


def test_a_photograph_is_looked_at(client, photo):
    copy, (face,), said = demo_app.look(client, str(photo))
    assert re.findall(r"\d+", said)[0] == "1" and set(face.probabilities) == set(client.classes)
    with Image.open(photo) as source:
        assert copy.shape[1] > source.width


def test_what_cannot_be_looked_at_is_a_sentence_without_a_path(client, tmp_path):
    text, empty = tmp_path / "text.png", tmp_path / "empty.png"
    text.write_text("no picture")
    Image.fromarray(np.full((200, 200), 90, np.uint8)).save(empty)
    copy, faces, said = demo_app.look(client, str(text))
    assert copy is None and faces == [] and said and str(tmp_path) not in said
    copy, faces, other = demo_app.look(client, str(empty))
    assert copy is not None and faces == [] and other not in ("", said)


def test_an_expression_is_drawn_and_people_are_invented(client):
    chip = images.encode_png(np.full((128, 128), 100, np.uint8))
    (before, after), said = demo_app.change(client, chip, "happiness", 0.5)
    assert before.mean() == pytest.approx(100) and after.mean() == pytest.approx(150)
    assert "happiness" in said and "+0.50" in said
    people, said = demo_app.invent(client, "surprise", -1.0, 40)
    assert len(people) == demo_app.PEOPLE and re.search(naming(40, 47, "surprise"), said)
    assert people[0][128, 128].tolist() == [28, 28, 28]
    pictures, said = demo_app.change(client, None, "happiness", 0.5)
    assert pictures == [] and said
    pictures, said = demo_app.invent(client, "rage", 0, 1)
    assert pictures == [] and "rage" in said


def test_a_model_without_its_generator_says_so(client, monkeypatch):
    monkeypatch.setattr(client, "has", lambda signature: False)
    chip = images.encode_png(np.zeros((128, 128), np.uint8))
    for pictures, said in (
        demo_app.change(client, chip, "happiness", 1.0),
        demo_app.invent(client, "happiness", 1.0, 0),
    ):
        assert pictures == [] and said


def test_uploads_are_opened_by_this_projects_reader_only(client):
    pytest.importorskip("gradio", reason="pip install 'fesr-tf[app]'")
    page = demo_app.build(client)
    (upload,) = [each for each in page.blocks.values() if each.elem_id == "photograph"]
    payload = type("Upload", (), {"path": "/nowhere/bomb.png"})()
    assert upload.preprocess(payload) == "/nowhere/bomb.png"
    assert upload.preprocess(None) is None


def test_the_page_has_a_note_only_for_a_model_of_other_images(client, exported_model):
    pytest.importorskip("gradio", reason="pip install 'fesr-tf[app]'")
    for model, count in ((client, 0), (Client(model=exported_model), 1)):
        page = demo_app.build(model)
        assert [each.elem_id for each in page.blocks.values()].count("note") == count


@pytest.mark.slow
def test_in_a_browser(client, photo, tmp_path):
    pytest.importorskip("gradio", reason="pip install 'fesr-tf[app]'")
    pytest.importorskip("playwright", reason="pip install playwright")
    from tests.support import demo_page

    if demo_page.browser() is None:
        pytest.skip("no browser")
    page = demo_app.build(client)
    address = demo_app.launch(page, None, wait=False)
    try:
        seen = demo_page.visit(address, photo, tmp_path / "page.png", "surprise", -0.5)
        text = tmp_path / "text.png"
        text.write_text("no picture")
        refused = demo_page.visit(address, text, tmp_path / "other.png", "surprise", -0.5)
    finally:
        page.close()
    assert (seen.faces, seen.drawn, seen.people) == (1, 2, demo_app.PEOPLE)
    assert seen.label == "happiness" and "surprise" in seen.told and "-0.50" in seen.told
    # Nothing is asked of another machine, and the browser complains of nothing.
    assert seen.outside == [] and seen.errors == []
    assert refused.said not in ("", seen.said)
    assert refused.faces == 0 and refused.people == demo_app.PEOPLE
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.width == 1280 and len(np.unique(np.asarray(picture.convert("L")))) > 100
