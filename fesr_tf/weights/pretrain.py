"""`python -m fesr_tf.weights pretrain --output FILE.npz`: trains the demo's face network.

A Light CNN learns to identify rendered people outside the demo database, across
expressions, intensities, poses and lights. It is tested on held-out subjects, by the area under
the ROC curve of same/different pairs.
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
from fesr_tf.weights.identity_training import People, embed, read_people, train
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.files import sha256_of, write_whole
from pipelines.demo_faces.source import DEMO_SEED

IDENTITY = "light_cnn_demo"
# The same people twice: as the demo database shows them, and in other poses and lights.
SCENES = {
    "frontal": ["--frames", "3"],
    "varied": ["--frames", "2", "--pose", "20", "--light"],
}
PACKAGES = ("tensorflow", "tf-keras", "numpy", "dlib-bin")


def render_people(folder: Path, subjects: int, seed: int) -> list[Path]:
    """Renders and aligns the people with the pipeline's own commands; the data folders."""
    for name, scene in SCENES.items():
        faces, data = str(folder / f"{name}_faces"), str(folder / name)
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
    layers = list(layers_of(spec))
    return {
        "identity": IDENTITY,
        "sha256": sha256_of(args.output),
        "seed": args.seed,
        "epochs": args.epochs,
        "batch_size": args.batch_size,
        "people_trained": people,
        "people_held_out": args.held_out,
        "images_trained": len(trained.images),
        "images_held_out": len(held_out.images),
        "held_out": dataclasses.asdict(result),
        "parameters": sum(layer.parameters for layer in layers),
        "multiply_adds": sum(layer.multiply_adds for layer in layers),
        "training_seconds": round(seconds),
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.weights pretrain",
        description="Trains the demo's face network on rendered people and verifies it on others.",
    )
    add = parser.add_argument
    add("--data", type=Path, nargs="+", metavar="DIR",
        help="preprocessed folders; people are rendered if not given")  # fmt: skip
    add("--subjects", type=int, default=100, help="people to render (%(default)s)")
    add("--held-out", type=int, default=16, help="of these, never trained on (%(default)s)")
    add("--seed", type=int, default=9001, help="of people and weights (%(default)s)")
    add("--epochs", type=int, default=12, help="(%(default)s)")
    add("--batch-size", type=int, default=32, help="(%(default)s)")
    add("--output", type=Path, required=True, help="weights, .npz; a .json is written beside them")
    return parser


def _check(args: argparse.Namespace) -> None:
    if args.output.suffix != ".npz":
        raise BadUse(f"--output {args.output} must end in .npz")
    for name, least in (("held_out", 2), ("epochs", 1), ("batch_size", 1), ("seed", 0)):
        if getattr(args, name) < least:
            option = name.replace("_", "-")
            raise BadUse(f"--{option} must be at least {least}, not {getattr(args, name)}")
    if args.data is None and args.subjects < args.held_out + 2:
        raise BadUse(
            f"--subjects {args.subjects} leaves fewer than two people to train on beside the "
            f"{args.held_out} of --held-out"
        )
    if args.data is None and args.seed == DEMO_SEED:
        raise BadUse(
            f"--seed {args.seed} renders the people of the demo database, on whom the face "
            "network must not be trained; choose another"
        )


@command
def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    args = _parser().parse_args(argv)
    _check(args)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        data = args.data or render_people(Path(folder), args.subjects, args.seed)
        record = pretrain(data, args)
    words = ["python", "-m", "fesr_tf.weights", "pretrain", *argv]
    record = {"command": shlex.join(words), **record, "seconds": round(time.monotonic() - start)}
    report = args.output.with_suffix(".json")
    write_whole(report, json.dumps(record, indent=1) + "\n")
    held_out = record["held_out"]
    print(
        f"held-out verification: AUC {held_out['auc']:.4f} over {held_out['pairs_same']} same and "
        f"{held_out['pairs_different']} different pairs\n{args.output} and {report} written"
    )
    return 0
