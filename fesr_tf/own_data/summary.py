"""What `fesr_tf.own_data` says when it is done: sentences on what was found, and places."""

from __future__ import annotations

from pathlib import Path

from fesr_tf.client.saved_model import version_folder
from fesr_tf.data.counts import Census
from fesr_tf.metrics.comparison import CONFIDENCE
from fesr_tf.own_data.plan import Plan
from fesr_tf.own_data.power import of_pictures
from fesr_tf.processes.sequence import shown_python
from pipelines.dataset.manifest import Manifest


def of_accuracy(summary: dict, known: Census) -> str:
    """One variant's pooled accuracy, beside what always answering the commonest class gives."""
    pooled, (name, share) = summary["pooled"], known.guess
    if pooled["accuracy"] is None:
        return f"{summary['variant']}: no fold was tested"
    low, high = pooled["interval"]
    text = (
        f"{summary['variant']}: {pooled['accuracy']:.1%} ({pooled['right']:g} of "
        f"{pooled['pictures']} test pictures of {summary['people']} people, 95 % interval "
        f"{low:.1%} to {high:.1%})"
    )
    if low > share:
        return f"{text}, more than always answering {name!r} ({share:.1%})"
    if high < share:
        return f"{text}, less than always answering {name!r} ({share:.1%})"
    return (
        f"{text}; the interval holds the {share:.1%} of always answering {name!r}: that it "
        "recognises anything cannot be concluded"
    )


def of_comparison(found: dict) -> str:
    """Whether a variant and the first one can be told apart: the interval over people leaves 0
    out, and the exact test by picture agrees."""
    names = f"{found['variant']} and {found['baseline']}"
    if found["difference"] is None or found["interval"] is None:
        return f"{names} cannot be compared: they have no fold, or one person, in common"
    low, high = found["interval"]
    test, p = found["mcnemar"][0], found["p_pictures_holm"]
    apart = (low > 0 or high < 0) and p <= 1 - CONFIDENCE
    verdict = (
        "the two can be told apart" if apart else "the two cannot be told apart on these people"
    )
    return (
        f"{names}: {100 * found['difference']:+.1f} points (95 % interval over people "
        f"{100 * low:+.1f} to {100 * high:+.1f}; {test['only_second']} pictures right by "
        f"{found['variant']} alone, {test['only_first']} by {found['baseline']} alone, exact p "
        f"{p:.2g}): {verdict}"
    )


def of_classes(summary: dict) -> str:
    """How much of each class one variant found."""
    each = [
        f"{name} {found['accuracy']:.1%} of {found['pictures']} ({found['interval'][0]:.1%} to "
        f"{found['interval'][1]:.1%})"
        for name, found in summary["per_class"].items()
    ]
    return f"{summary['variant']} by class, found: {', '.join(each)}"


def sentences(result: dict, manifest: Manifest, known: Census, final: str) -> list[str]:
    """What was found: `result` is crossval.json, `final` the variant that everybody trained."""
    (last,) = (each for each in result["summaries"] if each["variant"] == final)
    left_out = manifest.folds - len(known.folds)
    return [
        of_pictures(manifest),
        *(of_accuracy(each, known) for each in result["summaries"]),
        *(of_comparison(each) for each in result["comparisons"]),
        of_classes(last),
        *([f"{left_out} of {manifest.folds} folds had nobody to test or train"] * (left_out > 0)),
        f"the model is {final} trained on everybody: nobody is left to test it on, and what to "
        f"expect of it is the cross-validation's figure for {final}",
    ]


def places(plan: Plan, photo: str | None) -> str:
    """Where everything lies, and the commands that use the model. photo: the one asked about."""
    python, name = shown_python(), plan.model.name
    asked = (
        f"{plan.output / 'photograph'}: {Path(photo).name}, which the model learnt from: that it "
        "works, not how well"
        if photo
        else "none was asked about: the client searches whole photographs for faces, and these are "
        "cropped, or come with the faces' places"
    )
    lines = [
        f"page         {plan.output / 'report' / 'index.html'} (open it in a browser)",
        f"faces        {plan.data / 'index.html'}: aligned and rejected",
        f"figures      {plan.crossval}, and .csv",
        f"model        {version_folder(plan.model)}",
        f"photograph   {asked}",
        f"TensorBoard  {python} -m tensorboard.main --logdir {plan.runs}",
        "",
        f"ask it       {python} -m fesr_tf.client YOUR_PHOTO.jpg --model {plan.model}",
        f"a page       {python} -m fesr_tf.demo_app --model {plan.model}",
        f"serve        FESR_MODEL={name} docker compose -f configs/serving/docker-compose.yml "
        "--profile cpu up (docs/guide/serving.md)",
        f"             {python} -m fesr_tf.client YOUR_PHOTO.jpg --server localhost:8500 --name "
        f"{name}",
    ]
    return "\n".join(lines)
