"""Trains a run through both stages of Algorithm 1, from its last checkpoint if it has one."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path

from fesr_tf import data, runs
from fesr_tf.config import Config
from fesr_tf.data import Fold
from fesr_tf.model.fesr import FESR
from fesr_tf.model.frozen_features import frozen_features
from fesr_tf.processes import handled
from fesr_tf.runs import files, machine
from fesr_tf.runs.checkpoints import Checkpoints
from fesr_tf.training import collapse_warnings, distribution, first_stage, guards, monitoring
from pipelines.common.errors import BadUse


def stages(settings: Config) -> list[tuple[str, int]]:
    """The stages of a run with the iteration at which each ends: P_pre, then P_max."""
    ends = []
    if settings.trains_fesgan and settings.pretrain_iterations:
        ends.append(("FESGAN", settings.pretrain_iterations))
    if settings.trains_recognizer and settings.max_iterations > settings.pretrain_iterations:
        ends.append(("FESR", settings.max_iterations))
    return ends


def train_model(
    model: FESR,
    fold: Fold,
    folder: str | Path,
    variant: str = "custom",
    first: Path | None = None,
) -> bool:
    """Trains a model on a fold in a run folder, or resumes the run that the folder holds.

    Args:
        model: From `build_model`.
        fold: From `load_fold`.
        folder: The run folder; `runs/<db>/<variant>/fold-NN` is what the commands use. Every
            file in it is described in `fesr_tf.runs.files`.
        variant: The name that reports and figures use.
        first: A run whose first stage is taken over (`fesr_tf.training.first_stage`).

    Returns:
        True when the run is complete; False when a signal stopped it, after it was saved.

    Raises:
        BadUse: The folder holds a run with other settings, classes or data, or another process
            is training in it.

    Example:
        >>> config = fesr_tf.load_config("demo", overrides=SMALL)
        >>> fold = fesr_tf.load_fold("data/demo", 0, config)
        >>> model = fesr_tf.build_model(config, len(fold.classes))
        >>> fesr_tf.train_model(model, fold, "runs/mine")  # doctest: +ELLIPSIS
        computing ...
        True
    """
    folder = Path(folder)
    info = runs.RunInfo(
        fold.database, variant, fold.number, fold.folder, fold.digest, fold.classes, fold.origin
    )
    if not distribution.is_chief(model.distribute_strategy):
        return train(model, fold, folder, first)
    with runs.alone(folder):
        runs.start(folder, model.config, info)
        return train(model, fold, folder, first)


def train(model: FESR, fold: Fold, folder: Path, first: Path | None = None) -> bool:
    """Trains the run in `folder` to its end.

    It starts from the run's last checkpoint, else from the end of stage 1 of the run in `first`
    (checked by `first_stage.refuse`), else from new weights. BASELINE has no first stage: it
    starts at t = P_pre and takes as many steps as R does in the joint variants.

    Of several processes the chief writes; the others read its checkpoint, so `folder` must lie on a
    file system that all share.

    Returns True when the run is complete, False when a signal stopped it, after it was saved. No
    other process may train in `folder` meanwhile (`runs.alone`). Raises `FailedWork` where another
    process of the same training ends before.
    """
    with distribution.lost_workers(model.distribute_strategy):
        return _train(model, fold, folder, first)


def _train(model: FESR, fold: Fold, folder: Path, first: Path | None) -> bool:
    settings, strategy = model.config, model.distribute_strategy
    agreement = distribution.Agreement(strategy)
    about = {"images": len(fold.train), "data_digest": fold.digest}
    checkpoints = Checkpoints(model, folder / files.CHECKPOINTS, settings.keep_checkpoints, **about)
    best = Checkpoints(model, folder / runs.BEST, 1, **about)
    resumed = _begin(model, checkpoints, best, folder, first) if agreement.chief else None
    _follow(model, checkpoints, agreement)
    ends = stages(settings)
    unfinished = int(model.fesgan.step.numpy()) < ends[-1][1]
    if unfinished and agreement.chief:
        machine.note_start(folder, int(model.fesgan.step.numpy()))
    cached = None
    if unfinished:
        cached = frozen_features(
            model.face_network,
            fold.train,
            settings,
            folder=folder if agreement.chief else None,
            trunk_network=model.recognizer.face_network,
        )
    stop = guards.StopOnSignal(agreement.any_worker)
    guard = guards.StopOnNonFinite(model)
    with contextlib.ExitStack() as stack:
        callbacks = [guard]  # before the callbacks that save
        if agreement.chief:
            watch = stack.enter_context(monitoring.watch(model, fold, folder, ends, resumed))
            validation = watch.validation
            callbacks += [
                collapse_warnings.WarnOfCollapse(model),
                *watch.callbacks,
                *([guards.KeepBest(model, best, lambda: validation.latest)] if validation else []),
                guards.Saves(model, checkpoints),
            ]
        callbacks.append(stop)
        stack.enter_context(handled(stop.stop, signal.SIGINT, signal.SIGTERM))
        for name, end in ends:
            step = int(model.fesgan.step.numpy())
            if step < end and not agreement.any_worker(stop.stopped):
                stage = model.fesgan if name == "FESGAN" else model
                batches = data.batches(fold.train, settings, step, cached, stage is model)
                batches = distribution.share(batches, settings, strategy)
                stage.fit(batches, steps_per_epoch=end - step, callbacks=callbacks, verbose=0)
        if not agreement.alone:
            digest = agreement.refuse_unequal(model)
            print(f"all workers hold the same weights: sha256 {digest}", flush=True)
    return int(model.fesgan.step.numpy()) >= ends[-1][1]


def _begin(
    model: FESR, checkpoints: Checkpoints, best: Checkpoints, folder: Path, first: Path | None
) -> int | None:
    """Puts the model where the run in `folder` starts. Returns the step at which it resumes."""
    checkpoints.sweep()
    best.sweep()
    resumed = checkpoints.restore(fall_back=True)
    if resumed is not None:
        print(f"resuming at step {resumed}", flush=True)
        if elsewhere := checkpoints.elsewhere():
            print(f"note: {elsewhere}", file=sys.stderr, flush=True)
    elif not model.config.trains_fesgan:
        model.fesgan.step.assign(model.config.pretrain_iterations)
    elif first:
        step = first_stage.begin(model, first, checkpoints, folder)
        print(f"stage 1 taken from {first}: starting at step {step}", flush=True)
    return resumed


def _follow(model: FESR, checkpoints: Checkpoints, agreement: distribution.Agreement) -> None:
    """Puts the model of every other process where the chief's is."""
    step = agreement.from_chief(int(model.fesgan.step.numpy()))
    saved = agreement.from_chief(int(checkpoints.present is not None))
    if agreement.chief:
        return
    if not saved:
        model.fesgan.step.assign(step)
    elif not checkpoints.path(step).is_dir():
        raise BadUse(
            f"this worker does not find the chief's checkpoint {checkpoints.path(step)}: --runs "
            "must name a folder that all workers share"
        )
    else:
        checkpoints.read(checkpoints.path(step))
