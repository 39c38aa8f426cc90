"""Fig. 9 in TensorBoard's projector: R_ext's features of real and generated faces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

from fesr_tf.data import Faces, Fold
from fesr_tf.data.images import from_model
from fesr_tf.model import expression_codes
from fesr_tf.model.fesr import FESR
from fesr_tf.plots import image_grids
from fesr_tf.training.callbacks import EverySteps
from pipelines.common.errors import plain
from pipelines.common.files import write_whole

CONFIG, TENSORS = "projector_config.pbtxt", "features.tsv"
METADATA, SPRITE = "features-metadata.tsv", "features-sprite.png"
THUMBNAIL, FRAME = 40, 3
TRAINING, HELD_OUT, SYNTHETIC = "real, training", "real, held out", "synthetic"
COLOURS = {TRAINING: (140, 170, 215), HELD_OUT: (20, 60, 130), SYNTHETIC: (230, 120, 0)}


@dataclass(frozen=True)
class Points:
    """The points of the projector: entry i of every field is one face."""

    features: np.ndarray  # float32 (N,F), R_ext before dropout
    thumbnails: np.ndarray  # uint8 (N,S,S,c)
    labels: np.ndarray  # int (N,): true class; of a generated face its target class
    predictions: np.ndarray  # int (N,), R's prediction
    origins: np.ndarray  # str (N,): TRAINING, HELD_OUT or SYNTHETIC
    people: np.ndarray  # str (N,)


class Projector(EverySteps):
    """The features of some real and as many generated faces, at each validation of R.

    Up to half of the real faces come from the validation part. Faces and codes z stay the same
    over a run; the last features replace the older ones.
    """

    def __init__(self, fesr: FESR, fold: Fold, folder: Path, last: int | None = None):
        super().__init__(fesr, fesr.config.validate_every, last)
        count = fesr.config.projector_faces
        self.held_out = some(fold.valid, count // 2)
        self.training = some(fold.train, count - len(self.held_out))
        self.classes, self.folder = fold.classes, folder

    def act(self, step: int, logs: dict[str, float]) -> None:
        if self.in_second_stage:
            with self.fesr.averaged():
                shown = points(self.fesr, self.training, self.held_out)
            write_projector(self.folder, shown, self.classes)


def some(faces: Faces, count: int) -> Faces:
    """Up to `count` of `faces`, always the same, in their order."""
    return faces.of(np.sort(np.random.default_rng(0).permutation(len(faces))[:count]))


def points(
    fesr: FESR, training: Faces, held_out: Faces, batch_size: int = 64, seed: int | None = None
) -> Points:
    """R_ext's features of real faces and, if the run trains G, of a generated one for each.

    As in training, generated faces have the class of the real ones (in FESR_Real, any class).
    Codes z and intensities are the same at every call: those of `seed`, by default the run's.
    """
    recognizer = fesr.recognizer
    seed = fesr.config.seed if seed is None else seed
    thumbnails, labels, features, predictions = [], [], [], []

    def add(images: np.ndarray, label: np.ndarray, inputs: tf.Tensor) -> None:
        batch = recognizer.features(inputs)
        thumbnails.append(images)
        labels.append(label)
        features.append(batch.numpy())
        predictions.append(recognizer.classify(batch).numpy().argmax(-1))

    faces = Faces(
        *(
            np.concatenate([getattr(training, name), getattr(held_out, name)])
            for name in ("images", "labels", "subjects", "keys", "intensity")
        )
    )
    batches = [slice(i, i + batch_size) for i in range(0, len(faces), batch_size)]
    for rows in batches:
        add(faces.images[rows], faces.labels[rows], faces.floats(rows))
    origins = [TRAINING] * len(training) + [HELD_OUT] * len(held_out)
    people = faces.names
    if fesr.config.trains_fesgan:
        for number, rows in enumerate(batches):
            generated, label = _synthetic(
                fesr, faces.floats(rows), faces.labels[rows], number, seed
            )
            add(from_model(generated), label, generated)
        origins += [SYNTHETIC] * len(faces)
        own = fesr.config.synthetic == "encoder"
        people += people if own else [f"new {i + 1}" for i in range(len(faces))]
    columns = map(np.concatenate, (features, thumbnails, labels, predictions))
    return Points(*columns, np.array(origins), np.array(people))


def _synthetic(
    fesr: FESR, image: tf.Tensor, label: np.ndarray, number: int, seed: int
) -> tuple[tf.Tensor, np.ndarray]:
    """x^{p,f} and its labels for one batch, from the random numbers of `seed` and `number`."""
    gan, config = fesr.fesgan, fesr.config
    random = expression_codes.draw(
        tf.constant(label), fesr.num_classes, config.code_size, seed, tf.constant(number)
    )
    own = config.synthetic == "encoder"
    label = random.synthetic_label.numpy() if own else label
    expression = expression_codes.expression_code(
        label, random.synthetic_intensity, fesr.num_classes
    )
    if own:
        return gan((image, expression)), label
    return gan.decode(gan.new_codes(random.prior_code), expression), label


def write_projector(folder: Path, shown: Points, classes: Sequence[str]) -> None:
    """Writes the projector's files into a run's event folder, their index last."""
    lines = ["\t".join(f"{value:.6g}" for value in row) for row in shown.features]
    write_whole(folder / TENSORS, "\n".join(lines) + "\n")
    write_whole(folder / METADATA, metadata(shown, classes))
    write_whole(folder / SPRITE, image_grids.png(sprite(shown)))
    config = ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = "R_ext"
    embedding.tensor_path, embedding.metadata_path = TENSORS, METADATA
    embedding.tensor_shape.extend(shown.features.shape)
    embedding.sprite.image_path = SPRITE
    embedding.sprite.single_image_dim.extend([THUMBNAIL, THUMBNAIL])
    write_whole(folder / CONFIG, text_format.MessageToString(config))


def metadata(shown: Points, classes: Sequence[str]) -> str:
    """A header and one line per point, separated by tabs."""
    columns = shown.labels, shown.origins, shown.predictions, shown.people
    rows = [
        (classes[label], origin, classes[answer], str(person), "yes" if label == answer else "no")
        for label, origin, answer, person in zip(*columns, strict=True)
    ]
    head = ("class", "origin", "predicted", "person", "right")
    return "".join("\t".join(map(plain, row)) + "\n" for row in (head, *rows))


def sprite(shown: Points) -> np.ndarray:
    """All thumbnails in one square image, in rows from the top left: uint8 (H,W,3).

    The colour of a thumbnail's frame is that of its origin in `COLOURS`.
    """
    side = math.ceil(math.sqrt(len(shown.labels)))
    sheet = np.full((side * THUMBNAIL, side * THUMBNAIL, 3), 255, np.uint8)
    inner = slice(FRAME, THUMBNAIL - FRAME)
    for i, (face, origin) in enumerate(zip(shown.thumbnails, shown.origins, strict=True)):
        y, x = (THUMBNAIL * place for place in divmod(i, side))
        cell = sheet[y : y + THUMBNAIL, x : x + THUMBNAIL]
        cell[:] = COLOURS[str(origin)]
        cell[inner, inner] = image_grids.enlarge(face, THUMBNAIL - 2 * FRAME)
    return sheet
