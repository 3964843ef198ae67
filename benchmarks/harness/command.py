"""The command of a benchmark: it reads the options, sets the threads, writes the record and prints the figures.

A benchmark's options are the keyword arguments of its `measure`. Their defaults are the setting that is recorded.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from benchmarks.harness.record import Figure, commit, measured_code, write_record
from tuili.cli.app import EXIT_INTERRUPTED
from tuili.errors import TuiliError

Measured = tuple[Mapping[str, Any], Mapping[str, Figure]]
"""The configuration and the figures of a record."""


def run(name: str, measure: Callable[..., Measured], arguments: Sequence[str] | None = None) -> None:
    """Read the options of `measure` from the command line, measure, write the record `name` and print its figures.

    The record names the commit of the start, with a `+` where the code was changed before the end.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    measured, code = commit(), measured_code()
    try:
        config, figures = measure(**_options(name, measure, arguments))
    except KeyboardInterrupt:
        print("bench: interrupted: the same command goes on")
        raise SystemExit(EXIT_INTERRUPTED) from None
    except TuiliError as error:
        raise SystemExit(f"bench: error: {error}") from error
    if measured_code() != code:
        print("bench: the code was changed meanwhile, and the record says so: measure in a work tree of its own")
        measured = measured and f"{measured.removesuffix('+')}+"
    file = write_record(name, measured, config, figures)
    width = max(map(len, figures))
    for key, figure in figures.items():
        low, high = min(figure.runs), max(figure.runs)
        print(f"{key:{width}}  {figure.median:12,.4g} {figure.unit}  ({low:,.4g} to {high:,.4g} of {len(figure.runs)})")
    print(f"bench: wrote {file.name}")


def ratio(over: Figure, under: Figure, unit: str = "x") -> Figure:
    """The quotient of two figures that were measured in turns, run by run."""
    return Figure(unit, [a / b for a, b in zip(over.runs, under.runs, strict=True)])


def _options(name: str, measure: Callable[..., Measured], arguments: Sequence[str] | None) -> dict[str, Any]:
    spec = sys.modules[measure.__module__].__spec__  # of a module that runs as `__main__`, the name that it was run by
    module = spec.name.removesuffix(".__main__") if spec else name
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    for option, parameter in inspect.signature(measure).parameters.items():
        default, flag = parameter.default, f"--{option.replace('_', '-')}"
        if isinstance(default, tuple):
            whole = int if "int" in str(parameter.annotation) else str
            kind = type(default[0]) if default else whole
            parser.add_argument(flag, nargs="+", type=kind, default=default, help=f"default: {default}")
        else:
            parser.add_argument(flag, type=type(default), default=default, help=f"default: {default}")
    return vars(parser.parse_args(arguments))
