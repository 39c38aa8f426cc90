"""From a folder of labelled faces to aligned, per-fold TFRecord shards."""
