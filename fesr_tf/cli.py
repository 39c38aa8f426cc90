"""`fesr COMMAND ...`: one entry point for every command, also `python -m fesr_tf COMMAND`.

A command's module is imported only when the command is called, so that the list of commands
appears without loading TensorFlow.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from dataclasses import dataclass

from pipelines.common.errors import BadUse, command


@dataclass(frozen=True)
class Command:
    """A command: `module` has `main(argv)`."""

    name: str
    module: str
    purpose: str


COMMANDS: dict[str, tuple[Command, ...]] = {
    "Start": (
        Command("demo", "fesr_tf.demo", "render faces, train, export and classify, in one go"),
        Command("own_data", "fesr_tf.own_data.__main__", "from labelled faces to report and model"),
    ),
    "Data": (
        Command("preprocess", "pipelines.preprocess", "align faces into per-fold TFRecords"),
        Command("verify", "pipelines.verify", "check a preprocessed folder against its manifest"),
    ),
    "Training": (
        Command("train", "fesr_tf.train", "train one variant on one fold, or resume it"),
        Command("evaluate", "fesr_tf.evaluate", "accuracy of a run on the test part of its fold"),
        Command("crossval", "fesr_tf.crossval", "train and compare variants over all folds"),
        Command("weights", "fesr_tf.weights.__main__", "fetch, convert or pretrain face networks"),
    ),
    "Results": (
        Command("reproduce", "fesr_tf.reproduce", "the paper's tables and figures of a database"),
        Command("synthesize", "fesr_tf.synthesize", "sheets of generated faces"),
        Command("measure", "fesr_tf.measure", "PSNR, SSIM, verification, KID of generated faces"),
        Command("figures", "fesr_tf.figures.__main__", "the paper's Figures 4 to 9 from your runs"),
        Command("report", "fesr_tf.report.__main__", "one HTML page of runs, with a model card"),
    ),
    "Serving": (
        Command("export", "fesr_tf.export", "write a run as a SavedModel for TensorFlow Serving"),
        Command("check_export", "fesr_tf.check_export", "check an exported model's signatures"),
        Command("rollout", "fesr_tf.rollout", "choose the stable and the canary version"),
        Command("client", "fesr_tf.client.__main__", "classify photographs, films or a camera"),
        Command("demo_app", "fesr_tf.demo_app", "a web page to try a model"),
    ),
}


def overview() -> str:
    """Every command with its purpose, grouped."""
    lines = ["usage: fesr COMMAND [options]     (fesr COMMAND --help lists a command's options)"]
    for group, members in COMMANDS.items():
        lines += ["", group]
        lines += [f"  {each.name:<13} {each.purpose}" for each in members]
    return "\n".join(lines)


@command
def main(argv: list[str] | None = None) -> int:
    """Calls one command and returns its exit code; 2 for an unknown command."""
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help", "help"):
        print(overview())
        return 0
    known = {each.name: each.module for members in COMMANDS.values() for each in members}
    module = known.get(name.replace("-", "_"))
    if module is None:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "`fesr` lists the commands"
        raise BadUse(f"unknown command {name!r}: {hint}")
    return importlib.import_module(module).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
