"""The model behind TensorFlow Serving's gRPC port, by tensorflow-serving-api's messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2 as metadata
from tensorflow_serving.apis import get_model_status_pb2 as status
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from fesr_tf.client import errors
from fesr_tf.client.connection import ServerBackend, Wanted, retrying
from fesr_tf.client.signatures import MAX_ANSWER, Signature, check_shape

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_ANSWER),
    ("grpc.max_send_message_length", MAX_ANSWER),
    # Without this a channel waits up to two minutes before it looks for a server again.
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # `retrying` does this, for gRPC and REST alike.
    ("grpc.enable_retries", 0),
)
_CAUSES = {
    grpc.StatusCode.UNAVAILABLE: errors.ServerDown,
    grpc.StatusCode.UNIMPLEMENTED: errors.ServerDown,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.TooSlow,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.TooLarge,
    grpc.StatusCode.NOT_FOUND: errors.WrongVersion,
    grpc.StatusCode.INVALID_ARGUMENT: errors.Refused,
    grpc.StatusCode.FAILED_PRECONDITION: errors.Refused,
    grpc.StatusCode.OUT_OF_RANGE: errors.Refused,
}


class Grpc(ServerBackend):
    """A `Backend` for a server at `host:port`; see `ServerBackend`."""

    takes_pixels = True

    def __init__(self, where: str, wanted: Wanted, timeout: float, attempts: int) -> None:
        self._channel = grpc.insecure_channel(where, _OPTIONS)
        self._predictions = PredictionServiceStub(self._channel)
        self._models = ModelServiceStub(self._channel)
        super().__init__(where, wanted, timeout, attempts)

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs one signature."""
        request = PredictRequest()
        self._specify(request.model_spec)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            dtype = tf.string if array.dtype == object else array.dtype
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array, dtype))
        answer = retrying(
            lambda: self._call(self._predictions.Predict, request, self._wanted.version),
            self._attempts,
        )
        return {errors.short(name): self._array(name, t) for name, t in answer.outputs.items()}

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def _array(self, name: str, tensor: Any) -> np.ndarray:
        # A few bytes may declare a tensor of any size, filled with one value.
        if tensor.tensor_shape.unknown_rank:
            raise errors.BadAnswer(self.where, f"{name!r} has no shape")
        check_shape(self.where, name, [dim.size for dim in tensor.tensor_shape.dim])
        try:
            return tf.make_ndarray(tensor)
        except (TypeError, ValueError, LookupError) as error:
            raise errors.BadAnswer(self.where, f"{name!r}: {errors.short(error)}") from None

    def _specify(self, spec: Any) -> None:
        spec.name = self._wanted.name
        if isinstance(self._wanted.version, int):
            spec.version.value = self._wanted.version
        elif self._wanted.version is not None:
            spec.version_label = self._wanted.version

    def _states(self) -> dict[str, tuple[str, str]]:
        request = status.GetModelStatusRequest()
        request.model_spec.name = self._wanted.name
        versions = self._call(self._models.GetModelStatus, request, None).model_version_status
        names = {number: name for name, number in status.ModelVersionStatus.State.items()}
        return {
            str(v.version): (names.get(v.state, str(v.state)), v.status.error_message)
            for v in sorted(versions, key=lambda v: v.version)
        }

    def _read_signatures(self) -> dict[str, Signature]:
        request = metadata.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._specify(request.model_spec)
        answer = self._call(self._predictions.GetModelMetadata, request, self._wanted.version)
        signatures = metadata.SignatureDefMap()
        if not answer.metadata["signature_def"].Unpack(signatures):
            raise errors.BadAnswer(self.where, "its metadata contain no signatures")
        return {
            name: Signature.of(definition.inputs, definition.outputs)
            for name, definition in signatures.signature_def.items()
        }

    def _call(self, method: Callable[..., Any], request: Any, version: int | str | None) -> Any:
        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            code, message = error.code(), error.details() or ""
            cause = _CAUSES.get(code)
            if cause is None:
                message = f"{code.name}: {message}"
            elif code == grpc.StatusCode.UNIMPLEMENTED:
                message = f"a gRPC server without TensorFlow Serving's services: {message}"
            raise self._failure(cause, message, request.ByteSize(), version) from None
