"""Options that are not this project's are Apache Beam's: checked, then passed on whole."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines.common.errors import BadUse

# Runs in this process, needs no download, and is what DirectRunner ends at after it has
# tried to fetch and start the Prism binary, which fails without a network.
#
# One worker stays the default: a second process needs seconds to start, so it pays only
# from about a thousand photographs on, and it prints its own logs over the progress bar.
LOCAL_RUNNER = "FnApiRunner"
_IN_PROCESS = {"directrunner", "direct", LOCAL_RUNNER.lower()}


def pipeline_options(arguments: Sequence[str], own: Sequence[str] = ()) -> PipelineOptions:
    """Beam's options from the arguments that this project's parser left over.

    The local runner is the default, and what `--runner DirectRunner` means here. An option
    that neither this project (`own`) nor Beam knows is a `BadUse` with the nearest name;
    only other runners, whose job servers bring options of their own, may get unknown ones.
    """
    known = _known_options()
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--runner", default=LOCAL_RUNNER)
    chosen, rest = parser.parse_known_args(list(arguments))
    runner = LOCAL_RUNNER if chosen.runner.lower() in _IN_PROCESS else chosen.runner
    if runner == LOCAL_RUNNER:
        _refuse_unknown(rest, known, own)
    return PipelineOptions([f"--runner={runner}", *rest])


def runs_here(options: PipelineOptions) -> bool:
    """Whether the workers are on this machine and see its files."""
    return options.view_as(StandardOptions).runner == LOCAL_RUNNER


def _refuse_unknown(
    arguments: Sequence[str], known: argparse.ArgumentParser, own: Sequence[str]
) -> None:
    _, unknown = known.parse_known_args(list(arguments))
    if not unknown:
        return
    name = unknown[0].split("=", 1)[0]
    names = [*own, *(text for action in known._actions for text in action.option_strings)]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise BadUse(f"unknown option {name}: neither this command nor Apache Beam has it{hint}")


class _Parser(argparse.ArgumentParser):
    """Beam's option classes also call `add_value_provider_argument`."""

    def add_value_provider_argument(self, *names: str, **settings: Any) -> None:
        self.add_argument(*names, **settings)

    def error(self, message: str) -> None:
        raise BadUse(message)


def _known_options() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    for kind in PipelineOptions.__subclasses__():
        kind._add_argparse_args(parser)
    return parser
