"""What is seen of a run while it trains: the console's line and TensorBoard's pages.

`docs/guide/monitoring.md` says what each thing means. Every part is an ordinary Keras callback;
`watch` makes those that a run's configuration asks for.
"""

from fesr_tf.training.monitoring.assembly import Watch, watch

__all__ = ["Watch", "watch"]
