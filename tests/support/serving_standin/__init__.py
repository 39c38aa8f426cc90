"""A stand-in for TensorFlow Serving: its two protocols over `tf.saved_model.load`.

It is not TensorFlow Serving, of which there is no binary that pip could install: no batching
scheduler, no C++ request path, no model reloading, no monitoring. What it shares with it are the
official messages and services of tensorflow-serving-api, the JSON of the REST port, the statuses,
and the words of the errors. The client is tested, and timed, against it; no figure that was
measured here says how fast TensorFlow Serving is.

    python -m tests.support.serving_standin --model saved_models/fesr_demo --grpc 8500 --rest 8501
"""

import fesr_tf  # noqa: F401  (chooses Keras 2 and quiets TensorFlow before it is imported)
from tests.support.serving_standin.models import Models, Problem
from tests.support.serving_standin.over_grpc import serve_grpc
from tests.support.serving_standin.over_rest import serve_rest

__all__ = ["Models", "Problem", "serve_grpc", "serve_rest"]
