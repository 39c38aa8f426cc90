"""Trains a face network on photographs: its trunk on expressions of real faces, its tail on a
teacher's embeddings of people; without epochs for expressions, all of it on the embeddings."""

from __future__ import annotations

import argparse
import io
import json
import time
from pathlib import Path

import numpy as np

from fesr_tf import config as configs
from fesr_tf.data.images import to_size
from fesr_tf.networks.face_networks import (
    FETCHED,
    PHOTOGRAPHS,
    FaceNetwork,
    load_face_network,
    pack_weights,
)
from fesr_tf.networks.light_cnn import SPECS, LightCNN
from fesr_tf.weights import distillation, expression_training
from fesr_tf.weights.expression_faces import LabelledFaces, read_faces, training_faces
from fesr_tf.weights.expression_training import ExpressionNetwork
from fesr_tf.weights.identity_training import embed, read_people
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import write_whole

IDENTITY = PHOTOGRAPHS
# R's own layers, which train with the trunk, are of this size.
_RECOGNIZER = ("image_size=64", "width=0.25", f"identity={IDENTITY}")
_RECOGNIZER_FILE = "recognizer.npz"
HELD_OUT = "held_out.txt"
"""In the work folder: the held-out images' keys, for `pipelines.preprocess --valid-list`."""


def pretrain(people: list[Path], args: argparse.Namespace) -> dict:
    """Trains, writes the weights to `args.output` and returns the record of it.

    `args.work` keeps checkpoints, the teacher's embeddings, R's own layers and the keys of the
    held-out images (`HELD_OUT`): a call with the same settings resumes there. With `args.epochs` 0
    the network learns no label and no vote: all its layers learn from the embeddings. Raises
    `BadUse` where `args.work` is of other settings.
    """
    spec = SPECS[args.identity]
    teacher = load_face_network(FETCHED)
    faces, counts = training_faces(read_faces(args.faces, args.votes))
    trained, held_out = faces.divided(args.held_out, args.seed)
    _claim(args, faces.digest)
    write_whole(args.work / HELD_OUT, keys_of(held_out))
    print(
        f"{len(trained)} images of {args.faces} train and {len(held_out)} are held out, of "
        f"{counts['training']}: {counts['elsewhere']} are also in another part, {counts['copies']} "
        "are copies",
        flush=True,
    )
    if args.epochs:
        settings = configs.resolve("images", overrides=_RECOGNIZER)
        network = ExpressionNetwork(spec, settings, args.seed)
        folder = args.work / "expressions"
        shape = args.epochs, args.batch_size, args.seed, folder, args.cycles
        spent = expression_training.train(network, trained, *shape)
        student = network.trunk.folded()
    else:
        network, spent, student = None, 0.0, LightCNN(spec, seed=args.seed)

    rendered = read_people(people, teacher.network.spec.size).images
    own = [to_size(each, spec.size, 1).numpy() for each in (trained.images, rendered)]
    embeddings = _taught(teacher, [trained.images, rendered], args.work / "teacher.npy")
    start = time.monotonic()
    distillation.distil(
        student,
        np.concatenate(own),
        embeddings,
        args.tail_epochs,
        args.batch_size,
        args.seed,
        whole=not args.epochs,
    )
    seconds = round(time.monotonic() - start)

    write_whole(args.output, pack_weights(student))
    # Measured as it will be used: read back from the file, at half precision.
    stored = load_face_network(args.identity, args.output).network
    unseen = to_size(held_out.images, spec.size, 1).numpy()
    likeness = _likeness(embed(stored, unseen), distillation.teach(teacher, held_out.images))
    figures = {"images": len(held_out)} | likeness
    if network:
        write_whole(args.work / _RECOGNIZER_FILE, network.pack_recognizer())
        figures |= expression_training.measure(network, stored, held_out)
    return {
        "cycles": args.cycles,
        "teacher": FETCHED,
        "tail_epochs": args.tail_epochs,
        "data_digest": faces.digest,
        "images": counts,
        "images_trained": len(trained),
        "images_rendered": len(rendered),
        "held_out": figures,
        "expression_seconds": round(spent),
        "identity_seconds": seconds,
    }


def keys_of(faces: LabelledFaces) -> str:
    """The keys of the images in FER2013's table, one a line, sorted."""
    keys = sorted(key for joined in faces.keys.tolist() for key in joined.split())
    return "".join(f"{key}\n" for key in keys)


def _claim(args: argparse.Namespace, digest: str) -> None:
    """Records the settings in the work folder, or compares them with those recorded there."""
    names = ("identity", "seed", "epochs", "cycles", "batch_size", "held_out", "subjects")
    settings = {name: getattr(args, name) for name in names} | {"data_digest": digest}
    path = args.work / "settings.json"
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise FailedWork(f"{path} is damaged ({error}); give another --work") from None
        if changed := [name for name in settings if before.get(name, IDENTITY) != settings[name]]:
            raise BadUse(
                f"{args.work} was started with another {' and '.join(changed)}; give another "
                "--work, or delete it to restart"
            )
    write_whole(path, json.dumps(settings, indent=1) + "\n")


def _taught(teacher: FaceNetwork, parts: list[np.ndarray], path: Path) -> np.ndarray:
    """The teacher's embeddings of several arrays of faces, read from `path` where they are."""
    count = sum(map(len, parts))
    if path.is_file():
        stored = np.load(path, allow_pickle=False)
        if len(stored) == count:
            return stored.astype(np.float32)
    embeddings = np.concatenate([distillation.teach(teacher, part) for part in parts])
    buffer = io.BytesIO()
    np.save(buffer, embeddings.astype(np.float16))
    write_whole(path, buffer.getvalue())
    return embeddings


def _likeness(embeddings: np.ndarray, teacher: np.ndarray) -> dict[str, float]:
    """How alike two arrays of embeddings (N,E) and (N,T) are: the correlation of the cosines
    between images, and where E is T the mean cosine of an image's own two embeddings."""
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (embeddings, teacher)]
    pairs = np.triu_indices(len(embeddings), 1)
    cosines = [(rows @ rows.T)[pairs] for rows in unit]
    found = {"correlation_of_cosines": float(np.corrcoef(cosines)[0, 1])}
    if embeddings.shape == teacher.shape:
        found["cosine_with_teacher"] = float(np.mean((unit[0] * unit[1]).sum(1)))
    return found
