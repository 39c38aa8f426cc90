"""`Client`: images in, faces with expressions out, by any backend."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from fesr_tf.client import connection, signatures
from fesr_tf.client.detector import BLAZEFACE, FaceFinder, check_detector
from fesr_tf.client.errors import PER_IMAGE, BadAnswer
from fesr_tf.client.inputs import MAX_FACE_PIXELS, Aligned, Source, checked, files, objects, pixels
from fesr_tf.client.shipped import shipped_model
from fesr_tf.client.tables import Answer, Face, Photograph
from fesr_tf.client.training_data import doubts
from pipelines.common.errors import BadUse, FailedWork, FesrError
from pipelines.faces.alignment import AlignedFace
from pipelines.faces.chips import FACE_SIZE
from pipelines.media import images

NAME = "fesr_demo"
TIMEOUT, ATTEMPTS, BATCH = 10.0, 4, 32
# The limit in bytes for photographs that wait for a full batch of faces.
_WAITING = 2**27
_ALIGNED = (FACE_SIZE, FACE_SIZE)


class Client:
    """Finds, aligns and classifies faces with an exported model. Threads may share a client.

    Args:
        server: `host:port` (gRPC) or `http://host:port` (REST) of TensorFlow Serving.
        model: The folder of a SavedModel; without it and a server, the model for photographs that
            comes with the package.
        name: The model's name on the server.
        version: A number, a label (of a server), or None for the newest.
        timeout: Seconds for one request.
        attempts: How often a request is sent to a server that is down or still loading.
        batch: Faces in one request.
        detector: Finds the faces: "blazeface", or "dlib", which needs no TensorFlow.

    Raises:
        BadUse: Both server and model, or neither and the package has no model; a number is out of
            range.
        FesrError: The model is missing or lacks a signature, see `fesr_tf.client.errors`.

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
        detector: str = BLAZEFACE,
    ) -> None:
        if server is not None and model is not None:
            raise BadUse("a client takes either a server or the folder of a model, not both")
        if timeout <= 0 or attempts < 1 or batch < 1:
            raise BadUse("timeout must be above 0, attempts and batch at least 1")
        self._detector = check_detector(detector)
        self.batch = batch
        if server is None and model is None:
            model = shipped_model()
        self._backend = _backend(server, model, name, version, timeout, attempts)
        self.where = self._backend.where
        self.origin = self._backend.origin
        self._lock = threading.Lock()
        self._finder: FaceFinder | None = None
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
        """Whether the model has a signature: "embed", "synthesize", "sample"."""
        own = self._backend.signatures().get(signature)
        return own is not None and signatures.matches(signature, own)

    @property
    def notes(self) -> list[str]:
        """Sentences on how photographs differ from the model's training images. The training
        images are `origin`, None for a server, which does not pass that record on."""
        return doubts(self.origin)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the expressions, from the answer to a gray square the first time."""
        if self._classes is None:
            self._classify([np.full(_ALIGNED, 128, np.uint8)])
        return self._classes

    def faces(self, photo: Source) -> list[Face]:
        """Every face of a photograph, from left to right; an empty list where there is none.

        photo: a path, the bytes of a file, or uint8 (H,W), (H,W,1) or (H,W,3) RGB. Raises
        `FesrError` where it cannot be read or the model does not answer.
        """
        (result,) = self.each([photo])
        if result.error is not None:
            raise result.error
        return list(result.faces)

    def each(
        self, photos: Iterable[Source], batch: int | None = None, film: bool = False
    ) -> Iterator[Photograph]:
        """`faces` of many photographs, in their order, classified in full batches.

        An error in one photograph is its `error`; an error of the server or the model is raised.
        batch: the most faces or photographs to wait for each other [the client's]. film: they are
        consecutive frames, so that most are searched only near the last frame's faces.
        """
        batch = batch or self.batch
        waiting: list[tuple[Photograph, list[AlignedFace]]] = []
        if film:
            # Another film may be followed by another thread.
            finder = FaceFinder(self._detector)
        for source in photos:
            waiting.append(self._find(source, finder.follow if film else self._faces))
            faces = sum(len(aligned) for _, aligned in waiting)
            held = sum(photo.pixels.nbytes for photo, _ in waiting if photo.pixels is not None)
            if faces >= batch or held > _WAITING or len(waiting) >= batch:
                yield from self._answered(waiting)
                waiting = []
        yield from self._answered(waiting)

    def classify(self, faces: Sequence[Aligned]) -> list[Answer | FesrError]:
        """Aligned faces, encoded or uint8 (H,W), (H,W,1) or (H,W,3) RGB -> an answer or an error
        for each.

        Encoded faces are decoded before they are sent: a damaged one, or one of more than
        `MAX_FACE_PIXELS`, gets its error here. Raises an error of the server or the model, and
        `BadUse` for an array that is not an image.
        """
        inputs = checked(faces)
        valid = [face for face in inputs if not isinstance(face, FesrError)]
        answers = iter(self._classify(valid))
        return [face if isinstance(face, FesrError) else next(answers) for face in inputs]

    def embed(self, faces: Sequence[Aligned]) -> np.ndarray:
        """Aligned faces (N, at least one) -> float32 (N,d), the face network's features."""
        sent = files(checked(faces))
        if not len(sent):
            raise BadUse("no face to embed")
        parts = [
            self._run(signatures.EMBED, {"image_bytes": sent[i : i + self.batch]})["embedding"]
            for i in range(0, len(sent), self.batch)
        ]
        return np.concatenate(parts)

    def synthesize(
        self, faces: Sequence[Aligned], expressions: Sequence[str], intensities: Sequence[float]
    ) -> list[np.ndarray]:
        """Aligned faces (N), names of classes (N), intensities (N) in [-1,1] -> uint8
        (S,S) or (S,S,3) each: the same face with that expression."""
        inputs = {"image_bytes": files(checked(faces))}
        inputs |= self._conditions(expressions, intensities)
        return self._generate(signatures.SYNTHESIZE, inputs)

    def sample(
        self, expressions: Sequence[str], intensities: Sequence[float], seeds: Sequence[int]
    ) -> list[np.ndarray]:
        """Names of classes (N), intensities (N) in [-1,1], seeds (N) -> uint8 (S,S) or (S,S,3)
        each: generated identities, one per seed."""
        conditions = self._conditions(expressions, intensities)
        inputs = conditions | {"seed": np.asarray(seeds, np.int64)}
        return self._generate(signatures.SAMPLE, inputs)

    def _faces(self, image: np.ndarray) -> list[AlignedFace]:
        # The finder's detectors are not thread-safe.
        with self._lock:
            self._finder = self._finder or FaceFinder(self._detector)
            return self._finder.find(image)

    def _find(
        self, source: Source, find: Callable[[np.ndarray], list[AlignedFace]]
    ) -> tuple[Photograph, list[AlignedFace]]:
        try:
            image = pixels(source)
        except FesrError as error:
            return Photograph(None, error=error), []
        return Photograph(image), sorted(find(image), key=lambda face: face.box)

    def _answered(
        self, waiting: Sequence[tuple[Photograph, list[AlignedFace]]]
    ) -> Iterator[Photograph]:
        answers = iter(self._classify([face.chip for _, aligned in waiting for face in aligned]))
        for photo, aligned in waiting:
            faces, error = [], photo.error
            for face in aligned:
                answer = next(answers)
                if isinstance(answer, FesrError):
                    error = answer
                else:
                    faces.append(Face(face.box, answer.label, answer.probabilities, face.chip))
            yield Photograph(photo.pixels, () if error else tuple(faces), error)

    def _classify(self, faces: Sequence[Aligned]) -> list[Answer | FesrError]:
        batches = (faces[i : i + self.batch] for i in range(0, len(faces), self.batch))
        return [answer for batch in batches for answer in self._batch(batch)]

    def _batch(self, faces: Sequence[Aligned]) -> list[Answer | FesrError]:
        """One request; where an image makes it fail, one request per image."""
        try:
            answer = self._run(*self._request(faces))
        except PER_IMAGE as error:
            if len(faces) == 1:
                return [error]
            return [answer for face in faces for answer in self._batch([face])]
        names = signatures.class_names(self.where, answer)
        if self._classes not in (None, names):
            raise FailedWork(
                f"the classes of the model at {self.where} changed to {', '.join(names)}: the "
                "server loaded another version; start again"
            )
        self._classes = names
        return [
            Answer(label.decode(), dict(zip(names, map(float, shares), strict=True)))
            for label, shares in zip(answer["label"], answer["probabilities"], strict=True)
        ]

    def _request(self, faces: Sequence[Aligned]) -> tuple[str, dict[str, np.ndarray]]:
        """Signature and inputs: pixels where the backend takes them and all faces have the aligned
        size, else files."""
        aligned = all(isinstance(face, np.ndarray) and face.shape[:2] == _ALIGNED for face in faces)
        if aligned and self._backend.takes_pixels and self.has(signatures.PIXELS):
            return signatures.PIXELS, {"pixels": np.stack([images.to_rgb(face) for face in faces])}
        return signatures.CLASSIFY, {"image_bytes": files(faces)}

    def _run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        signatures.require(self.where, signature, self._backend.signatures())
        answer = self._backend.run(signature, inputs)
        return signatures.checked(self.where, signature, answer, len(next(iter(inputs.values()))))

    def _conditions(
        self, expressions: Sequence[str], intensities: Sequence[float]
    ) -> dict[str, np.ndarray]:
        for name in expressions:
            if name not in self.classes:
                raise BadUse(f"no expression {name!r}: the model has {', '.join(self.classes)}")
        levels = np.asarray(intensities, np.float32)
        if not (np.abs(levels) <= 1).all():
            raise BadUse(f"intensities lie between -1 and 1: {list(intensities)}")
        names = objects([name.encode() for name in expressions])
        return {"expression": names, "intensity": levels}

    def _generate(self, signature: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        lengths = {len(array) for array in inputs.values()}
        if len(lengths) != 1:
            raise BadUse(f"all lists of inputs must have the same length, not {sorted(lengths)}")
        generated: list[np.ndarray] = []
        for i in range(0, lengths.pop(), self.batch):
            part = {name: array[i : i + self.batch] for name, array in inputs.items()}
            for data in self._run(signature, part)["image_bytes"]:
                try:
                    generated.append(images.decode(data, MAX_FACE_PIXELS))
                except images.UnreadableImage as error:
                    reason = f"a generated image is unreadable: {error}"
                    raise BadAnswer(self.where, reason) from None
        return generated


def _backend(
    server: str | None,
    model: str | os.PathLike | None,
    name: str,
    version: int | str | None,
    timeout: float,
    attempts: int,
) -> signatures.Backend:
    # Imported when used: REST needs neither gRPC nor TensorFlow.
    if server is None:
        from fesr_tf.client.saved_model import SavedModel

        if isinstance(version, str):
            raise BadUse(f"a folder has numbered versions, not labels: {version!r}")
        return SavedModel(Path(model), version)
    address = connection.parse(server)
    wanted = connection.Wanted(name, version)
    if address.protocol == connection.REST:
        from fesr_tf.client.rest_backend import Rest as Server
    else:
        from fesr_tf.client.grpc_backend import Grpc as Server
    return Server(address.target, wanted, timeout, attempts)
