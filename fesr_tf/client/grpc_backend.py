"""The model behind TensorFlow Serving's gRPC port, by the official messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from fesr_tf.client import errors
from fesr_tf.client.availability import AVAILABLE, require_available
from fesr_tf.client.connection import Wanted
from fesr_tf.client.retries import retrying
from fesr_tf.client.signatures import MAX_ANSWER, Signature, check_shape
from pipelines.common.errors import BadUse, FesrError

_KEEP_TRYING = (
    # Without this a channel waits up to two minutes before it looks for a server again.
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # One way of trying again, this package's own, for gRPC and REST alike.
    ("grpc.enable_retries", 0),
)


class Grpc:
    """A `Backend`. target: `host:port`; timeout: seconds for one attempt; attempts: how often
    a server that is down or loading is asked. Raises `BadUse` without the extra `client`,
    and what `errors` has where the server or the model is not there."""

    takes_pixels = True

    def __init__(self, target: str, wanted: Wanted, timeout: float, attempts: int) -> None:
        try:
            import grpc
            from tensorflow_serving.apis import model_service_pb2_grpc as models
            from tensorflow_serving.apis import prediction_service_pb2_grpc as predictions
        except ImportError as error:
            raise BadUse(
                "gRPC takes tensorflow-serving-api: run pip install 'fesr-tf[client]', or give "
                f"the server's REST port, http://host:8501 ({errors.short(error)})"
            ) from error
        self._grpc = grpc
        self.where, self._wanted = target, wanted
        self._timeout, self._attempts = timeout, attempts
        limits = [("grpc.max_receive_message_length", MAX_ANSWER),
                  ("grpc.max_send_message_length", MAX_ANSWER)]  # fmt: skip
        self._channel = grpc.insecure_channel(target, [*limits, *_KEEP_TRYING])
        self._predictions = predictions.PredictionServiceStub(self._channel)
        self._models = models.ModelServiceStub(self._channel)
        try:
            retrying(self._require_available, attempts)
            self._signatures = retrying(self._read_signatures, attempts)
        except BaseException:
            self.close()
            raise

    def signatures(self) -> dict[str, Signature]:
        """What the model has."""
        return self._signatures

    def ask(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs one signature."""
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        self._specify(request.model_spec)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            kind = tf.string if array.dtype == object else array.dtype
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array, kind))
        answer = retrying(
            lambda: self._call(self._predictions.Predict, request, self._wanted.version),
            self._attempts,
        )
        return {
            errors.short(name): self._array(name, each) for name, each in answer.outputs.items()
        }

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def _array(self, name: str, tensor: Any) -> np.ndarray:
        # A few bytes may declare a tensor of any size, filled with one value.
        if tensor.tensor_shape.unknown_rank:
            raise errors.bad_answer(self.where, f"{name!r} has no shape")
        check_shape(self.where, name, [dim.size for dim in tensor.tensor_shape.dim])
        try:
            return tf.make_ndarray(tensor)
        except (TypeError, ValueError, LookupError) as error:
            raise errors.bad_answer(self.where, f"{name!r}: {errors.short(error)}") from None

    def _specify(self, spec: Any) -> None:
        spec.name = self._wanted.name
        if isinstance(self._wanted.version, int):
            spec.version.value = self._wanted.version
        elif self._wanted.version is not None:
            spec.version_label = self._wanted.version

    def _require_available(self) -> None:
        from tensorflow_serving.apis import get_model_status_pb2 as status

        request = status.GetModelStatusRequest()
        request.model_spec.name = self._wanted.name
        found = self._call(self._models.GetModelStatus, request, None).model_version_status
        states = {
            str(each.version): (_STATES.get(each.state, str(each.state)), each.status.error_message)
            for each in sorted(found, key=lambda each: each.version)
        }
        require_available(self.where, self._wanted, states)

    def _read_signatures(self) -> dict[str, Signature]:
        from tensorflow_serving.apis import get_model_metadata_pb2 as metadata

        request = metadata.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._specify(request.model_spec)
        answer = self._call(self._predictions.GetModelMetadata, request, self._wanted.version)
        packed, found = answer.metadata["signature_def"], metadata.SignatureDefMap()
        if not packed.Unpack(found):
            raise errors.bad_answer(self.where, "its metadata hold no signatures")
        return {
            name: Signature(frozenset(each.inputs), frozenset(each.outputs))
            for name, each in found.signature_def.items()
        }

    def _call(self, method: Callable[..., Any], request: Any, version: int | str | None) -> Any:
        try:
            return method(request, timeout=self._timeout)
        except self._grpc.RpcError as error:
            raise self._told(
                error.code(), error.details() or "", request.ByteSize(), version
            ) from None

    def _told(self, code: Any, details: str, size: int, version: int | str | None) -> FesrError:
        """The sentence for the status of a request for `version`."""
        codes, where = self._grpc.StatusCode, self.where
        if code == codes.UNAVAILABLE:
            return errors.server_down(where, details)
        if code == codes.DEADLINE_EXCEEDED:
            return errors.too_slow(where, self._timeout)
        if code == codes.RESOURCE_EXHAUSTED:
            return errors.too_large(where, size, details)
        if code == codes.NOT_FOUND or "version label" in details:
            name = self._wanted.name
            if version is None:
                return errors.unknown_model(where, name)
            return errors.wrong_version(where, name, str(version), details)
        if errors.names_signature(details):
            return errors.UnknownSignature(f"the model at {where}: {errors.short(details)}")
        if code in (codes.INVALID_ARGUMENT, codes.FAILED_PRECONDITION, codes.OUT_OF_RANGE):
            return errors.refused(where, details)
        if code == codes.UNIMPLEMENTED:
            return errors.server_down(where, f"it speaks gRPC, but no prediction: {details}")
        return errors.bad_answer(where, f"{code.name}: {details}")


# ModelVersionStatus.State of the official messages.
_STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: AVAILABLE, 40: "UNLOADING", 50: "END"}
