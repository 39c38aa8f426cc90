"""Warm-up requests, which a server answers before it reports a version as available.

Without them the first client waits while TensorFlow optimises each signature's graph. A single bad
record keeps the server from loading the version, so an export reads them back and replays them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import prediction_log_pb2

from fesr_tf.serving.model import CLASSIFY
from fesr_tf.serving.requests import Inputs, image, inputs_of

FILE = "assets.extra/tf_serving_warmup_requests"
"""Where TensorFlow Serving looks for them, in a version's folder."""
# One face and several.
BATCHES = (1, 2)
MAX_RECORDS = 1000
"""TensorFlow Serving refuses a file with more."""


def write(
    folder: Path,
    name: str,
    signatures: Mapping[str, meta_graph_pb2.SignatureDef],
    classes: Sequence[str],
) -> None:
    """Writes requests for every signature of model `name` into its version's `folder`."""
    path = folder / FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for count in BATCHES:
            images = [image(seed, channels=1) for seed in range(count)]
            for key, signature in signatures.items():
                inputs = inputs_of(signature, images, classes)
                log = prediction_log_pb2.PredictionLog()
                if signature.method_name == CLASSIFY:
                    request = log.classify_log.request
                    for example in inputs["inputs"]:
                        request.input.example_list.examples.add().ParseFromString(example)
                else:
                    request = log.predict_log.request
                    for input_name, value in inputs.items():
                        request.inputs[input_name].CopyFrom(tf.make_tensor_proto(value))
                request.model_spec.name, request.model_spec.signature_name = name, key
                writer.write(log.SerializeToString())


def read(folder: Path) -> Iterator[tuple[str, str, Inputs]]:
    """Model, signature and inputs of each request in a version's `folder`, in order."""
    for record in tf.data.TFRecordDataset(str(folder / FILE)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        if log.HasField("classify_log"):
            request = log.classify_log.request
            examples = request.input.example_list.examples
            serialized = [example.SerializeToString() for example in examples]
            inputs = {"inputs": np.array(serialized, object)}
        else:
            request = log.predict_log.request
            inputs = {key: tf.make_ndarray(tensor) for key, tensor in request.inputs.items()}
        yield request.model_spec.name, request.model_spec.signature_name, inputs
