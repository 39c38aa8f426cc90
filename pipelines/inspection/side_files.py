"""Makes the files beside the shards that follow from them, once to write and again to verify."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipelines.common.records import Reject
from pipelines.dataset import anomalies, copies, fold_file, rejects, schema, statistics
from pipelines.dataset.copies import Copies
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import Manifest
from pipelines.inspection import page

DATA = (schema.NAME, statistics.NAME, anomalies.NAME, fold_file.NAME)
"""Files for programs: every version makes the same bytes from the same records."""

NAMES = (*DATA, page.NAME)


def describe(
    manifest: Manifest, columns: Columns, found: Copies, rejected: Sequence[Reject]
) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest with its anomalies and its fold digest, and the side files' bytes by name:
    schema, statistics, anomalies, folds and the page, `copies.csv` where there are copies, and
    `rejects.jsonl` where there are rejects.

    found: `copies.find` of the columns. rejected: all rejects, in key order.
    """
    expected = schema.build(manifest.classes, manifest.folds, manifest.num_votes)
    measured = statistics.build(columns)
    allowed = manifest.copies == copies.ALLOWED
    independent, subjects = manifest.subject_independent, manifest.subjects
    odd = anomalies.find(columns, expected, independent, found, allowed, subjects)
    members = [fold_file.Member(*row) for row in columns.rows()]
    members += [
        fold_file.Member(r.key, manifest.classes.index(r.class_name), r.subject, r.splits)
        for r in rejected
        if r.splits
    ]
    folds_json, fold_digest = fold_file.to_json(manifest, members)
    manifest = dataclasses.replace(manifest, anomalies=odd, fold_digest=fold_digest)
    contents = {
        schema.NAME: schema.text(expected).encode(),
        statistics.NAME: statistics.serialised(measured),
        anomalies.NAME: schema.text(anomalies.proto(odd, columns, expected)).encode(),
        fold_file.NAME: folds_json.encode(),
        page.NAME: page.render(manifest, measured, rejected).encode(),
    }
    if found.across or found.within:
        contents[copies.NAME] = copies.table(columns, [*found.across, *found.within]).encode()
    if rejected and manifest.rejects is None:
        contents[rejects.NAME] = rejects.table(rejected)
    return manifest, contents
