"""Measures everything in `synthesis.json` for an opened run and its fold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fesr_tf import runs
from fesr_tf.data import Fold
from fesr_tf.networks.face_networks import FETCHED, FaceNetwork, load_face_network
from fesr_tf.plots import image_grids
from fesr_tf.runs import Run, files
from fesr_tf.runs.opening import load_data
from fesr_tf.synthesis.generation import require_generator
from fesr_tf.synthesis.quality import kid, novelty, pairs
from fesr_tf.synthesis.quality.diversity import diversity
from fesr_tf.synthesis.quality.embeddings import Embedded, People, embed_all
from fesr_tf.synthesis.quality.estimates import PROTOCOLS
from fesr_tf.synthesis.quality.expression import Evaluator, measure_expression, open_evaluator
from fesr_tf.synthesis.quality.fidelity import measure_fidelity
from fesr_tf.synthesis.quality.generation import Generated, generate
from fesr_tf.synthesis.quality.identity import measure_verification
from pipelines.common.errors import BadUse
from pipelines.common.files import write_whole
from pipelines.common.subjects import counted
from pipelines.dataset import manifest as manifests


@dataclass(frozen=True)
class Network:
    """A face network to measure by; `in_loss`: the generator was trained against it (L_id)."""

    name: str
    network: FaceNetwork
    in_loss: bool


def measure_network(
    network: Network, embedded: Embedded, fold: Fold, generated: Generated, seed: int
) -> dict:
    """Everything measured by one face network: verification, memorisation, diversity, KID, and
    under `nearest` the training images nearest to the new identities, by key."""
    train, test = fold.train, fold.test
    identities = np.array([f"new {i}" for i in range(len(generated.new))])
    new = People(embedded.new, generated.new_labels, identities)
    trained = People(embedded.train, train.labels, train.subjects)
    held_out = People(embedded.test, test.labels, test.subjects)
    # One image a person and class: frames of one sequence are nearly the same image.
    some, others = trained.of(pairs.peaks(train)), held_out.of(pairs.peaks(test))
    reconstructed = People(embedded.reconstructed, some.labels, some.subjects)
    own = embedded.translated[np.arange(len(test)), test.labels]
    reconstructed_test = People(own, test.labels, test.subjects)
    memorised, nearest = novelty.memorisation(
        new, trained, held_out, reconstructed, reconstructed_test, seed
    )
    samples = (kid.Sample(people.embeddings, people.subjects) for people in (new, some, others))
    return {
        "in_loss": network.in_loss,
        "embedding_size": int(embedded.test.shape[1]),
        "verification": measure_verification(some, held_out, embedded.translated, seed),
        "memorisation": memorised,
        "diversity": diversity(new, some, others, len(fold.classes), seed),
        "kid": kid.kids(*samples, seed),
        "nearest": {
            "keys": train.keys[nearest.row].tolist(),
            "distance": [round(float(d), 6) for d in nearest.distance],
        },
    }


def measure(
    run: Run,
    fold: Fold,
    folder: Path,
    networks: Sequence[Network],
    evaluators: Sequence[Evaluator],
    count: int,
    seed: int,
) -> tuple[dict, np.ndarray]:
    """`fidelity`, `networks` and `expression` of a run, ready for JSON, and `nearest_sheet` by the
    last of the networks.

    `folder` holds the run's data; `count` new identities are generated.
    """
    generated = generate(run.fesr.fesgan, fold, count, seed)
    result = {"fidelity": measure_fidelity(fold, generated, folder, seed), "networks": {}}
    for network in networks:
        embedded = embed_all(network.network, fold, generated)
        result["networks"][network.name] = measure_network(network, embedded, fold, generated, seed)
    result["expression"] = [
        measure_expression(run, fold, generated, evaluator, seed) for evaluator in evaluators
    ]
    info = run.info
    title = f"Nearest by {network.name}: {info.variant} on {info.database}, fold {info.fold}"
    return result, novelty.nearest_sheet(embedded, fold, generated, title)


def measure_run(
    run: Run, data: Path | None, evaluator_folders: Sequence[Path], count: int, seed: int
) -> tuple[dict, np.ndarray]:
    """All of synthesis.json, and `nearest_sheet`. Raises `BadUse` for a run without a generator or
    held-out subjects, and for an evaluator that does not fit it."""
    require_generator(run)
    runs.require_held_out(run.info, run.folder)
    folder = Path(data or run.info.data)
    fold = load_data(run, data)
    people = {}
    for name in ("train", "test"):
        people[name], unknown = counted(getattr(fold, name).subjects.tolist())
        if unknown:
            raise BadUse(
                f"{folder} has {unknown} {name} images of unknown subjects, and the quality of "
                "generated images is measured against images of the same person; preprocess with "
                "known subjects"
            )
    require_people(run, people)
    evaluators = [open_evaluator(path, run, folder) for path in evaluator_folders]
    measured, sheet = measure(run, fold, folder, networks_of(run), evaluators, count, seed)
    independent = manifests.load(folder).subject_independent
    info = run.info
    return {
        "database": info.database,
        "variant": info.variant,
        "fold": info.fold,
        "step": run.step,
        "checkpoint": run.checkpoint,
        "max_iterations": run.config.max_iterations,
        "data_digest": info.data_digest,
        "classes": list(info.classes),
        "image_size": run.config.image_size,
        "channels": run.config.channels,
        "seed": seed,
        "new_identities": count,
        "train_people": people["train"],
        "test_people": people["test"],
        "subject_independent": independent,
        "protocols": PROTOCOLS,
        "notes": notes(run, measured, independent),
        **measured,
    }, sheet


def require_people(run: Run, people: dict[str, int]) -> None:
    """Raises `BadUse` where a part of the fold (name -> number of people) has fewer than two."""
    for name, count in people.items():
        if count < 2:
            raise BadUse(
                f"the {name} part of fold {run.info.fold} of {run.info.data} has {count} person, "
                "and verification needs two; preprocess with fewer folds or more people"
            )


def networks_of(run: Run) -> list[Network]:
    """The run's own face network and, where its weights are installed, one outside its loss."""
    own = Network(run.config.identity, run.fesr.face_network, run.config.lambda3 > 0)
    if own.name == FETCHED:
        return [own]
    try:
        other = load_face_network(FETCHED)
    except BadUse:
        return [own]
    return [own, Network(FETCHED, other, False)]


def notes(run: Run, measured: dict, independent: bool) -> list[str]:
    """Sentences that qualify the values."""
    sentences = []
    last = run.config.last_iteration
    if run.step < last and run.checkpoint == runs.LAST:
        sentences.append(f"the run is unfinished, at iteration {run.step} of {last}")
    fidelity, networks = measured["fidelity"], measured["networks"]
    if absent := fidelity["classes_without_pairs"]:
        sentences.append(f"PSNR and SSIM exclude {', '.join(absent)}: no pair of one person has "
                         "it as its target")  # fmt: skip
    if missing := fidelity["pictures_without_target"]:
        counts = ", ".join(f"{name} {count}" for name, count in missing.items())
        sentences.append(
            f"of {fidelity['pictures']} test images, so many have no image of the same person "
            f"with the expression: {counts}"
        )
    for name, network in networks.items():
        if network["verification"] is None:
            sentences.append(f"no verification by {name}: no training person shows two expressions")
    if all(network["in_loss"] for network in networks.values()):
        sentences.append(
            "every face network here was in the generator's loss, which is circular: "
            "python -m fesr_tf.weights fetch gets one that was not"
        )
    if not independent:
        sentences.append(
            "the folds are not subject-independent: test people may be training people"
        )
    if not measured["expression"]:
        sentences.append("no expression accuracy: give a run of BASELINE by --judge")
    return sentences


def save(folder: Path, result: dict, sheet: np.ndarray) -> list[Path]:
    """Writes pictures/nearest.png and synthesis.json; the names end in the checkpoint unless it is
    the last. Returns the paths."""
    suffix = files.suffix("test", result["checkpoint"])
    image = folder / files.IMAGES / f"nearest{suffix}.png"
    values = folder / f"synthesis{suffix}.json"
    write_whole(image, image_grids.png(sheet))
    write_whole(values, json.dumps(result, indent=1, allow_nan=False) + "\n")
    return [image, values]
