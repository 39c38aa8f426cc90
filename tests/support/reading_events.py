"""Event files as TensorBoard's own reader sees them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2


def read(folder: Path) -> EventAccumulator:
    """Every event in `folder`, none left out."""
    guidance = dict.fromkeys(("tensors", "scalars", "images", "histograms"), 0)
    return EventAccumulator(str(folder), guidance).Reload()


def values(events: EventAccumulator, tag: str) -> dict[int, np.ndarray]:
    """The tensors under `tag` by step; asserts that there is one a step."""
    found = [(event.step, tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
    assert len(dict(found)) == len(found), f"{tag} has two values at a step"
    return dict(found)


def picture(value: np.ndarray) -> np.ndarray:
    """The one picture in an image summary's tensor: width, height, then encoded pictures."""
    width, height, encoded = value
    image = np.asarray(Image.open(io.BytesIO(encoded)))
    assert (int(width), int(height)) == (image.shape[1], image.shape[0])
    return image


def hparams(events: EventAccumulator, tag: str) -> plugin_data_pb2.HParamsPluginData:
    """What the table of runs holds under `tag`."""
    content = events.SummaryMetadata(f"_hparams_/{tag}").plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)
