"""An S3 API on this machine, moto's server, with an account of its own and its requests counted."""

from __future__ import annotations

import contextlib
import logging
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

import fsspec
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from upath import UPath
from werkzeug.serving import make_server

from pipelines.common.files import location

BUCKET = "faces"


@dataclass
class Store:
    """The server: its address, and every request as "METHOD path?query"."""

    address: str
    requests: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it."""
        return {
            "AWS_ENDPOINT_URL_S3": self.address,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @contextlib.contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The requests that arrive while the block runs."""
        requests: list[str] = []
        start = len(self.requests)
        yield requests
        requests += self.requests[start:]


@contextlib.contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Serves until the block ends; this process and those that it starts reach it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    store = Store("")
    application = DomainDispatcherApplication(create_backend_app)

    def recording(environ: dict, start_response: object) -> object:
        query = environ.get("QUERY_STRING", "")
        store.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{query}")
        return application(environ, start_response)

    server = make_server("127.0.0.1", 0, recording, threaded=True)
    store.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    # Its buckets outlive a server.
    urllib.request.urlopen(urllib.request.Request(f"{store.address}/moto-api/reset", method="POST"))
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    kind = fsspec.get_filesystem_class("s3")
    kind.clear_instance_cache()
    kind().mkdir(BUCKET)
    try:
        yield store
    finally:
        kind.clear_instance_cache()
        server.shutdown()
        thread.join()


def upload(folder, target: UPath) -> None:
    """Puts every file below a folder into the store."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            (target / path.relative_to(folder).as_posix()).write_bytes(path.read_bytes())


def bucket() -> UPath:
    """The bucket's root."""
    return location(f"s3://{BUCKET}")


def held(folder: UPath) -> dict[str, bytes]:
    """Every object below a folder, by its path in it."""
    start = folder.path.rstrip("/") + "/"
    return {path.removeprefix(start): folder.fs.cat_file(path) for path in folder.fs.find(start)}
