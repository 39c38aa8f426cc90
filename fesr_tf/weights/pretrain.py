"""`python -m fesr_tf.weights pretrain --output FILE.npz`: trains a face network of the package.

The demo's learns to identify rendered people outside the demo database, across expressions,
intensities, poses and lights. It is tested on held-out subjects, by the area under the ROC curve of
same/different pairs. That for photographs is described in `photo_pretraining`; with `--faces` the
demo's learns there too, from a teacher's embeddings alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import shlex
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from fesr_tf.metrics.face_verification import verification
from fesr_tf.networks.face_networks import load_face_network, pack_weights
from fesr_tf.networks.light_cnn import SPECS, LightCNN, layers_of
from fesr_tf.processes.sequence import call
from fesr_tf.weights import photo_pretraining
from fesr_tf.weights.identity_training import People, embed, read_people, train
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.files import sha256_of, write_whole
from pipelines.dataset import manifest
from pipelines.demo_faces.source import DEMO_SEED

IDENTITY = "light_cnn_demo"
TAUGHT = "light_cnn_demo with --faces"
DEFAULTS = {
    IDENTITY: {"subjects": 100, "held_out": 16, "seed": 9001, "epochs": 12, "batch_size": 32},
    photo_pretraining.IDENTITY: {
        "subjects": 24, "held_out": 1000, "seed": 1, "epochs": 56, "batch_size": 64,
        "cycles": 2, "tail_epochs": 10,
    },
    TAUGHT: {
        "subjects": 24, "held_out": 1000, "seed": 1, "epochs": 0, "batch_size": 64,
        "cycles": 1, "tail_epochs": 15,
    },
}  # fmt: skip
"""The options that depend on the network and on what it learns from."""
# The same people twice: as the demo database shows them, and in other poses and lights.
SCENES = {
    "frontal": ["--frames", "3"],
    "varied": ["--frames", "2", "--pose", "20", "--light"],
}
PACKAGES = ("tensorflow", "tf-keras", "numpy", "dlib-bin")


def render_people(folder: Path, subjects: int, seed: int) -> list[Path]:
    """Renders and aligns the people with the pipeline's own commands; the data folders.

    A folder that is finished is kept.
    """
    for name, scene in SCENES.items():
        faces, data = str(folder / f"{name}_faces"), str(folder / name)
        if (folder / name / manifest.NAME).is_file():
            continue
        people = ["--subjects", str(subjects), "--seed", str(seed)]
        folds = ["--folds", "2", "--valid-share", "0"]
        for words in (
            ["-m", "pipelines.demo_faces", "--output", faces, *people, *scene],
            ["-m", "pipelines.preprocess", "--input", faces, "--output", data, *folds],
        ):
            if code := call(words):
                raise FailedWork(f"`python {shlex.join(words)}` ended with exit code {code}")
    return [folder / name for name in SCENES]


def divide(people: People, held_out: int) -> tuple[People, People]:
    """The training subjects, and the last `held_out` by name, who are only tested."""
    names = sorted(set(people.subjects.tolist()))
    if len(names) < held_out + 2:
        raise BadUse(
            f"the data hold {len(names)} people: too few to hold {held_out} out and to train on "
            "two; use more --subjects or fewer --held-out"
        )
    return people.of(names[:-held_out]), people.of(names[-held_out:])


def pretrain(data: list[Path], args: argparse.Namespace) -> dict:
    """Trains, writes the weights to `args.output` and returns the record of it."""
    spec = SPECS[IDENTITY]
    trained, held_out = divide(read_people(data, spec.size), args.held_out)
    people = len(set(trained.subjects.tolist()))
    print(
        f"{people} people in {len(trained.images)} images train, {args.held_out} others in "
        f"{len(held_out.images)} images are held out",
        flush=True,
    )
    start = time.monotonic()
    network = LightCNN(spec, seed=args.seed)
    train(network, trained, args.epochs, args.batch_size, args.seed)
    seconds = time.monotonic() - start
    write_whole(args.output, pack_weights(network))
    # Tested as it will be used: read back from the file, at half precision.
    stored = load_face_network(IDENTITY, args.output).network
    result = verification(embed(stored, held_out.images), held_out.subjects, held_out.labels)
    return {
        "people_trained": people,
        "people_held_out": args.held_out,
        "images_trained": len(trained.images),
        "images_held_out": len(held_out.images),
        "held_out": dataclasses.asdict(result),
        "training_seconds": round(seconds),
    }


def _about(args: argparse.Namespace, figures: dict) -> dict:
    """The record of a network: its origin, `figures` and its size."""
    layers = list(layers_of(SPECS[args.identity]))
    return {
        "identity": args.identity,
        "sha256": sha256_of(args.output),
        "seed": args.seed,
        "epochs": args.epochs,
        "batch_size": args.batch_size,
        **figures,
        "parameters": sum(layer.parameters for layer in layers),
        "multiply_adds": sum(layer.multiply_adds for layer in layers),
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.weights pretrain",
        description="Trains a face network: the demo's on rendered people, or that for photographs "
        "on FER2013's faces with the votes of FER+, on rendered people and on the embeddings of "
        "light_cnn_v4 (fetch it before). With --epochs 0, or for the demo's network with --faces, "
        "labels and votes are not learned: the embeddings teach the whole network.",
    )
    add = parser.add_argument
    networks = IDENTITY, photo_pretraining.IDENTITY
    add("--identity", choices=networks, default=IDENTITY, help="the network (%(default)s)")
    add("--faces", type=Path, metavar="FILE", help="fer2013.csv, from which light_cnn_photo learns")
    add("--votes", type=Path, metavar="FILE", help="fer2013new.csv of FER+, with --faces")
    add("--data", type=Path, nargs="+", metavar="DIR",
        help="preprocessed folders of people; people are rendered if not given")  # fmt: skip
    add("--work", type=Path, metavar="DIR",
        help="checkpoints with --faces, from which a second call resumes")  # fmt: skip
    for name, purpose in (
        ("subjects", "people to render"),
        ("held_out", "people, or images of --faces, never trained on"),
        ("seed", "of people, images and weights"),
        ("epochs", "of the demo's network, or of the trunk"),
        ("cycles", "of the trunk's learning rate, in which its epochs are divided"),
        ("tail_epochs", "of the layers that learn from the embeddings"),
        ("batch_size", "images a step"),
    ):
        values = dict.fromkeys(str(of[name]) for of in DEFAULTS.values() if name in of)
        add(f"--{_option(name)}", type=int, help=f"{purpose} ({' or '.join(values)})")
    add("--output", type=Path, required=True, help="weights, .npz; a .json is written beside them")
    return parser


def _option(name: str) -> str:
    return name.replace("_", "-")


def _check(args: argparse.Namespace) -> None:
    """Fills in the defaults of the network. Raises `BadUse` for options that do not fit."""
    on_photographs = args.identity != IDENTITY or args.faces is not None
    for name in ("votes", "work", "cycles", "tail_epochs"):
        if not on_photographs and getattr(args, name) is not None:
            raise BadUse(f"--{_option(name)} goes with --faces, FER2013's table")
    for name in ("faces", "votes"):
        if on_photographs and getattr(args, name) is None:
            raise BadUse(f"--identity {args.identity} needs --{name}: it learns from FER2013")
    if on_photographs and args.identity == IDENTITY and args.epochs:
        raise BadUse(
            f"{IDENTITY} learns no expressions: leave out --epochs, or give --identity "
            f"{photo_pretraining.IDENTITY}"
        )
    taught = TAUGHT if on_photographs and args.identity == IDENTITY else args.identity
    for name, value in DEFAULTS[taught].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    if args.output.suffix != ".npz":
        raise BadUse(f"--output {args.output} must end in .npz")
    for name, least in (
        ("held_out", 2), ("epochs", 0 if on_photographs else 1), ("cycles", 1),
        ("tail_epochs", 1), ("batch_size", 1), ("seed", 0),
    ):  # fmt: skip
        value = getattr(args, name)
        if value is not None and value < least:
            raise BadUse(f"--{_option(name)} must be at least {least}, not {value}")
    if args.cycles and args.epochs % args.cycles:
        raise BadUse(f"--epochs {args.epochs} cannot be divided into {args.cycles} equal --cycles")
    if args.data is None and not on_photographs and args.subjects < args.held_out + 2:
        raise BadUse(
            f"--subjects {args.subjects} leaves fewer than two people to train on beside the "
            f"{args.held_out} of --held-out"
        )
    if args.data is None and args.seed == DEMO_SEED:
        raise BadUse(
            f"--seed {args.seed} renders the people of the demo database, on whom the face "
            "network must not be trained; choose another"
        )


def _said(record: dict) -> str:
    held_out = record["held_out"]
    if "teacher" not in record:
        return (
            f"held-out verification: AUC {held_out['auc']:.4f} over {held_out['pairs_same']} same "
            f"and {held_out['pairs_different']} different pairs"
        )
    said = (
        f"held-out images: cosines between images as those of {record['teacher']}, correlation "
        f"{held_out['correlation_of_cosines']:.3f}"
    )
    if "by_label" in held_out:
        said += (
            f", {held_out['by_label']:.1%} accuracy by label, {held_out['by_votes']:.1%} by votes"
        )
    return said


@command
def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    args = _parser().parse_args(argv)
    _check(args)
    start = time.monotonic()
    train_network = photo_pretraining.pretrain if args.faces else pretrain
    with tempfile.TemporaryDirectory() as folder:
        args.work = args.work or Path(folder)
        data = args.data or render_people(args.work / "people", args.subjects, args.seed)
        record = _about(args, train_network(data, args))
    words = ["python", "-m", "fesr_tf.weights", "pretrain", *argv]
    record = {"command": shlex.join(words), **record}
    if not args.faces:  # the other resumes: this call may be a small part
        record["seconds"] = round(time.monotonic() - start)
    report = args.output.with_suffix(".json")
    write_whole(report, json.dumps(record, indent=1) + "\n")
    print(f"{_said(record)}\n{args.output} and {report} written")
    return 0
