"""Who the people of a database are, where it says so: a table beside the shards.

`people.csv` has the column `subject`, then what is known of each person. It is for reports of error
rates by group; nothing is trained on it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

NAME = "people.csv"


def table(people: Mapping[str, Mapping[str, str]]) -> str:
    """The file's text, a line a person in the order of their names."""
    columns = list(dict.fromkeys(name for each in people.values() for name in each))
    text = io.StringIO()
    writer = csv.DictWriter(text, ["subject", *columns], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({"subject": name, **people[name]} for name in sorted(people))
    return text.getvalue()
