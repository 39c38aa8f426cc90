"""The authors' checkpoints: keys, shapes, flattening, refusals, parity with PyTorch."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from fesr_tf.config.cache import cache_folder
from fesr_tf.networks.face_networks import fill, load_face_network
from fesr_tf.networks.light_cnn import SPECS, LightCNN, LightCNNSpec, Stage
from fesr_tf.networks.weight_cache import cached_weights
from fesr_tf.weights import light_cnn_checkpoints
from fesr_tf.weights.__main__ import main
from fesr_tf.weights.convert import convert
from fesr_tf.weights.light_cnn_checkpoints import VARIANTS, check, shapes_of, to_keras
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import sha256_of
from tests.support.naming import naming

# isort: split
from tests.support.torch_writer import Call, state, write_legacy, write_zip

TINY = LightCNNSpec(
    "tiny",
    (
        Stage("mfm", "conv1", filters=2, kernel=5),
        Stage("pool", "pool"),
        Stage("blocks", "block1", count=1),
        Stage("pool", "pool"),
        Stage("group", "group1", filters=3),
        Stage("pool", "pool"),
    ),
    pool="max",
    fc="mfm",
    embedding=4,
    size=16,
)
PUBLISHED = {  # name: (outputs, inputs, rows, columns), from the authors' files
    "29": {
        "conv1.filter.weight": (96, 1, 5, 5),
        "block1.0.conv2.filter.bias": (96,),
        "group1.conv_a.filter.weight": (96, 48, 1, 1),
        "group2.conv.filter.weight": (384, 96, 3, 3),
        "block3.2.conv1.filter.weight": (384, 192, 3, 3),
        "group4.conv.filter.weight": (256, 128, 3, 3),
        "fc.filter.weight": (512, 8192),
    },
    "29v2": {
        "conv1.filter.weight": (96, 1, 5, 5),
        "group3.conv.filter.weight": (256, 192, 3, 3),
        "fc.weight": (256, 8192),
        "fc.bias": (256,),
    },
    "v4": {
        "conv1.filter.weight": (96, 3, 3, 3),
        "conv2.filter.weight": (192, 48, 3, 3),
        "conv5.filter.weight": (256, 128, 3, 3),
        "block4.3.conv2.filter.weight": (256, 128, 3, 3),
        "fc.weight": (256, 8192),
    },
}
LAYERS = {"29": 30, "29v2": 30, "v4": 26}  # the convolutions, and fc


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("FESR_TF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    """A checkpoint of random weights for each variant, full size, with the classifier."""
    folder = tmp_path_factory.mktemp("checkpoints")
    made = {}
    for seed, (variant, name) in enumerate(VARIANTS.items()):
        shapes = shapes_of(SPECS[name])
        shapes["fc2.weight"] = (30, 256)
        content = {"epoch": 80, "arch": name, "state_dict": state(shapes, seed), "prec1": 97.25}
        write = write_zip if variant == "v4" else write_legacy
        made[variant] = write(folder / f"{variant}.pth.tar", content)
    return made


def run(*words: object) -> int:
    return main(["convert", *map(str, words)])


# --- channels-first arithmetic, as PyTorch lays it out --------------------------------------


def np_mfm(x: np.ndarray) -> np.ndarray:
    return np.maximum(*np.split(x, 2))


def np_conv(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """(I,H,W), (O,I,k,k) -> (O,H,W), before mfm."""
    pad = weight.shape[-1] // 2
    padded = np.pad(x.astype(np.float64), ((0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(1, 2))
    return np.einsum("ihwrc,oirc->ohw", windows, weight.astype(np.float64)) + bias[:, None, None]


def np_pool(x: np.ndarray) -> np.ndarray:
    channels, height, width = x.shape
    return x.reshape(channels, height // 2, 2, width // 2, 2).max((2, 4))


def np_tiny(arrays: dict[str, np.ndarray], face: np.ndarray) -> np.ndarray:
    def conv(x: np.ndarray, name: str) -> np.ndarray:
        return np_mfm(np_conv(x, arrays[f"{name}.weight"], arrays[f"{name}.bias"]))

    x = np_pool(conv(face, "conv1.filter"))
    x = x + conv(conv(x, "block1.0.conv1.filter"), "block1.0.conv2.filter")
    x = np_pool(x)
    x = np_pool(conv(conv(x, "group1.conv_a.filter"), "group1.conv.filter"))
    return np_mfm(
        arrays["fc.filter.weight"].astype(np.float64) @ x.ravel() + arrays["fc.filter.bias"]
    )


def test_converted_weights_compute_what_channels_first_arithmetic_does():
    arrays = state(shapes_of(TINY), prefix="")
    network = LightCNN(TINY)
    fill(network, to_keras(arrays, TINY), Path("tiny"))
    faces = np.random.default_rng(1).uniform(0, 1, (2, 16, 16, 1)).astype(np.float32)
    wanted = [np_tiny(arrays, face.transpose(2, 0, 1)) for face in faces]
    np.testing.assert_allclose(network(faces), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_keys_and_shapes_are_the_published_ones(variant):
    shapes = shapes_of(SPECS[VARIANTS[variant]])
    for key, shape in PUBLISHED[variant].items():
        assert shapes[key] == shape
    assert len(shapes) == 2 * LAYERS[variant]


@pytest.mark.parametrize(
    ("variant", "parameters"), [("29", 12_573_280), ("29v2", 10_475_872), ("v4", 10_345_600)]
)
def test_the_command(variant, parameters, checkpoints, own_cache, capsys):
    path, name = checkpoints[variant], VARIANTS[variant]
    assert run(path, "--variant", variant, "--sha256", sha256_of(path).upper()) == 0
    said = capsys.readouterr().out
    assert sorted(each.name for each in own_cache.iterdir()) == [f"{name}.json", f"{name}.npz"]
    written = cached_weights(name)
    record = json.loads(written.with_suffix(".json").read_text())
    assert record["checkpoint_sha256"] == sha256_of(path) and record["checkpoint_sha256"] in said
    assert record["sha256"] == sha256_of(written) and record["sha256"] in said
    assert record["notes"] == {"epoch": 80, "arch": name, "prec1": 97.25}
    assert record["parameters"] == parameters and f"{parameters:,}" in said
    assert "fc2.weight (30, 256)" in said  # not used
    assert re.search(r"epoch +80", said)
    # No pickle in what was written, and identity=… finds it without being told where.
    with np.load(written, allow_pickle=False) as file:
        assert len(file.files) == 2 * LAYERS[variant]
        assert {file[key].dtype for key in file.files} == {np.dtype(np.float32)}
    network = load_face_network(name)
    first = network.network.layers_by_name["conv1"].kernel.numpy()
    arrays = state(shapes_of(SPECS[name]), list(VARIANTS).index(variant))
    np.testing.assert_array_equal(first, arrays["module.conv1.filter.weight"].transpose(2, 3, 1, 0))


@pytest.mark.parametrize("variant", VARIANTS)
def test_pytorch_agrees_layer_by_layer(variant):
    definition = light_cnn_checkpoints.torch_definition()
    if definition is None:
        pytest.skip("needs PyTorch")
    spec = SPECS[VARIANTS[variant]]
    arrays = state(shapes_of(spec), 7, prefix="")
    network = LightCNN(spec)
    fill(network, to_keras(arrays, spec), Path("state"))
    faces = np.random.default_rng(2).uniform(0, 1, (2, 128, 128, spec.channels))
    faces = faces.astype(np.float32)
    found = light_cnn_checkpoints.torch_differences(network, arrays, definition, faces)
    assert len(found) == LAYERS[variant]
    assert max(found.values()) < light_cnn_checkpoints.LARGEST_DIFFERENCE, found
    # It can fail: one bias moved by a hundredth shows in its layer and in those behind it.
    moved = dict(arrays) | {
        "block3.0.conv1.filter.bias": arrays["block3.0.conv1.filter.bias"] + 0.01
    }
    found = light_cnn_checkpoints.torch_differences(network, moved, definition, faces)
    limit = light_cnn_checkpoints.LARGEST_DIFFERENCE
    assert found["block2.1.conv2"] < limit < found["block3.0.conv1"]
    assert found["fc"] > limit


def test_without_pytorch_it_says_what_was_not_measured(checkpoints, monkeypatch, capsys):
    monkeypatch.setattr(light_cnn_checkpoints, "torch_definition", lambda: None)
    assert run(checkpoints["v4"], "--variant", "v4") == 0
    assert "PyTorch" in capsys.readouterr().out


def test_nothing_is_written_where_pytorch_disagrees(checkpoints, own_cache, monkeypatch, capsys):
    if light_cnn_checkpoints.torch_definition() is None:
        pytest.skip("needs PyTorch")
    monkeypatch.setattr(light_cnn_checkpoints, "LARGEST_DIFFERENCE", 0.0)
    assert run(checkpoints["v4"], "--variant", "v4") == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert not own_cache.exists()


@pytest.mark.parametrize(("asked", "given"), list(itertools.permutations(VARIANTS, 2)))
def test_a_checkpoint_of_another_variant_is_refused_and_recognised(
    asked, given, checkpoints, own_cache, capsys
):
    assert run(checkpoints[given], "--variant", asked) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("error: ")
    assert str(checkpoints[given]) in said and VARIANTS[asked] in said
    assert said.endswith(f"--variant {given}\n")
    assert not own_cache.exists()


def test_keys_that_miss_or_are_too_many_or_misshaped():
    spec, where = SPECS["light_cnn_29"], Path("some.pth.tar")
    whole = {key: np.zeros(shape, np.float32) for key, shape in shapes_of(spec).items()}
    assert check(whole, spec, where) == []
    assert check(whole | {"fc2.weight": np.zeros((9, 256))}, spec, where) == ["fc2.weight"]

    def complaint(arrays: dict) -> str:
        with pytest.raises(FailedWork, match=r"^some") as caught:
            check(arrays, spec, where)
        return str(caught.value)

    less = {key: array for key, array in whole.items() if not key.startswith("group2.conv_a")}
    said = complaint(less)
    assert "group2.conv_a.filter.weight, group2.conv_a.filter.bias" in said
    assert "--variant" not in said  # as it fits none
    assert "odd.weight" in complaint(whole | {"odd.weight": np.zeros(3)})
    said = complaint(whole | {"fc.filter.bias": np.zeros(3)})
    assert "fc.filter.bias" in said and "(3,)" in said and "(512,)" in said
    for odd in (np.full(512, np.nan, np.float32), np.zeros(512, np.int64)):
        assert "fc.filter.bias" in complaint(whole | {"fc.filter.bias": odd})
    assert "a…" in complaint(whole | {"a" * 10_000: np.zeros(3)})
    assert len(complaint(whole | {"a" * 10_000: np.zeros(3)})) < 300


def bad_files(folder: Path, whole: Path) -> dict[str, tuple[Path, str]]:
    """name: a file that must be refused, and what is named of it."""
    data = whole.read_bytes()
    (folder / "cut").write_bytes(data[: len(data) // 2])
    (folder / "text").write_text("weights")
    return {
        "cut": (folder / "cut", ""),
        "text": (folder / "text", ""),
        "code": (
            write_zip(folder / "code", {"state_dict": {}, "x": Call("os", "system", "true")}),
            "os.system",
        ),
        "nothing": (write_legacy(folder / "nothing", {"state_dict": {}}), "state_dict"),
        "folder": (folder, ""),
        "absent": (folder / "absent", ""),
    }


def test_bad_files_end_in_one_sentence_and_write_nothing(checkpoints, own_cache, tmp_path, capsys):
    for name, (path, named) in bad_files(tmp_path, checkpoints["29"]).items():
        code = run(path, "--variant", "29")
        captured = capsys.readouterr()
        assert code == (2 if name in ("folder", "absent") else 1)
        assert captured.err.startswith("error: ") and captured.err.count("\n") == 1, name
        assert str(path) in captured.err and named in captured.err, (name, captured.err)
    assert not own_cache.exists()


def test_another_sha256_than_asked_for(checkpoints, own_cache, capsys):
    wanted = sha256_of(checkpoints["v4"])
    assert run(checkpoints["v4"], "--variant", "v4", "--sha256", "0" * 64) == 1
    error = capsys.readouterr().err
    assert wanted in error and "0" * 64 in error
    assert not own_cache.exists()


def test_another_place_for_the_weights(checkpoints, tmp_path, capsys):
    output = tmp_path / "here" / "own.npz"
    assert run(checkpoints["v4"], "--variant", "v4", "--output", output) == 0
    assert f"identity=light_cnn_v4 identity_weights={output}" in capsys.readouterr().out
    load_face_network("light_cnn_v4", output)
    assert run(checkpoints["v4"], "--variant", "v4", "--output", tmp_path / "own.h5") == 2
    error = capsys.readouterr().err
    assert str(tmp_path / "own.h5") in error and ".npz" in error


def test_unknown_tasks_and_the_list_of_tasks(capsys):
    assert main(["train"]) == 2
    assert "fetch, convert, pretrain" in capsys.readouterr().err
    assert main([]) == 0
    assert "convert" in capsys.readouterr().out


def test_weights_that_are_not_there_name_the_command_that_gets_them():
    with pytest.raises(BadUse, match=naming("light_cnn_v4", "python -m fesr_tf.weights fetch")):
        load_face_network("light_cnn_v4")
    command = "python -m fesr_tf.weights convert CHECKPOINT --variant 29v2"
    with pytest.raises(BadUse, match=naming("light_cnn_29v2", command)):
        load_face_network("light_cnn_29v2")


def test_the_cache_is_where_the_environment_says(monkeypatch):
    monkeypatch.setenv("FESR_TF_CACHE", "/somewhere/own")
    assert cache_folder() == Path("/somewhere/own")
    monkeypatch.delenv("FESR_TF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/fesr_tf")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_folder() == Path("/home/somebody/.cache/fesr_tf")


def test_a_user_without_a_home_folder_is_asked_for_a_cache_only_where_one_is_needed(monkeypatch):
    for name in ("FESR_TF_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    # A container's user number without an entry in /etc/passwd.
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    assert load_face_network("light_cnn_demo").embedding_size == 128
    with pytest.raises(BadUse, match="FESR_TF_CACHE"):
        load_face_network("light_cnn_v4")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"\n<!DOCTYPE html><html>Sign in</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "LFS"),
        (b'{"error": "not found"}', "JSON"),
    ],
)
def test_what_was_downloaded_in_place_of_weights_is_named(content, word, tmp_path):
    checkpoint, weights = tmp_path / "light.pth.tar", tmp_path / "light.npz"
    for path in (checkpoint, weights):
        path.write_bytes(content)
    with pytest.raises(FailedWork, match=naming(checkpoint, word)):
        convert(checkpoint, "light_cnn_29", tmp_path / "out.npz")
    with pytest.raises(FailedWork, match=naming(weights, word)):
        load_face_network("light_cnn_demo", weights)


def test_a_spec_of_other_sizes_flattens_by_its_own():
    spec = dataclasses.replace(TINY, order="bgr", size=24)
    arrays = {key: np.zeros(shape, np.float32) for key, shape in shapes_of(spec).items()}
    # Input (channel 2, row 1, column 0) of a 3x3 map of 3 channels, counted channels first.
    arrays["fc.filter.weight"][5, 2 * 9 + 1 * 3 + 0] = 1
    kernel = to_keras(arrays, spec)["fc.kernel"]
    assert kernel.shape == (27, 8) and kernel.sum() == 1
    assert kernel[(1 * 3 + 0) * 3 + 2, 5] == 1
