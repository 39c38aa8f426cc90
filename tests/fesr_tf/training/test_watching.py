"""A watched run: each event is read back by TensorBoard's reader and worked out again here."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from PIL import Image
from scipy.spatial.distance import pdist
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fesr_tf import config, data, runs
from fesr_tf.config import Config
from fesr_tf.data import Fold
from fesr_tf.model import fesr
from fesr_tf.model.fesr import FESR
from fesr_tf.plots import charts, image_grids
from fesr_tf.synthesis import sheets
from fesr_tf.training import monitoring
from fesr_tf.training.loop import stages
from fesr_tf.training.monitoring import held_out
from fesr_tf.training.monitoring.scalars import LOSSES
from tests.support.reading_events import hparams, picture, read, values

ROOT = Path(__file__).parents[3]


@dataclass
class Watched:
    """A run of three steps a stage, and what was noted of it beside the project's callbacks."""

    settings: Config
    fold: Fold
    folder: Path
    model: FESR
    losses: dict[int, dict[str, float]]
    logits: dict[int, np.ndarray]
    latest: tuple[int, float]
    events: EventAccumulator


class Notes(keras.callbacks.Callback):
    """Losses of each step, and from the second stage R's logits on the validation part."""

    def __init__(self, model: FESR, fold: Fold):
        super().__init__()
        self.fesr, self.fold = model, fold
        self.losses: dict[int, dict[str, float]] = {}
        self.logits: dict[int, np.ndarray] = {}

    def on_train_batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        step = int(self.fesr.fesgan.step.numpy())
        self.losses[step] = dict(logs)
        if self.model is self.fesr:
            self.logits[step] = self.fesr.recognizer(self.fold.valid.floats()).numpy()


@pytest.fixture(scope="module")
def small_fold(demo_data) -> tuple[Config, Fold]:
    """Four people: two train, one validates, one tests."""
    overrides = ("image_size=32", "width=0.0625", "batch_size=4", "pretrain_iterations=3",
                 "max_iterations=6", "log_every=1", "picture_every=3", "validate_every=2",
                 "histogram_every=6", "projector_faces=30")  # fmt: skip
    settings = config.resolve("demo", overrides=overrides)
    fold = data.load_fold(demo_data, 0, settings)
    first = fold.test.subjects == fold.test.subjects[0]
    return settings, dataclasses.replace(fold, valid=fold.test.of(first), test=fold.test.of(~first))


@pytest.fixture(scope="module")
def watched(small_fold, tmp_path_factory) -> Watched:
    settings, fold = small_fold
    folder = tmp_path_factory.mktemp("watched") / "run"
    info = runs.RunInfo("demo", "FESR_JL", 0, "data", fold.digest, fold.classes)
    runs.start(folder, settings, info)
    model = fesr.build(settings, len(fold.classes))
    notes = Notes(model, fold)
    with monitoring.watch(model, fold, folder, stages(settings), None) as watch:
        for stage in (model.fesgan, model):
            start = int(model.fesgan.step.numpy())
            batches = data.batches(fold.train, settings, start=start)
            called = [notes, *watch.callbacks]
            stage.fit(batches, steps_per_epoch=3, callbacks=called, verbose=0)
        latest = watch.validation.latest
    events = read(folder / "events")
    return Watched(settings, fold, folder, model, notes.losses, notes.logits, latest, events)


def test_every_loss_stands_under_its_name_as_the_step_gave_it(watched):
    # What else a step reports has a name with a group.
    names = {name for name in set().union(*watched.losses.values()) if "/" not in name}
    assert names == set(LOSSES) - {"L_map"}  # lambda_map is 0
    for name in names:
        noted = {step: logs[name] for step, logs in watched.losses.items() if name in logs}
        found = values(watched.events, f"losses/{name}")
        assert found.keys() == noted.keys()
        for step, value in noted.items():
            assert found[step] == np.float32(value), (name, step)


def test_a_loss_has_its_description(watched):
    about = watched.events.SummaryMetadata("losses/L_rec").summary_description
    assert re.findall(r"\d+", about)[0] == "10"  # its equation


def test_every_loss_is_explained_on_the_page():
    page = (ROOT / "docs/guide/monitoring.md").read_text(encoding="utf-8")
    missing = [name for name in LOSSES if f"`{name}`" not in page]
    assert not missing


def test_every_tag_is_on_the_page(watched):
    page = (ROOT / "docs/guide/monitoring.md").read_text(encoding="utf-8")
    for tag in watched.events.Tags()["tensors"]:
        # Losses, layers and classes have lists or patterns of their own there.
        shown = re.sub(r"^losses/.*", "losses/", tag)
        shown = re.sub(r"^(weights|signals)/.*", "weights/", shown)
        shown = re.sub(r"^validation/[a-z]+/", "validation/<class>/", shown)
        assert shown.startswith("_hparams_") or shown in page, tag


def test_the_panel_is_the_generator_s_and_the_png_is_the_same(watched):
    found = values(watched.events, "faces")
    assert sorted(found) == [3, 6]
    for step in found:
        saved = np.asarray(Image.open(watched.folder / f"pictures/step-{step:06d}.png"))
        np.testing.assert_array_equal(picture(found[step]), saved)
    # One validation person, so one row of x, x_rec and eight x_hat, and one new identity.
    assert picture(found[6]).shape[1] > 10 * 128
    people = watched.fold.valid
    people = people.of(sheets.choose_people(people, 6, 0))
    sheet = sheets.training_sheet(watched.model.fesgan, people, watched.fold.classes, 0)
    np.testing.assert_array_equal(picture(found[6]), sheet)


def test_the_sweep_shows_the_levels_of_fig_6(watched):
    sheet = picture(values(watched.events, "intensity")[6])
    gan, people = watched.model.fesgan, watched.fold.valid
    face = people.of(sheets.choose_people(people, 6, 0)).floats()[:1]
    code = np.full((1, 8), -1.0, np.float32)
    code[0, 2] = 0.5  # third class, seventh of nine levels
    drawn = np.asarray(gan.decode(gan.encode(face), tf.constant(code)))[0]
    expected = image_grids.enlarge(np.round((drawn + 1) * 127.5).astype(np.uint8), 64)
    left = sheet.shape[1] - 10 - 9 * 68  # margin, then nine faces of 64 with gaps of 4
    cell = sheet[34 + 2 * 68 :][:64, left + 6 * 68 :][:, :64]
    assert np.abs(cell.astype(int) - expected).max() <= 1


def test_accuracy_and_loss_on_the_validation_people(watched):
    accuracy = values(watched.events, "validation/accuracy")
    loss = values(watched.events, "validation/L_cls_R_r")
    assert sorted(accuracy) == sorted(loss) == [4, 6]
    assert watched.latest == (6, accuracy[6])
    labels = watched.fold.valid.labels
    for step in accuracy:
        logits = watched.logits[step].astype(np.float64)
        right = sum(int(row.argmax()) == label for row, label in zip(logits, labels, strict=True))
        assert accuracy[step] == pytest.approx(right / len(labels))
        chosen = logits[np.arange(len(labels)), labels]
        by_hand = np.mean(np.log(np.exp(logits).sum(1)) - chosen)
        assert loss[step] == pytest.approx(by_hand, rel=1e-5)


def test_the_distances_of_classes_are_those_of_all_pairs(watched, tmp_path):
    features = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    labels = np.array([0, 0, 0, 1, 1, 2])
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default(step=5):
        held_out.write_distances(features, labels)
    with writer.as_default(step=6):
        held_out.write_distances(features, np.arange(6))  # no pair of one class
    writer.close()
    squares, same = pdist(features, "sqeuclidean"), pdist(labels[:, np.newaxis]) == 0
    expected = np.sqrt(squares[same].mean() / squares[~same].mean())
    assert values(read(tmp_path), "validation/within_between") == {
        5: pytest.approx(expected, rel=1e-6)
    }
    # The run's validation part has one image of each class.
    assert "validation/within_between" not in watched.events.Tags()["tensors"]


def test_the_plotted_confusion_matrix_has_true_classes_as_rows(tmp_path, monkeypatch):
    """Of six faces 4 are right: one of `a` is taken for `c`, one of `b` for `a`."""
    labels, answers = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 2, 0, 1, 2])
    given, plot = [], charts.confusion

    def keep(*arguments):
        given.append(arguments)
        return plot(*arguments)

    monkeypatch.setattr(held_out.charts, "confusion", keep)
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default(step=5):
        held_out.write_validation(np.eye(3, dtype=np.float32)[answers], labels, "abc", 5)
    writer.close()
    ((confusion, classes, *_),) = given
    assert (confusion.tolist(), classes) == ([[2, 0, 1], [1, 1, 0], [0, 0, 1]], "abc")
    events = read(tmp_path)
    assert values(events, "validation/accuracy") == {5: np.float32(4 / 6)}
    np.testing.assert_array_equal(
        picture(values(events, "validation/confusion")[5]),
        charts.pixels(plot(*given[0])),  # a second rendering of one figure differs
    )


def test_the_run_has_a_confusion_matrix_at_each_validation(watched):
    assert sorted(values(watched.events, "validation/confusion")) == [4, 6]


def test_precision_and_recall_of_every_class(watched):
    labels = watched.fold.valid.labels
    logits = watched.logits[6].astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for k, name in enumerate(watched.fold.classes):
        tag = f"validation/{name}/pr_curves"
        assert watched.events.SummaryMetadata(tag).plugin_data.plugin_name == "pr_curves"
        found = values(watched.events, tag)[6]
        for i in (0, 5, 10, 12, 13, 20, 100):
            chosen = shares[:, k] >= i / 100
            tp, fp = np.sum(chosen & (labels == k)), np.sum(chosen & (labels != k))
            fn, tn = np.sum(labels == k) - tp, np.sum(labels != k) - fp
            precision, recall = tp / max(tp + fp, 1), tp / (tp + fn)
            np.testing.assert_allclose(found[:, i], [tp, fp, tn, fn, precision, recall], rtol=1e-6)


def test_weights_are_histograms_where_they_are_asked_for(watched):
    tags = [tag for tag in watched.events.Tags()["tensors"] if tag.startswith("weights/")]
    networks = {tag.split("/")[1] for tag in tags}
    assert networks == {"G_enc", "G_dec", "D_img", "D_z", "R"}
    found = values(watched.events, "weights/D_z/00_kernel")
    assert sorted(found) == [6]
    kernel = watched.model.fesgan.code_critic.trainable_variables[0].numpy()
    left, right, count = found[6].T
    assert count.sum() == kernel.size
    assert (left.min(), right.max()) == pytest.approx((kernel.min(), kernel.max()))


def test_the_configuration_is_a_table_with_origins(watched):
    text = values(watched.events, "run/config")[0].item().decode()
    for key in config.KEYS:
        assert f"| {key} | " in text
    assert "| horizontal_flip | false | base.yaml |" in text
    assert "| identity_weights | null | base.yaml |" in text
    assert "| width | 0.0625 | command line |" in text
    assert "| lambda2 | 100.0 | demo.yaml |" in text
    assert "| lambda3 | 5.0 | base.yaml |" in text


def test_the_data_are_counted(watched):
    text = values(watched.events, "run/data")[0].item().decode()
    train, valid, test = (
        int((part.labels == 1).sum())
        for part in (watched.fold.train, watched.fold.valid, watched.fold.test)
    )
    assert f"| {watched.fold.classes[1]} | {train} | {valid} | {test} |" in text
    # The last row counts people.
    assert re.findall(r"\d+", text.strip().splitlines()[-1]) == ["2", "1", "1"]


def test_the_table_of_runs_has_variant_fold_and_metrics(watched):
    start = hparams(watched.events, "session_start_info").session_start_info
    assert start.hparams["Variant"].string_value == "FESR_JL"
    assert start.hparams["Fold"].number_value == 0
    assert start.hparams["lambda6"].number_value == 0.001
    assert start.hparams["rdbp"].bool_value is True
    experiment = hparams(watched.events, "experiment").experiment
    assert {info.name for info in experiment.hparam_infos} == set(start.hparams)
    tags = set(watched.events.Tags()["tensors"])
    assert {info.name.tag for info in experiment.metric_infos} <= tags
    end = hparams(watched.events, "session_end_info").session_end_info
    assert end.status == 1 and end.end_time_secs >= start.start_time_secs
