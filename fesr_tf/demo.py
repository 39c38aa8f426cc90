"""`python -m fesr_tf.demo`: from rendered faces to a trained model and a classified image.

Every stage is a command that is printed and then run as its own process. Finished stages are not
repeated, and training resumes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from fesr_tf.client.saved_model import version_folder
from fesr_tf.own_data.plan import exported
from fesr_tf.processes.sequence import Stage, call, minutes, run_stages, shown_python
from fesr_tf.runs import files, run_folder
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.files import write_whole

FOLDS, FOLD = 5, 0
BASELINE, JOINT = "BASELINE", "FESR_JL"
# The new person of a late stage: another seed renders other people.
NEW_SEED_SHIFT, NEW_CLASS = 1000, "happiness"
# Stands for an image whose name is known once it is rendered.
PHOTO = "PHOTO"
NAME = "fesr_demo"


@dataclass(frozen=True)
class Plan:
    """The size of the demo and the places of its outputs."""

    output: Path
    model: Path
    subjects: int
    frames: int
    seed: int
    overrides: list[str] = field(default_factory=list)

    def claim(self) -> None:
        """Records the people in `output`. Raises `BadUse` where it holds a demo of others."""
        path = self.output / "demo.json"
        people = {"subjects": self.subjects, "frames": self.frames, "seed": self.seed}
        text = json.dumps(people)
        if path.exists() and path.read_text() != text:
            raise BadUse(
                f"{self.output} holds a demo of other people ({path.read_text()}); give the same "
                "--subjects, --frames and --seed, or another --output"
            )
        write_whole(path, text)

    def folder(self, name: str) -> Path:
        """A folder of the output: faces, data, runs, stranger, photograph, report."""
        return self.output / name

    def run(self, variant: str) -> Path:
        return run_folder(self.folder("runs"), "demo", variant, FOLD)

    def photo(self) -> Path:
        """The new person's last, strongest frame. Raises `FailedWork` before it is rendered."""
        frames = sorted((self.folder("stranger") / NEW_CLASS).glob("*.png"))
        if not frames:
            raise FailedWork(f"{self.folder('stranger')} holds no {NEW_CLASS}; delete it and "
                             "run the command again")  # fmt: skip
        return frames[-1]


def stages(plan: Plan) -> list[Stage]:
    """The demo in order. Minutes are of two cores at the default settings."""
    faces, data, stranger = map(str, map(plan.folder, ("faces", "data", "stranger")))
    base, joint = str(plan.run(BASELINE)), str(plan.run(JOINT))
    stamps = plan.folder("finished")

    def render(folder: str, subjects: int, seed: int) -> list[str]:
        return ["-m", "pipelines.demo_faces", "--output", folder, "--subjects", str(subjects),
                "--seed", str(seed), "--frames", str(plan.frames)]  # fmt: skip

    def train(variant: str) -> list[str]:
        words = ["-m", "fesr_tf.train", "--db", "demo", "--data", data, "--fold", str(FOLD),
                 "--variant", variant, "--runs", str(plan.folder("runs"))]  # fmt: skip
        return words + plan.overrides

    preprocess = ["-m", "pipelines.preprocess", "--db", "demo", "--input", faces, "--output", data]
    return [
        Stage(
            f"render the demo database: {plan.subjects} people, 8 expressions",
            [render(faces, plan.subjects, plan.seed)],
            1.5,
            stamp=stamps / "render",
            makes=plan.folder("faces") / "faces.csv",
        ),
        Stage(
            "detect and align every face, with all images of a person in one fold",
            [[*preprocess, "--folds", str(FOLDS)]],
            0.7,
            stamp=stamps / "preprocess",
            makes=plan.folder("data") / "manifest.json",
        ),
        Stage(f"train {BASELINE}: the recogniser alone, on real faces", [train(BASELINE)], 1.0),
        Stage(f"train {JOINT}: the generator first, then both jointly", [train(JOINT)], 11.0),
        Stage(
            "evaluate both on held-out subjects",
            [["-m", "fesr_tf.evaluate", base], ["-m", "fesr_tf.evaluate", joint]],
            0.6,
        ),
        Stage(
            "generate every expression, every intensity and new identities",
            [["-m", "fesr_tf.synthesize", joint]],
            0.3,
        ),
        Stage(
            f"export {JOINT} as a SavedModel and check it in TensorFlow Serving's loader",
            [["-m", "fesr_tf.export", "--run", joint, "--name", plan.model.name,
              "--models", str(plan.model.parent)]],
            0.6,
            done=lambda: exported(plan.model, plan.run(JOINT)),
        ),
        Stage(
            "render a person who is in no training set",
            [render(stranger, 1, plan.seed + NEW_SEED_SHIFT)],
            0.1,
            stamp=stamps / "stranger",
            makes=plan.folder("stranger") / "faces.csv",
        ),
        Stage(
            "classify an image of that person with the exported model",
            [["-m", "fesr_tf.client", PHOTO, "--model", str(plan.model), "--output",
              str(plan.folder("photograph"))]],
            0.2,
        ),
        Stage(
            "write the report",
            [["-m", "fesr_tf.report", base, joint, "--output", str(plan.folder("report"))]],
            0.1,
        ),
    ]  # fmt: skip


def summary(plan: Plan) -> str:
    """The results, where the outputs are and how to open them."""
    lines = ["", f"Accuracy on the held-out subjects of fold {FOLD}:"]
    for variant in (BASELINE, JOINT):
        result = json.loads((plan.run(variant) / files.evaluation()).read_text())
        low, high = result["interval"]
        lines.append(
            f"  {variant:<9} {result['accuracy']:6.1%}  ({result['correct']} of {result['total']} "
            f"test images of {result['people']} people; 95 % interval {low:.1%} to {high:.1%})"
        )
    joint, python = plan.run(JOINT), shown_python()
    lines += [
        "",
        f"model        {version_folder(plan.model)}",
        "             (trained on rendered people; predictions for real people are meaningless)",
        f"your photo   {python} -m fesr_tf.client YOUR_PHOTO.jpg",
        "             (by the model for photographs in the package; to train one of your own:",
        f"             {python} -m fesr_tf.own_data FOLDER)",
        f"images       {joint / files.IMAGES}: expressions.png, intensity.png, new_identities.png",
        f"prediction   {plan.folder('photograph') / (plan.photo().stem + '.annotated.png')}",
        f"report       {plan.folder('report') / 'index.html'} (open it in a browser)",
        f"TensorBoard  {python} -m tensorboard.main --logdir {plan.folder('runs')}",
    ]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.demo",
        description="Renders faces, then trains, evaluates, exports and classifies.",
    )
    add = parser.add_argument
    add("--output", type=Path, default=Path("demo"), help="folder of all outputs [demo]")
    add("--model", type=Path, default=Path("saved_models") / NAME,
        help=f"folder of the exported model [saved_models/{NAME}]")  # fmt: skip
    add("--subjects", type=int, default=50, help="people in the database [50]")
    add("--frames", type=int, default=5, help="frames per sequence [5]")
    add("--seed", type=int, default=0, help="of the rendered people [0]")
    add("overrides", nargs="*", metavar="key=value", help="settings of both runs")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Runs the demo; 0, or the exit code of the stage that failed."""
    options = parser().parse_args(argv)
    if options.subjects < 2 * FOLDS:
        raise BadUse(
            f"--subjects must be at least {2 * FOLDS}, so that each of {FOLDS} folds has test "
            f"people, not {options.subjects}"
        )
    plan = Plan(**vars(options))
    plan.claim()
    began = time.monotonic()
    code = run_stages(stages(plan), call, lambda word: str(plan.photo()) if word == PHOTO else word)
    if code == 0:
        print(summary(plan))
        print(f"\ntook {minutes((time.monotonic() - began) / 60)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
