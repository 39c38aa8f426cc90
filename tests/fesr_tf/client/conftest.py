"""Models behind the stand-in, which is not TensorFlow Serving."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def drawing_folder(tmp_path_factory) -> Path:
    """`<somewhere>/drawing` with versions 1 and 3 of a model with every signature."""
    from tests.support import drawing_model

    folder = tmp_path_factory.mktemp("drawing") / "drawing"
    for version in ("1", "3"):
        drawing_model.save(str(folder / version))
    return folder


@pytest.fixture(scope="session")
def loaded(drawing_folder):
    """The versions of `drawing_folder`, loaded once: `serving_standin.Models`."""
    from tests.support.serving_standin import Models

    return Models(drawing_folder, "drawing", labels={"stable": 1})


@pytest.fixture
def models(loaded):
    """`loaded`, AVAILABLE and quick; a test may make it otherwise."""
    loaded.state, loaded.message, loaded.busy, loaded.delay = "AVAILABLE", "", 0, 0.0
    return loaded


@pytest.fixture(params=["gRPC", "REST"])
def server(request, models):
    """The address of the stand-in, by each protocol in turn."""
    from tests.support.serving_standin import serve_grpc, serve_rest

    with {"gRPC": serve_grpc, "REST": serve_rest}[request.param](models) as address:
        yield address
