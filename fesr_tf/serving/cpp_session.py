"""Every signature of a SavedModel through `fesr_tf.serving.cpp_loader`, in a process of its own."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from fesr_tf.serving import cpp_loader
from pipelines.common.errors import FailedWork

# As the server has it: without XLA.
FLAGS = {"TF_XLA_FLAGS": "--tf_xla_auto_jit=-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


class Refused(FailedWork):
    """What the model answered to a request that it does not accept."""


class CppSession:
    """A SavedModel in the C++ loader, XLA off. A context manager: it ends the process.

    Raises `FailedWork` where the model does not load, or the process ended; `Refused` for a
    request that failed and left the model fit for the next.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.signatures = dict(meta_graph(folder).signature_def)
        self._process = subprocess.Popen(
            [sys.executable, "-I", cpp_loader.__file__, library(), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | FLAGS,
            text=True,
        )
        self.pid = self._process.pid
        answer = self._ask({"config": base64.b64encode(session_config()).decode()})
        self.modules = answer.get("modules", [])
        if "error" in answer:
            raise FailedWork(f"TensorFlow's C++ loader refuses {folder}: {answer['error']}")

    def __enter__(self) -> CppSession:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What signature `name` answers; strings are arrays of bytes objects."""
        signature = self.signatures[name]
        feeds = [
            [info.name, _coded(np.asarray(inputs[key]), info.dtype)]
            for key, info in signature.inputs.items()
        ]
        fetches = [info.name for info in signature.outputs.values()]
        answer = self._ask({"feeds": feeds, "fetches": fetches})
        if "error" in answer:
            raise Refused(answer["error"])
        return dict(zip(signature.outputs, map(_decoded, answer["values"]), strict=True))

    def _ask(self, question: dict) -> dict:
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self._process.wait()
            raise FailedWork(f"the process that had {self.folder} loaded ended with code {code}")
        return json.loads(line)


def meta_graph(folder: Path) -> meta_graph_pb2.MetaGraphDef:
    """The graph with the tag `serve` of a SavedModel. Raises `FailedWork` where there is none."""
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((folder / "saved_model.pb").read_bytes())
        return next(each for each in model.meta_graphs if "serve" in each.meta_info_def.tags)
    except (OSError, StopIteration, tf.errors.OpError, ValueError) as error:
        raise FailedWork(f"{folder} is no SavedModel to serve ({error})") from None


def session_config() -> bytes:
    """A session's configuration, serialized: XLA off."""
    config = tf.compat.v1.ConfigProto()
    config.graph_options.optimizer_options.global_jit_level = -1
    return config.SerializeToString()


def library() -> str:
    """TensorFlow's C++ library, as the wheel has it on Linux and macOS."""
    package = Path(importlib.util.find_spec("tensorflow").origin).parent
    found = sorted(package.glob("libtensorflow_cc.*"))
    if not found:
        raise FailedWork(f"{package} has no libtensorflow_cc: its C++ loader cannot be called")
    return str(found[0])


def _coded(array: np.ndarray, dtype: int) -> list:
    if dtype == cpp_loader.STRING:
        parts = [base64.b64encode(tf.compat.as_bytes(each)).decode() for each in array.flat]
        return [dtype, list(array.shape), parts]
    array = np.ascontiguousarray(array, tf.as_dtype(dtype).as_numpy_dtype)
    return [dtype, list(array.shape), base64.b64encode(array.tobytes()).decode()]


def _decoded(value: list) -> np.ndarray:
    dtype, shape, data = value
    if dtype == cpp_loader.STRING:
        array = np.empty(len(data), object)
        array[:] = [base64.b64decode(each) for each in data]
    else:
        array = np.frombuffer(base64.b64decode(data), tf.as_dtype(dtype).as_numpy_dtype)
    return array.reshape(shape)
