"""What every test may use: rendered faces, the same preprocessed, and a small trained run.

Each is made once by the project's own commands, for all workers together, and must not be
changed; a test that writes into a run takes `run_copy`.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

import fesr_tf  # noqa: F401  (chooses Keras 2 before any test imports TensorFlow)

SUBJECTS, FRAMES, SEED, FOLDS = 4, 4, 11, 2
TINY = (
    "image_size=32",
    "width=0.0625",
    "batch_size=4",
    "pretrain_iterations=2",
    "max_iterations=4",
    "picture_every=2",
    "checkpoint_every=2",
    "validate_every=2",
    "log_every=1",
)


@pytest.fixture(scope="session", autouse=True)
def no_cached_weights(tmp_path_factory):
    """What somebody fetched or converted on this machine changes no test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FESR_TF_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """`once(name, make)`: a folder that `make(folder)` fills once, for all workers together."""
    base = tmp_path_factory.getbasetemp()
    root = base if worker_id == "master" else base.parent

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        place, done = root / "shared" / name, root / "shared" / f"{name}.done"
        place.parent.mkdir(exist_ok=True)
        with FileLock(f"{place}.lock"):
            if not done.exists():
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir()
                make(place)
                done.touch()
        return place

    return folder


@pytest.fixture(scope="session")
def demo_images(once) -> Path:
    """A rendered database, `<class>/<subject>_<frame>.png`: 4 people, 4 frames an expression."""
    from pipelines.demo_faces import render_database

    def render(folder: Path) -> None:
        faces = folder / "faces"
        render_database(faces, SUBJECTS, SEED, frames=FRAMES, size=160, jobs=1, progress=False)

    return once("images", render) / "faces"


@pytest.fixture(scope="session")
def demo_data(demo_images, once) -> Path:
    """`demo_images` after `pipelines.preprocess`: 2 folds of 2 people."""
    from pipelines.preprocess import main

    def preprocess(folder: Path) -> None:
        words = ["--db", "demo", "--input", demo_images, "--output", folder / "data"]
        assert main([str(word) for word in [*words, "--folds", FOLDS]]) == 0

    return once("data", preprocess) / "data"


@pytest.fixture(scope="session")
def tiny_settings() -> tuple[str, ...]:
    """`key=value` overrides that make a run of seconds."""
    return TINY


@pytest.fixture(scope="session")
def trained(demo_data, once) -> Callable[..., Path]:
    """`trained(variant, fold=0)`: the folder of a finished run with `tiny_settings`."""
    from fesr_tf.train import main

    def run(variant: str, fold: int = 0) -> Path:
        def train(folder: Path) -> None:
            words = ["--db", "demo", "--data", demo_data, "--runs", folder, "--variant", variant]
            assert main([str(word) for word in (*words, "--fold", fold, *TINY)]) == 0

        return once(f"runs-{variant}-{fold}", train) / "demo" / variant / f"fold-{fold:02d}"

    return run


@pytest.fixture(scope="session")
def tiny_run(trained) -> Path:
    """The folder of a finished FESR_JL run of two steps a stage, fold 0 of `demo_data`."""
    return trained("FESR_JL")


@pytest.fixture(scope="session")
def evaluated_run(tiny_run, once) -> Path:
    """`tiny_run` once more, after `fesr_tf.evaluate`."""
    from fesr_tf.evaluate import main

    def evaluate(folder: Path) -> None:
        assert main([str(shutil.copytree(tiny_run, folder / "run"))]) == 0

    return once("evaluated", evaluate) / "run"


@pytest.fixture
def run_copy(tiny_run, tmp_path) -> Path:
    """`tiny_run`, to write into."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture(scope="session")
def opened_run(tiny_run):
    """`tiny_run` opened: `fesr_tf.runs.Run`."""
    from fesr_tf.runs import open_run

    return open_run(tiny_run)


@pytest.fixture(scope="session")
def exported_model(opened_run, once) -> Path:
    """`tiny_run` as a SavedModel: `<somewhere>/fesr/1`."""
    from fesr_tf.serving.export import export

    return once("saved_models", lambda folder: export(opened_run, folder / "fesr")) / "fesr" / "1"


@pytest.fixture(scope="session")
def measured(once):
    """The routing of every variant, by name: `tests.support.routing.Routing`."""
    from tests.support.routing import measure

    folder = once("routing", lambda place: (place / "rows").write_bytes(pickle.dumps(measure())))
    return pickle.loads((folder / "rows").read_bytes())
