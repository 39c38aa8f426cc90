"""`python -m fesr_tf.rollout --name NAME --stable N [--canary M]`: chooses the served versions.

Writes `models.config`, which a running server rereads: the versions to load, and the labels
`stable` and `canary` for clients. To roll back, label the older version stable.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fesr_tf.serving.versions import CANARY, STABLE, label, labels_of, versions_of
from pipelines.common.errors import BadUse, command


@command
def main(argv: list[str] | None = None) -> int:
    """Labels a model's versions; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.rollout",
        description="Labels a model's versions stable and canary, and lists which are served.",
    )
    parser.add_argument("--name", required=True, help="the model's name")
    parser.add_argument("--stable", type=int, help="version for all clients")
    parser.add_argument("--canary", type=int, help="version on trial [none]")
    parser.add_argument("--models", type=Path, default=Path("saved_models"), help="[%(default)s]")
    options = parser.parse_args(argv)
    if options.stable is not None:
        wanted = {STABLE: options.stable, CANARY: options.canary}
        given = {key: version for key, version in wanted.items() if version is not None}
        print(f"written: {label(options.models, options.name, given)}")
    elif options.canary is not None:
        raise BadUse("--canary needs --stable: name the version for all other clients")
    versions = versions_of(options.models, options.name)
    if not versions:
        raise BadUse(f"{options.models / options.name} has no version: export one first")
    labels = labels_of(options.models, options.name)
    for version in versions:
        names = [key for key, labelled in sorted(labels.items()) if labelled == version]
        print(f"  version {version}: {', '.join(names) or 'not served'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
