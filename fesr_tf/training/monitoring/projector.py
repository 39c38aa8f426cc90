"""Fig. 9 in TensorBoard's projector: R_ext's features of real and of drawn faces."""

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

CONFIG, TENSORS, METADATA, SPRITE = (
    "projector_config.pbtxt",
    "features.tsv",
    "features-metadata.tsv",
    "features-sprite.png",
)
THUMBNAIL, FRAME = 40, 3
LEARNT, UNSEEN, DRAWN = "real, trained on", "real, unseen", "synthetic"
COLOURS = {LEARNT: (140, 170, 215), UNSEEN: (20, 60, 130), DRAWN: (230, 120, 0)}


@dataclass(frozen=True)
class Points:
    """What the projector shows: row i of every field is one face."""

    features: np.ndarray  # float32 (N, F), R_ext before dropout
    thumbnails: np.ndarray  # uint8 (N, S, S, c)
    labels: np.ndarray  # int (N,): true class, and for a drawn face the class asked for
    predictions: np.ndarray  # int (N,), R's answer
    origins: np.ndarray  # str (N,): LEARNT, UNSEEN or DRAWN
    people: np.ndarray  # str (N,)


class Projector(EverySteps):
    """The features of some faces and of as many drawn ones, with each validation of R.

    Half of the faces are of the validation part, as far as it goes. Faces and codes z stay
    the same over a run; the last features replace the older.
    """

    def __init__(self, fesr: FESR, fold: Fold, folder: Path, last: int | None = None):
        super().__init__(fesr, fesr.config.validate_every, last)
        count = fesr.config.projector_faces
        self.unseen = some(fold.valid, count // 2)
        self.learnt = some(fold.train, count - len(self.unseen))
        self.classes, self.folder = fold.classes, folder

    def act(self, step: int, logs: dict[str, float]) -> None:
        if self.in_second_stage:
            write_projector(self.folder, points(self.fesr, self.learnt, self.unseen), self.classes)


def some(faces: Faces, count: int) -> Faces:
    """Up to `count` of `faces`, always the same, in their order."""
    return faces.of(np.sort(np.random.default_rng(0).permutation(len(faces))[:count]))


def points(
    fesr: FESR, learnt: Faces, unseen: Faces, batch_size: int = 64, seed: int | None = None
) -> Points:
    """R_ext's features of real faces and, where the run draws any, of a synthetic one for each.

    As in training, synthetic faces have the class of the real ones (in FESR_Real, any class),
    and the same codes z and intensities at every call: those of `seed`, else of the run's own.
    """
    recognizer = fesr.recognizer
    seed = fesr.config.seed if seed is None else seed
    pictures_, features, labels, answers = [], [], [], []

    def look(images: np.ndarray, label: np.ndarray, faces_: tf.Tensor) -> None:
        found = recognizer.features(faces_)
        pictures_.append(images)
        labels.append(label)
        features.append(found.numpy())
        answers.append(recognizer.classify(found).numpy().argmax(-1))

    faces = Faces(
        *(
            np.concatenate([getattr(learnt, name), getattr(unseen, name)])
            for name in ("images", "labels", "subjects", "keys", "intensity")
        )
    )
    batches = [slice(i, i + batch_size) for i in range(0, len(faces), batch_size)]
    for rows in batches:
        look(faces.images[rows], faces.labels[rows], faces.floats(rows))
    origins, people = [LEARNT] * len(learnt) + [UNSEEN] * len(unseen), list(faces.subjects)
    if fesr.config.trains_fesgan:
        for number, rows in enumerate(batches):
            drawn, label = _synthetic(fesr, faces.floats(rows), faces.labels[rows], number, seed)
            look(from_model(drawn), label, drawn)
        origins += [DRAWN] * len(faces)
        own = fesr.config.synthetic == "encoder"
        people += people if own else [f"new {i + 1}" for i in range(len(faces))]
    return Points(
        np.concatenate(features),
        np.concatenate(pictures_),
        np.concatenate(labels),
        np.concatenate(answers),
        np.array(origins),
        np.array(people),
    )


def _synthetic(
    fesr: FESR, image: tf.Tensor, label: np.ndarray, number: int, seed: int
) -> tuple[tf.Tensor, np.ndarray]:
    """x^{p,f} and its labels for one batch, from draws that belong to `seed` and `number`."""
    gan, config = fesr.fesgan, fesr.config
    draws = expression_codes.draw(
        tf.constant(label), fesr.num_classes, config.code_size, seed, tf.constant(number)
    )
    code = draws.prior_code
    if config.synthetic == "encoder":
        code, label = gan.encode(image), draws.synthetic_label.numpy()
    expression = expression_codes.expression_code(
        label, draws.synthetic_intensity, fesr.num_classes
    )
    return gan.decode(code, expression), label


def write_projector(folder: Path, shown: Points, classes: Sequence[str]) -> None:
    """Writes the projector's files into the folder of a run's events, the list of them last."""
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
    """A table with a header, one line a point, columns parted by tabs."""
    rows = [
        (classes[label], origin, classes[answer], str(person), "yes" if label == answer else "no")
        for label, origin, answer, person in zip(
            shown.labels, shown.origins, shown.predictions, shown.people, strict=True
        )
    ]
    table = [("class", "origin", "predicted", "person", "right"), *rows]
    return "".join("\t".join(map(plain, row)) + "\n" for row in table)


def sprite(shown: Points) -> np.ndarray:
    """All thumbnails in one square picture, in rows from the top left: uint8 (H, W, 3).

    A thumbnail's frame says whether the face is real (dark blue: unseen) or synthetic (orange).
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
