"""Writes `people.csv`, the known attributes of a database's subjects, beside the shards.

Its columns are `subject` and the attributes. It serves reports of error rates by group; nothing
is trained on it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

NAME = "people.csv"


def table(people: Mapping[str, Mapping[str, str]]) -> str:
    """The file's text, a line a subject, sorted by name."""
    columns = list(dict.fromkeys(name for each in people.values() for name in each))
    text = io.StringIO()
    writer = csv.DictWriter(text, ["subject", *columns], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({"subject": name, **people[name]} for name in sorted(people))
    return text.getvalue()
