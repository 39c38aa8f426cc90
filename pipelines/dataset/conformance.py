"""Whether records are what their schema says: every value in its domain, every name known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from tensorflow_metadata.proto.v0 import schema_pb2

from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import Anomaly

ERROR, WARNING = "ERROR", "WARNING"
_SHOWN = 10


def against(columns: Columns, schema: schema_pb2.Schema) -> Iterator[Anomaly]:
    """What contradicts the schema, feature by feature."""
    yield from _outside(columns, schema)
    yield from _names(columns, schema)


def _outside(columns: Columns, schema: schema_pb2.Schema) -> Iterator[Anomaly]:
    """Numbers outside their domains."""
    for feature in schema.feature:
        kind = feature.WhichOneof("domain_info")
        if kind not in ("int_domain", "float_domain"):
            continue
        domain, values = getattr(feature, kind), getattr(columns, feature.name)
        values = values.reshape(len(columns), -1)
        prefix = "INT" if kind == "int_domain" else "FLOAT"
        checks = []
        if kind == "float_domain":
            checks.append((np.isnan(values), "HAS_NAN", "that is not a number"))
            checks.append((np.isinf(values), "HAS_INF", "that is infinite"))
        if domain.HasField("min"):
            checks.append((values < domain.min, f"SMALL_{prefix}", f"below {domain.min:g}"))
        if domain.HasField("max"):
            checks.append((values > domain.max, f"BIG_{prefix}", f"above {domain.max:g}"))
        for wrong, name, said in checks:
            rows = np.flatnonzero(wrong.any(axis=1)).tolist()
            if rows:
                yield Anomaly(
                    feature.name,
                    f"{prefix}_TYPE_{name}",
                    ERROR,
                    "outside its domain",
                    f"{records_have(len(rows))} a value of {feature.name} {said}: "
                    f"{listed([columns.keys[row] for row in rows])}.",
                )


def _names(columns: Columns, schema: schema_pb2.Schema) -> Iterator[Anomaly]:
    """Keys that are not unique; classes that are unknown, absent, or not their labels'."""
    classes = list(next(f for f in schema.feature if f.name == "class").string_domain.value)
    twice = _twice(columns.keys)
    if twice:
        yield Anomaly(
            "key",
            "FEATURE_TYPE_LOW_UNIQUE",
            ERROR,
            "duplicate keys",
            f"The same key names more than one record: {listed(twice)}.",
        )
    unknown = sorted(set(columns.class_names) - set(classes))
    if unknown:
        yield Anomaly(
            "class",
            "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
            ERROR,
            "unknown classes",
            f"Classes that the schema does not know: {listed(unknown)}.",
        )
    absent = [name for name in classes if name not in columns.class_names]
    if absent:
        yield Anomaly(
            "class",
            "CUSTOM_VALIDATION",
            WARNING,
            "classes without a record",
            f"No record has the class {listed(absent)}.",
        )
    expected = np.array(
        [classes.index(name) if name in classes else -1 for name in columns.class_names], np.int64
    )
    rows = np.flatnonzero(expected[columns.class_name] != columns.label).tolist()
    if rows:
        yield Anomaly(
            "label",
            "CUSTOM_VALIDATION",
            ERROR,
            "label and class disagree",
            f"{records_have(len(rows))} a label that is not its class's: "
            f"{listed([columns.keys[row] for row in rows])}.",
        )


def _twice(keys: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return sorted({key for key in keys if key in seen or seen.add(key)})


def records_have(count: int) -> str:
    """`1 record has`, `2 records have`."""
    return "1 record has" if count == 1 else f"{count} records have"


def listed(names: Sequence[str]) -> str:
    """The first ten names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
