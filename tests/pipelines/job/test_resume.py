"""A job that is killed and started again takes up the parts that are whole, on a disk and in S3."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.faces import alignment
from pipelines.job import spill
from tests.support.inspection import contents, mentions, run
from tests.support.s3 import bucket, held, serving

REPOSITORY = Path(__file__).parents[3]
IMAGES = 51
# The command with parts of eight images, so that a small job has several.
_COMMAND = """
import sys
from pipelines.job import spill
from pipelines.preprocess import main
spill.IMAGES_A_PART = 8
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def given(demo_people, tmp_path_factory) -> tuple[object, ...]:
    """The command's arguments but --output: 51 images of three people, without the demo's table."""
    source = tmp_path_factory.mktemp("resume") / "in"
    shutil.copytree(demo_people, source, ignore=shutil.ignore_patterns("*.csv"))
    return "--db", "images", "--input", source, "--folds", 3


@pytest.fixture(scope="module")
def unkilled(given, tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("unkilled") / "out"
    assert run(*given, "--output", folder) == 0
    return contents(folder)


@pytest.fixture
def aligned(monkeypatch) -> list[int]:
    """Grows by one for each face that this process aligns."""
    calls: list[int] = []
    align = alignment.FaceAligner.align

    def counting(self, *arguments):
        calls.append(1)
        return align(self, *arguments)

    monkeypatch.setattr(alignment.FaceAligner, "align", counting)
    return calls


def kill(arguments: tuple[object, ...], when: Callable[[], bool]) -> None:
    """Starts the command and sends SIGKILL once `when()` holds."""
    words = [sys.executable, "-c", _COMMAND, *map(str, arguments)]
    with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as process:
        while not when():
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)
        process.kill()


def killed_half_way(given: tuple[object, ...], output: Path) -> Path:
    """The folder that a job leaves that was killed after three parts."""
    pattern = f".{output.name}.*/{spill.FOLDER}/*.json"
    kill((*given, "--output", output), lambda: len(list(output.parent.glob(pattern))) >= 3)
    [left] = output.parent.glob(f".{output.name}.*")
    return left


def test_whole_parts_are_not_aligned_again(given, unkilled, aligned, tmp_path, capsys):
    left = killed_half_way(given, tmp_path / "out")
    parts = spill.whole_parts(left)
    done = sum(map(len, parts.values()))
    assert len(parts) >= 3 and 24 <= done < IMAGES
    # A part whose bytes changed is not whole, and one without its index was not finished.
    damaged = left / spill.FOLDER / next(iter(parts))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    assert run(*given, "--output", tmp_path / "out") == 0
    assert len(aligned) == IMAGES - done + 8
    assert mentions(capsys.readouterr().out, done - 8, IMAGES, "resumes")
    assert contents(tmp_path / "out") == unkilled
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("change", ["restart", "image"])
def test_another_plan_or_restart_takes_up_nothing(
    given, unkilled, aligned, tmp_path, capsys, change
):
    source = Path(shutil.copytree(given[3], tmp_path / "in"))
    given = (*given[:3], source, *given[4:])
    killed_half_way(given, tmp_path / "out")
    more = ["--restart"] * (change == "restart")
    if change == "image":
        image = source / "fear" / "p000_00.png"
        image.write_bytes(image.read_bytes() + b"\0")
    assert run(*given, *more, "--output", tmp_path / "out") == 0
    assert len(aligned) == IMAGES
    assert ("other images or options" in capsys.readouterr().out) == (change == "image")
    assert contents(tmp_path / "out") == unkilled


@pytest.mark.slow
def test_a_job_in_a_store_resumes(given, unkilled, aligned, monkeypatch, capsys):
    with serving(monkeypatch) as store:
        output = bucket() / "out"

        def three_parts() -> bool:
            put = [each for each in store.requests if each.startswith("PUT") and "/parts/" in each]
            # A worker asks for the fourth once the third is stored.
            return sum(".json" in each for each in put) >= 4

        kill((*given, "--output", output), three_parts)
        done = sum(map(len, spill.whole_parts(output / "version-a").values()))
        assert 24 <= done < IMAGES
        assert run(*given, "--output", output) == 0
        assert len(aligned) == IMAGES - done
        found = held(output)
    assert {name for name in found if name.startswith("version-a/")} == {
        f"version-a/{name}" for name in unkilled.keys() - {"manifest.json"}
    }
    assert all(
        found[f"version-a/{name}"] == unkilled[name] for name in unkilled.keys() - {"manifest.json"}
    )
    capsys.readouterr()
