"""Checks the options that belong to Apache Beam and passes all of them on."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib
import os
from collections.abc import Sequence
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines.common.errors import BadUse

# Runs in this process and needs no download; DirectRunner ends at it after it has tried to
# fetch and start the Prism binary, which fails without a network.
#
# One worker stays the default: a second process needs seconds to start, so it pays only
# from about a thousand photographs on, and it prints its own logs over the progress bar.
LOCAL_RUNNER = "FnApiRunner"
_IN_PROCESS = {"directrunner", "direct", LOCAL_RUNNER.lower()}
# Beam does not list this one among its runners.
DASK_RUNNER = "apache_beam.runners.dask.dask_runner.DaskRunner"
_DASK = {"dask", "daskrunner", DASK_RUNNER.lower()}
# A shuffle of a Dask bag takes one round up to 32 partitions and two up to 32².
_DASK_PARTITIONS = 32
_IMAGES_A_PARTITION = 1000


def pipeline_options(arguments: Sequence[str], own: Sequence[str] = ()) -> PipelineOptions:
    """Beam's options from the arguments that this project's parser left over.

    The local runner is the default, and what `--runner DirectRunner` means here. An option
    that neither this project (`own`) nor Beam knows is a `BadUse` with the nearest name;
    only runners whose job servers bring options of their own may get unknown ones. A value that
    an option does not take is a `BadUse` too.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--runner", default=LOCAL_RUNNER)
    chosen, rest = parser.parse_known_args(list(arguments))
    name = chosen.runner
    if name.lower() in _IN_PROCESS:
        name = LOCAL_RUNNER
    elif name.lower() in _DASK:
        name = DASK_RUNNER
        # Of the processes that Dask starts, too; otherwise each prints dozens of lines, and Beam's
        # warning of libraries for Google's BigQuery that nothing here needs.
        for logger in ("DISTRIBUTED", "ROOT"):
            os.environ.setdefault(f"DASK_LOGGING__{logger}", "error")
        with contextlib.suppress(ImportError, AttributeError):  # `engines` names what is missing
            importlib.import_module(DASK_RUNNER.rpartition(".")[0])  # brings its options
    known = _known_options()
    unknown = known.parse_known_args(rest)[1]
    if unknown and name in (LOCAL_RUNNER, DASK_RUNNER):
        option = unknown[0].split("=", 1)[0]
        names = [*own, *(text for action in known._actions for text in action.option_strings)]
        near = difflib.get_close_matches(option, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise BadUse(f"unknown option {option}: neither this command nor Apache Beam has it{hint}")
    return PipelineOptions([f"--runner={name}", *rest])


def on_dask(options: PipelineOptions) -> bool:
    """Whether Dask runs the job."""
    return options.view_as(StandardOptions).runner == DASK_RUNNER


def divide_work(options: PipelineOptions, images: int) -> None:
    """Sets, where Dask runs the job and the user gave none, the number of partitions that a
    job of so many images is divided into; the other runners find their own bundles."""
    if not on_dask(options):
        return
    from apache_beam.runners.dask.dask_runner import DaskOptions

    dask = options.view_as(DaskOptions)
    if dask.npartitions is None and dask.partition_size is None:
        large = images > _DASK_PARTITIONS * _IMAGES_A_PARTITION
        dask.npartitions = _DASK_PARTITIONS ** (2 if large else 1)


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
