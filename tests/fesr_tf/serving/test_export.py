"""A version appears whole or not at all, says what it is, and answers as R does."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from fesr_tf import check_export, config, evaluate, export, rollout, runs
from fesr_tf.plots import image_grids
from fesr_tf.runs import machine
from fesr_tf.serving import export as serving_export
from pipelines.common.errors import FailedWork


@pytest.fixture(scope="module")
def served_and_evaluated(opened_run, exported_model):
    """Both probabilities of the same test pictures: by evaluation, and by the SavedModel."""
    faces = evaluate.load_data(opened_run).test.of(np.arange(5))
    rows = evaluate.evaluate(opened_run, faces)["predictions"]
    signature = tf.saved_model.load(str(exported_model)).signatures["serving_default"]
    answer = signature(image_bytes=tf.constant([image_grids.png(image) for image in faces.images]))
    return np.array([row["probabilities"] for row in rows]), answer


def test_the_model_answers_as_the_evaluation_does(served_and_evaluated, opened_run):
    expected, answer = served_and_evaluated
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    for label, row in zip(answer["label"].numpy(), answer["probabilities"].numpy(), strict=True):
        assert row[opened_run.info.classes.index(label.decode())] == max(row)


def test_the_model_holds_labels_config_and_where_it_comes_from(exported_model, opened_run):
    extra = exported_model / serving_export.EXTRA
    assert tuple((extra / "labels.txt").read_text().split()) == opened_run.info.classes
    assert config.load(extra / "config.yaml") == opened_run.config
    about = json.loads((extra / "model.json").read_text())
    assert about == json.loads(json.dumps(serving_export.description(opened_run)))
    assert about["data_digest"] == opened_run.info.data_digest
    assert about["step"] == opened_run.step
    assert about["commit"] == machine.commit()


def test_what_no_signature_reads_stays_behind(exported_model, opened_run):
    held = sum(v.numpy().size for v in tf.saved_model.load(str(exported_model)).weights)
    gan, recognizer = opened_run.fesr.fesgan, opened_run.fesr.recognizer
    trained = [*gan.generator_variables, *recognizer.trained_variables]
    frozen = recognizer.face_network.variables
    # Neither the critics nor the face network's layers above the trunk.
    assert sum(v.numpy().size for v in trained) < held
    assert held < sum(v.numpy().size for v in [*trained, *frozen])


@pytest.mark.slow
def test_versions_count_up_and_none_is_overwritten(tiny_run, tmp_path, capfd):
    output = tmp_path / "fesr"
    (output / "notes").mkdir(parents=True)
    words = ["--run", str(tiny_run), "--models", str(tmp_path), "--name", "fesr"]
    assert serving_export.next_version(output) == 1
    assert export.main([*words, "--version", "7"]) == 0
    assert rollout.labels_of(tmp_path, "fesr") == {"stable": 7}
    assert serving_export.next_version(output) == 8
    before = (output / "7/saved_model.pb").read_bytes()
    capfd.readouterr()
    assert export.main([*words, "--version", "7"]) == 2
    assert str(output / "7") in capfd.readouterr().err
    assert (output / "7/saved_model.pb").read_bytes() == before
    assert export.main([*words, "--version", "0"]) == 2
    assert sorted(path.name for path in output.iterdir()) == ["7", "notes"]


@pytest.mark.parametrize(
    ("variant", "signatures"),
    [
        (
            "BASELINE",
            ["serving_default", "classify", "embed", "predict_pixels", "predict_tensor"],
        ),
        ("FG", ["sample", "sample_code", "synthesize", "synthesize_code"]),
    ],
)
def test_half_a_method_is_exported_as_far_as_it_was_trained(
    variant, signatures, trained, tmp_path, capfd
):
    """BASELINE has no generator, FG no recogniser."""
    words = ["--models", str(tmp_path), "--name", "half"]
    assert export.main(["--run", str(trained(variant)), *words]) == 0
    out = capfd.readouterr().out
    assert f" {', '.join(signatures)}\n" in out  # these and no other
    assert [path.name for path in (tmp_path / "half").iterdir()] == ["1"]


@pytest.mark.slow
def test_a_generator_is_exported_with_the_recogniser_of_another_run(trained, opened_run, tmp_path):
    generator, other = trained("FG"), trained("BASELINE")
    words = ["--run", str(generator), "--recognizer", str(other)]
    assert export.main([*words, "--models", str(tmp_path), "--name", "both"]) == 0
    signatures = tf.saved_model.load(str(tmp_path / "both/1")).signatures
    assert len(signatures) == 9
    about = json.loads((tmp_path / "both/1/assets.extra/model.json").read_text())
    assert (about["variant"], about["recognizer"]["variant"]) == ("FG", "BASELINE")
    faces = evaluate.load_data(opened_run).test.of(np.arange(5))
    expected = runs.open_run(other).classify(faces.images).probabilities
    files = tf.constant([image_grids.png(image) for image in faces.images])
    answer = signatures["serving_default"](image_bytes=files)["probabilities"]
    np.testing.assert_allclose(answer, expected, atol=1e-5)


def test_the_recogniser_of_another_run_names_the_class_of_a_photograph(trained):
    generator, other = (runs.open_run(trained(each)) for each in ("FG", "BASELINE"))
    image = tf.random.stateless_uniform((3, 64, 64, 1), (0, 1), -1.0, 1.0)
    gan = generator.fesr.fesgan
    image = tf.image.resize(image, [gan.config.image_size] * 2)
    np.testing.assert_array_equal(gan.classifier(image), gan.image_critic(image)[1])
    serving_export.use_recognizer(generator, other)
    np.testing.assert_array_equal(gan.classifier(image), other.fesr.recognizer(image))


def test_a_run_without_a_recogniser_cannot_give_one(trained, tmp_path):
    words = ["--run", str(trained("BASELINE")), "--recognizer", str(trained("FG"))]
    words += ["--models", str(tmp_path)]
    assert export.main([*words, "--name", "both"]) == 2
    assert not list(tmp_path.iterdir())


def test_the_first_version_is_served_and_the_next_waits(tmp_path):
    for version in (1, 2):
        (tmp_path / "fesr" / str(version)).mkdir(parents=True)
        (tmp_path / "fesr" / str(version) / "saved_model.pb").touch()
        said = export.first_label(tmp_path, "fesr", version)
        assert rollout.labels_of(tmp_path, "fesr") == {"stable": 1}
    assert "--name fesr --stable 1 --canary 2" in said


def test_a_name_that_no_address_holds_is_refused(tiny_run, tmp_path, capfd):
    words = ["--run", str(tiny_run), "--models", str(tmp_path)]
    assert export.main([*words, "--name", "my model"]) == 2
    assert "'my model'" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_contract_command_passes_a_sound_model_and_not_a_damaged_one(
    exported_model, tiny_run, tmp_path, capfd
):
    assert check_export.main([str(exported_model)]) == 0
    out = capfd.readouterr().out
    assert "serving_default" in out
    assert out.count("training data: rendered people") == 1 and out.count("note: ") == 1
    damaged = shutil.copytree(exported_model, tmp_path / "1")
    (damaged / "variables/variables.data-00000-of-00001").unlink()
    assert check_export.main([str(damaged), "--run", str(tiny_run)]) == 1
    assert str(damaged) in capfd.readouterr().err


@pytest.mark.slow
def test_the_contract_command_passes_a_model_beside_its_run(exported_model, tiny_run):
    """What it compares is in every run of tests/fesr_tf/serving/test_serving.py."""
    assert check_export.main([str(exported_model), "--run", str(tiny_run)]) == 0


def test_nothing_is_left_of_an_export_that_failed(opened_run, tmp_path, monkeypatch):
    monkeypatch.setattr(serving_export, "TOLERANCE", -1.0)
    with pytest.raises(FailedWork):
        serving_export.export(opened_run, tmp_path / "fesr")
    assert list((tmp_path / "fesr").iterdir()) == []
