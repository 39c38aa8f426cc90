"""`python -m fesr_tf.predict PHOTO… --model DIR`: every face of a photograph, classified."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from fesr_tf import pictures, serving
from pipelines import images
from pipelines.alignment import FaceAligner, NoFaceFound
from pipelines.errors import BadUse, FailedWork, FesrError, command
from pipelines.files import write_whole

# TensorFlow's loader turns some of its errors into Python's own.
LOADING_ERRORS = (
    tf.errors.OpError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    RuntimeError,
)


@dataclass(frozen=True)
class Face:
    """A face found in a photograph: `box` (left, top, right, bottom) in its pixels, `label`,
    and `probabilities` float (K,)."""

    box: tuple[int, int, int, int]
    label: str
    probabilities: np.ndarray


class Model:
    """An exported model: encoded aligned faces in, probabilities out.

    `folder` is a version folder (`saved_models/x/1`) or the folder above, of which the highest
    version is taken. Raises `BadUse` if it is no SavedModel, or one without the signature.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = version_folder(Path(folder))
        try:
            loaded = tf.saved_model.load(str(self.folder))
        except LOADING_ERRORS as error:
            raise FailedWork(
                f"the SavedModel {self.folder} is damaged: {_first_line(error)}; export again"
            ) from None
        self._signature = loaded.signatures.get("serving_default")
        if not _is_ours(self._signature):
            raise BadUse(
                f"{self.folder} is a SavedModel, but not one that fesr_tf.export wrote: its "
                f"serving_default must turn {serving.INPUT} into {', '.join(serving.OUTPUTS)}"
            )
        # Variables belong to the loaded object: without it the signature would lose them.
        self._loaded = loaded

    def classify(self, faces: Sequence[bytes]) -> tuple[np.ndarray, list[str], list[str]]:
        """Encoded aligned faces -> probabilities float32 (N,K), labels (N), classes (K)."""
        answer = self._signature(**{serving.INPUT: tf.constant(list(faces), tf.string)})
        labels = [label.decode() for label in answer["label"].numpy()]
        classes = [name.decode() for name in answer["classes"].numpy()[0]]
        return answer["probabilities"].numpy(), labels, classes


def version_folder(folder: Path) -> Path:
    """`folder` if it is a SavedModel, else its highest version. Raises `BadUse` for neither."""
    if (folder / "saved_model.pb").is_file():
        return folder
    versions = [
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.name.isdecimal() and (path / "saved_model.pb").is_file()
    ]
    if not versions:
        what = "has no saved_model.pb" if folder.exists() else "does not exist"
        raise BadUse(f"{folder} is not an exported model: it {what}; see python -m fesr_tf.export")
    return max(versions, key=lambda path: int(path.name))


def read_photo(path: Path) -> np.ndarray:
    """The photograph as uint8 (H,W,3) or (H,W). Raises `BadUse` where there is none and
    `FailedWork` where it cannot be read."""
    if not path.is_file():
        raise BadUse(f"no photograph at {path}")
    try:
        return images.read(path)
    except images.UnreadableImage as error:
        raise FailedWork(f"{path}: {error}") from None


def find_and_classify(
    photo: np.ndarray, aligner: FaceAligner, model: Model
) -> tuple[list[Face], list[str]]:
    """All faces of a photograph from left to right, and the names of the classes.

    Raises `NoFaceFound` where there is none.
    """
    found = sorted(aligner.find_all(photo), key=lambda face: face.box)
    if not found:
        raise NoFaceFound("no face found at any scale")
    chips = [images.encode_png(face.chip) for face in found]
    probabilities, labels, classes = model.classify(chips)
    faces = [
        Face(face.box, label, shares)
        for face, label, shares in zip(found, labels, probabilities, strict=True)
    ]
    return faces, classes


def annotated_path(photo: Path, output: Path | None, taken: set[Path]) -> Path:
    """Where the annotated copy goes: `<name>.annotated.png`, numbered if that is in `taken`
    (resolved paths: the photographs themselves and the copies of this call)."""
    folder = output or photo.parent
    numbers = (f"-{n}" if n > 1 else "" for n in range(1, len(taken) + 2))
    paths = (folder / f"{photo.stem}.annotated{number}.png" for number in numbers)
    return next(path for path in paths if path.resolve() not in taken)


def table(faces: Sequence[Face], classes: Sequence[str]) -> str:
    """The distributions as text: a row a face, a column a class, in per cent."""
    widths = [max(6, len(name)) for name in classes]
    longest = max(len("label"), *(len(face.label) for face in faces))
    head = "  ".join(name.rjust(w) for name, w in zip(classes, widths, strict=True))
    lines = [f"  face  {'label'.ljust(longest)}  {head}  box (l, t, r, b)"]
    for i, face in enumerate(faces, 1):
        percent = zip(100 * face.probabilities, widths, strict=True)
        shares = "  ".join(f"{share:.1f}".rjust(width) for share, width in percent)
        box = ", ".join(map(str, face.box))
        lines.append(f"  {i:>4}  {face.label.ljust(longest)}  {shares}  {box}")
    return "\n".join(lines)


def _is_ours(signature: Callable | None) -> bool:
    if signature is None:
        return False
    inputs = signature.structured_input_signature[1]
    return set(inputs) == {serving.INPUT} and set(serving.OUTPUTS) <= set(
        signature.structured_outputs
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _as_json(path: Path, faces: Iterable[Face], classes: Sequence[str], copy: Path) -> dict:
    return {
        "photo": str(path),
        "faces": [
            {
                "box": list(face.box),
                "label": face.label,
                "probabilities": {
                    name: float(share)
                    for name, share in zip(classes, face.probabilities, strict=True)
                },
            }
            for face in faces
        ],
        "annotated": str(copy),
    }


@command
def main(argv: list[str] | None = None) -> int:
    """Classifies the faces of photographs; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.predict",
        description="Finds every face of a photograph and says which expression it shows.",
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--model", required=True, type=Path, help="saved_models/NAME[/VERSION]")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--output", type=Path, help="folder of the annotated copies [beside each photograph]"
    )
    options = parser.parse_args(argv)
    model, aligner = Model(options.model), FaceAligner()
    taken = {path.resolve() for path in options.photos}
    results, failures = [], []
    for path in options.photos:
        try:
            photo = read_photo(path)
            try:
                faces, classes = find_and_classify(photo, aligner, model)
            except NoFaceFound as error:
                raise FailedWork(f"{path}: {error}") from None
            boxes = [face.box for face in faces]
            shares = np.stack([face.probabilities for face in faces])
            copy = annotated_path(path, options.output, taken)
            taken.add(copy.resolve())
            _write(copy, pictures.png(pictures.annotate(photo, boxes, shares, classes)))
        except FesrError as error:
            if len(options.photos) == 1:
                raise
            failures.append({"photo": str(path), "reason": str(error)})
            continue
        results.append(_as_json(path, faces, classes, copy))
        if not options.json:
            print(f"{path}: {len(faces)} face{'s' * (len(faces) > 1)}, annotated copy {copy}")
            print(table(faces, classes))
    if options.json:
        answer = {"model": str(model.folder), "photos": results, "failures": failures}
        print(json.dumps(answer, indent=2))
    if failures:
        reasons = "\n".join(f"  {failure['reason']}" for failure in failures)
        raise FailedWork(f"{len(failures)} of {len(options.photos)} photographs failed:\n{reasons}")
    return 0


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        reason = error.strerror or error
        raise FailedWork(f"cannot write {path} ({reason}); choose a folder by --output") from None


if __name__ == "__main__":
    sys.exit(main())
