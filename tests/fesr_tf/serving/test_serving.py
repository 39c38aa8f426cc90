"""What the signatures answer, through TensorFlow's C++ loader in a process without project code."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import meta_graph_pb2

from fesr_tf.data.images import from_model
from fesr_tf.model.expression_codes import expression_code
from fesr_tf.serving import signatures_check
from fesr_tf.serving.cpp_loader import CppSession, Refused, meta_graph
from fesr_tf.serving.images import MAX_BATCH, MAX_SCANS, MAX_SIDE, MAX_TEXTS, MIN_SIDE
from fesr_tf.serving.requests import difference, eager, example, image, inputs_of
from fesr_tf.synthesis import generation
from tests.support.naming import naming

SIGNATURES = {
    "serving_default",
    "classify",
    "predict_pixels",
    "predict_tensor",
    "embed",
    "synthesize",
    "synthesize_code",
    "sample",
    "sample_code",
}


@pytest.fixture(scope="module")
def session(exported_model):
    with CppSession(exported_model) as opened:
        yield opened


@pytest.fixture(scope="module")
def graph(exported_model):
    return meta_graph(exported_model)


@pytest.fixture(scope="module")
def rows(session, opened_run):
    """Every signature × PNG and JPEG, gray and colour × batch 1, 3 and 32."""
    classes = opened_run.info.classes
    return signatures_check.prove(session, classes, eager(opened_run.fesr, classes))


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_the_cpp_loader_answers_as_the_eager_networks(name, rows):
    own = [row for row in rows if row.signature == name]
    assert len(own) == (1 if name.startswith(("predict_", "sample")) else 4)
    assert all(len(row.differences) == 3 and max(row.differences) <= 1e-5 for row in own)


def test_the_process_that_answers_has_no_python_of_anybody(session):
    names = {name.partition(".")[0] for name in session.modules}
    assert not names & {"tensorflow", "keras", "tf_keras", "numpy", "fesr_tf", "pipelines"}


def test_nothing_but_stock_operations_open_batches_and_four_types(graph):
    assert signatures_check.breaches(graph) == []
    assert set(signatures_check.signatures_of(graph)) == SIGNATURES


def _python_call(graph):
    graph.graph_def.node.add(name="x", op="EagerPyFunc")


def _xla_mark(graph):
    graph.graph_def.library.function[0].attr["_XlaMustCompile"].b = True


def _half(graph):
    graph.signature_def["embed"].outputs["embedding"].dtype = tf.float16.as_datatype_enum


def _fixed_batch(graph):
    graph.signature_def["embed"].inputs["image_bytes"].tensor_shape.dim[0].size = 1


def _stranger(graph):
    graph.graph_def.node.add(name="x", op="Addons>Resample")


def _predict_form(graph):
    graph.signature_def["classify"].method_name = "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("spoil", "values"),
    [
        (_python_call, ("EagerPyFunc",)),
        (_xla_mark, ("_XlaMustCompile",)),
        (_half, ("embed", "embedding", "float16")),
        (_fixed_batch, ("embed", "image_bytes", "(1,)")),
        (_stranger, ("Addons>Resample",)),
        (_predict_form, ("classify",)),
    ],
)
def test_a_breach_of_the_contract_is_named(spoil, values, graph):
    spoilt = meta_graph_pb2.MetaGraphDef()
    spoilt.CopyFrom(graph)
    spoil(spoilt)
    (found,) = signatures_check.breaches(spoilt)
    assert re.search(naming(*values), found)


def ask(session, name: str, pictures: list[bytes]):
    return session.run(name, inputs_of(session.signatures[name], pictures, ["neutral"]))


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(width: int, height: int, *more: bytes) -> bytes:
    """A PNG whose header claims a size; `more` chunks, no pixels."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IEND", b"")


TEXT = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**6)))
BAD: list[tuple[bytes, tuple[object, ...]]] = [  # and what is named of it
    (b"", ()),
    (b"GIF89a" + bytes(100), ("PNG", "JPEG")),
    (image(0)[:-200], ()),
    (png(60000, 60000), ("60000 x 60000", MIN_SIDE, MAX_SIDE)),
    (png(8, 64), ("8 x 64", MIN_SIDE, MAX_SIDE)),
    (png(64, 64, *[TEXT] * (MAX_TEXTS + 1)), (MAX_TEXTS,)),
    (image(0, "JPEG") + b"\xff\xda" * (MAX_SCANS + 1), (MAX_SCANS,)),
]


@pytest.mark.parametrize("name", ["serving_default", "classify", "embed", "synthesize"])
def test_a_bad_picture_fails_its_request_by_name_and_no_other(name, session):
    good = image(1)
    with pytest.raises(Refused) as failure:
        ask(session, name, [good, *(data for data, _ in BAD)])
    # 7 of 8, then the place and what is wrong of each, a semicolon between them.
    said = str(failure.value).split("; ")
    assert re.search(naming(len(BAD), len(BAD) + 1), said[0]) and len(said) == len(BAD)
    for place, (part, (_, values)) in enumerate(zip(said, BAD, strict=True), 1):
        assert re.search(naming(place, *values), part)
    reasons = {re.sub(r"\d+", "", part.partition(": ")[2] or part) for part in said}
    assert len(reasons) == len(BAD) - 1  # two are of a wrong size
    assert all(len(value) == 1 for value in ask(session, name, [good]).values())


@pytest.mark.parametrize("name", ["serving_default", "predict_tensor", "sample_code"])
@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_a_request_of_no_rows_or_too_many_is_refused(name, count, session):
    with pytest.raises(Refused, match=naming(1, MAX_BATCH, count)):
        ask(session, name, [b""] * count)


@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_as_many_faces_as_pixels_are_refused(count, session):
    with pytest.raises(Refused, match=naming(1, MAX_BATCH, count)):
        session.run("predict_pixels", {"pixels": np.zeros((count, 128, 128, 3), np.uint8)})


def test_an_example_without_the_feature_is_an_empty_picture(session):
    with pytest.raises(Refused, match=naming(1, 2)):
        session.run("classify", {"inputs": np.array([example(image(0)), b""], object)})


@pytest.mark.parametrize(
    ("name", "changes", "wrong_rows"),
    [
        ("sample", {"expression": [b"neutral", b"joy"]}, [1]),
        ("sample", {"intensity": [1.0, np.nan]}, [1]),
        ("sample_code", {"z": np.full((2, 64), 1.5)}, [0, 1]),
        ("synthesize_code", {"code": None}, [0, 1]),
        ("predict_tensor", {"images": None}, [0, 1]),
    ],
)
def test_what_is_out_of_range_is_refused_by_row(name, changes, wrong_rows, session):
    inputs = inputs_of(session.signatures[name], [image(0), image(1)], ["neutral"])
    for key, value in changes.items():
        wrong = 200 * inputs[key] if value is None else value
        inputs[key] = np.array(wrong, inputs[key].dtype)
    with pytest.raises(Refused) as failure:
        session.run(name, inputs)
    said = str(failure.value).split("; ")
    assert len(said) == len(wrong_rows)
    for row, part in zip(wrong_rows, said, strict=True):
        assert re.search(naming(f"row {row}", *changes), part)


def pixels(files: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])


def test_a_seed_draws_the_identity_that_synthesize_draws_in_any_batch(session, opened_run):
    (row,) = generation.new_identity_rows(opened_run.fesr.fesgan, 1, seed=7)
    classes = [name.encode() for name in opened_run.info.classes]
    every = np.array(classes, object)
    ones, seeds = np.ones(len(classes), np.float32), np.full(len(classes), 7, np.int64)
    drawn = session.run("sample", {"expression": every, "intensity": ones, "seed": seeds})
    served = pixels(drawn["image_bytes"]).astype(int)
    np.testing.assert_allclose(served, np.stack(row).squeeze(-1).astype(int), atol=1)
    alone = {"expression": every[-1:], "intensity": ones[:1], "seed": seeds[:1]}
    last = pixels(session.run("sample", alone)["image_bytes"]).astype(int)
    np.testing.assert_allclose(last[0], served[-1], atol=1)
    other = session.run("sample", alone | {"seed": seeds[:1] + 1})["image_bytes"]
    assert (pixels(other) != last).any()


def test_full_intensity_is_the_expression_code_of_equation_2(session, opened_run):
    faces = [image(0), image(1)]
    classes = opened_run.info.classes
    asked = {
        "image_bytes": np.array(faces, object),
        "expression": np.array([classes[2].encode(), classes[0].encode()], object),
    }
    by_name = session.run("synthesize", asked | {"intensity": np.ones(2, np.float32)})
    code = expression_code(tf.constant([2, 0]), 1.0, len(classes)).numpy()
    del asked["expression"]
    by_code = session.run("synthesize_code", asked | {"code": code})
    assert list(by_name["image_bytes"]) == list(by_code["image_bytes"])
    weak = session.run("synthesize_code", asked | {"code": -np.abs(code)})
    assert list(weak["image_bytes"]) != list(by_code["image_bytes"])


@pytest.mark.slow
def test_saved_model_cli_shows_the_signatures(exported_model):
    """They are read from the same file above, without another import of TensorFlow."""
    tool = Path(sys.executable).parent / "saved_model_cli"
    command = [str(tool), "show", "--dir", str(exported_model), "--tag_set", "serve"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(f'"{name}"' in shown for name in SIGNATURES)


def test_from_model_and_the_served_png_agree(session, opened_run):
    z = np.linspace(-1, 1, 64, dtype=np.float32)[np.newaxis]
    inputs = {"expression": np.array([b"neutral"], object), "intensity": np.ones(1, np.float32)}
    served = pixels(session.run("sample_code", inputs | {"z": z})["image_bytes"]).astype(int)
    code = expression_code(tf.constant([0]), 1.0, len(opened_run.info.classes))
    drawn = from_model(opened_run.fesr.fesgan.decode(tf.constant(z), code)).astype(int)
    np.testing.assert_allclose(served, drawn[..., 0], atol=1)


def test_the_difference_of_answers_is_seen():
    floats = {"probabilities": np.array([[0.25, 0.75]], np.float32)}
    moved = {"probabilities": np.array([[0.25, 0.751]], np.float32)}
    assert difference(floats, floats) == 0
    assert difference(floats, moved) == pytest.approx(1e-3, rel=1e-3)
    assert difference({"label": np.array([b"a"], object)}, {"label": np.array([b"b"], object)}) > 1
    assert difference(floats, {}) > 1
    drawn = np.full((1, 8, 8, 1), 0.5, np.float32)  # 191.25 of 255
    for level, off in ((191, 0.0), (192, 0.25), (181, 9.75)):
        buffer = io.BytesIO()
        Image.fromarray(np.full((8, 8), level, np.uint8)).save(buffer, "PNG")
        found = difference(
            {"image_bytes": np.array([buffer.getvalue()], object)}, {"image_bytes": drawn}
        )
        assert found == pytest.approx(off / 127.5)
