"""How good the demo database is: is a face found in it, and how hard is its task?

    python -m benchmarks.demo_faces [--subjects 30] [--seed 100] [--jobs J]

Prints the hit rates of dlib's frontal detector on the pictures as they are, and the
subject-independent accuracy of HOG features with logistic regression on aligned chips,
eight-way: neither trivial nor hopeless is what a recogniser can be compared on.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path

import dlib
import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from benchmarks.machine import heading
from pipelines.common.errors import command
from pipelines.demo_faces import render_database
from pipelines.faces.alignment import FaceAligner, NoFaceFound

CELL, BINS, HOG_SIDE = 8, 8, 64


def hog(chip: np.ndarray) -> np.ndarray:
    """Histogram of oriented gradients of a grey chip (64, 64): float32 (7 · 7 · 4 · 8,).

    8-pixel cells, 8 orientations of 180°, votes shared between the nearest two; 2 × 2-cell
    blocks are normalised by their length, clipped at 0.2 and normalised again.
    """
    down, across = np.gradient(chip.astype(np.float32))
    strength = np.hypot(down, across)
    bin_at = (np.arctan2(down, across) % np.pi) / np.pi * BINS
    lower = np.floor(bin_at)
    share = bin_at - lower
    votes = np.zeros((*chip.shape, BINS), np.float32)
    rows, columns = np.indices(chip.shape)
    first = lower.astype(int) % BINS
    votes[rows, columns, first] += strength * (1 - share)
    votes[rows, columns, (first + 1) % BINS] += strength * share
    cells = chip.shape[0] // CELL
    histogram = votes.reshape(cells, CELL, cells, CELL, BINS).sum((1, 3))
    blocks = np.concatenate(
        [histogram[i : cells - 1 + i, j : cells - 1 + j] for i in (0, 1) for j in (0, 1)], 2
    )
    for _ in range(2):
        length = np.sqrt((blocks**2).sum(2, keepdims=True) + 1e-3)
        blocks = np.minimum(blocks / length, 0.2)
    return blocks.ravel()


def read_table(folder: Path) -> list[dict[str, str]]:
    """The rows of a demo database's `faces.csv`."""
    with open(folder / "faces.csv", newline="") as file:
        return list(csv.DictReader(file))


def hit_rate(folder: Path, rows: list[dict[str, str]], name: str) -> float:
    """Share of pictures in which dlib's frontal detector finds a face without upsampling."""
    detector = dlib.get_frontal_face_detector()
    hits = [
        len(detector(np.asarray(Image.open(folder / row["path"])), 0)) > 0
        for row in tqdm(rows, desc=name, unit="face")
    ]
    print(f"dlib frontal detector, {name}: {sum(hits)} of {len(hits)} ({np.mean(hits):.1%})")
    return float(np.mean(hits))


def chips(folder: Path, rows: list[dict[str, str]]) -> tuple[list[dict[str, str]], np.ndarray]:
    """Rows that could be aligned, and their HOG features (n, d)."""
    aligner = FaceAligner()
    kept, features = [], []
    for row in tqdm(rows, desc="align", unit="face"):
        try:
            chip = aligner.align(np.asarray(Image.open(folder / row["path"]))).chip
        except NoFaceFound:
            continue
        grey = Image.fromarray(chip).convert("L").resize((HOG_SIDE, HOG_SIDE), Image.Resampling.BOX)
        kept.append(row)
        features.append(hog(np.asarray(grey)))
    return kept, np.array(features)


def accuracy(rows: list[dict[str, str]], features: np.ndarray, folds: int = 5) -> dict[str, float]:
    """Grouped k-fold by subject: overall under "all", and each class's recall under its name."""
    labels = np.array([row["label"] for row in rows])
    subjects = np.array([row["subject"] for row in rows])
    guesses = labels.copy()
    for train, test in GroupKFold(folds).split(features, labels, subjects):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=300))
        guesses[test] = model.fit(features[train], labels[train]).predict(features[test])
    right = guesses == labels
    return {"all": float(right.mean())} | {
        str(label): float(right[labels == label].mean()) for label in np.unique(labels)
    }


def report_accuracy(rows: list[dict[str, str]], features: np.ndarray, name: str) -> None:
    """Prints one task's accuracy, then each class's."""
    result = accuracy(rows, features)
    each = ", ".join(f"{label} {share:.0%}" for label, share in result.items() if label != "all")
    print(f"HOG + logistic regression, {name}, n = {len(rows)}: {result['all']:.1%} ({each})")


@command
def main(argv: list[str] | None = None) -> int:
    """Renders, measures and prints."""
    parser = argparse.ArgumentParser(description="Measures the demo database.")
    parser.add_argument("--subjects", type=int, default=30, help="people (30)")
    parser.add_argument("--posed-subjects", type=int, default=6, help="people turned away (6)")
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--jobs", type=int, help="processes (the cores)")
    options = parser.parse_args(argv)
    print(heading("benchmarks.demo_faces", argv))
    with tempfile.TemporaryDirectory() as scratch:
        frontal, posed = Path(scratch, "frontal"), Path(scratch, "posed")
        started = time.process_time(), time.perf_counter()
        count = render_database(frontal, 2, options.seed, jobs=1, progress=False)
        spent = time.process_time() - started[0], time.perf_counter() - started[1]
        print(
            f"render and write, 192 px, one process: {1000 * spent[0] / count:.0f} ms of core"
            f" a face ({1000 * spent[1] / count:.0f} ms elapsed)"
        )
        render_database(frontal, options.subjects, options.seed, jobs=options.jobs)
        render_database(posed, options.posed_subjects, options.seed, pose=30, jobs=options.jobs)
        rows = read_table(frontal)
        hit_rate(frontal, rows, "frontal")
        hit_rate(posed, read_table(posed), "yaw within ±30°")
        rows, features = chips(frontal, rows)
    intensity = np.array([float(row["intensity"]) for row in rows])
    neutral = np.array([row["label"] == "neutral" for row in rows])
    for name, chosen in (
        ("at the peak", neutral | (intensity == 1)),
        ("over all intensities", neutral | (intensity > 0)),
    ):
        report_accuracy([rows[i] for i in np.nonzero(chosen)[0]], features[chosen], name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
