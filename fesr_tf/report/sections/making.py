"""How this page was made, and how to check it."""

from __future__ import annotations

import shlex

from fesr_tf.report.html import Raw, Section, bullets, details, escape, paragraph, table
from fesr_tf.report.material import Material
from fesr_tf.report.values import COUNT


def section(m: Material) -> Section:
    """The command, the files that were read, the figures' files, what was left out."""
    words = ["python", "-m", "fesr_tf.report", *m.sources.asked, "--output", "DIR"]
    commit = m.commit or "not a working tree: no commit to name"
    read = [each.document.name for each in m.sources.crossvals]
    for run in m.sources.every_run:
        read += [d.name for d in (run.evaluation, run.synthesis, run.checkpoint, run.machine) if d]
    shown = m.book.show("making", "pictures on this page", m.pictures.count, COUNT, "this page")
    size = m.book.show(
        "making", "bytes of the pictures", m.pictures.used, COUNT, "this page", unit="bytes"
    )
    points = [
        Raw("Every figure here is in <code>figures.csv</code> and <code>figures.json</code>, "
            "unrounded, with its interval, count and source (a file and a JSON pointer)."),
        Raw(f"Written by the code of commit <code>{escape(commit)}</code>."),
        Raw(f"{shown} pictures, {size} bytes, at most 1,100 pixels wide."),
    ]  # fmt: skip
    if m.pictures.left_out:
        points.append(f"Left out, as the page was full: {', '.join(m.pictures.left_out)}.")
    body = (
        f"<pre>{escape(shlex.join(words))}</pre>"
        + bullets(points)
        + details(f"{len(read)} files were read", table(None, [[name] for name in read]))
        + paragraph("No script, no cookie, nothing is fetched from anywhere.", "note")
    )
    return Section("making", "How this page was made", body)
