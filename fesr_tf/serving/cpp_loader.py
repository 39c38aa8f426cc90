"""Runs a SavedModel's signatures in TensorFlow's own C++ loader, the one TensorFlow Serving uses.

`CppSession` starts this file by its path in an interpreter of its own. That child process calls
the C API of the TensorFlow library through ctypes and imports no Python of TensorFlow, Keras or
this project:

    python -I cpp_loader.py LIBRARY MODEL < requests > answers

Each line of stdin is a request: {"feeds": [[tensor name, [dtype, shape, data]], …], "fetches":
[tensor name, …]}. The first line of stdout reports the loading, each further line is an answer:
{"values": [[dtype, shape, data], …]} or {"error": text}. A dtype is a number of TensorFlow's
DataType; data is base64 of the bytes, a list of those for strings.
"""

from __future__ import annotations

import base64
import ctypes
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

if __package__:
    import numpy as np
    import tensorflow as tf
    from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

    from pipelines.common.errors import FailedWork
else:  # The child process.
    FailedWork = Exception

FLAGS = {"TF_XLA_FLAGS": "--tf_xla_auto_jit=-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
"""Environment of the child process: XLA off, as TensorFlow Serving has it."""
STRING = 7
_STRING_SIZE = 24  # sizeof(TF_TString)


class Refused(FailedWork):
    """The library's reason for refusing a model or a request."""


class CppSession:
    """A SavedModel in the C++ loader, XLA off. A context manager, which ends the child process.

    Raises `FailedWork` where the model does not load or the process has ended, `Refused` for a
    request that failed and left the model ready for the next.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.signatures = dict(meta_graph(folder).signature_def)
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, library(), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | FLAGS,
            text=True,
        )
        self.pid = self._process.pid
        answer = self._answer()
        self.modules = answer.get("modules", [])
        if "error" in answer:
            raise FailedWork(f"TensorFlow's C++ loader refuses {folder}: {answer['error']}")

    def __enter__(self) -> CppSession:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of signature `name`; strings are arrays of bytes objects."""
        signature = self.signatures[name]
        feeds = [
            [info.name, _encoded(np.asarray(inputs[key]), info.dtype)]
            for key, info in signature.inputs.items()
        ]
        fetches = [info.name for info in signature.outputs.values()]
        answer = self._answer({"feeds": feeds, "fetches": fetches})
        if "error" in answer:
            raise Refused(answer["error"])
        return dict(zip(signature.outputs, map(_decoded, answer["values"]), strict=True))

    def _answer(self, request: dict | None = None) -> dict:
        try:
            if request is not None:
                print(json.dumps(request), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self._process.wait()
            raise FailedWork(f"the process that had loaded {self.folder} ended with code {code}")
        return json.loads(line)


def meta_graph(folder: Path) -> meta_graph_pb2.MetaGraphDef:
    """The graph with the tag `serve` of a SavedModel. Raises `FailedWork` where there is none."""
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((folder / "saved_model.pb").read_bytes())
        return next(graph for graph in model.meta_graphs if "serve" in graph.meta_info_def.tags)
    except (OSError, StopIteration, tf.errors.OpError, ValueError) as error:
        raise FailedWork(f"{folder} is not a SavedModel for serving ({error})") from None


def library() -> str:
    """The path of TensorFlow's C++ library in the wheels for Linux and macOS."""
    package = Path(tf.sysconfig.get_lib())
    libraries = sorted(package.glob("libtensorflow_cc.*"))
    if not libraries:
        raise FailedWork(f"{package} has no libtensorflow_cc: its C++ loader cannot be called")
    return str(libraries[0])


def _encoded(array: np.ndarray, dtype: int) -> list:
    if dtype == STRING:
        data = [base64.b64encode(tf.compat.as_bytes(text)).decode() for text in array.flat]
    else:
        array = np.ascontiguousarray(array, tf.as_dtype(dtype).as_numpy_dtype)
        data = base64.b64encode(array.tobytes()).decode()
    return [dtype, list(array.shape), data]


def _decoded(value: list) -> np.ndarray:
    dtype, shape, data = value
    if dtype == STRING:
        array = np.empty(len(data), object)
        array[:] = [base64.b64decode(text) for text in data]
    else:
        array = np.frombuffer(base64.b64decode(data), tf.as_dtype(dtype).as_numpy_dtype)
    return array.reshape(shape)


class _Pointer(ctypes.c_void_p):
    """A subclass, because ctypes turns a returned c_void_p into an int and passes that on cut."""


class _Output(ctypes.Structure):
    """TF_Output: an operation and the index of its output."""

    _fields_ = (("operation", _Pointer), ("index", ctypes.c_int))


_RESULTS = {
    _Pointer: (
        "TF_NewStatus TF_NewSessionOptions TF_NewGraph TF_LoadSessionFromSavedModel TF_TensorData "
        "TF_GraphOperationByName TF_AllocateTensor TF_StringGetDataPointer"
    ),
    ctypes.c_char_p: "TF_Message",
    ctypes.c_int64: "TF_Dim",
    ctypes.c_size_t: "TF_TensorByteSize TF_StringGetSize",
}


class Session:
    """A SavedModel, tag `serve`, in this process. Raises `Refused` where it does not load."""

    def __init__(self, library: str, folder: str) -> None:
        self._tf = tf = ctypes.CDLL(library)
        for result, names in _RESULTS.items():
            for name in names.split():
                getattr(tf, name).restype = result
        self._status, self._graph = tf.TF_NewStatus(), tf.TF_NewGraph()
        options = tf.TF_NewSessionOptions()
        tags = (ctypes.c_char_p * 1)(b"serve")
        self._session = tf.TF_LoadSessionFromSavedModel(
            options, None, folder.encode(), tags, 1, self._graph, None, self._status
        )
        tf.TF_DeleteSessionOptions(options)
        self._check()

    def close(self) -> None:
        """Releases the model and everything it held; the session cannot be used again."""
        for end in (self._tf.TF_CloseSession, self._tf.TF_DeleteSession):
            end(self._session, self._status)
            self._check()
        self._tf.TF_DeleteGraph(self._graph)
        self._tf.TF_DeleteStatus(self._status)

    def run(self, feeds: list, fetches: list[str]) -> list:
        """The values of `fetches`. Raises `Refused` where the run fails."""
        inputs = (_Output * len(feeds))(*(self._output(name) for name, _ in feeds))
        tensors = (_Pointer * len(feeds))(*(self._tensor(*value) for _, value in feeds))
        outputs = (_Output * len(fetches))(*map(self._output, fetches))
        answers = (_Pointer * len(fetches))()
        arguments = (inputs, tensors, len(feeds), outputs, answers, len(fetches))
        self._tf.TF_SessionRun(self._session, None, *arguments, None, 0, None, self._status)
        for tensor in tensors:
            self._tf.TF_DeleteTensor(tensor)
        self._check()
        values = list(map(self._value, answers))
        for tensor in answers:
            self._tf.TF_DeleteTensor(tensor)
        return values

    def _check(self) -> None:
        if self._tf.TF_GetCode(self._status):
            raise Refused(self._tf.TF_Message(self._status).decode(errors="replace"))

    def _output(self, name: str) -> _Output:
        operation, _, index = name.partition(":")
        pointer = self._tf.TF_GraphOperationByName(self._graph, operation.encode())
        if not pointer:
            raise Refused(f"the graph has no operation {operation}")
        return _Output(pointer, int(index or 0))

    def _tensor(self, dtype: int, shape: list[int], data: str | list[str]) -> _Pointer:
        tf = self._tf
        parts = [base64.b64decode(part) for part in ([data] if dtype != STRING else data)]
        size = _STRING_SIZE * math.prod(shape) if dtype == STRING else len(parts[0])
        dimensions = (ctypes.c_int64 * len(shape))(*shape)
        tensor = tf.TF_AllocateTensor(dtype, dimensions, len(shape), ctypes.c_size_t(size))
        start = tf.TF_TensorData(tensor)
        if dtype != STRING:
            ctypes.memmove(start, parts[0], size)
            return tensor
        for i, part in enumerate(parts):
            place = _Pointer(start.value + i * _STRING_SIZE)
            tf.TF_StringInit(place)
            tf.TF_StringCopy(place, part, ctypes.c_size_t(len(part)))
        return tensor

    def _value(self, tensor: _Pointer) -> list:
        tf = self._tf
        dtype, start = tf.TF_TensorType(tensor), tf.TF_TensorData(tensor)
        shape = [tf.TF_Dim(tensor, i) for i in range(tf.TF_NumDims(tensor))]
        if dtype != STRING:
            return [dtype, shape, _base64(start, tf.TF_TensorByteSize(tensor))]
        strings = [_Pointer(start.value + i * _STRING_SIZE) for i in range(math.prod(shape))]
        sizes = map(tf.TF_StringGetSize, strings)
        return [dtype, shape, list(map(_base64, map(tf.TF_StringGetDataPointer, strings), sizes))]


def _base64(start: _Pointer, size: int) -> str:
    return base64.b64encode(ctypes.string_at(start, size) if size else b"").decode()


def main(library: str, folder: str) -> None:
    """Answers the requests of stdin on stdout; see the top of this file."""
    try:
        session = Session(library, folder)
    except Refused as error:
        print(json.dumps({"error": f"does not load: {error}"}))
        return
    print(json.dumps({"modules": sorted(sys.modules)}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"values": session.run(request["feeds"], request["fetches"])}
        except Refused as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
