"""The whole method once more in PyTorch: a peer for correctness (`python -m benchmarks.torch_port`)
and for speed. Written from the paper, not from `fesr_tf`."""

import fesr_tf  # noqa: F401  (chooses Keras 2 before TensorFlow is imported)
