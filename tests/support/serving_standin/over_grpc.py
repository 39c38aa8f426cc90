"""PredictionService and ModelService of the official messages, in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.support.serving_standin.models import Models, Problem


class _Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, models: Models) -> None:
        self.models = models

    def Predict(self, request, context):
        with _statuses(context):
            version = _version(self.models, request.model_spec)
            signature = request.model_spec.signature_name
            inputs = {
                name: tf.constant(tf.make_ndarray(each)) for name, each in request.inputs.items()
            }
            answer = predict_pb2.PredictResponse()
            for name, array in self.models.predict(version, signature, inputs).items():
                answer.outputs[name].CopyFrom(tf.make_tensor_proto(array))
            answer.model_spec.name = self.models.name
            answer.model_spec.version.value = version
            answer.model_spec.signature_name = signature
            return answer

    def GetModelMetadata(self, request, context):
        with _statuses(context):
            version = _version(self.models, request.model_spec)
            held = get_model_metadata_pb2.SignatureDefMap()
            for name, each in self.models.definitions(version).items():
                held.signature_def[name].CopyFrom(each)
            answer = get_model_metadata_pb2.GetModelMetadataResponse()
            answer.metadata["signature_def"].Pack(held)
            return answer


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, models: Models) -> None:
        self.models = models

    def GetModelStatus(self, request, context):
        with _statuses(context):
            spec = request.model_spec
            version = spec.version.value if spec.HasField("version") else None
            answer = get_model_status_pb2.GetModelStatusResponse()
            for number, state, message in self.models.states(spec.name, version):
                status = answer.model_version_status.add(version=number)
                status.state = get_model_status_pb2.ModelVersionStatus.State.Value(state)
                status.status.error_message = message
            return answer


@contextlib.contextmanager
def serve_grpc(models: Models, port: int = 0) -> Iterator[str]:
    """Serves while the block runs; yields `host:port`. Port 0 takes a free one."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=4),
        # TensorFlow Serving takes messages of any size.
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Predictions(models), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(models), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        server.stop(grace=None).wait()


def _version(models: Models, spec) -> int:
    number = spec.version.value if spec.HasField("version") else None
    return models.choose(spec.name, number, spec.version_label or None)


@contextlib.contextmanager
def _statuses(context) -> Iterator[None]:
    try:
        yield
    except Problem as problem:
        context.abort(grpc.StatusCode[problem.code], problem.words)
