"""synthesis.json as text for the console."""

from __future__ import annotations

from collections.abc import Iterator


def number(figure: dict, style: str) -> str:
    """A figure with its interval: "21.4 (20.1 to 22.9)", or "-" where there is none."""
    if figure["value"] is None:
        return "-"
    said = format(figure["value"], style)
    if figure["interval"]:
        low, high = (format(end, style) for end in figure["interval"])
        said += f" ({low} to {high})"
    return said


def table(result: dict) -> str:
    """Every figure with its 95 % interval and what it was counted on."""
    return "\n".join([*_fidelity(result["fidelity"]), *_networks(result), *_expression(result)])


def _fidelity(found: dict) -> Iterator[str]:
    head = "fidelity to the person's own picture"
    yield f"{head:<40}  {'PSNR, dB':<22}  {'SSIM':<22} pairs"
    names = {
        "translated": "translated",
        "reconstruction": "  the target itself reconstructed",
        "two_real_frames": "  two real frames alike",
        "input": "  the input, untranslated",
        "mean_face": "  the expression's mean face",
    }
    for key, name in names.items():
        psnr, ssim = found[key]["psnr"], found[key]["ssim"]
        yield (
            f"{name:<40}  {number(psnr, '.2f'):<22}  {number(ssim, '.3f'):<22} {ssim['n']}, "
            f"{ssim['people']} people"
        )


def _networks(result: dict) -> Iterator[str]:
    for name, found in result["networks"].items():
        yield ""
        yield f"by {name}" + (", which the generator was trained against" * found["in_loss"])
        verification = found["verification"]
        for key, about in (("drawn", "real and drawn"), ("real", "real and real")):
            if verification is None:
                continue
            of = verification[key]
            yield (
                f"  verification, {about:<15} rate {number(of['rate'], '.1%')}, "
                f"AUC {number(of['auc'], '.3f')}, EER {number(of['eer'], '.1%')}; "
                f"{of['rate']['n']} pairs, {of['rate']['people']} people"
            )
        for way, beside in (("real", ""), ("redrawn", ", among redrawn faces")):
            memorised = found["memorisation"][way]
            for key, about in (
                ("new", f"new identities that are a training person{beside}"),
                ("unseen_people", "  the same of unseen people"),
                ("known_people", "  the same of the training people themselves"),
            ):
                yield f"  {about:<63} {number(memorised[key], '.1%')}; {memorised[key]['n']}"
        near = found["memorisation"]["nearest_people"]
        yield (
            f"  nearest to some new identity: {near['people']} of {near['of']} training people; "
            f"{near['largest']} to {near['largest_share']:.0%} of them"
        )
        for key, about in (
            ("mean_distance", "distance between people"),
            ("intra_class_variance", "variance within a class"),
        ):
            of = found["diversity"][key]
            yield (
                f"  {about:<24} new {number(of['new'], '.3f')}, "
                f"training {number(of['train'], '.3f')}, test {number(of['test'], '.3f')}"
            )
        for key, about in (
            ("new_train", "KID, new against training people"),
            ("new_test", "KID, new against test people"),
            ("train_test", "  training against test people"),
            ("halves_of_train", "  halves of the training people"),
        ):
            yield f"  {about:<34} {number(found['kid'][key], '.4f')}"


def _expression(result: dict) -> Iterator[str]:
    for found in result["expression"]:
        yield ""
        yield (
            f"expression, judged by {found['judge']}, which learnt from {found['judge_people']} "
            f"people ({found['people_of_both']} of them also the generator's)"
        )
        for key, about in (
            ("translated", "translated faces of people whom the judge never saw"),
            ("real", "  their real pictures"),
            ("new", "new identities"),
        ):
            of = found[key]
            yield f"  {about:<52} {number(of, '.1%')}; {of['n']}"
        if other := found["translated_people_of_generator"]:
            yield f"  note: the generator learnt from {other} of the people translated"
