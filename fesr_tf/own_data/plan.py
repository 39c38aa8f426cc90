"""The stages of `fesr_tf.own_data`, their order and the places of their outputs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.client.saved_model import EXTRA, version_folder
from fesr_tf.config import Config
from fesr_tf.crossvalidation import plan as crossval_plan
from fesr_tf.data import ALL, FoldNumber
from fesr_tf.data.counts import ClassCounts
from fesr_tf.processes.sequence import Stage
from fesr_tf.runs import files
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import write_whole
from pipelines.common.roles import TEST, TRAIN
from pipelines.databases import Database
from pipelines.dataset import manifest as manifests
from pipelines.dataset import rejects


@dataclass(frozen=True)
class Plan:
    """The request. database: the reader's name. folds: None where the data assign them. overrides:
    the settings of the size and of the user, as `key=value`. options: of `pipelines.preprocess`, as
    on its command line."""

    database: str
    source: Path
    output: Path
    model: Path  # saved_models/NAME
    folds: int | None
    variants: tuple[str, ...]
    overrides: tuple[str, ...]
    jobs: int
    options: tuple[str, ...] = ()

    @property
    def data(self) -> Path:
        return self.output / "data"

    @property
    def runs(self) -> Path:
        return self.output / "runs"

    @property
    def final(self) -> str:
        """The variant that is trained on all subjects and exported."""
        return self.variants[-1]

    @property
    def final_run(self) -> Path:
        return self.run(self.final, ALL)

    @property
    def crossval(self) -> Path:
        return self.runs / self.database / files.CROSSVAL

    def run(self, variant: str, fold: FoldNumber) -> Path:
        return runs.run_folder(self.runs, self.database, variant, fold)

    def settings(self, variant: str) -> Config:
        """A variant's configuration. Raises `BadUse` for an invalid one."""
        return configs.resolve(self.database, variant, applicable(variant, self.overrides))

    def claim(self, database: Database) -> None:
        """Records the request in `output`. Raises `BadUse` where it holds that of other images or
        settings."""
        path = self.output / "own_data.json"
        request = {
            "pictures": digest(database),
            "folds": self.folds,
            "settings": list(self.overrides),
            "database": self.database,
            "options": list(self.options),
        }
        if path.exists():
            try:
                stored = json.loads(path.read_text(encoding="utf-8"))
                if "prealigned" in stored:  # of an earlier version
                    stored |= {"database": "images"}
                    stored["options"] = ["--prealigned"] * stored.pop("prealigned")
                changed = [name for name in request if stored[name] != request[name]]
            except (ValueError, KeyError, TypeError) as error:
                raise FailedWork(f"{path} is damaged ({error!r}); give another --output") from None
            if changed:
                raise BadUse(
                    f"{self.output} was started with other {' and '.join(changed)}, and was left "
                    f"unchanged; give another --output, or delete {self.output} to restart"
                )
        write_whole(path, json.dumps(request, indent=1) + "\n")

    def photo(self, database: Database) -> str | None:
        """The first image in which a face was detected; None where none was searched: for cropped
        faces and faces with boxes."""
        manifest = manifests.load(self.data)
        rejected = {reject.key for reject in rejects.read(self.data, manifest)}
        searched = (s for s in database.samples if s.path and not (s.aligned or s.box or s.film))
        return next((str(s.path) for s in searched if s.key not in rejected), None)


def exported(model: Path, folder: Path) -> bool:
    """Whether the newest version in `model` is an export of the run in `folder` as it is now."""
    try:
        info = runs.read_info(folder)
        path = version_folder(model) / EXTRA / "model.json"
        about = json.loads(path.read_text(encoding="utf-8"))
        same = all(
            about[key] == getattr(info, key)
            for key in ("database", "variant", "fold", "data_digest")
        )
        settings = configs.load(folder / files.CONFIG).model_dump()
        return same and after_training(path, folder) and about["config"] == settings
    except (OSError, ValueError, KeyError, TypeError, BadUse, FailedWork):
        return False


def after_training(path: Path, folder: Path) -> bool:
    """Whether a file exists and is newer than the last checkpoint of the run in `folder`."""
    place = folder / files.CHECKPOINTS
    saved = [files.step_folder(place, step).stat().st_mtime for step in files.steps(place)]
    return path.exists() and bool(saved) and path.stat().st_mtime > max(saved)


def applicable(variant: str, overrides: Sequence[str]) -> list[str]:
    """The overrides without those that would turn the variant into another one."""
    withheld = configs.withheld(variant, overrides)
    return [text for text in overrides if text not in withheld]


def digest(database: Database) -> str:
    """SHA-256, in hex, over a reader's samples and the sizes of their files, or their pixels."""
    digest = hashlib.sha256()
    for sample in database.samples:
        path = Path(sample.path or "")
        size = path.stat().st_size if path.is_file() else -1
        kept = dataclasses.replace(sample, path=None, pixels=None, landmarks=None, aligned=False)
        line = f"{database.source(sample)} {size} {database.classes[sample.label]} {kept}\n"
        digest.update(line.encode())
        if sample.pixels is not None:
            digest.update(sample.pixels.tobytes())
        if sample.votes is not None:
            digest.update(repr(sample.votes).encode())
    return digest.hexdigest()


def preprocessing(plan: Plan) -> Stage:
    """The stage before the numbers of images and subjects are known."""
    words = ["-m", "pipelines.preprocess", "--db", plan.database, "--input", str(plan.source),
             "--output", str(plan.data)]  # fmt: skip
    if plan.folds:
        words += ["--folds", str(plan.folds)]
    return Stage(
        "align every face, and divide the images into folds",
        [[*words, *plan.options]],
        0.5,
        stamp=plan.output / "finished" / "preprocess",
        makes=plan.data / "manifest.json",
    )


def cross_validation(
    plan: Plan, counts: ClassCounts, settings: Sequence[str]
) -> crossval_plan.Plan:
    """The cross-validation as `fesr_tf.crossval` plans it."""
    return crossval_plan.Plan(
        database=plan.database,
        data=plan.data,
        runs=plan.runs,
        manifest=manifests.load(plan.data),
        variants=plan.variants,
        folds=counts.folds,
        seeds=(0,),
        overrides=tuple(settings),
    )


def last_stages(
    plan: Plan,
    counts: ClassCounts,
    settings: Sequence[str],
    minutes: dict[str, float],
    photo: str | None,
) -> list[Stage]:
    """From the cross-validation to the prediction for `photo`, if there is one.

    settings: of every run. minutes: of "crossval" and "everybody", the run on all images.
    """
    common = ["--db", plan.database, "--data", str(plan.data), "--runs", str(plan.runs)]
    crossval = ["-m", "fesr_tf.crossval", *common, "--jobs", str(plan.jobs), "--folds",
                ",".join(map(str, counts.folds)), "--variants", *plan.variants,
                *settings]  # fmt: skip
    train = ["-m", "fesr_tf.train", *common, "--fold", ALL, "--variant", plan.final,
             *applicable(plan.final, settings)]  # fmt: skip
    export = ["-m", "fesr_tf.export", "--run", str(plan.final_run), "--name", plan.model.name,
              "--models", str(plan.model.parent)]  # fmt: skip
    report = ["-m", "fesr_tf.report", str(plan.crossval.parent), str(plan.final_run), "--output",
              str(plan.output / "report")]  # fmt: skip
    client = ["-m", "fesr_tf.client", str(photo), "--model", str(plan.model), "--output",
              str(plan.output / "photograph")]  # fmt: skip
    return [
        Stage(
            f"{'cross-validate' if len(counts.folds) > 1 else 'train and test'} "
            f"{', '.join(plan.variants)} on held-out {'subjects' if counts.known else 'images'}",
            [crossval],
            minutes["crossval"],
        ),
        Stage(f"train {plan.final} on all images", [train], minutes["everybody"]),
        *synthesis_stages(plan, counts),
        Stage(
            "export that model and check it in TensorFlow Serving's loader",
            [export],
            0.6,
            done=lambda: exported(plan.model, plan.final_run),
        ),
        Stage("write the report", [report], 0.1),
        *([Stage("classify one of the images with the exported model", [client], 0.2)] if photo
          else []),
    ]  # fmt: skip


def synthesis_stages(plan: Plan, counts: ClassCounts) -> list[Stage]:
    """Generated images, and their quality where both parts have two known subjects or more."""
    if not plan.settings(plan.final).trains_fesgan:
        return []
    fold = counts.folds[0]
    tested = plan.run(plan.final, fold)
    folders = [tested, plan.final_run]
    stages = [
        Stage(
            f"generate expressions, intensities and new identities: of the held-out images of "
            f"fold {fold}, and of all images",
            [["-m", "fesr_tf.synthesize", str(folder)] for folder in folders],
            0.5,
            done=lambda: all(
                after_training(folder / files.IMAGES / "new_identities.png", folder)
                for folder in folders
            ),
        )
    ]
    people = [counts.units(counts.part(fold, role)) for role in (TRAIN, TEST)]
    if counts.known and min(people) > 1:
        words = ["-m", "fesr_tf.measure", str(tested)]
        for variant in plan.variants:
            if not plan.settings(variant).trains_fesgan:
                words += ["--judge", str(plan.run(variant, fold))]
        stages.append(
            Stage(
                f"measure the quality of the images that fold {fold} generates",
                [words],
                1.0,
                done=lambda: after_training(tested / files.SYNTHESIS, tested),
            )
        )
    return stages
