"""What is odd in the records: against the schema, between the parts of a fold, to the eye."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from pipelines.common.roles import TEST, TRAIN, UNUSED
from pipelines.dataset import conformance
from pipelines.dataset.conformance import ERROR, WARNING, listed, records_have
from pipelines.dataset.folds import crossing
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import Anomaly
from pipelines.faces.alignment import EYE_ROW

NAME = "anomalies.pbtxt"
# dlib's landmarks put the eyes of a well aligned face within 6 rows of the template's.
EYE_ROWS_OFF = 10


def find(
    columns: Columns, schema: schema_pb2.Schema, subject_independent: bool
) -> tuple[Anomaly, ...]:
    """Everything odd, in the order of the features; the same records give the same list."""
    found = [
        *conformance.against(columns, schema),
        *_parts(columns, schema),
        *_people(columns, subject_independent),
        *_pictures(columns),
    ]
    order = [feature.name for feature in schema.feature]
    return tuple(sorted(found, key=lambda each: order.index(each.feature)))


def proto(
    found: Iterable[Anomaly], columns: Columns, schema: schema_pb2.Schema
) -> anomalies_pb2.Anomalies:
    """The message: the schema, one entry a feature, and the class skew measured in each fold."""
    made = anomalies_pb2.Anomalies(baseline=schema)
    for name, group in groupby(found, key=lambda each: each.feature):
        reasons = list(group)
        info = made.anomaly_info[name]
        info.path.step.append(name)
        worst = ERROR if any(each.severity == ERROR for each in reasons) else WARNING
        info.severity = anomalies_pb2.AnomalyInfo.Severity.Value(worst)
        several = len(reasons) > 1
        info.short_description = "Multiple errors" if several else reasons[0].short
        info.description = " ".join(each.text for each in reasons)
        for each in reasons:
            kind = anomalies_pb2.AnomalyInfo.Type.Value(each.kind)
            info.reason.add(type=kind, short_description=each.short, description=each.text)
    threshold = _threshold(schema)
    skews = [skew for skew, *_ in class_skews(columns) if skew is not None]
    if skews:
        drift = made.drift_skew_info.add()
        drift.path.step.append("class")
        for skew in skews:
            drift.skew_measurements.add(
                type=anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY,
                value=skew,
                threshold=threshold,
            )
    return made


def class_skews(columns: Columns) -> list[tuple[float | None, str, int, int]]:
    """For every fold the largest difference between a class's shares of training and of test
    pictures, 0…1 (None without pictures in one of them), that class, and both parts' sizes."""
    names, indices, found = columns.class_names, columns.class_name, []
    order = sorted(range(len(names)), key=names.__getitem__)
    for fold in range(columns.folds):
        train, test = (
            np.bincount(indices[columns.part(fold, role)], minlength=len(names))
            for role in (TRAIN, TEST)
        )
        if not train.sum() or not test.sum():
            found.append((None, "", int(train.sum()), int(test.sum())))
            continue
        skews = np.abs(train / train.sum() - test / test.sum())
        worst = max(order, key=lambda index: skews[index])
        found.append((float(skews[worst]), names[worst], int(train.sum()), int(test.sum())))
    return found


def _parts(columns: Columns, schema: schema_pb2.Schema) -> Iterator[Anomaly]:
    """What is tested but not trained on, and class shares that differ."""
    names, indices, untrained = columns.class_names, columns.class_name, []
    for fold in range(columns.folds):
        train, test = (set(indices[columns.part(fold, role)].tolist()) for role in (TRAIN, TEST))
        untrained += [f"{name} (fold {fold})" for name in sorted(names[i] for i in test - train)]
    if untrained:
        yield Anomaly(
            "class",
            "SCHEMA_TRAINING_SERVING_SKEW",
            ERROR,
            "tested but not trained on",
            f"Classes that a fold tests but has no picture to train on: {listed(untrained)}.",
        )
    threshold = _threshold(schema)
    far = [
        f"{name} in fold {fold} ({skew:.2f}; {train} training, {test} test pictures)"
        for fold, (skew, name, train, test) in enumerate(class_skews(columns))
        if skew is not None and skew > threshold
    ]
    if far:
        yield Anomaly(
            "class",
            "COMPARATOR_L_INFTY_HIGH",
            WARNING,
            "class shares differ between training and test",
            f"A class's share of the training and of the test pictures differs by more than "
            f"{threshold:g}: {listed(far)}.",
        )


def _people(columns: Columns, subject_independent: bool) -> Iterator[Anomaly]:
    crossed = crossing(columns.roles())
    if crossed:
        people = sorted({subject for subject, _ in crossed})
        official = "" if subject_independent else " (as the database's official folds have it)"
        yield Anomaly(
            "subject",
            "CUSTOM_VALIDATION",
            ERROR if subject_independent else WARNING,
            "people on two sides of a split",
            f"{len(people)} of {len(columns.subjects)} people have more than one of the roles "
            f"train, valid and test in a fold{official}: {listed(people)}.",
        )


def _pictures(columns: Columns) -> Iterator[Anomaly]:
    splits, same = columns.splits, columns.same_pictures()
    for leaks, severity, short in (
        (True, ERROR, "one picture on two sides of a split"),
        (False, WARNING, "duplicate pictures"),
    ):
        groups = [rows for rows in same if _leaks(splits[rows]) == leaks]
        if groups:
            equal = [" = ".join(columns.keys[row] for row in rows[:5]) for rows in groups]
            count = "1 picture is" if len(groups) == 1 else f"{len(groups)} pictures are"
            said = "trained on and tested or validated in one fold" if leaks else "under two keys"
            yield Anomaly(
                "image",
                "CUSTOM_VALIDATION",
                severity,
                short,
                f"{count} there more than once, {said}: {listed(equal)}.",
            )
    if columns.constant:
        yield Anomaly(
            "image",
            "CUSTOM_VALIDATION",
            WARNING,
            "pictures of one colour",
            f"{records_have(len(columns.constant))} a picture of a single colour: "
            f"{listed(columns.constant)}.",
        )
    eyes = columns.eyes.astype(np.float64)
    known = (eyes != 0).any(axis=1) & np.isfinite(eyes).all(axis=1)
    off = np.where(known, np.abs(eyes[:, 1::2] - EYE_ROW).max(axis=1), 0)
    rows = np.flatnonzero(off > EYE_ROWS_OFF)
    if len(rows):
        rows = rows[np.argsort(-off[rows], kind="stable")]
        worst = [f"{columns.keys[row]} ({off[row]:.0f} rows)" for row in rows]
        yield Anomaly(
            "eyes",
            "CUSTOM_VALIDATION",
            WARNING,
            "badly aligned faces",
            f"{records_have(len(rows))} an eye more than {EYE_ROWS_OFF} rows from row {EYE_ROW}: "
            f"{listed(worst)}.",
        )


def _leaks(splits: np.ndarray) -> bool:
    """Whether some fold gives the rows of `splits` more than one of train, valid and test."""
    return any(len(set(roles) - {UNUSED}) > 1 for roles in splits.T.tolist())


def _threshold(schema: schema_pb2.Schema) -> float:
    feature = next(each for each in schema.feature if each.name == "class")
    return feature.skew_comparator.infinity_norm.threshold
