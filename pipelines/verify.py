"""`python -m pipelines.verify DIR`: checks a data folder against its manifest.

Recomputes everything from the shards: digests, CRCs, images, labels, folds, counts, and the
files that describe them. Exits with 0 if every check passes, with 1 and its failures otherwise.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from pipelines.common.errors import FailedWork, command
from pipelines.common.files import location
from pipelines.dataset.manifest import Manifest
from pipelines.inspection.checks import Check, check_folder

_SHOWN = 20


def report(checks: Sequence[Check]) -> str:
    """A line a check (name, status, what it covers), and its failures below it."""
    name = max(len(check.name) for check in checks)
    status = max(len(check.status) for check in checks)
    lines = []
    for check in checks:
        about = check.skipped or check.about
        if check.failures:
            about = f"{len(check.failures):,} found" if len(check.failures) > 1 else ""
        lines.append(f"{check.name:{name}}  {check.status:{status}}  {about}".rstrip())
        lines += [f"  {failure}" for failure in check.failures[:_SHOWN]]
        if len(check.failures) > _SHOWN:
            lines.append(f"  … and {len(check.failures) - _SHOWN:,} more; --json lists all of them")
    return "\n".join(lines)


def as_data(folder: str, checks: Sequence[Check], manifest: Manifest | None) -> dict:
    """The result as JSON data."""
    return {
        "folder": folder,
        "verified": not any(check.failures for check in checks),
        "records": manifest.counts["aligned"] if manifest else None,
        "shards": len(manifest.shards) if manifest else None,
        "digest": manifest.digest if manifest else None,
        "checks": [
            {
                "name": check.name,
                "status": check.status,
                "about": check.skipped or check.about,
                "failures": check.failures,
            }
            for check in checks
        ],
    }


@command
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.verify", description=__doc__)
    parser.add_argument("folder", help="the data folder: a path, or a place such as gs://…")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args(argv)
    checks, manifest = check_folder(location(arguments.folder))
    failures = [failure for check in checks for failure in check.failures]
    if arguments.json:
        print(json.dumps(as_data(arguments.folder, checks, manifest), indent=1))
    else:
        print(report(checks))
    if failures:
        bad = sum(bool(check.failures) for check in checks)
        raise FailedWork(
            f"{failures[0]}; {bad} of {len(checks)} checks failed: run `python -m "
            "pipelines.preprocess` again"
        )
    if manifest is not None and not arguments.json:
        print(
            f"verified: {manifest.counts['aligned']:,} records in {len(manifest.shards)} shards, "
            f"digest {manifest.digest}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
