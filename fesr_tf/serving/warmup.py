"""Warm-up requests: a server answers them before it says that a version is there.

Without them the first client waits while TensorFlow optimises every signature's graph. One bad
record keeps the server from loading the version, so what is written is read again and replayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from fesr_tf.serving import messages
from fesr_tf.serving.model import CLASSIFY
from fesr_tf.serving.requests import Inputs, inputs_of, picture

# Where TensorFlow Serving looks for it, in a version's folder.
FILE = "assets.extra/tf_serving_warmup_requests"
# One face, and as many as make the server's threads share the work.
BATCHES = (1, 8)
# TensorFlow Serving refuses a file with more.
MAX_RECORDS = 1000


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
            pictures = [picture(seed, channels=1) for seed in range(count)]
            for key, signature in signatures.items():
                inputs = inputs_of(signature, pictures, classes)
                record = _record(name, key, signature.method_name, inputs)
                writer.write(record.SerializeToString())


def read(folder: Path) -> Iterator[tuple[str, str, Inputs]]:
    """Model, signature and inputs of each request in a version's `folder`, in order."""
    for record in tf.data.TFRecordDataset(str(folder / FILE)):
        log = messages.prediction_log().FromString(record.numpy())
        if log.HasField("classify_log"):
            request = log.classify_log.request
            inputs = {"inputs": np.array(list(request.input.example_list.examples), object)}
        else:
            request = log.predict_log.request
            inputs = {
                key: tf.make_ndarray(tensor_pb2.TensorProto.FromString(value))
                for key, value in request.inputs.items()
            }
        yield request.model_spec.name, request.model_spec.signature_name, inputs


def _record(name: str, key: str, method: str, inputs: Inputs) -> Message:
    log = messages.prediction_log()()
    if method == CLASSIFY:
        request = log.classify_log.request
        request.input.example_list.examples.extend(inputs["inputs"])
    else:
        request = log.predict_log.request
        for each, value in inputs.items():
            request.inputs[each] = tf.make_tensor_proto(value).SerializeToString()
    request.model_spec.name, request.model_spec.signature_name = name, key
    return log
