"""`compile` and `fit` in a notebook: the example of docs/guide/notebook.md is run as it stands."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import tf_keras as keras

from fesr_tf.model.fesr import FESR

PAGE = Path(__file__).parents[3] / "docs/guide/notebook.md"


@pytest.fixture(scope="module")
def after(demo_data, tmp_path_factory) -> tuple[dict, Path]:
    """The names that the example leaves, and the folder that it ran in."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "data").mkdir()
    (folder / "data/demo").symlink_to(demo_data)
    names: dict = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(code, str(PAGE), "exec"), names)
    return names, folder


def test_the_example_trains_both_stages(after):
    model = after[0]["model"]
    assert isinstance(model, FESR) and isinstance(model, keras.Model)
    assert int(model.fesgan.step.numpy()) == 20
    history = after[0]["history"].history
    assert {"L_R", "L_G", "L_rec", "L_dist_rf"} <= history.keys()
    assert all(np.isfinite(values).all() and len(values) == 2 for values in history.values())


def test_a_keras_callback_sees_every_loss_of_the_first_stage(after):
    with (after[1] / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert {"L_advd_z", "L_D_img", "L_G", "L_rec", "L_id"} <= rows[0].keys()
    assert float(rows[1]["L_rec"]) < float(rows[0]["L_rec"])


def test_predict_gives_the_recogniser_s_logits(after):
    names = after[0]
    expected = names["model"].recognizer(names["fold"].test.floats()).numpy()
    assert names["logits"].shape == (len(names["fold"].test), len(names["fold"].classes))
    np.testing.assert_allclose(names["logits"], expected, rtol=1e-3, atol=1e-4)


def test_the_example_s_own_dataset_is_what_it_says(after):
    names = after[0]
    image, positive, label = next(iter(names["own"]))
    assert image.shape == positive.shape == (16, 32, 32, 1)
    own = {face.tobytes(): k for face, k in zip(
        names["fold"].train.floats().numpy(), names["fold"].train.labels, strict=True)}  # fmt: skip
    for faces in (image, positive):
        assert [own[face.tobytes()] for face in faces.numpy()] == label.numpy().tolist()
