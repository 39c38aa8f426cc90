"""Finds anomalies: against the schema, between the parts of a fold, and in the images.

`pipelines.verify` compares their texts with the stored ones: a changed word would make it refuse
the folders of earlier versions, unless `current_words` knows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from pipelines.common.roles import TEST, TRAIN
from pipelines.common.text import listed
from pipelines.databases.base import GUESSED
from pipelines.dataset import copies, doubts
from pipelines.dataset.copies import Copies
from pipelines.dataset.fold_checks import CROSSING, crossing
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import ERROR, WARNING, Anomaly
from pipelines.dataset.schema import SHOWN, records_have, violations
from pipelines.faces.alignment import EYE_ROW

NAME = "anomalies.pbtxt"
_CUSTOM = "CUSTOM_VALIDATION"
# dlib's landmarks put the eyes of a well aligned face within 6 rows of the template's.
_EYE_ROWS_OFF = 10


def find(
    columns: Columns,
    schema: schema_pb2.Schema,
    subject_independent: bool,
    found: Copies,
    copies_allowed: bool = False,
    subjects: str = "",
) -> tuple[Anomaly, ...]:
    """All anomalies, in the order of the features; the same records give the same list.

    found: `copies.find` of the columns; those on two sides of a split are a warning where
    `copies_allowed`, else an error. subjects: how far they can be relied on, see
    `pipelines.dataset.folds.Division`.
    """
    anomalies = [
        *violations(columns, schema),
        *_class_anomalies(columns, schema),
        *_subject_anomalies(columns, subject_independent),
        *(_subject_doubts(columns) if subjects == GUESSED else ()),
        *_copies(columns, found, copies_allowed),
        *_odd_images(columns),
    ]
    order = [feature.name for feature in schema.feature]
    return tuple(sorted(anomalies, key=lambda anomaly: order.index(anomaly.feature)))


def proto(
    anomalies: Iterable[Anomaly], columns: Columns, schema: schema_pb2.Schema
) -> anomalies_pb2.Anomalies:
    """The message: the schema, one entry a feature, and the class skew measured in each fold."""
    message = anomalies_pb2.Anomalies(baseline=schema)
    for name, group in groupby(anomalies, key=lambda anomaly: anomaly.feature):
        reasons = list(group)
        info = message.anomaly_info[name]
        info.path.step.append(name)
        worst = min(reason.severity for reason in reasons)  # ERROR sorts before WARNING
        info.severity = anomalies_pb2.AnomalyInfo.Severity.Value(worst)
        info.short_description = "Multiple errors" if reasons[1:] else reasons[0].short
        info.description = " ".join(reason.text for reason in reasons)
        for reason in reasons:
            kind = anomalies_pb2.AnomalyInfo.Type.Value(reason.kind)
            info.reason.add(type=kind, short_description=reason.short, description=reason.text)
    measure = anomalies_pb2.DriftSkewInfo.Measurement
    skews = [
        measure(type=measure.L_INFTY, value=skew, threshold=_threshold(schema))
        for skew, *_ in class_skews(columns)
        if skew is not None
    ]
    if skews:
        drift = message.drift_skew_info.add(skew_measurements=skews)
        drift.path.step.append("class")
    return message


def class_skews(columns: Columns) -> list[tuple[float | None, str, int, int]]:
    """For every fold the largest difference between a class's shares of the training and of the
    test images, 0…1 (None where either part is empty), that class, and both parts' sizes."""
    names, skews = columns.class_names, []
    for fold in range(columns.folds):
        train, test = (
            np.bincount(columns.class_name[columns.part(fold, role)], minlength=len(names))
            for role in (TRAIN, TEST)
        )
        sizes = int(train.sum()), int(test.sum())
        if not all(sizes):
            skews.append((None, "", *sizes))
            continue
        differences = np.abs(train / sizes[0] - test / sizes[1])
        name, skew = max(sorted(zip(names, differences, strict=True)), key=lambda pair: pair[1])
        skews.append((float(skew), name, *sizes))
    return skews


def current_words(text: str) -> str:
    """A text of an earlier version, which wrote picture for image, in today's words."""
    return text.replace("a picture", "an image").replace("picture", "image")


def _class_anomalies(columns: Columns, schema: schema_pb2.Schema) -> Iterator[Anomaly]:
    """Classes that are tested but not trained on, and class shares that differ."""
    names, untrained = columns.class_names, []
    for fold in range(columns.folds):
        train, test = (set(columns.class_name[columns.part(fold, r)]) for r in (TRAIN, TEST))
        untrained += [f"{name} (fold {fold})" for name in sorted(names[i] for i in test - train)]
    if untrained:
        classes = listed(untrained, SHOWN)
        text = f"Classes that a fold tests but has no image to train on: {classes}."
        short = "tested but not trained on"
        # A small class, not wrong data: its images count as errors of that fold.
        yield Anomaly("class", "SCHEMA_TRAINING_SERVING_SKEW", WARNING, short, text)
    threshold = _threshold(schema)
    skewed = [
        f"{name} in fold {fold} ({skew:.2f}; {train} training, {test} test images)"
        for fold, (skew, name, train, test) in enumerate(class_skews(columns))
        if skew is not None and skew > threshold
    ]
    if skewed:
        text = (
            "A class's share of the training and of the test images differs by more than "
            f"{threshold:g}: {listed(skewed, SHOWN)}."
        )
        short = "class shares differ between training and test"
        yield Anomaly("class", "COMPARATOR_L_INFTY_HIGH", WARNING, short, text)


def _subject_anomalies(columns: Columns, subject_independent: bool) -> Iterator[Anomaly]:
    subjects = sorted({subject for subject, _ in crossing(columns.roles())})
    if subjects:
        severity, official = ERROR, ""
        if not subject_independent:
            severity, official = WARNING, " (as the database's official folds have it)"
        text = (
            f"{len(subjects)} of {columns.people} people have more than one of the roles "
            f"train, valid and test in a fold{official}: {listed(subjects, SHOWN)}."
        )
        yield Anomaly("subject", _CUSTOM, severity, CROSSING, text)


def _subject_doubts(columns: Columns) -> Iterator[Anomaly]:
    names = (columns.subjects, columns.subject), (columns.class_names, columns.class_name)
    subjects, classes = ([known[index] for index in indices] for known, indices in names)
    if text := doubts.doubt(subjects, classes):
        text = f"{text[0].upper()}{text[1:]}."
        yield Anomaly("subject", _CUSTOM, WARNING, doubts.DOUBT, text)


def _copies(columns: Columns, found: Copies, allowed: bool) -> Iterator[Anomaly]:
    if found.across:
        severity = WARNING if allowed else ERROR
        text = f"Copies on two sides of a split: {copies.described(columns, found.across)}."
        yield Anomaly("image", _CUSTOM, severity, "copies on two sides of a split", text)
    if found.within:
        text = f"Copies in one part of a fold: {copies.described(columns, found.within)}."
        yield Anomaly("image", _CUSTOM, WARNING, "copies in one part", text)


def _odd_images(columns: Columns) -> Iterator[Anomaly]:
    """Images of one colour, and eyes far from their row."""
    if keys := columns.constant:
        text = f"{records_have(len(keys))} an image of a single colour: {listed(keys, SHOWN)}."
        yield Anomaly("image", _CUSTOM, WARNING, "images of one colour", text)
    eyes = columns.eyes.astype(np.float64)
    known = (eyes != 0).any(axis=1) & np.isfinite(eyes).all(axis=1)
    off = np.where(known, np.abs(eyes[:, 1::2] - EYE_ROW).max(axis=1), 0)
    rows = np.flatnonzero(off > _EYE_ROWS_OFF)
    if len(rows):
        worst = rows[np.argsort(-off[rows], kind="stable")]
        text = (
            f"{records_have(len(rows))} an eye more than {_EYE_ROWS_OFF} rows from row {EYE_ROW}: "
            f"{listed((f'{columns.keys[row]} ({off[row]:.0f} rows)' for row in worst), SHOWN)}."
        )
        yield Anomaly("eyes", _CUSTOM, WARNING, "badly aligned faces", text)


def _threshold(schema: schema_pb2.Schema) -> float:
    feature = next(each for each in schema.feature if each.name == "class")
    return feature.skew_comparator.infinity_norm.threshold
