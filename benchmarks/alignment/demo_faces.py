"""Quality of the demo database: are faces found in it, and how hard is its task?

    python -m benchmarks.alignment.demo_faces [--subjects 30] [--seed 100] [--jobs J]

Prints the hit rates of dlib's frontal detector on the images as they are, and the
subject-independent accuracy of HOG features with logistic regression on aligned faces,
eight-way: the task should be neither trivial nor hopeless.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path

import dlib
import numpy as np
from PIL import Image
from skimage.feature import hog
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from benchmarks.heading import heading, parser
from pipelines.common.errors import command
from pipelines.demo_faces import render_database
from pipelines.faces.alignment import FaceAligner, NoFaceFound

Rows = list[dict[str, str]]
SIDE = 64


def print_hit_rate(folder: Path, name: str) -> Rows:
    """Prints the share of images in which dlib's frontal detector finds a face without
    upsampling; returns the rows of the database's `faces.csv`."""
    with open(folder / "faces.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    detector = dlib.get_frontal_face_detector()
    hits = [
        len(detector(np.asarray(Image.open(folder / row["path"])), 0)) > 0
        for row in tqdm(rows, desc=name, unit="face")
    ]
    print(f"dlib frontal detector, {name}: {sum(hits)} of {len(hits)} ({np.mean(hits):.1%})")
    return rows


def features(folder: Path, rows: Rows) -> tuple[Rows, np.ndarray]:
    """The rows that could be aligned, and the HOG features (n, d) of their faces: cells of 8
    pixels, 8 orientations, blocks of 2 × 2 cells."""
    aligner = FaceAligner()
    kept, found = [], []
    for row in tqdm(rows, desc="align", unit="face"):
        try:
            chip = aligner.align(np.asarray(Image.open(folder / row["path"]))).chip
        except NoFaceFound:
            continue
        gray = Image.fromarray(chip).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
        kept.append(row)
        found.append(hog(np.asarray(gray), orientations=8, cells_per_block=(2, 2)))
    return kept, np.array(found)


def print_accuracy(rows: Rows, hogs: np.ndarray, name: str, folds: int = 5) -> None:
    """Prints the accuracy of grouped k-fold cross-validation by subject, and each recall."""
    labels, subjects = (np.array([row[key] for row in rows]) for key in ("label", "subject"))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=300))
    predicted = cross_val_predict(model, hogs, labels, groups=subjects, cv=GroupKFold(folds))
    right = predicted == labels
    recalls = ", ".join(f"{c} {right[labels == c].mean():.0%}" for c in np.unique(labels))
    print(f"HOG + logistic regression, {name}, n = {len(rows)}: {right.mean():.1%} ({recalls})")


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.alignment.demo_faces", __doc__)
    options.add_argument("--subjects", type=int, default=30, help="people, at least 5 [30]")
    options.add_argument("--posed-subjects", type=int, default=6, help="people turned away [6]")
    options.add_argument("--seed", type=int, default=100)
    options.add_argument("--jobs", type=int, help="processes [the cores]")
    args = options.parse_args(argv)
    print(heading(options, argv))
    with tempfile.TemporaryDirectory() as scratch:
        frontal, posed = Path(scratch, "frontal"), Path(scratch, "posed")
        core, wall = time.process_time(), time.perf_counter()
        count = render_database(frontal, 2, args.seed, jobs=1, progress=False)
        core, wall = time.process_time() - core, time.perf_counter() - wall
        print(
            f"render and write, 192 px, one process: {1000 * core / count:.0f} ms of core"
            f" a face ({1000 * wall / count:.0f} ms elapsed)"
        )
        render_database(frontal, args.subjects, args.seed, jobs=args.jobs)
        render_database(posed, args.posed_subjects, args.seed, pose=30, jobs=args.jobs)
        rows, hogs = features(frontal, print_hit_rate(frontal, "frontal"))
        print_hit_rate(posed, "yaw within ±30°")
    intensity = np.array([float(row["intensity"]) for row in rows])
    neutral = np.array([row["label"] == "neutral" for row in rows])
    for name, chosen in (
        ("at the peak", neutral | (intensity == 1)),
        ("over all intensities", neutral | (intensity > 0)),
    ):
        print_accuracy([rows[i] for i in np.flatnonzero(chosen)], hogs[chosen], name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
