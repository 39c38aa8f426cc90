"""Checks the options that belong to Apache Beam and passes all of them on."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.common.errors import BadUse

# Runs in this process and needs no download; DirectRunner ends at it after it has tried to
# fetch and start the Prism binary, which fails without a network.
#
# One worker stays the default: a second process needs seconds to start, so it pays only
# from about a thousand photographs on, and it prints its own logs over the progress bar.
LOCAL_RUNNER = "FnApiRunner"
_IN_PROCESS = {"directrunner", "direct", LOCAL_RUNNER.lower()}


def pipeline_options(arguments: Sequence[str], own: Sequence[str] = ()) -> PipelineOptions:
    """Beam's options from the arguments that this project's parser left over.

    The local runner is the default, and what `--runner DirectRunner` means here. An option
    that neither this project (`own`) nor Beam knows is a `BadUse` with the nearest name;
    only other runners, whose job servers bring options of their own, may get unknown ones. A
    value that an option does not take is a `BadUse` too.
    """
    known = _known_options()
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--runner", default=LOCAL_RUNNER)
    chosen, rest = parser.parse_known_args(list(arguments))
    unknown = known.parse_known_args(rest)[1]
    if chosen.runner.lower() not in _IN_PROCESS:
        return PipelineOptions([f"--runner={chosen.runner}", *rest])
    if unknown:
        name = unknown[0].split("=", 1)[0]
        names = [*own, *(text for action in known._actions for text in action.option_strings)]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise BadUse(f"unknown option {name}: neither this command nor Apache Beam has it{hint}")
    return PipelineOptions([f"--runner={LOCAL_RUNNER}", *rest])


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
