"""`python -m fesr_tf.weights fetch | convert | pretrain`: weights of the face networks."""

from __future__ import annotations

import importlib
import sys

from pipelines.common.errors import BadUse, command

TASKS = {
    "fetch": "download and convert the published weights of Light CNN v4, once",
    "convert": "convert a PyTorch checkpoint of the Light CNN authors",
    "pretrain": "train the face network of the demo, or that for photographs",
}


@command
def main(argv: list[str] | None = None) -> int:
    """Calls one task with its own options; exit code 2 for an unknown one."""
    task, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if task in ("-h", "--help"):
        print("usage: python -m fesr_tf.weights TASK [options]\n")
        print("\n".join(f"  {name:<9} {purpose}" for name, purpose in TASKS.items()))
        return 0
    if task not in TASKS:
        raise BadUse(f"unknown task {task!r}; choose one of: {', '.join(TASKS)}")
    return importlib.import_module(f"fesr_tf.weights.{task}").main(arguments)


if __name__ == "__main__":
    sys.exit(main())
