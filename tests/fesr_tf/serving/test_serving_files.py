"""What lies beside a model for its server: warm-up requests, configuration, the health check."""

from __future__ import annotations

import http.server
import re
import subprocess
import threading
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from fesr_tf import rollout
from fesr_tf.serving import versions, warmup
from fesr_tf.serving.cpp_loader import meta_graph
from pipelines.common.errors import FailedWork
from tests.support.naming import naming

CONFIG = Path(__file__).parents[3] / "configs/serving"


@pytest.fixture
def models(tmp_path):
    """A folder of two models with two versions each, as far as the rollout looks at them."""
    for name in ("faces", "other"):
        for version in (1, 2):
            folder = tmp_path / name / str(version)
            folder.mkdir(parents=True)
            (folder / "saved_model.pb").touch()
    return tmp_path


def test_every_signature_is_warmed_up_at_each_batch_size(exported_model):
    requests = list(warmup.read(exported_model))
    names = {key for key in meta_graph(exported_model).signature_def if not key.startswith("__")}
    sizes = {(key, len(next(iter(inputs.values())))) for _, key, inputs in requests}
    assert sizes == {(name, size) for name in names for size in warmup.BATCHES}
    assert {model for model, _, _ in requests} == {exported_model.parent.name}
    assert len(requests) <= warmup.MAX_RECORDS


def test_a_canary_is_tried_then_rolled_back_and_others_stay(models, capfd):
    words = ["--models", str(models), "--name", "faces"]
    rollout.label(models, "other", {"stable": 2})
    assert rollout.main([*words, "--stable", "1", "--canary", "2"]) == 0
    assert re.search(r"\b1\b.*\bstable\n.*\b2\b.*\bcanary\n", capfd.readouterr().out)
    assert rollout.labels_of(models, "faces") == {"stable": 1, "canary": 2}
    assert rollout.main([*words, "--stable", "2"]) == 0
    assert rollout.main([*words, "--stable", "1"]) == 0
    assert not re.search(r"\bcanary\b", capfd.readouterr().out)
    assert rollout.labels_of(models, "faces") == {"stable": 1}
    assert rollout.labels_of(models, "other") == {"stable": 2}


def test_models_config_names_versions_and_labels(models):
    path = rollout.label(models, "faces", {"stable": 1, "canary": 2})
    (config,) = text_format.Parse(path.read_text(), ModelServerConfig()).model_config_list.config
    assert (config.name, config.base_path) == ("faces", "/models/faces")
    assert config.model_platform == "tensorflow"
    assert list(config.model_version_policy.specific.versions) == [1, 2]
    assert dict(config.version_labels) == {"stable": 1, "canary": 2}


def test_a_version_that_is_not_there_is_no_label(models, capfd):
    words = ["--models", str(models), "--name", "faces"]
    assert rollout.main([*words, "--stable", "3"]) == 2
    assert re.search(naming(3, "stable", 1, 2), capfd.readouterr().err)
    assert rollout.main([*words, "--canary", "2"]) == 2
    assert not (models / versions.FILE).exists()
    assert rollout.main(["--models", str(models), "--name", "nobody"]) == 2


def test_other_settings_of_models_config_are_kept(models):
    (models / versions.FILE).write_text(
        'model_config_list { config { name: "faces" logging_config { } } config { name: "x" } }'
    )
    text = rollout.label(models, "faces", {"stable": 1}).read_text()
    faces, other = text_format.Parse(text, ModelServerConfig()).model_config_list.config
    assert faces.HasField("logging_config") and dict(faces.version_labels) == {"stable": 1}
    assert other == ModelConfig(name="x")


@pytest.mark.parametrize("text", ["custom_model_config { }", "model_config_list { unknown: 1 }"])
def test_a_models_config_that_cannot_be_edited_stays_unchanged(models, text):
    (models / versions.FILE).write_text(text)
    with pytest.raises(FailedWork, match=naming(models / versions.FILE)):
        rollout.label(models, "faces", {"stable": 1})
    assert (models / versions.FILE).read_text() == text


def test_batching_ends_at_its_largest_batch():
    text = (CONFIG / "batching.config").read_text()
    sizes = [int(line.split(": ")[1]) for line in text.splitlines() if "sizes: " in line]
    assert sizes == sorted(sizes) and f"max_batch_size {{ value: {sizes[-1]} }}" in text


@pytest.mark.parametrize("service", ["cpu", "gpu"])
def test_the_compose_file_names_files_that_are_there(service):
    compose = yaml.safe_load((CONFIG / "docker-compose.yml").read_text())
    server = compose["services"][service]
    mounts = dict(each.removesuffix(":ro").rsplit(":", 1)[::-1] for each in server["volumes"])
    models = re.fullmatch(r"\$\{FESR_MODELS:-(.+)\}", mounts["/models"])[1]
    assert (CONFIG / models).resolve() == CONFIG.parents[1] / "saved_models"
    assert (CONFIG / mounts["/config"]).resolve() == CONFIG
    words = [*server["command"], *server["healthcheck"]["test"]]
    named = [word.rpartition("=")[2] for word in words if "/config/" in word]
    assert len(named) >= 2
    assert all((CONFIG / name.removeprefix("/config/")).is_file() for name in named)
    assert f"--model_config_file=/models/{versions.FILE}" in words
    assert all(port.startswith("127.0.0.1:") for port in server["ports"])


@pytest.mark.parametrize(
    ("state", "healthy"), [("AVAILABLE", True), ("LOADING", False), ("END", False)]
)
def test_the_health_check_looks_at_the_state(state, healthy):
    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            body = f'{{\n "model_version_status": [\n  {{\n   "state": "{state}"\n  }}\n ]\n}}\n'
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    asked: list[str] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = str(server.server_address[1])
        command = ["bash", str(CONFIG / "health.sh"), "faces", "127.0.0.1", port]
        assert (subprocess.run(command, timeout=20).returncode == 0) == healthy
        server.shutdown()
    assert asked == ["/v1/models/faces"]


def test_the_health_check_fails_where_nobody_listens():
    command = ["bash", str(CONFIG / "health.sh"), "faces", "127.0.0.1", "1"]
    assert subprocess.run(command, capture_output=True, timeout=20).returncode == 1
