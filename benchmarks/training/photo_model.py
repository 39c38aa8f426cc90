"""The model for photographs on FER2013's PublicTest and on photographs, beside the `fer` package.

PublicTest is counted by the challenge's labels, and by the majority of the votes of FER+ where that
is one of the seven classes and no tie. PHOTOS is a folder <expression>/<person>[_…].jpg with
happiness and neutral: every photograph is aligned as the client does; a pair is right where the
happy image of a person scores happier than the neutral one. `--peers` names the interpreter of an
environment with the package `fer`; every model gets the same aligned faces.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.heading import heading, parser
from benchmarks.training.fer_peer import CLASSES as PEER_CLASSES
from fesr_tf.client import Client
from fesr_tf.client.shipped import shipped_model
from fesr_tf.metrics.classification import wilson_interval
from fesr_tf.weights.expression_faces import read_faces
from pipelines.common.errors import command
from pipelines.common.text import table
from pipelines.databases.fer2013 import CLASSES
from tests.support.face_verification import read_photographs
from tests.support.workers import Worker

HAPPY, NEUTRAL = "happiness", "neutral"
_BINS = 15
_REPEATS = 200


@dataclass(frozen=True)
class Faces:
    """What every model is asked: gray faces, uint8 (N,S,S), and who shows what.

    majority: the class by votes, -1 where there is none; labels: by the challenge.
    """

    tested: np.ndarray
    majority: np.ndarray
    labels: np.ndarray
    photos: np.ndarray
    subjects: np.ndarray
    expressions: np.ndarray


def read_all(faces: Path, votes: Path, photos: Path) -> Faces:
    tested = read_faces(faces, votes)["PublicTest"]
    people = read_photographs(photos)
    return Faces(
        tested.images[..., 0],
        tested.majority,
        tested.labels.argmax(1),
        np.stack([np.asarray(Image.fromarray(face).convert("L")) for face in people.aligned]),
        people.subjects,
        people.expressions,
    )


def own(client: Client, faces: np.ndarray) -> np.ndarray:
    """float (N,7): the probabilities of `CLASSES`."""
    answers = client.classify(list(faces))
    return np.array([[each.probabilities[name] for name in CLASSES] for each in answers])


def share(hits: np.ndarray) -> str:
    """`83.1% [81.8, 84.3]`, with its Wilson interval of 95 %."""
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return f"{hits.mean():.1%} [{low:.1%}, {high:.1%}]"


def recalls(predicted: np.ndarray, true: np.ndarray) -> list[float]:
    """The share of each class's images that is named so."""
    return [float((predicted == k)[true == k].mean()) for k in range(len(CLASSES))]


def pairs(probabilities: np.ndarray, faces: Faces) -> tuple[int, int]:
    """The people whose happy image scores happier than their neutral one, and all people."""
    happy = probabilities[:, CLASSES.index(HAPPY)]
    people = sorted(set(faces.subjects.tolist()))
    right = [
        happy[(faces.subjects == name) & (faces.expressions == HAPPY)].min()
        > happy[(faces.subjects == name) & (faces.expressions == NEUTRAL)].max()
        for name in people
    ]
    return sum(map(bool, right)), len(people)


def calibration_error(probabilities: np.ndarray, true: np.ndarray) -> float:
    """The expected calibration error of the top class in 15 bins of equal width (Guo et al.)."""
    top, hit = probabilities.max(1), probabilities.argmax(1) == true
    bins = np.minimum((top * _BINS).astype(int), _BINS - 1)
    gaps = [abs(top[bins == b].mean() - hit[bins == b].mean()) * (bins == b).sum()
            for b in np.unique(bins)]  # fmt: skip
    return float(sum(gaps) / len(true))


def row(name: str, tested: np.ndarray, photos: np.ndarray, faces: Faces) -> list[str]:
    predicted, counted = tested.argmax(1), faces.majority >= 0
    majority = faces.majority[counted]
    expected = np.array([CLASSES.index(each) for each in faces.expressions])
    right, people = pairs(photos, faces)
    return [
        name,
        share(predicted[counted] == majority),
        f"{np.mean(recalls(predicted[counted], majority)):.1%}",
        share(predicted == faces.labels),
        f"{calibration_error(tested[counted], majority):.3f}",
        f"{(photos.argmax(1) == expected).sum()} of {len(expected)}",
        f"{right} of {people}",
    ]


def milliseconds(client: Client, face: np.ndarray) -> float:
    """The median time of one face in one request."""
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        client.classify([face])
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times[_REPEATS // 4 :]))


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.training.photo_model", __doc__)
    options.add_argument("--faces", type=Path, required=True, metavar="FILE", help="fer2013.csv")
    options.add_argument("--votes", type=Path, required=True, metavar="FILE",
                         help="fer2013new.csv")  # fmt: skip
    options.add_argument("--photos", type=Path, required=True, metavar="DIR")
    options.add_argument("--model", type=Path, nargs="+", help="exported models [fesr_photo]")
    options.add_argument("--peers", metavar="PYTHON", help="an interpreter that has fer")
    args = options.parse_args(argv)
    faces = read_all(args.faces, args.votes, args.photos)
    counted = faces.majority >= 0
    rows, recalled, speed = [], [], []
    for model in args.model or [shipped_model()]:
        with Client(model=model, batch=64) as client:
            tested = own(client, faces.tested)
            rows.append(row(str(model), tested, own(client, faces.photos), faces))
            speed.append(f"{model}, one face: {milliseconds(client, faces.photos[0]):.2f} ms")
        found = recalls(tested.argmax(1)[counted], faces.majority[counted])
        recalled.append([str(model), *(f"{value:.0%}" for value in found)])
    if args.peers:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{name}.npy") for name in ("tested", "photos")]
            for path, images in zip(paths, (faces.tested, faces.photos), strict=True):
                np.save(path, images)
            words = ["-E", "-s", "-m", "benchmarks.training.fer_peer", *map(str, paths)]
            order = [PEER_CLASSES.index(name) for name in CLASSES]
            with Worker("fer", [args.peers, *words], {}) as peer:
                version = json.loads(peer.line())
                for kind in ("TFLite", "Keras"):
                    tested, photos = (np.array(peer.ask(kind, i))[:, order] for i in (0, 1))
                    rows.append(row(f"fer {version}, {kind}", tested, photos, faces))
                    found = recalls(tested.argmax(1)[counted], faces.majority[counted])
                    recalled.append(
                        [f"fer {version}, {kind}", *(f"{value:.0%}" for value in found)]
                    )
    print(heading(options, argv))
    print(f"{len(faces.tested):,} images of PublicTest, {counted.sum():,} with a majority of votes")
    head = ["model", "by votes", "balanced", "by label", "ECE", "photographs", "pairs"]
    print(table(head, rows))
    print("recall by votes")
    print(table(["model", *CLASSES], recalled))
    print("\n".join(speed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
