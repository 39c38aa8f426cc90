"""The model card, by the headings of Mitchell et al. (FAT* 2019), and how the page was made."""

from __future__ import annotations

import shlex

from fesr_tf.report.material import Material, first_of_variants
from fesr_tf.report.values import COUNT, Table
from pipelines.dataset.subjects import known

LICENCES = {
    "demo": "rendered faces of nobody who exists; the head is CC0 data of MakeHuman/MPFB2 and of "
    "Mika Suominen's Face Units (pipelines/demo_faces/NOTICE).",
    "ckplus": "CK+, by an agreement with its owners, for non-commercial research; images of only "
    "some of its people, named in the agreement, may be published.",
    "oulu_casia": "Oulu-CASIA NIR&VIS, by an agreement with the University of Oulu, for research.",
    "mmi": "MMI, by registration and an end-user agreement, for non-commercial research.",
    "multi_pie": "CMU Multi-PIE, by a licence bought from the university, for research.",
    "tfd": "Toronto Face Database, from its authors on request; it is compiled from other "
    "databases, whose terms apply as well.",
    "ckplus48": "CK+48 are crops of CK+, whose terms apply.",
    "jaffe": "JAFFE, by its owners' terms, for non-commercial research.",
    "kdef": "KDEF, by its owners' terms, for non-commercial research.",
    "rafd": "RaFD, by a request to Radboud University, for research.",
    "fer2013": "FER2013, collected by a web search: the people in it were not asked; for research.",
    "ferplus": "FER2013's images, whose terms apply; the votes of FER+ are under the MIT licence.",
    "rafdb": "RAF-DB, by an agreement with its owners, for non-commercial research.",
    "affectnet": "AffectNet, by an agreement with its owners, for non-commercial research.",
    "images": "your own images: you need the right to use them and the people's consent.",
}


def section(m: Material) -> dict:
    """Networks, variants, classes and licences; the text is the template's."""
    name = m.sources.database
    own = [[key, text] for key, text in LICENCES.items() if key == name or name not in LICENCES]
    others = [[key, text] for key, text in LICENCES.items() if key != name]
    return {
        "database": name,
        "classes": m.sources.classes,
        "known": m.sources.manifest is None or known(m.sources.manifest),
        "variants": list(first_of_variants(m.runs)),
        "networks": list(
            dict.fromkeys(name for run in m.runs for name in run.config.face_networks)
        ),
        "licence": Table(["data of this report", "terms"], own, "Licence of the data"),
        "others": Table(["other databases", "terms"], others, "Licences of other databases"),
    }


def making(m: Material) -> dict:
    """The command, the files that were read, the embedded images, and what was left out."""
    files = [crossval.document.name for crossval in m.sources.crossvals]
    for run in m.runs:
        documents = (run.evaluation, run.synthesis, run.checkpoint, run.machine)
        files += [document.name for document in documents if document]
    count = m.book.show("making", "pictures on this page", m.images.count, COUNT, "this page")
    size = m.book.show(
        "making", "bytes of the pictures", m.images.used, COUNT, "this page", unit="bytes"
    )
    return {
        "command": shlex.join(
            ["python", "-m", "fesr_tf.report", *m.sources.asked, "--output", "DIR"]
        ),
        "commit": m.commit,
        "images": count,
        "bytes": size,
        "left_out": m.images.left_out,
        "files": files,
    }
