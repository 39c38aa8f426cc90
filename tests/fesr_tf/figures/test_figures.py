"""The figures of faces: every cell is the model's own, everywhere of the same people and codes."""

from __future__ import annotations

import io
import json
import re
import shlex

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from fesr_tf import evaluate, runs
from fesr_tf.data.images import from_model
from fesr_tf.figures import faces, interpolation, run_images
from fesr_tf.figures.__main__ import LIST, main, make_figures, parser
from fesr_tf.figures.sources import read
from fesr_tf.plots import image_grids
from fesr_tf.synthesis import generation
from tests.support.figure_runs import assert_cell, make_run, places
from tests.support.naming import naming

PEOPLE, SEED = 2, 5


@pytest.fixture(scope="module")
def family(tiny_run, tiny_settings, tmp_path_factory):
    """Variant -> run folder, of one fold and data, each with weights of its own."""
    home = tmp_path_factory.mktemp("family")
    names = ("FG", "FG-Dz", "FG-CO", "FESR_JL-IL")
    made = {
        name: make_run(tiny_run, home, name, (*tiny_settings, f"seed={seed}"))
        for seed, name in enumerate(names, 1)
    }
    return made | {"FESR_JL": tiny_run}


@pytest.fixture(scope="module")
def seen(family):
    """Variant -> `RunImages` of FG, FG-Dz and FG-CO."""
    sources = read(list(family.values()))
    return {
        name: run_images.generate(sources.runs[name], None, PEOPLE, SEED, features=False)
        for name in ("FG-CO", "FG-Dz", "FG")
    }


@pytest.fixture(scope="module")
def opened(family):
    return {name: runs.open_run(family[name]) for name in ("FG-CO", "FG-Dz", "FG")}


@pytest.fixture(scope="module")
def test_part(opened):
    return evaluate.load_data(opened["FG"]).test


def sheet_of(picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.content)).convert("RGB"))


def decoded(run, face_code, label: int) -> np.ndarray:
    """G_dec([code, u(label)]) of one code, with the code of eq. 2 written out."""
    expression = np.full((1, run.fesr.num_classes), -1, np.float32)
    expression[0, label] = 1
    return from_model(run.fesr.fesgan.decode(face_code[tf.newaxis], tf.constant(expression)))[0]


# --- layout


def test_fig_4_is_people_by_variants_by_expressions_of_the_same_inputs(seen, opened):
    (picture,) = faces.figure_4(seen)
    sheet = sheet_of(picture)
    classes = seen["FG"].source.info.classes
    people = seen["FG"].people
    assert len(people) == PEOPLE
    for image in people.images:
        (origin,) = places(sheet, image)
        for row, name in enumerate(seen):
            code = opened[name].fesr.fesgan.encode(pictures_to_float(image))[0]
            for k in range(len(classes)):
                assert_cell(sheet, origin, row, 1 + k, decoded(opened[name], code, k))
    # Nothing right of the last class, nothing below the last variant but the next person.
    assert sheet.shape[1] == places(sheet, people.images[0])[0][1] + 132 * (1 + len(classes)) + 10
    assert list(seen) == ["FG-CO", "FG-Dz", "FG"]
    # The variants that are not there, the setting that differs, pixels as drawn and as shown.
    assert re.search(naming("FG-IP, FG-Dimg, FG-Dimg_cls", "seed", 32, 128), picture.caption)


def pictures_to_float(image: np.ndarray) -> tf.Tensor:
    return tf.constant(image[np.newaxis].astype(np.float32) / 127.5 - 1)


def test_fig_5_has_a_row_a_person_with_input_reconstruction_and_classes(seen, opened):
    (picture,) = faces.figure_5({"FG": seen["FG"]})
    sheet, run = sheet_of(picture), opened["FG"]
    origin = places(sheet, seen["FG"].people.images[0])[0]
    for row, (image, label) in enumerate(
        zip(seen["FG"].people.images, seen["FG"].people.labels, strict=True)
    ):
        code = run.fesr.fesgan.encode(pictures_to_float(image))[0]
        assert_cell(sheet, origin, row, 0, image)
        assert_cell(sheet, origin, row, 1, decoded(run, code, label))
        assert_cell(sheet, origin, row, 2, decoded(run, code, 0))
    assert picture.figure == "5" and picture.file == "fig-5.png"


def test_fig_6_goes_from_minus_1_to_1_in_the_rows_class_alone(seen, opened):
    (picture,) = faces.figure_6({"FG": seen["FG"]})
    sheet, run = sheet_of(picture), opened["FG"]
    image = seen["FG"].people.images[0]
    (origin,) = places(sheet, image)
    code = run.fesr.fesgan.encode(pictures_to_float(image))
    for k in range(run.fesr.num_classes):
        for column, level in ((1, -1.0), (5, 0.0), (9, 1.0)):
            expression = np.full((1, run.fesr.num_classes), -1, np.float32)
            expression[0, k] = level
            face = from_model(run.fesr.fesgan.decode(code, tf.constant(expression)))[0]
            assert_cell(sheet, origin, k, column, face)
    # The caption's figure: what the last column differs from the first.
    row = seen["FG"].sweep[0]
    moved = np.abs(row[8].astype(float) - row[0]).mean()
    assert f"{run.info.classes[0]} {moved:.1f}" in picture.caption


def test_fig_7_shows_both_variants_of_the_same_z_below_real_people(seen, opened, test_part):
    (picture,) = faces.figure_7({name: seen[name] for name in ("FG", "FG-Dz")})
    sheet = sheet_of(picture)
    z = tf.random.stateless_uniform((PEOPLE, 64), (SEED, 0), -1.0, 1.0)
    origin = places(sheet, seen["FG"].real[0][0])[0]
    for i, subject in enumerate(seen["FG"].people.subjects):
        for k in range(opened["FG"].fesr.num_classes):
            own = (test_part.subjects == subject) & (test_part.labels == k)
            assert_cell(sheet, origin, 3 * i, k, test_part.images[own][0])
            assert_cell(sheet, origin, 3 * i + 1, k, decoded(opened["FG"], z[i], k))
            assert_cell(sheet, origin, 3 * i + 2, k, decoded(opened["FG-Dz"], z[i], k))


def test_a_person_who_does_not_show_a_class_leaves_a_gap(test_part):
    subject = test_part.subjects[0]
    without = test_part.of(~((test_part.subjects == subject) & (test_part.labels == 1)))
    ((first, second, *_),) = run_images.real_rows(without, np.array([subject]), 3)
    assert second is None and first is not None


def test_people_and_codes_follow_the_seed(seen, family):
    source = seen["FG"].source
    again = run_images.generate(source, None, PEOPLE, SEED, features=False)
    other = run_images.generate(source, None, PEOPLE, SEED + 1, features=False)
    np.testing.assert_array_equal(again.new, seen["FG"].new)
    assert (np.array(other.new) != np.array(again.new)).any()
    assert faces.figure_7({"FG": again, "FG-Dz": seen["FG-Dz"]})[0].content == (
        faces.figure_7({name: seen[name] for name in ("FG", "FG-Dz")})[0].content
    )


# --- interpolation


def test_the_way_between_two_people_begins_and_ends_at_their_reconstructions(seen, opened):
    run, (people, codes) = opened["FG"], seen["FG"].interpolations
    for image, frame in ((people.start, people.frames[0]), (people.end, people.frames[-1])):
        code = run.fesr.fesgan.encode(pictures_to_float(image))[0]
        assert np.abs(frame.astype(int) - decoded(run, code, people.label)).max() <= 1
    assert people.names[0] != people.names[1]
    z = generation.prior_codes(run.fesr.fesgan, 2, SEED)
    for step in (0, 4, 16):
        t = step / 16
        face = decoded(run, (1 - t) * z[0] + t * z[1], codes.label)
        assert np.abs(codes.frames[step].astype(int) - face).max() <= 1


def test_both_ends_show_the_fixed_expression(test_part):
    for seed in range(5):
        first, second = run_images.choose_pair(test_part, seed)
        assert test_part.labels[first] == test_part.labels[second]
        assert test_part.subjects[first] != test_part.subjects[second]
    alone = test_part.of(test_part.subjects == test_part.subjects[0])
    assert run_images.choose_pair(alone, 0) is None


def test_the_gif_goes_there_and_back_through_every_frame(seen):
    strip, people, codes = interpolation.interpolation({"FG": seen["FG"]})
    for picture, shown in zip((people, codes), seen["FG"].interpolations, strict=True):
        film = Image.open(io.BytesIO(picture.content))
        assert film.n_frames == 2 * 17 - 2 and film.info["loop"] == 0
        for number in (0, 1, 16, 17, 31):
            film.seek(number)
            frame = shown.frames[number if number <= 16 else 32 - number]
            expected = image_grids.enlarge(frame, 128)
            np.testing.assert_array_equal(np.asarray(film.convert("RGB")), expected)
    sheet = sheet_of(strip)
    way = seen["FG"].interpolations[0]
    (origin,) = places(sheet, way.start)
    assert_cell(sheet, origin, 0, 10, way.end)
    for column in range(9):
        assert_cell(sheet, origin, 0, 1 + column, way.frames[2 * column])
        assert_cell(sheet, origin, 1, 1 + column, seen["FG"].interpolations[1].frames[2 * column])


def test_a_gif_of_colours_keeps_its_frames():
    frames = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    film = Image.open(io.BytesIO(interpolation.gif(frames, 16)))
    assert film.n_frames == 4 and film.size == (16, 16)


# --- the command


def test_what_cannot_be_drawn_is_said_in_a_sentence_each(family):
    made, missing = make_figures(read([family["FG"]]), ("4", "5", "7", "8", "9"), None, 1, 0)
    assert [each.figure for each in made] == ["5"]
    assert [line.partition(":")[0] for line in missing] == ["Fig. 4", "Fig. 7", "Fig. 8", "Fig. 9"]
    fourth, seventh, eighth, ninth = missing
    assert "FG-CO, FG-IP" in fourth and re.search(r"\bFG\b(?!-)", fourth)
    assert re.findall(r"FG[-\w]*", seventh) == ["FG-Dz"]
    assert "crossval.json" in eighth
    assert sorted(re.findall(r"FESR[-\w]*", ninth)) == ["FESR_JL", "FESR_JL-IL"]


@pytest.mark.slow
def test_the_whole_way_twice_gives_the_same_bytes(family, tmp_path, capfd):
    folders = [str(family[name]) for name in ("FG", "FG-Dz", "FESR_JL", "FESR_JL-IL")]
    words = [*folders, "--people", "1", "--seed", "3"]
    for name in ("one", "two"):
        assert main([*words, "--output", str(tmp_path / name)]) == 0
    told = json.loads((tmp_path / "one" / LIST).read_text())
    files = {each["file"] for each in told}
    assert files == {"fig-4.png", "fig-5.png", "fig-6.png", "fig-7.png", "fig-9.png",
                     "interpolation.png", "interpolation-people.gif",
                     "interpolation-codes.gif"}  # fmt: skip
    assert {path.name for path in (tmp_path / "one").iterdir()} == files | {LIST}
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert re.search(r"^Fig\. 8: .*crossval\.json", capfd.readouterr().out, re.MULTILINE)
    for each in told:
        assert list(each) == ["file", "figure", "title", "caption", "runs", "command"]
        assert each["title"] and each["caption"] and set(each["runs"]) <= set(folders)
        asked = shlex.split(each["command"])
        assert asked[:3] == ["python", "-m", "fesr_tf.figures"]
        options = parser().parse_args(asked[3:])
        assert (options.people, options.seed, options.figures) == (1, 3, each["figure"])
    # An earlier call's folder is written anew; what it does not hold any more is gone.
    assert main([*words, "--output", str(tmp_path / "one"), "--figures", "6"]) == 0
    assert {path.name for path in (tmp_path / "one").iterdir()} == {"fig-6.png", LIST}


def test_a_folder_with_other_things_is_left_alone(tiny_run, tmp_path, capfd):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main([str(tiny_run), "--output", str(tmp_path)]) == 2
    assert "thesis.txt" in capfd.readouterr().err
    assert (tmp_path / "thesis.txt").exists() and not (tmp_path / LIST).exists()


def test_nothing_is_left_where_the_work_fails(tiny_run, tmp_path, capfd):
    out = tmp_path / "figures"
    assert main([str(tiny_run), "--output", str(out), "--data", str(tmp_path / "none")]) == 2
    assert "--data" in capfd.readouterr().err and not out.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--people", "0"], "--people"),
        (["--seed", "-1"], "--seed"),
        (["--figures", "4,10"], "'10'"),
    ],
)
def test_impossible_options_are_bad_use(tiny_run, tmp_path, capfd, options, said):
    assert main([str(tiny_run), "--output", str(tmp_path / "x"), *options]) == 2
    assert said in capfd.readouterr().err
