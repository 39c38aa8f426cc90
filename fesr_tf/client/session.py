"""`Client`: pictures in, faces with expressions out, whatever is between it and the model."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from fesr_tf.client import connection, signatures
from fesr_tf.client.errors import PER_PICTURE, bad_answer
from fesr_tf.client.inputs import (
    MAX_FACE_PIXELS,
    Aligned,
    Source,
    checked,
    files,
    objects,
    sendable,
    several,
)
from fesr_tf.client.inputs import pixels as read_pixels
from fesr_tf.client.results import Answer, Face, Photograph
from pipelines.common.errors import BadUse, FailedWork, FesrError
from pipelines.faces.alignment import AlignedFace, FaceAligner
from pipelines.faces.chips import FACE_SIZE
from pipelines.media import images

NAME = "fesr_demo"
TIMEOUT, ATTEMPTS, BATCH = 10.0, 4, 32
# Photographs whose faces wait for a full batch take no more than this many bytes together.
_WAITING = 2**27
_CHIP = (FACE_SIZE, FACE_SIZE)


class Client:
    """Finds, aligns and classifies faces with an exported model. Threads may share a client.

    Args:
        server: `host:port` (gRPC) or `http://host:port` (REST) of TensorFlow Serving.
        model: The folder of a SavedModel, instead of a server.
        name: The model's name on the server.
        version: A number, a label (of a server), or None for the newest.
        timeout: Seconds for one request.
        attempts: How often a request is sent to a server that is down or still loading.
        batch: Faces in one request.

    Raises:
        BadUse: Neither or both of server and model, or a number is out of range.
        ClientError: The model is not there or lacks a signature (`fesr_tf.client.errors`).

    Example:
        >>> with fesr_tf.Client(model="saved_models/fesr_demo") as client:
        ...     answers = client.classify([np.zeros((128, 128), np.uint8)])
        >>> len(answers), round(float(sum(answers[0].probabilities.values())), 3)
        (1, 1.0)
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        model: str | os.PathLike | None = None,
        name: str = NAME,
        version: int | str | None = None,
        timeout: float = TIMEOUT,
        attempts: int = ATTEMPTS,
        batch: int = BATCH,
    ) -> None:
        if (server is None) == (model is None):
            raise BadUse("a client takes a server or the folder of a model, one of both")
        if timeout <= 0 or attempts < 1 or batch < 1:
            raise BadUse("timeout must be above 0, attempts and batch at least 1")
        self.batch = batch
        self._backend = _backend(server, model, name, version, timeout, attempts)
        self.where = self._backend.where
        self._lock = threading.Lock()
        self._aligner: FaceAligner | None = None
        self._classes: tuple[str, ...] | None = None
        try:
            signatures.require(self.where, signatures.CLASSIFY, self._backend.signatures())
        except FesrError:
            self.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._backend.close()

    def has(self, signature: str) -> bool:
        """Whether the model can do this: "embed", "synthesize", "sample"."""
        found = self._backend.signatures().get(signature)
        return found is not None and signatures.matches(signature, found)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the expressions; asks the model about a gray square the first time."""
        if self._classes is None:
            self._classify([np.full(_CHIP, 128, np.uint8)])
        return self._classes

    def faces(self, photo: Source) -> list[Face]:
        """Every face of a photograph, from left to right; an empty list where there is none.

        photo: a path, the bytes of a file, or uint8 (H,W) or (H,W,3) RGB. Raises
        `FesrError`: it cannot be read, or the model does not answer.
        """
        (found,) = self.each([photo])
        if found.error is not None:
            raise found.error
        return list(found.faces)

    def each(self, photos: Iterable[Source], batch: int | None = None) -> Iterator[Photograph]:
        """`faces` of many photographs, in their order, their faces in full batches.

        What is wrong with one photograph is its `error`; what is wrong with the server or the
        model is raised. batch: faces or photographs that may wait for each other, another
        number than the client's.
        """
        batch = batch or self.batch
        waiting: list[tuple[Photograph, list[AlignedFace]]] = []
        for source in photos:
            waiting.append(self._find(source))
            faces = sum(len(found) for _, found in waiting)
            held = sum(photo.pixels.nbytes for photo, _ in waiting if photo.pixels is not None)
            if faces >= batch or held > _WAITING or len(waiting) >= batch:
                yield from self._answered(waiting)
                waiting = []
        yield from self._answered(waiting)

    def classify(self, faces: Sequence[Aligned]) -> list[Answer | FesrError]:
        """Aligned faces, encoded or uint8 (H,W) or (H,W,3) RGB -> for each the answer, or what is
        wrong with it.

        An encoded one is looked at before it is sent: one that is damaged, or of more than
        `MAX_FACE_PIXELS`, gets its error here. Raises what is wrong with the server or model, and
        `BadUse` for an array that is no picture.
        """
        looked = [sendable(face) for face in several(faces)]
        good = [each for each in looked if not isinstance(each, FesrError)]
        answers = iter(self._classify(good))
        return [each if isinstance(each, FesrError) else next(answers) for each in looked]

    def embed(self, faces: Sequence[Aligned]) -> np.ndarray:
        """Aligned faces (N, at least one) -> float32 (N,d), the face network's features."""
        sent = files([checked(face) for face in several(faces)])
        if not len(sent):
            raise BadUse("no face to embed")
        parts = [
            self._ask(signatures.EMBED, {"image_bytes": sent[i : i + self.batch]})["embedding"]
            for i in range(0, len(sent), self.batch)
        ]
        return np.concatenate(parts)

    def synthesize(
        self, faces: Sequence[Aligned], expressions: Sequence[str], intensities: Sequence[float]
    ) -> list[np.ndarray]:
        """Aligned faces (N), names of classes (N), intensities (N) in [-1,1] -> uint8
        (S,S) or (S,S,3) each: the same person with that expression."""
        inputs = {
            "image_bytes": files([checked(face) for face in several(faces)]),
            **self._wanted(expressions, intensities),
        }
        return self._draw(signatures.SYNTHESIZE, inputs)

    def sample(
        self, expressions: Sequence[str], intensities: Sequence[float], seeds: Sequence[int]
    ) -> list[np.ndarray]:
        """Names of classes (N), intensities (N) in [-1,1], seeds (N) -> uint8 (S,S) or (S,S,3)
        each: people who do not exist, one a seed."""
        inputs = {
            **self._wanted(expressions, intensities),
            "seed": np.asarray(seeds, np.int64),
        }
        return self._draw(signatures.SAMPLE, inputs)

    def _find(self, source: Source) -> tuple[Photograph, list[AlignedFace]]:
        try:
            pixels = read_pixels(source)
        except FesrError as error:
            return Photograph(None, error=error), []
        # dlib's detector is not to be used by two threads at a time.
        with self._lock:
            self._aligner = self._aligner or FaceAligner()
            found = self._aligner.find_all(pixels)
        return Photograph(pixels), sorted(found, key=lambda face: face.box)

    def _answered(
        self, waiting: Sequence[tuple[Photograph, list[AlignedFace]]]
    ) -> Iterator[Photograph]:
        chips = [face.chip for _, found in waiting for face in found]
        answers = iter(zip(chips, self._classify(chips), strict=True))
        for photo, found in waiting:
            faces, error = [], photo.error
            for face in found:
                chip, answer = next(answers)
                if isinstance(answer, FesrError):
                    error = answer
                else:
                    faces.append(Face(face.box, answer.label, answer.probabilities, chip))
            yield Photograph(photo.pixels, () if error else tuple(faces), error)

    def _classify(self, faces: Sequence[Aligned]) -> list[Answer | FesrError]:
        batches = (faces[i : i + self.batch] for i in range(0, len(faces), self.batch))
        return [answer for batch in batches for answer in self._batch(batch)]

    def _batch(self, faces: Sequence[Aligned]) -> list[Answer | FesrError]:
        """One request; one a picture where a picture makes it fail."""
        try:
            answer = self._ask(*self._request(faces))
        except PER_PICTURE as error:
            if len(faces) == 1:
                return [error]
            return [each for face in faces for each in self._batch([face])]
        names = signatures.class_names(self.where, answer)
        if self._classes not in (None, names):
            raise FailedWork(
                f"the model at {self.where} has other classes than a moment ago "
                f"({', '.join(names)}): another version was loaded; start again"
            )
        self._classes = names
        return [
            Answer(label.decode(), dict(zip(names, map(float, shares), strict=True)))
            for label, shares in zip(answer["label"], answer["probabilities"], strict=True)
        ]

    def _request(self, faces: Sequence[Aligned]) -> tuple[str, dict[str, np.ndarray]]:
        """Signature and inputs: pixels where all are aligned and can be sent so, else files."""
        aligned = all(isinstance(face, np.ndarray) and face.shape[:2] == _CHIP for face in faces)
        if aligned and self._backend.takes_pixels and self.has(signatures.PIXELS):
            return signatures.PIXELS, {"pixels": np.stack([images.to_rgb(face) for face in faces])}
        return signatures.CLASSIFY, {"image_bytes": files(faces)}

    def _ask(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        signatures.require(self.where, signature, self._backend.signatures())
        answer = self._backend.ask(signature, inputs)
        return signatures.checked(self.where, signature, answer, len(next(iter(inputs.values()))))

    def _wanted(
        self, expressions: Sequence[str], intensities: Sequence[float]
    ) -> dict[str, np.ndarray]:
        for name in expressions:
            if name not in self.classes:
                raise BadUse(f"no expression {name!r}: the model has {', '.join(self.classes)}")
        levels = np.asarray(intensities, np.float32)
        if not (np.abs(levels) <= 1).all():
            raise BadUse(f"intensities lie between -1 and 1: {list(intensities)}")
        return {"expression": objects([name.encode() for name in expressions]),
                "intensity": levels}  # fmt: skip

    def _draw(self, signature: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        lengths = {len(array) for array in inputs.values()}
        if len(lengths) != 1:
            raise BadUse(f"as many of each are needed: {sorted(lengths)}")
        drawn: list[np.ndarray] = []
        for i in range(0, lengths.pop(), self.batch):
            part = {name: array[i : i + self.batch] for name, array in inputs.items()}
            for data in self._ask(signature, part)["image_bytes"]:
                try:
                    drawn.append(images.decode(data, MAX_FACE_PIXELS))
                except images.UnreadableImage as error:
                    raise bad_answer(
                        self.where, f"a drawn picture is unreadable: {error}"
                    ) from None
        return drawn


def _backend(
    server: str | None,
    model: str | os.PathLike | None,
    name: str,
    version: int | str | None,
    timeout: float,
    attempts: int,
) -> signatures.Backend:
    # Each brings what the others do without: TensorFlow's loader, the official messages.
    if server is None:
        from fesr_tf.client.saved_model import SavedModel

        if isinstance(version, str):
            raise BadUse(f"a folder has versions by number, not by label: {version!r}")
        return SavedModel(Path(model), version)
    address = connection.parse(server)
    wanted = connection.Wanted(name, version)
    if address.protocol == connection.REST:
        from fesr_tf.client.rest_backend import Rest

        return Rest(address.target, wanted, timeout, attempts)
    from fesr_tf.client.grpc_backend import Grpc

    return Grpc(address.target, wanted, timeout, attempts)
