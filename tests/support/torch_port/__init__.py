"""The whole method in PyTorch, written from the paper and not from `fesr_tf`: a reference for
correctness (`benchmarks.parity.torch_port`) and for speed (`benchmarks.training.step`)."""

import fesr_tf  # noqa: F401  (chooses Keras 2 before TensorFlow is imported)
