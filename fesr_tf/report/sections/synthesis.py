"""Quality of the generated faces: the results of `fesr_tf.measure`, run by run."""

from __future__ import annotations

from fesr_tf.report.material import Material
from fesr_tf.report.values import COUNT, PERCENT, Cell, Part, Shown, Table
from fesr_tf.results.sources import Document, RunSource

SYNTHESIS = "synthesis"
FIDELITY = {
    "translated": "translated faces",
    "reconstruction": "the target itself, reconstructed",
    "input": "the input, untranslated",
    "mean_face": "the expression's mean face",
    "two_real_frames": "two real frames alike",
}
VERIFIED = {"drawn": "real and generated", "real": "real and real"}
MEMORISED = {
    "new": "new identities that match a training person",
    "unseen_people": "the same of held-out subjects (false alarms)",
    "known_people": "the same of training people (detection limit)",
}
DISTANCES = {
    "mean_distance": "mean distance of two people",
    "intra_class_variance": "variance within a class",
}
KIDS = {
    "new_train": "new against training people",
    "new_test": "new against test people",
    "train_test": "training against test people",
    "halves_of_train": "halves of the training people",
}


def section(m: Material) -> dict:
    """Fidelity, verification, memorisation, diversity, KID and expression of each measured run."""
    measured = [_run(m, run, run.synthesis) for run in m.runs if run.synthesis]
    missing = [run.name for run in m.runs if run.config.trains_fesgan and not run.synthesis]
    if not measured:
        m.book.show(SYNTHESIS, "drawn faces", None, "", "no synthesis.json in any run")
    return {"runs": measured, "missing": missing}


def _run(m: Material, run: RunSource, document: Document) -> dict:
    show = Part(m.book, SYNTHESIS, document, run.name)

    def figure(path: tuple, style: str) -> Shown:
        """One of `fesr_tf.synthesis.quality.estimates.figure`, with its interval."""
        about = document.at(*path)
        return show(", ".join(map(str, path)), style, *path, "value", interval=True,
                    n=about["n"], unit=about["unit"], missing="-")  # fmt: skip

    def count(path: tuple) -> Shown:
        return show(", ".join(map(str, path)), COUNT, *path)

    fidelity = []
    for key, name in FIDELITY.items():
        psnr, ssim = ("fidelity", key, "psnr"), ("fidelity", key, "ssim")
        fidelity.append([name, figure(psnr, ".2f"), figure(ssim, ".3f"),
                         count((*ssim, "n")), count((*ssim, "people"))])  # fmt: skip
    head = ["against the person's own image", "PSNR, dB (95 %)", "SSIM (95 %)", "pairs", "people"]
    networks = [
        _network(found, ("networks", name), figure, count)
        for name, found in document.at("networks").items()
    ]
    step, last, notes = (document.at(key) for key in ("step", "max_iterations", "notes"))
    expression = _expression(document, show, figure, count)
    return {
        "name": run.name,
        "fidelity": Table(head, fidelity, "PSNR and SSIM"),
        "networks": networks,
        "expression": expression,
        "notes": [f"measured at iteration {step} of {last}"] * (step < last) + notes,
        "protocols": document.at("protocols"),
    }


def _network(result: dict, path: tuple, figure, count) -> dict:
    """The tables of one face network."""
    verification = None
    if result["verification"] is not None:
        rows: list[list[Cell]] = []
        for key, about in VERIFIED.items():
            pairs = (*path, "verification", key)
            styles = {"rate": PERCENT, "auc": ".3f", "eer": PERCENT}
            rates = [figure((*pairs, what), style) for what, style in styles.items()]
            rows.append([about, *rates, count((*pairs, "rate", "n"))])
        head = ["pairs of", "rate", "AUC", "EER", "pairs"]
        verification = Table(head, rows, "Verification (Table IV)")
    memorisation = [
        [about, *(figure((*path, "memorisation", of, key), PERCENT) for of in ("real", "redrawn"))]
        for key, about in MEMORISED.items()
    ]
    diversity = [
        [about, *(figure((*path, "diversity", key, part), ".3f")
                  for part in ("new", "train", "test"))]
        for key, about in DISTANCES.items()
    ]  # fmt: skip
    kid = [[about, figure((*path, "kid", key), ".4f")] for key, about in KIDS.items()]
    thresholds = ["share", "threshold of real faces", "of reconstructions"]
    tables = [
        Table(thresholds, memorisation, "Memorisation, to be read beside its last line"),
        Table(["diversity", "new", "training", "test"], diversity, "Diversity"),
        Table(["KID", "value"], kid, "KID of a small sample"),
    ]
    return {"name": path[1], "in_loss": result["in_loss"], "verification": verification,
            "tables": tables}  # fmt: skip


def _expression(document: Document, show: Part, figure, count) -> Table | None:
    """Whether evaluators recognize the requested expression; None if there was no evaluator."""
    rows = []
    for index, result in enumerate(document.at("expression")):
        path = ("expression", index)
        rows.append([
            f"BASELINE, fold {result['judge_fold']}",
            *(figure((*path, key), PERCENT) for key in ("translated", "real", "new")),
            count((*path, "people_of_both")),
            count((*path, "translated_people_of_generator")),
            show(f"expression {index}, chance", PERCENT, *path, "chance"),
        ])  # fmt: skip
    head = ["evaluator", "translated", "their real images", "new identities"]
    head += ["its people the generator knew", "translated people the generator knew", "chance"]
    return Table(head, rows, "Accuracy of a recognizer trained on real faces") if rows else None
