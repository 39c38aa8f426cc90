"""How good the drawn faces are: what `fesr_tf.measure` wrote, run by run."""

from __future__ import annotations

from fesr_tf.report.html import Raw, Section, bullets, details, heading, paragraph, table
from fesr_tf.report.material import Material
from fesr_tf.report.values import COUNT, PERCENT
from fesr_tf.results.documents import Document
from fesr_tf.results.sources import RunSource

SYNTHESIS = "synthesis"
FIDELITY = {
    "translated": "translated faces",
    "reconstruction": "the target itself, reconstructed",
    "input": "the input, untranslated",
    "mean_face": "the expression's mean face",
    "two_real_frames": "two real frames alike",
}
VERIFIED = {"drawn": "real and drawn", "real": "real and real"}
MEMORISED = {
    "new": "new identities that are a training person",
    "unseen_people": "the same of unseen people (false alarms)",
    "known_people": "the same of training people (what it can find)",
}
KIDS = {
    "new_train": "new against training people",
    "new_test": "new against test people",
    "train_test": "training against test people",
    "halves_of_train": "halves of the training people",
}


def section(m: Material) -> Section:
    """Fidelity, verification, expression, novelty and KID of every run that was measured."""
    measured = [run for run in m.sources.every_run if run.synthesis]
    silent = [
        run.name for run in m.sources.every_run if run.config.trains_fesgan and not run.synthesis
    ]
    parts = [_run(m, run, index == 0) for index, run in enumerate(measured)]
    if not measured:
        m.book.show(SYNTHESIS, "drawn faces", None, "", "no synthesis.json in any run")
        parts.append(paragraph("Not run: no run's faces were measured (fesr_tf.measure).", "none"))
    elif silent:
        parts.append(paragraph(f"Not run: {'; '.join(silent)}.", "none"))
    return Section(SYNTHESIS, "The drawn faces", "".join(parts))


def _run(m: Material, run: RunSource, opened: bool) -> str:
    document = run.synthesis
    body = [_fidelity(m, run, document)]
    for name in document.at("networks"):
        body.append(_network(m, run, document, name))
    body.append(_expression(m, run, document))
    notes = document.at("notes")
    asked, step = document.at("max_iterations"), document.at("step")
    if step < asked:
        notes = [f"measured at iteration {step} of {asked}", *notes]
    if notes:
        body.append(bullets(notes))
    protocols = bullets(f"{key}: {text}" for key, text in document.at("protocols").items())
    body.append(details("What each figure means", protocols))
    return details(run.name, "".join(body), opened)


def _shown(m: Material, run: RunSource, document: Document, path: tuple, style: str) -> Raw:
    """One of `fesr_tf.synthesis.quality.estimates.figure`, with its interval."""
    figure = document.at(*path)
    return m.book.of(
        SYNTHESIS, f"{run.name}, {', '.join(map(str, path))}", document, (*path, "value"), style,
        around=(*path, "interval") if figure["interval"] and figure["value"] is not None else None,
        n=figure["n"], unit=figure["unit"], missing="-",
    )  # fmt: skip


def _plain(m: Material, run: RunSource, document: Document, path: tuple) -> Raw:
    item = f"{run.name}, {', '.join(map(str, path))}"
    return m.book.of(SYNTHESIS, item, document, path, COUNT)


def _fidelity(m: Material, run: RunSource, document: Document) -> str:
    rows = []
    for key, name in FIDELITY.items():
        path = ("fidelity", key)
        rows.append([
            name,
            _shown(m, run, document, (*path, "psnr"), ".2f"),
            _shown(m, run, document, (*path, "ssim"), ".3f"),
            _plain(m, run, document, (*path, "ssim", "n")),
            _plain(m, run, document, (*path, "ssim", "people")),
        ])  # fmt: skip
    head = ["against the person's own picture", "PSNR, dB (95 %)", "SSIM (95 %)", "pairs", "people"]
    return heading("Fidelity (Table III)") + table(head, rows, range(1, 5), "PSNR and SSIM")


def _network(m: Material, run: RunSource, document: Document, name: str) -> str:
    path = ("networks", name)
    found = document.at(*path)
    judge = (
        " (in the generator's loss: circular)"
        if found["in_loss"]
        else " (the generator never met it)"
    )
    parts = [heading(f"Judged by {name}{judge}")]
    if found["verification"] is None:
        parts.append(paragraph("Verification: not run, no training person shows two expressions."))
    else:
        rows = [
            [about, *(_shown(m, run, document, (*path, "verification", key, what), style)
                      for what, style in (("rate", PERCENT), ("auc", ".3f"), ("eer", PERCENT))),
             _plain(m, run, document, (*path, "verification", key, "rate", "n"))]
            for key, about in VERIFIED.items()
        ]  # fmt: skip
        head = ["pairs of", "rate", "AUC", "EER", "pairs"]
        parts.append(table(head, rows, range(1, 5), "Verification (Table IV)"))
    rows = [
        [about, *(_shown(m, run, document, (*path, "memorisation", way, key), PERCENT)
                  for way in ("real", "redrawn"))]
        for key, about in MEMORISED.items()
    ]  # fmt: skip
    head = ["share", "threshold of real faces", "of redrawn faces"]
    parts.append(table(head, rows, range(1, 3), "Memorisation: to be read beside its last line"))
    rows = [
        [about, *(_shown(m, run, document, (*path, "diversity", key, part), ".3f")
                  for part in ("new", "train", "test"))]
        for key, about in (("mean_distance", "mean distance of two people"),
                           ("intra_class_variance", "variance within a class"))
    ]  # fmt: skip
    head = ["diversity", "new", "training", "test"]
    parts.append(table(head, rows, range(1, 4), "Diversity"))
    rows = [
        [about, _shown(m, run, document, (*path, "kid", key), ".4f")] for key, about in KIDS.items()
    ]
    parts.append(table(["KID", "value"], rows, range(1, 2), "KID, of a small sample"))
    return "".join(parts)


def _expression(m: Material, run: RunSource, document: Document) -> str:
    if not document.at("expression"):
        return paragraph("Expression: not run, no judge was given.", "none")
    rows = []
    for index, found in enumerate(document.at("expression")):
        path = ("expression", index)
        rows.append([
            f"BASELINE, fold {found['judge_fold']}",
            *(_shown(m, run, document, (*path, key), PERCENT)
              for key in ("translated", "real", "new")),
            *(_plain(m, run, document, (*path, key))
              for key in ("people_of_both", "translated_people_of_generator")),
            m.book.of(SYNTHESIS, f"{run.name}, expression {index}, chance", document,
                      (*path, "chance"), PERCENT),
        ])  # fmt: skip
    head = ["judge", "translated", "their real pictures", "new identities"]
    head += ["its people the generator knew", "translated people the generator knew", "chance"]
    note = (
        "Quote the judge of the run's own fold: it is asked about people from whom neither it nor "
        "the generator learnt."
    )
    return (
        heading("Is it the expression that was asked for?")
        + table(head, rows, range(1, len(head)), "Judged by a recogniser of real faces alone")
        + paragraph(note, "note")
    )
