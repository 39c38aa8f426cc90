"""What lies beside the shards and follows from them: made here, and made again to verify."""

from __future__ import annotations

import dataclasses

from pipelines.dataset import anomalies, fold_manifest, schema, statistics
from pipelines.dataset.fold_manifest import Member
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import Manifest
from pipelines.inspection import page

DATA = (schema.NAME, statistics.NAME, anomalies.NAME, fold_manifest.NAME)
"""What programs read: of any version the same bytes follow from the same records."""

NAMES = (*DATA, page.NAME)


def describe(manifest: Manifest, columns: Columns) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest with its anomalies and its fold digest, and the side files' bytes by name:
    schema, statistics, anomalies, folds and the page."""
    expected = schema.build(manifest.classes, manifest.folds)
    measured = statistics.build(columns)
    odd = anomalies.find(columns, expected, manifest.subject_independent)
    folds, fold_digest = fold_manifest.build(
        _members(manifest, columns),
        manifest.database,
        manifest.classes,
        manifest.folds,
        manifest.fold_rule,
        manifest.valid_share,
        manifest.subject_independent,
    )
    manifest = dataclasses.replace(manifest, anomalies=odd, fold_digest=fold_digest)
    return manifest, {
        schema.NAME: schema.text(expected).encode(),
        statistics.NAME: statistics.serialised(measured),
        anomalies.NAME: schema.text(anomalies.proto(odd, columns, expected)).encode(),
        fold_manifest.NAME: folds.encode(),
        page.NAME: page.render(manifest, measured).encode(),
    }


def _members(manifest: Manifest, columns: Columns) -> list[Member]:
    """Every sample that was given roles, the rejected ones too."""
    stored = [Member(*row) for row in columns.rows()]
    rejected = [
        Member(each.key, manifest.classes.index(each.class_name), each.subject, each.splits)
        for each in manifest.rejects
        if each.splits
    ]
    return stored + rejected
