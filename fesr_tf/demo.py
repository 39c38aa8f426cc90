"""`python -m fesr_tf.demo`: the whole way, from rendered faces to a classified photograph.

Every stage is a command that a user would type, printed and then run as its own process.
What is finished is not done again; training goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from fesr_tf.client.saved_model import version_folder
from fesr_tf.processes.sequence import Stage, call, minutes, run_stages, shown_python
from fesr_tf.runs import files, run_folder
from fesr_tf.serving.export import EXTRA
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.files import write_whole

FOLDS, FOLD = 5, 0
BASELINE, JOINT = "BASELINE", "FESR_JL"
# The stranger of the last but one stage: another seed renders other people.
STRANGER_SEED_SHIFT, STRANGER_CLASS = 1000, "happiness"
# Stands for a picture whose name is known once it is rendered.
PHOTO = "PHOTO"
NAME = "fesr_demo"


@dataclass(frozen=True)
class Plan:
    """Where the demo puts what, and how much of it there is."""

    output: Path
    model: Path
    subjects: int
    frames: int
    seed: int
    overrides: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Claims `output`. Raises `BadUse` where it holds a demo of other people."""
        path, text = self.output / "demo.json", json.dumps(self._people())
        if path.exists() and path.read_text() != text:
            raise BadUse(
                f"{self.output} holds a demo of other people ({path.read_text()}): give the same "
                "--subjects, --frames and --seed, or another --output"
            )
        write_whole(path, text)

    def _people(self) -> dict[str, int]:
        return {"subjects": self.subjects, "frames": self.frames, "seed": self.seed}

    def folder(self, name: str) -> Path:
        """A folder of the output: faces, data, runs, stranger, photograph, report."""
        return self.output / name

    def run(self, variant: str) -> Path:
        return run_folder(self.folder("runs"), "demo", variant, FOLD)

    def photo(self) -> Path:
        """The stranger's last, strongest frame; rendered before it is asked for."""
        frames = sorted((self.folder("stranger") / STRANGER_CLASS).glob("*.png"))
        if not frames:
            raise FailedWork(f"{self.folder('stranger')} holds no {STRANGER_CLASS}: delete it "
                             "and start again")  # fmt: skip
        return frames[-1]

    def exported(self) -> bool:
        """True where the newest version of the model is of the joint run as it stands."""
        try:
            place = self.run(JOINT) / files.CHECKPOINTS
            checkpoint = files.step_folder(place, max(files.steps(place)))
            about = version_folder(self.model) / EXTRA / "model.json"
            evaluation = json.loads((self.run(JOINT) / files.evaluation()).read_text())
            model = json.loads(about.read_text())
            newer = about.stat().st_mtime > checkpoint.stat().st_mtime
            same = ("database", "variant", "fold", "data_digest", "step")
            return newer and all(model[key] == evaluation[key] for key in same)
        except (OSError, ValueError, KeyError, TypeError, BadUse):
            return False


def stages(plan: Plan) -> list[Stage]:
    """The demo in order. Estimates are of two cores at the default settings."""
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
            f"renders the demo database: {plan.subjects} people, 8 expressions",
            [render(faces, plan.subjects, plan.seed)],
            1.5,
            stamp=stamps / "render",
            makes=plan.folder("faces") / "faces.csv",
        ),
        Stage(
            "finds, aligns and stores every face, a person's pictures in one fold",
            [[*preprocess, "--folds", str(FOLDS)]],
            0.7,
            stamp=stamps / "preprocess",
            makes=plan.folder("data") / "manifest.json",
        ),
        Stage(f"trains {BASELINE}: the recogniser alone, on real faces", [train(BASELINE)], 1.0),
        Stage(f"trains {JOINT}: the generator first, then both together", [train(JOINT)], 11.0),
        Stage(
            "evaluates both on people whom neither has seen",
            [["-m", "fesr_tf.evaluate", base], ["-m", "fesr_tf.evaluate", joint]],
            0.6,
        ),
        Stage(
            "draws every expression, every intensity and new people",
            [["-m", "fesr_tf.synthesize", joint]],
            0.3,
        ),
        Stage(
            f"exports {JOINT}'s networks as a SavedModel, and proves it in the server's loader",
            [["-m", "fesr_tf.export", "--run", joint, "--name", plan.model.name,
              "--models", str(plan.model.parent)]],
            0.6,
            done=plan.exported,
        ),
        Stage(
            "renders a person who is in no training set",
            [render(stranger, 1, plan.seed + STRANGER_SEED_SHIFT)],
            0.1,
            stamp=stamps / "stranger",
            makes=plan.folder("stranger") / "faces.csv",
        ),
        Stage(
            "classifies that person's photograph with the exported model",
            [["-m", "fesr_tf.client", PHOTO, "--model", str(plan.model), "--output",
              str(plan.folder("photograph"))]],
            0.2,
        ),
        Stage(
            "writes the report",
            [["-m", "fesr_tf.report", base, joint, "--output", str(plan.folder("report"))]],
            0.1,
        ),
    ]  # fmt: skip


def summary(plan: Plan) -> str:
    """What came out, where it lies and how to open it."""
    lines = ["", f"Accuracy on fold {FOLD}, on people seen by no network:"]
    for variant in (BASELINE, JOINT):
        found = json.loads((plan.run(variant) / files.evaluation()).read_text())
        low, high = found["interval"]
        lines.append(
            f"  {variant:<9} {found['accuracy']:6.1%}  ({found['correct']} of {found['total']} "
            f"test pictures of {found['people']} people; 95 % interval {low:.1%} to {high:.1%})"
        )
    joint, python = plan.run(JOINT), shown_python()
    lines += [
        "",
        f"model        {version_folder(plan.model)}",
        f"             {python} -m fesr_tf.client YOUR_PHOTO.jpg --model {plan.model}",
        "             (it learnt from rendered people: what it says of real ones means nothing;",
        f"             for those train on photographs: {python} -m fesr_tf.own_data FOLDER)",
        f"pictures     {joint / 'pictures'}: expressions.png, intensity.png, new_identities.png",
        f"photograph   {plan.folder('photograph') / (plan.photo().stem + '.annotated.png')}",
        f"report       {plan.folder('report') / 'index.html'} (open it in a browser)",
        f"TensorBoard  {python} -m tensorboard.main --logdir {plan.folder('runs')}",
    ]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(
        prog="python -m fesr_tf.demo",
        description="Renders faces, trains, evaluates, exports and predicts, in one go.",
    )
    made.add_argument("--output", type=Path, default=Path("demo"), help="folder of it all [demo]")
    made.add_argument("--model", type=Path, default=Path("saved_models") / NAME,
                      help=f"folder of the exported model [saved_models/{NAME}]")  # fmt: skip
    made.add_argument("--subjects", type=int, default=50, help="people in the database [50]")
    made.add_argument("--frames", type=int, default=5, help="frames a sequence [5]")
    made.add_argument("--seed", type=int, default=0, help="of the people [0]")
    made.add_argument("overrides", nargs="*", metavar="key=value", help="settings of both runs")
    return made


@command
def main(argv: list[str] | None = None) -> int:
    """Runs the demo; 0, or the exit code of the stage that failed."""
    options = parser().parse_args(argv)
    if options.subjects < 2 * FOLDS:
        raise BadUse(f"--subjects must be at least {2 * FOLDS}: {FOLDS} folds need people to test")
    plan = Plan(
        output=options.output,
        model=options.model,
        subjects=options.subjects,
        frames=options.frames,
        seed=options.seed,
        overrides=options.overrides,
    )
    plan.settle()
    began = time.monotonic()
    code = run_stages(stages(plan), call, lambda word: str(plan.photo()) if word == PHOTO else word)
    if code == 0:
        print(summary(plan))
        print(f"\ntook {minutes((time.monotonic() - began) / 60)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
