"""Prints synthesis.json as tables."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.common.text import table


def value(estimate: dict, style: str) -> str:
    """An estimate with its interval: "21.4 (20.1 to 22.9)", or "-" where there is none."""
    if estimate["value"] is None:
        return "-"
    text = format(estimate["value"], style)
    if estimate["interval"]:
        low, high = (format(end, style) for end in estimate["interval"])
        text += f" ({low} to {high})"
    return text


def tables(result: dict) -> str:
    """Every estimate with its 95 % interval and its sample size."""
    return "\n\n".join(_tables(result))


def _tables(result: dict) -> Iterator[str]:
    names = {
        "translated": "translated",
        "reconstruction": "target reconstructed",
        "two_real_frames": "two real frames of one expression",
        "input": "untranslated input",
        "mean_face": "mean face of the expression",
    }
    rows = []
    for key, name in names.items():
        psnr, ssim = result["fidelity"][key]["psnr"], result["fidelity"][key]["ssim"]
        rows.append([name, value(psnr, ".2f"), value(ssim, ".3f"), ssim["n"], ssim["people"]])
    yield table(["fidelity to the person's own image", "PSNR, dB", "SSIM", "pairs", "people"], rows)
    for name, measured in result["networks"].items():
        yield f"by {name}" + ", which is in the generator's loss" * measured["in_loss"]
        yield from _network(measured)
    for measured in result["expression"]:
        rows = [
            ["translated images of people held out from the evaluator", measured["translated"]],
            ["their real images", measured["real"]],
            ["new identities", measured["new"]],
        ]
        yield (
            f"expression by {measured['judge']}, trained on {measured['judge_people']} people, "
            f"{measured['people_of_both']} of them also the generator's; the generator was trained "
            f"on {measured['translated_people_of_generator']} of the people translated"
        )
        rows = [[about, value(found, ".1%"), found["n"]] for about, found in rows]
        yield table(["expression", "accuracy", "images"], rows)


def _network(measured: dict) -> Iterator[str]:
    if measured["verification"]:
        rows = []
        for key, about in (("drawn", "real and generated"), ("real", "real and real")):
            of = measured["verification"][key]
            values = [value(of["rate"], ".1%"), value(of["auc"], ".3f"), value(of["eer"], ".1%")]
            rows.append([about, *values, of["rate"]["n"], of["rate"]["people"]])
        yield table(["verification", "accuracy", "AUC", "EER", "pairs", "people"], rows)
    memorised = measured["memorisation"]
    rows = []
    for key, about in (
        ("new", "new identities"),
        ("unseen_people", "held-out subjects (false alarms)"),
        ("known_people", "training people (detected)"),
    ):
        shares = [value(memorised[kind][key], ".1%") for kind in ("real", "redrawn")]
        rows.append([about, *shares, memorised["real"][key]["n"]])
    yield table(["share near a training person", "real", "reconstructed", "images"], rows)
    near = memorised["nearest_people"]
    yield (
        f"  nearest to some new identity: {near['people']} of {near['of']} training people; "
        f"{near['largest']} to {near['largest_share']:.0%} of them"
    )
    rows = []
    for key, about in (
        ("mean_distance", "distance between people"),
        ("intra_class_variance", "variance within a class"),
    ):
        of = measured["diversity"][key]
        rows.append([about, *(value(of[part], ".3f") for part in ("new", "train", "test"))])
    yield table(["diversity", "new", "training", "test"], rows)
    names = {
        "new_train": "new and training people",
        "new_test": "new and test people",
        "train_test": "training and test people",
        "halves_of_train": "halves of the training people",
    }
    rows = [[about, value(measured["kid"][key], ".4f")] for key, about in names.items()]
    yield table(["KID", "value"], rows)
