"""The final output of `fesr_tf.own_data`: the results in sentences, and where everything is."""

from __future__ import annotations

import shlex
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf.client.saved_model import version_folder
from fesr_tf.data.counts import ClassCounts
from fesr_tf.metrics.comparison import over
from fesr_tf.metrics.inference import CONFIDENCE
from fesr_tf.own_data.plan import Plan
from fesr_tf.own_data.power import used_images
from fesr_tf.processes.sequence import shown_python
from pipelines.common.subjects import of_people
from pipelines.dataset.manifest import Manifest
from pipelines.dataset.subjects import cautions


def accuracy(summary: dict, counts: ClassCounts) -> str:
    """The pooled accuracy of one variant (an entry of `summaries` in crossval.json), compared with
    the majority-class baseline."""
    pooled, (name, share) = summary["pooled"], counts.majority
    if pooled["accuracy"] is None:
        return f"{summary['variant']}: no fold was tested"
    low, high = pooled["interval"]
    if low > share:
        verdict = "significantly above"
    elif high < share:
        verdict = "significantly below"
    else:
        verdict = "not significantly different from"
    return (
        f"{summary['variant']}: accuracy {pooled['accuracy']:.1%} ({pooled['right']:g} of "
        f"{pooled['pictures']} test images"
        f"{of_people(summary['people'], summary.get('unknown_subjects', 0))}, 95 % interval "
        f"{low:.1%} to {high:.1%}), {verdict} the majority-class baseline ({name!r}, {share:.1%})"
    )


def comparison(result: dict) -> str:
    """The difference between a variant and the first one (an entry of `comparisons`).

    It is significant where the interval over people (over images, where subjects are unknown)
    excludes 0 and the exact test by image agrees.
    """
    variant, baseline = result["variant"], result["baseline"]
    if result["difference"] is None or result["interval"] is None:
        return f"{variant} and {baseline} cannot be compared: they share no fold or only one person"
    low, high = result["interval"]
    test, p = result["mcnemar"][0], result["p_pictures_holm"]
    significant = (low > 0 or high < 0) and p <= 1 - CONFIDENCE
    return (
        f"{variant} minus {baseline}: {100 * result['difference']:+.1f} points (95 % interval over "
        f"{over(result)}: {100 * low:+.1f} to {100 * high:+.1f}; {test['only_second']} images "
        f"right by {variant} alone, {test['only_first']} by {baseline} alone, exact p {p:.2g}): "
        f"{'' if significant else 'not '}significantly different"
    )


def recalls(summary: dict) -> str:
    """The recall of one variant in each class."""
    classes = [
        f"{name} {pooled['accuracy']:.1%} of {pooled['pictures']} ({pooled['interval'][0]:.1%} to "
        f"{pooled['interval'][1]:.1%})"
        for name, pooled in summary["per_class"].items()
    ]
    return f"{summary['variant']}, recall by class: {', '.join(classes)}"


def sentences(result: dict, manifest: Manifest, counts: ClassCounts, final: str) -> list[str]:
    """The results: `result` is crossval.json, `final` the variant of the exported model."""
    (last,) = (summary for summary in result["summaries"] if summary["variant"] == final)
    left_out = manifest.folds - len(counts.folds)
    tested = "cross-validated" if len(counts.folds) > 1 else "held-out"
    return [
        used_images(manifest),
        *cautions(manifest),
        *(accuracy(summary, counts) for summary in result["summaries"]),
        *(comparison(entry) for entry in result["comparisons"]),
        recalls(last),
        *(
            [f"{left_out} of {manifest.folds} folds had no training or test images"]
            * (left_out > 0)
        ),
        f"the exported model is {final} trained on all images; none is left to test it, so the "
        f"{tested} accuracy of {final} is the estimate of its accuracy",
    ]


def locations(plan: Plan, photo: str | None) -> str:
    """Where the outputs are, and the commands that use the model. photo: the classified image."""
    python, name = shown_python(), plan.model.name
    classified = (
        f"{plan.output / 'photograph'}: {Path(photo).name}, a training image: it shows that the "
        "model runs, not how accurate it is"
        if photo
        else "not run: the client detects faces in whole images, and these are cropped or come "
        "with face boxes"
    )
    compose = configs.config_folder() / "serving" / "docker-compose.yml"
    lines = [
        f"report       {plan.output / 'report' / 'index.html'} (open it in a browser)",
        f"faces        {plan.data / 'index.html'}: aligned and rejected",
        f"results      {plan.crossval}, and .csv",
        f"model        {version_folder(plan.model)}",
        f"prediction   {classified}",
        f"TensorBoard  {python} -m tensorboard.main --logdir {plan.runs}",
        "",
        f"classify     {python} -m fesr_tf.client YOUR_PHOTO.jpg --model {plan.model}",
        f"web page     {python} -m fesr_tf.demo_app --model {plan.model}",
        f"serve        FESR_MODELS={shlex.quote(str(plan.model.parent.resolve()))} "
        f"FESR_MODEL={name} docker compose -f {shlex.quote(str(compose))} --profile cpu up",
        f"             {python} -m fesr_tf.client YOUR_PHOTO.jpg --server localhost:8500 --name "
        f"{name}",
    ]
    return "\n".join(lines)
