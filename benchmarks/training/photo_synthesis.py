"""What a model makes of photographs: still the same person, and with the expression asked for?

PHOTOS is a folder <expression>/<person>[_…].jpg; every photograph is aligned as the client does. A
translated face keeps the person where Light CNN v4 accepts it beside its photograph: its cosine is
above the threshold that separates pairs of real photographs of one person (other expressions) best
from those of two. It has the expression where the judge names it: MODEL's own recogniser and the
models of `--judge`. Sheets are written to `--output`.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.heading import heading, parser
from benchmarks.training.photo_model import share
from fesr_tf.client import Client
from fesr_tf.client.shipped import shipped_model
from fesr_tf.data.images import to_float
from fesr_tf.metrics.face_verification import best_threshold
from fesr_tf.networks.face_networks import FETCHED, FaceNetwork, load_face_network
from fesr_tf.plots import image_grids
from pipelines.common.errors import BadUse, command
from pipelines.common.files import write_whole
from pipelines.common.text import table
from tests.support.face_verification import read_photographs

# Rows of the sheets, and the intensities of Fig. 6.
_PEOPLE = 10
_LEVELS = np.linspace(-1, 1, 9)
_BATCH = 16


def embedded(network: FaceNetwork, images: np.ndarray) -> np.ndarray:
    """uint8 (N,H,W) or (N,H,W,3) of any size -> unit embeddings (N,d)."""
    side = network.network.spec.size
    scaled = [
        Image.fromarray(each).convert("L").resize((side, side), Image.Resampling.BICUBIC)
        for each in images
    ]
    floats = to_float(np.stack([np.asarray(each) for each in scaled])[..., np.newaxis])
    parts = [network.embed(floats[i : i + _BATCH]) for i in range(0, len(images), _BATCH)]
    found = np.concatenate(parts)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def threshold(embeddings: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
    """The cosine that separates pairs of one person from those of two best."""
    one, two = np.triu_indices(len(embeddings), 1)
    other = expressions[one] != expressions[two]
    one, two = one[other], two[other]
    cosines = (embeddings[one] * embeddings[two]).sum(1)
    same = subjects[one] == subjects[two]
    if same.all() or not same.any():
        raise BadUse("--photos needs two people at least, and one of them with two expressions")
    return best_threshold(cosines, same)


def overall(by_class: dict[str, np.ndarray]) -> str:
    return share(np.concatenate(list(by_class.values())))


def sheets(client: Client, photos: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """File name -> sheet uint8 (H,W,3): expressions and intensities of photographs, new people."""
    classes = list(client.classes)
    rows = [
        [face, *client.synthesize([face] * len(classes), classes, [1.0] * len(classes))]
        for face in photos
    ]
    side = rows[0][1].shape[0]
    for row in rows:
        row[0] = np.asarray(Image.fromarray(row[0]).resize((side, side), Image.Resampling.LANCZOS))
    sweep = [
        client.synthesize([photos[0]] * len(_LEVELS), [name] * len(_LEVELS), list(_LEVELS))
        for name in classes
    ]
    people = [
        client.sample(classes, [1.0] * len(classes), [seed] * len(classes))
        for seed in range(_PEOPLE)
    ]
    new = [f"new {i + 1}" for i in range(_PEOPLE)]
    return {
        "expressions.png": image_grids.grid(rows, ["photograph", *classes], names),
        "intensity.png": image_grids.grid(sweep, [f"{level:+.2f}" for level in _LEVELS], classes),
        "new_identities.png": image_grids.grid(people, classes, new),
    }


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.training.photo_synthesis", __doc__)
    options.add_argument("--photos", type=Path, required=True, metavar="DIR")
    options.add_argument("--model", type=Path, help="an exported model [fesr_photo]")
    options.add_argument("--judge", type=Path, nargs="*", default=[], metavar="MODEL")
    options.add_argument("--output", type=Path, metavar="DIR", help="folder of the sheets")
    args = options.parse_args(argv)
    models = [args.model or shipped_model(), *args.judge]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(model=each, batch=64)) for each in models]
        client = clients[0]
        if not client.has("synthesize"):
            raise BadUse(f"{client.where} has no generator: it cannot change an expression")
        classes = list(client.classes)
        for judge in clients[1:]:
            if set(judge.classes) != set(classes):
                raise BadUse(f"the classes of {judge.where} are not {', '.join(classes)}")
        measure(clients, args, heading(options, argv))
    return 0


def measure(clients: list[Client], args: argparse.Namespace, head: str) -> None:
    """Prints the shares of `clients[0]`, as every client names them, and writes its sheets."""
    client, classes = clients[0], list(clients[0].classes)
    people = read_photographs(args.photos)
    faces = np.stack([np.asarray(Image.fromarray(face).convert("L")) for face in people.aligned])
    v4 = load_face_network(FETCHED)
    real = embedded(v4, faces)
    least = threshold(real, people.subjects, people.expressions)
    made = {
        name: np.stack(client.synthesize(list(faces), [name] * len(faces), [1.0] * len(faces)))
        for name in classes
    }
    if args.output:
        chosen = np.linspace(0, len(faces) - 1, _PEOPLE).round().astype(int)
        names = [f"{people.subjects[i]}, {people.expressions[i]}" for i in chosen]
        for name, sheet in sheets(client, faces[chosen], names).items():
            write_whole(args.output / name, image_grids.png(sheet))
    kept = {name: (embedded(v4, made[name]) * real).sum(1) > least for name in classes}
    side = made[classes[0]].shape[1]
    copies = [Image.fromarray(face).resize((side, side), Image.Resampling.LANCZOS)
              for face in faces]  # fmt: skip
    copied = (embedded(v4, np.stack([np.asarray(each) for each in copies])) * real).sum(1) > least
    named = {
        str(judge.where): {
            name: np.array([each.label == name for each in judge.classify(list(made[name]))])
            for name in classes
        }
        for judge in clients
    }
    print(head)
    count = len(set(people.subjects.tolist()))
    print(
        f"{len(faces)} photographs of {count} people, each with each of {len(classes)} "
        f"expressions; v4's threshold {least:.3f}"
    )
    print(f"the same person: {overall(kept)}; photographs at {side} pixels: {share(copied)}")
    for model, by_class in named.items():
        print(f"the expression asked for, by {model}: {overall(by_class)}")
    rows = [["the same person", *(f"{kept[name].mean():.0%}" for name in classes)]]
    rows += [[f"named by {model}", *(f"{by_class[name].mean():.0%}" for name in classes)]
             for model, by_class in named.items()]  # fmt: skip
    print(table(["share", *classes], rows))


if __name__ == "__main__":
    sys.exit(main())
