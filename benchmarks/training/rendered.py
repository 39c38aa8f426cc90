"""Rendered people for the studies of variants: as the demo renders them, or under a condition.

`gap`: the real images have what the generator cannot easily imitate. Light, backdrop and pose vary
from sequence to sequence; every image has sensor noise and is a JPEG file. `unbalanced`: the
classes of a training set have as few people as CK+'s have sequences, and none is neutral.
"""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.training.studies import python
from pipelines.common.files import folder_whole
from pipelines.databases import ckplus
from pipelines.databases.demo import TABLE

BASE = ("ema=0.999", "recognizer_iterations=2000", "keep_checkpoints=1", "picture_every=6000",
        "checkpoint_every=1000", "log_every=100", "projector_faces=0")  # fmt: skip
"""Settings of every training."""
PEOPLE = 15
"""Training people of a set."""
PLAIN, GAP, UNBALANCED = CONDITIONS = ("plain", "gap", "unbalanced")
POSE = 15
"""The largest yaw in `gap`, in degrees."""
PHOTONS, QUALITIES = (250, 100, 75), (65, 58, 50)
"""Photons a pixel and channel at full brightness, and JPEG qualities: shot noise and JPEG of
severities 2 to 4 in CIFAR-10-C (Hendrycks and Dietterich, ICLR 2019)."""


def faces_of(
    folder: Path,
    people: int,
    seed: int,
    *options: object,
    frames: int = 5,
    condition: str = PLAIN,
    trains: bool = True,
) -> Path:
    """`folder`, with rendered people in it; made where they are not there yet.

    options: of `pipelines.preprocess`. trains: whether `unbalanced` thins the classes; a population
    to test on keeps all people.
    """
    if (folder / "manifest.json").is_file():
        return folder
    if condition == PLAIN:
        given = ("--demo-subjects", people, "--demo-seed", seed, "--demo-frames", frames)
    else:
        images = folder.with_name(f"{folder.name}_source")
        scene = ("--pose", POSE, "--light") if condition == GAP else ()
        if not (images / TABLE).is_file():
            python("pipelines.demo_faces", "--output", images, "--subjects", people, "--seed", seed,
                   "--frames", frames, *scene)  # fmt: skip
        source, images = images, folder.with_name(f"{folder.name}_{condition}")
        if condition == GAP:
            photograph(source, images, seed)
        elif trains:
            thin(source, images, seed, ckplus_people(people))
        else:
            images = source
        given = ("--input", images)
        if condition == UNBALANCED:
            given += ("--leave-out", "neutral")
    python("pipelines.preprocess", "--db", "demo", "--output", folder, *given, *options)
    return folder


def photograph(source: Path, output: Path, seed: int) -> None:
    """Copies a rendered database with sensor noise and JPEG artefacts in every image.

    Both strengths are drawn for each image, equally likely; equal seeds give equal bytes. Shot
    noise is Poisson's, of photons in proportion to the pixel's value.
    """
    with folder_whole(output) as folder:
        for number, path in enumerate(sorted(source.glob("*/*.png"))):
            random = np.random.default_rng([seed, number])
            photons, quality = random.choice(PHOTONS), int(random.choice(QUALITIES))
            light = np.asarray(Image.open(path), np.float64) / 255
            noisy = np.clip(random.poisson(light * photons) / photons, 0, 1)
            copy = (folder / path.relative_to(source)).with_suffix(".jpg")
            copy.parent.mkdir(exist_ok=True)
            Image.fromarray(np.rint(noisy * 255).astype(np.uint8)).save(copy, quality=quality)
        table = (source / TABLE).read_text(encoding="utf-8")
        (folder / TABLE).write_text(table.replace(".png,", ".jpg,"), encoding="utf-8")


def ckplus_people(people: int) -> dict[str, int]:
    """People a class in the ratio of CK+'s labelled sequences; its largest class has all people."""
    counts = np.array(ckplus.EXPECTED_BY_CLASS)
    scaled = np.rint(people * counts / counts.max()).astype(int).tolist()
    return dict(zip(ckplus.CLASSES, scaled, strict=True))


def thin(source: Path, output: Path, seed: int, people: dict[str, int]) -> None:
    """Copies a rendered database with so many people a class, drawn with the seed.

    A class that `people` does not name is left out.
    """
    with (source / TABLE).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    everyone = sorted({row["subject"] for row in rows})
    random = np.random.default_rng(seed)
    chosen = {
        (label, subject)
        for label, count in people.items()
        for subject in random.permutation(everyone)[:count].tolist()
    }
    kept = [row for row in rows if (row["label"], row["subject"]) in chosen]
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept)
    with folder_whole(output) as folder:
        for row in kept:
            (folder / row["label"]).mkdir(exist_ok=True)
            shutil.copy(source / row["path"], folder / row["path"])
        (folder / TABLE).write_text(text.getvalue(), encoding="utf-8")
