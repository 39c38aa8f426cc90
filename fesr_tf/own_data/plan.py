"""What `fesr_tf.own_data` does, in which order, and where it puts what."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.client.saved_model import version_folder
from fesr_tf.config import Config
from fesr_tf.crossvalidation import plan as crossval_plan
from fesr_tf.data import ALL, FoldNumber
from fesr_tf.data.counts import Census
from fesr_tf.processes.sequence import Stage
from fesr_tf.runs import files
from fesr_tf.serving.export import EXTRA
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import write_whole
from pipelines.common.roles import TEST, TRAIN
from pipelines.databases import Database
from pipelines.dataset import manifest as manifests

DATABASE = "images"


@dataclass(frozen=True)
class Plan:
    """What was asked. folds: None where the CSV says them. overrides: the size's settings and the
    user's, as `key=value`."""

    source: Path
    output: Path
    model: Path  # saved_models/NAME
    folds: int | None
    variants: tuple[str, ...]
    overrides: tuple[str, ...]
    jobs: int
    prealigned: bool

    @property
    def data(self) -> Path:
        return self.output / "data"

    @property
    def runs(self) -> Path:
        return self.output / "runs"

    @property
    def final(self) -> str:
        """The variant that is trained on everybody and exported."""
        return self.variants[-1]

    @property
    def crossval(self) -> Path:
        return self.runs / DATABASE / files.CROSSVAL

    def run(self, variant: str, fold: FoldNumber) -> Path:
        return runs.run_folder(self.runs, DATABASE, variant, fold)

    def settings(self, variant: str) -> Config:
        """A variant's configuration. Raises `BadUse` for one that cannot be."""
        return configs.resolve(DATABASE, variant, kept(variant, self.overrides))

    def settle(self, database: Database) -> None:
        """Claims `output`. Raises `BadUse` where it was begun with other pictures or settings."""
        path = self.output / "own_data.json"
        now = {
            "pictures": digest(database),
            "folds": self.folds,
            "prealigned": self.prealigned,
            "settings": list(self.overrides),
        }
        if path.exists():
            try:
                before = json.loads(path.read_text(encoding="utf-8"))
                other = [name for name in now if before[name] != now[name]]
            except (ValueError, KeyError, TypeError) as error:
                raise FailedWork(f"{path} is damaged ({error!r}): give another --output") from None
            if other:
                raise BadUse(
                    f"{self.output} was begun with other {' and '.join(other)}: nothing of it was "
                    f"touched; give another --output, or delete {self.output} to begin anew"
                )
        write_whole(path, json.dumps(now, indent=1) + "\n")

    def photo(self, database: Database) -> str | None:
        """The first picture in which a face was found, None where none was looked for: in cropped
        faces, and where the CSV says where the face is."""
        lost = {reject.key for reject in manifests.load(self.data).rejects}
        searched = (each for each in database.samples if not (each.aligned or each.box))
        return next((str(each.path) for each in searched if each.key not in lost), None)

    def exported(self) -> bool:
        """True where the newest version of the model is the run of everybody as it stands."""
        folder = self.run(self.final, ALL)
        try:
            info = runs.read_info(folder)
            about = version_folder(self.model) / EXTRA / "model.json"
            model = json.loads(about.read_text(encoding="utf-8"))
            same = all(
                model[key] == getattr(info, key)
                for key in ("database", "variant", "fold", "data_digest")
            )
            settings = configs.load(folder / files.CONFIG).model_dump()
            return same and after_training(about, folder) and model["config"] == settings
        except (OSError, ValueError, KeyError, TypeError, BadUse, FailedWork):
            return False


def after_training(made: Path, folder: Path) -> bool:
    """Whether the file is there and newer than the last checkpoint of the run in `folder`."""
    there = folder / files.CHECKPOINTS
    places = [files.step_folder(there, step) for step in files.steps(there)]
    there = made.exists() and places
    return bool(there) and made.stat().st_mtime > max(each.stat().st_mtime for each in places)


def kept(variant: str, overrides: Sequence[str]) -> list[str]:
    """The overrides without those that would make the variant another one."""
    without = configs.withheld(variant, overrides)
    return [text for text in overrides if text not in without]


def digest(database: Database) -> str:
    """SHA-256 over what a reader says of the pictures and over their sizes, in hex."""
    lines = []
    for each in database.samples:
        path = Path(each.path)
        size = path.stat().st_size if path.is_file() else -1
        said = dataclasses.replace(each, path=None, landmarks=None, aligned=False)
        lines.append(f"{database.source(each)} {size} {database.classes[each.label]} {said}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def first_stages(plan: Plan) -> list[Stage]:
    """What has to be done before it is known what there is to train on."""
    words = ["-m", "pipelines.preprocess", "--db", DATABASE, "--input", str(plan.source),
             "--output", str(plan.data)]  # fmt: skip
    if plan.folds:
        words += ["--folds", str(plan.folds)]
    if plan.prealigned:
        words.append("--prealigned")
    return [
        Stage(
            "finds, aligns and stores every face, a person's pictures in one fold",
            [words],
            0.5,
            stamp=plan.output / "finished" / "preprocess",
            makes=plan.data / "manifest.json",
        ),
    ]


def cross_validation(plan: Plan, known: Census, settings: list[str]) -> crossval_plan.Plan:
    """The cross-validation as `fesr_tf.crossval` plans it."""
    return crossval_plan.Plan(
        database=DATABASE,
        data=plan.data,
        runs=plan.runs,
        manifest=manifests.load(plan.data),
        variants=plan.variants,
        folds=known.folds,
        seeds=(0,),
        overrides=tuple(settings),
    )


def last_stages(
    plan: Plan, known: Census, settings: list[str], minutes: dict[str, float], photo: str | None
) -> list[Stage]:
    """From the cross-validation to a photograph, if there is one. `settings` hold for every run;
    `minutes` are those of "crossval" and of "everybody"."""
    common = ["--db", DATABASE, "--data", str(plan.data), "--runs", str(plan.runs)]
    folds = ",".join(map(str, known.folds))
    crossval = ["-m", "fesr_tf.crossval", *common, "--jobs", str(plan.jobs), "--folds", folds,
                "--variants", *plan.variants, *settings]  # fmt: skip
    everybody = plan.run(plan.final, ALL)
    train = ["-m", "fesr_tf.train", *common, "--fold", ALL, "--variant", plan.final,
             *kept(plan.final, settings)]  # fmt: skip
    export = ["-m", "fesr_tf.export", "--run", str(everybody), "--name", plan.model.name,
              "--models", str(plan.model.parent)]  # fmt: skip
    report = ["-m", "fesr_tf.report", *map(str, reported(plan)), "--output",
              str(plan.output / "report")]  # fmt: skip
    made = [
        Stage(
            f"cross-validates {', '.join(plan.variants)}: every person is tested by networks that "
            "never saw them",
            [crossval],
            minutes["crossval"],
        ),
        Stage(f"trains {plan.final} on everybody", [train], minutes["everybody"]),
        *drawing_stages(plan, known),
        Stage(
            "exports what everybody trained, and proves it in the server's loader",
            [export],
            0.6,
            done=plan.exported,
        ),
        Stage("writes the report", [report], 0.1),
    ]
    if photo:
        client = ["-m", "fesr_tf.client", photo, "--model", str(plan.model), "--output",
                  str(plan.output / "photograph")]  # fmt: skip
        made.append(Stage("asks the exported model about one of the photographs", [client], 0.2))
    return made


def drawing_stages(plan: Plan, known: Census) -> list[Stage]:
    """Pictures of what the generator draws, and figures on them where there are enough people."""
    if not plan.settings(plan.final).trains_fesgan:
        return []
    fold = known.folds[0]
    tested = plan.run(plan.final, fold)
    draws = [tested, plan.run(plan.final, ALL)]
    made = [
        Stage(
            f"draws expressions, intensities and new people: of people whom fold {fold} never "
            "saw, and of everybody",
            [["-m", "fesr_tf.synthesize", str(folder)] for folder in draws],
            0.5,
            done=lambda: all(
                after_training(each / files.IMAGES / "new_identities.png", each) for each in draws
            ),
        )
    ]
    if min(known.people(known.part(fold, role)) for role in (TRAIN, TEST)) > 1:
        judges = [v for v in plan.variants if not plan.settings(v).trains_fesgan]
        words = ["-m", "fesr_tf.measure", str(tested)]
        for variant in judges:
            words += ["--judge", str(plan.run(variant, fold))]
        made.append(
            Stage(
                f"measures the faces that fold {fold} drew",
                [words],
                1.0,
                done=lambda: after_training(tested / files.SYNTHESIS, tested),
            )
        )
    return made


def reported(plan: Plan) -> list[Path]:
    """What the report is about: the folder of the cross-validation, and the run of everybody."""
    everybody = plan.run(plan.final, ALL)
    return [everybody.parent.parent, everybody]
