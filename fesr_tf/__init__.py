"""FESR-TF: joint deep learning of facial expression synthesis and recognition.

Keras 2 behaviour (`tf_keras`) is chosen here, before TensorFlow can be imported, so that
`tf.keras`, `tf_keras` and the layers of tensorflow-addons are one and the same library.
"""

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
# TensorFlow 2.15 logs three harmless "Unable to register" errors at every start.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"
