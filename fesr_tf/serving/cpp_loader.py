"""A SavedModel answered by TensorFlow's own C++ loader, the one that TensorFlow Serving calls.

Run by its path, in an interpreter of its own, it takes the C API of the TensorFlow library and
nothing else: no Python of TensorFlow, Keras or this project. `fesr_tf.serving.cpp_session`
starts it.

    python -I cpp_loader.py LIBRARY MODEL < requests > answers

A line of stdin is a session's configuration, {"config": base64}, then one a request:
{"feeds": [[tensor name, [type, shape, data]], …], "fetches": [tensor name, …]}. A line of stdout
is an answer: {"values": [[type, shape, data], …]} or {"error": text}. A type is a number of
TensorFlow's DataType; data is base64 of the bytes, for strings a list of such.
"""

from __future__ import annotations

import base64
import ctypes
import json
import math
import sys

STRING = 7
_STRING_SIZE = 24  # sizeof(TF_TString)
_Pointer = ctypes.c_void_p


class _Output(ctypes.Structure):
    """TF_Output: an operation and which of its outputs."""

    _fields_ = (("operation", _Pointer), ("index", ctypes.c_int))


class LoaderError(Exception):
    """What the library said."""


class Session:
    """A SavedModel, tag `serve`, open for requests. Raises `LoaderError` where it does not load."""

    def __init__(self, library: str, folder: str, config: bytes = b"") -> None:
        self._tf = tf = _declared(ctypes.CDLL(library))
        self._status = tf.TF_NewStatus()
        options = tf.TF_NewSessionOptions()
        tf.TF_SetConfig(options, config, len(config), self._status)
        self._check()
        self._graph = tf.TF_NewGraph()
        tags = (ctypes.c_char_p * 1)(b"serve")
        self._session = tf.TF_LoadSessionFromSavedModel(
            options, None, folder.encode(), tags, 1, self._graph, None, self._status
        )
        tf.TF_DeleteSessionOptions(options)
        self._check()

    def close(self) -> None:
        """Releases the model and all that it held; the session is of no more use."""
        tf = self._tf
        tf.TF_CloseSession(self._session, self._status)
        self._check()
        tf.TF_DeleteSession(self._session, self._status)
        self._check()
        tf.TF_DeleteGraph(self._graph)
        tf.TF_DeleteStatus(self._status)

    def run(self, feeds: list, fetches: list[str]) -> list:
        """The values of `fetches`. Raises `LoaderError` where the run fails."""
        tf = self._tf
        inputs = (_Output * len(feeds))(*(self._output(name) for name, _ in feeds))
        tensors = (_Pointer * len(feeds))(*(self._tensor(*value) for _, value in feeds))
        outputs = (_Output * len(fetches))(*map(self._output, fetches))
        answers = (_Pointer * len(fetches))()
        arguments = (inputs, tensors, len(feeds), outputs, answers, len(fetches))
        tf.TF_SessionRun(self._session, None, *arguments, None, 0, None, self._status)
        for tensor in tensors:
            tf.TF_DeleteTensor(tensor)
        self._check()
        values = [self._value(tensor) for tensor in answers]
        for tensor in answers:
            tf.TF_DeleteTensor(tensor)
        return values

    def _check(self) -> None:
        if self._tf.TF_GetCode(self._status):
            raise LoaderError(self._tf.TF_Message(self._status).decode(errors="replace"))

    def _output(self, name: str) -> _Output:
        operation, _, index = name.partition(":")
        found = self._tf.TF_GraphOperationByName(self._graph, operation.encode())
        if not found:
            raise LoaderError(f"the graph has no operation {operation}")
        return _Output(found, int(index or 0))

    def _tensor(self, dtype: int, shape: list[int], data: str | list[str]) -> int:
        tf, count = self._tf, math.prod(shape)
        parts = [base64.b64decode(part) for part in ([data] if dtype != STRING else data)]
        size = _STRING_SIZE * count if dtype == STRING else len(parts[0])
        dimensions = (ctypes.c_int64 * len(shape))(*shape)
        tensor = tf.TF_AllocateTensor(dtype, dimensions, len(shape), size)
        place = tf.TF_TensorData(tensor)
        if dtype != STRING:
            ctypes.memmove(place, parts[0], size)
            return tensor
        for i, part in enumerate(parts):
            tf.TF_StringInit(place + i * _STRING_SIZE)
            tf.TF_StringCopy(place + i * _STRING_SIZE, part, len(part))
        return tensor

    def _value(self, tensor: int) -> list:
        tf = self._tf
        dtype = tf.TF_TensorType(tensor)
        shape = [tf.TF_Dim(tensor, i) for i in range(tf.TF_NumDims(tensor))]
        place = tf.TF_TensorData(tensor)
        if dtype != STRING:
            return [dtype, shape, _coded(place, tf.TF_TensorByteSize(tensor))]
        strings = (place + i * _STRING_SIZE for i in range(math.prod(shape)))
        parts = [_coded(tf.TF_StringGetDataPointer(s), tf.TF_StringGetSize(s)) for s in strings]
        return [dtype, shape, parts]


def _coded(place: int | None, size: int) -> str:
    return base64.b64encode(ctypes.string_at(place, size) if size else b"").decode()


def _declared(tf: ctypes.CDLL) -> ctypes.CDLL:
    """The library with the types of what is called; ctypes would take pointers for ints."""
    text, size, number = ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int
    run = (_Pointer, _Pointer, *2 * (_Pointer, _Pointer, number))
    for name, result, arguments in (
        ("TF_NewStatus", _Pointer, ()),
        ("TF_GetCode", number, (_Pointer,)),
        ("TF_Message", text, (_Pointer,)),
        ("TF_NewSessionOptions", _Pointer, ()),
        ("TF_DeleteStatus", None, (_Pointer,)),
        ("TF_SetConfig", None, (_Pointer, text, size, _Pointer)),
        ("TF_DeleteSessionOptions", None, (_Pointer,)),
        ("TF_NewGraph", _Pointer, ()),
        ("TF_DeleteGraph", None, (_Pointer,)),
        (
            "TF_LoadSessionFromSavedModel",
            _Pointer,
            (_Pointer, _Pointer, text, _Pointer, number, _Pointer, _Pointer, _Pointer),
        ),
        ("TF_CloseSession", None, (_Pointer, _Pointer)),
        ("TF_DeleteSession", None, (_Pointer, _Pointer)),
        ("TF_GraphOperationByName", _Pointer, (_Pointer, text)),
        ("TF_AllocateTensor", _Pointer, (number, _Pointer, number, size)),
        ("TF_DeleteTensor", None, (_Pointer,)),
        ("TF_TensorData", _Pointer, (_Pointer,)),
        ("TF_TensorType", number, (_Pointer,)),
        ("TF_NumDims", number, (_Pointer,)),
        ("TF_Dim", ctypes.c_int64, (_Pointer, number)),
        ("TF_TensorByteSize", size, (_Pointer,)),
        ("TF_StringInit", None, (_Pointer,)),
        ("TF_StringCopy", None, (_Pointer, text, size)),
        ("TF_StringGetDataPointer", _Pointer, (_Pointer,)),
        ("TF_StringGetSize", size, (_Pointer,)),
        ("TF_SessionRun", None, (*run, _Pointer, number, _Pointer, _Pointer)),
    ):
        function = getattr(tf, name)
        function.restype, function.argtypes = result, arguments
    return tf


def main(library: str, folder: str) -> None:
    """Answers the requests of stdin on stdout; see the top of this file."""
    config = base64.b64decode(json.loads(sys.stdin.readline())["config"])
    try:
        session = Session(library, folder, config)
    except LoaderError as error:
        print(json.dumps({"error": f"does not load: {error}"}), flush=True)
        return
    print(json.dumps({"modules": sorted(sys.modules)}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"values": session.run(request["feeds"], request["fetches"])}
        except LoaderError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
