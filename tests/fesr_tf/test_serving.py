"""The served function against the eager model, through TensorFlow's C++ loader."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from PIL import Image

from fesr_tf import preprocessing, serving

CLASSES = ("neutral", "happiness", "surprise")

# Run in a fresh interpreter, outside the repository: no project code.
CLIENT = """
    import json, sys
    import numpy as np, tensorflow as tf
    model, batches = sys.argv[1], np.load(sys.argv[2], allow_pickle=False)
    answers = {}
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], model)
        signature = meta.signature_def["serving_default"]
        for name in batches.files:
            data = [bytes(row)[:-1] for row in batches[name]]
            outputs = {k: v.name for k, v in signature.outputs.items()}
            got = session.run(outputs, {signature.inputs["image_bytes"].name: data})
            answers[name] = {
                "probabilities": got["probabilities"].tolist(),
                "label": [v.decode() for v in got["label"]],
                "classes": [[v.decode() for v in row] for row in got["classes"]],
            }
        shapes = {k: [d.size for d in v.tensor_shape.dim] for k, v in signature.outputs.items()}
        functions = session.graph.as_graph_def().library.function
        ops = {n.op for f in functions for n in f.node_def}
        ops |= {n.op for n in session.graph.as_graph_def().node}
    assert not any(name.split(".")[0] in ("fesr_tf", "pipelines") for name in sys.modules)
    print(json.dumps({"answers": answers, "shapes": shapes, "ops": sorted(ops)}))
"""


def picture(seed: int, form: str, channels: int) -> bytes:
    array = np.random.default_rng(seed).integers(0, 256, (40, 36, 3), np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(array) if channels == 3 else Image.fromarray(array[..., 0])
    image.save(buffer, form)
    return buffer.getvalue()


BATCHES = {
    f"{form}-{channels}-{count}": [picture(seed, form, channels) for seed in range(count)]
    for form in ("PNG", "JPEG")
    for channels in (1, 3)
    for count in (1, 3)
}


@pytest.fixture(scope="module")
def recognizer():
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.layers.Conv2D(8, 3, 2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(len(CLASSES)),
        ]
    )
    model.build((None, 32, 32, 1))
    return model


@pytest.fixture(scope="module")
def served(recognizer, tmp_path_factory):
    """What a process that knows only the SavedModel says about every batch."""
    folder = tmp_path_factory.mktemp("served")
    model = serving.ServedRecognizer(recognizer, CLASSES, image_size=32, channels=1)
    model.save(str(folder / "model"))
    # A final byte keeps numpy from dropping zeros at the end of the pictures.
    arrays = {name: np.array([data + b"." for data in batch]) for name, batch in BATCHES.items()}
    np.savez(folder / "batches.npz", **arrays)
    command = [sys.executable, "-c", textwrap.dedent(CLIENT), "model", "batches.npz"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", BATCHES)
def test_the_cpp_loader_answers_as_the_eager_model(name, served, recognizer):
    images = tf.stack(
        [
            preprocessing.to_model(preprocessing.decode_image(data, 1), 32, 1)
            for data in BATCHES[name]
        ]
    )
    expected = tf.nn.softmax(recognizer(images, training=False)).numpy()
    answer = served["answers"][name]
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    for label, row in zip(answer["label"], answer["probabilities"], strict=True):
        assert row[CLASSES.index(label)] == max(row)
    assert answer["classes"] == [list(CLASSES)] * len(expected)


def test_every_output_has_an_open_batch_dimension(served):
    assert served["shapes"] == {"probabilities": [-1, 3], "label": [-1], "classes": [-1, 3]}


def test_no_python_and_no_xla_inside(served):
    assert {"DecodeImage", "Softmax"} <= set(served["ops"])
    assert not [op for op in served["ops"] if "PyFunc" in op or op.startswith("Xla")]
