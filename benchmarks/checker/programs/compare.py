"""The interpreter and its verdicts against CPython: where a value, an exception or a verdict differs."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from benchmarks.checker.programs import python_runs
from benchmarks.checker.programs.drawing import ProgramWriter, changed, draw_arguments
from tuili.steps import programs
from tuili.tasks import LEVELS, Split, generate

BATCH = 500
"""Drawn cases that share a process of CPython."""
INPUTS = 8
"""Hidden inputs of a drawn specification."""
MOST_CHARACTERS = 2500
"""Of a drawn program, so that it stays within the bounds of those that are read."""
Calls: TypeAlias = list[tuple[str, list[programs.Value]]]
Interpreter: TypeAlias = Callable[
    [programs.Program, Sequence[programs.Value], programs.Bounds, str], programs.Value | programs.Fault
]


@dataclass(frozen=True)
class Drawn:
    """A program beside a specification, which a program that is right comes with."""

    program: str
    function: str
    reference: str
    inputs: tuple[tuple[programs.Value, ...], ...]


@dataclass
class Comparison:
    """What was compared, and what differed, as texts to read."""

    counts: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """Of each verdict."""


def draw(rng: random.Random, number: int) -> Drawn:
    """Every other case is a drawn program, changed in one thing; the others are answers of the domain `programming`."""
    if number % 2:
        problem = generate("programming", Split.TEST.seed(1), number, rng.choice(LEVELS))
        wanted = problem.specification
        assert wanted is not None
        inputs = (*(case.arguments for case in wanted.examples), *wanted.hidden)
        program, function, reference = problem.answer, wanted.function, problem.answer
    else:
        writer, reference = _written(rng)
        program = reference
        function = programs.parse_program(reference).functions[-1].name
        inputs = tuple(draw_arguments(rng, writer.parameters) for _ in range(INPUTS))
    for _ in range(rng.randint(0, 2)):
        program = changed(rng, program)
    return Drawn(program, function, reference, inputs[: 2 * INPUTS])


def _written(rng: random.Random) -> tuple[ProgramWriter, str]:
    """A drawn program that is not too long to be read, and who wrote it."""
    while True:
        writer = ProgramWriter(rng)
        if len(text := writer.program()) <= MOST_CHARACTERS:
            return writer, text


def compare(count: int, seed: int, interpret: Interpreter = programs.run) -> Comparison:
    """Compares so many cases, drawn from a seed. `interpret` runs a program."""
    rng, found = random.Random(seed), Comparison()
    for start in range(0, count, BATCH):
        _compare_batch([draw(rng, number) for number in range(start, min(start + BATCH, count))], found, interpret)
    return found


def _compare_batch(batch: Sequence[Drawn], found: Comparison, interpret: Interpreter) -> None:
    ours = [[_outcomes(text, case, interpret) for text in (case.reference, case.program)] for case in batch]
    texts = [text for case in batch for text in (case.reference, case.program)]
    flat = [outcomes for pair in ours for outcomes in pair]
    calls = [
        [(case.function, [*arguments]) for arguments, outcome in zip(case.inputs, outcomes, strict=False) if outcome]
        for case, pair in zip(batch, ours, strict=True)
        for outcomes in pair
    ]
    theirs = in_python(texts, calls)
    for text, own, python in zip(texts, flat, theirs, strict=True):
        for mine, other in zip(filter(None, own), python, strict=True):
            found.counts["runs_compared"] += 1
            found.counts["runs_with_an_error"] += mine.startswith("error")
            if mine != other:
                found.differences.append(f"{text!r}: {mine}, in Python {other}")
    for case, pair, place in zip(batch, ours, range(0, len(texts), 2), strict=True):
        _compare_verdict(case, pair[0], _whole(pair[0], theirs[place]), _whole(pair[1], theirs[place + 1]), found)


def _outcomes(text: str, case: Drawn, interpret: Interpreter) -> list[str]:
    """What each run gives, as CPython tells it; empty where it is beyond a bound or the language."""
    try:
        program = programs.parse_program(text)
    except programs.ProgramError:
        return []
    return [
        _outcome(interpret(program, arguments, programs.DEFAULT_BOUNDS, case.function)) for arguments in case.inputs
    ]


def _outcome(value: programs.Value | programs.Fault) -> str:
    if not isinstance(value, programs.Fault):
        return f"value {value!r}"
    missing = "there is no function" in value.reason
    return f"error {'TypeError' if missing else value.error}" if value.kind is programs.FaultKind.ERROR else ""


def _whole(own: list[str], python: list[str]) -> list[str]:
    """CPython's outcomes, empty where it was not asked."""
    told = iter(python)
    return [next(told) if outcome else "" for outcome in own]


def _compare_verdict(case: Drawn, own: list[str], reference: list[str], program: list[str], found: Comparison) -> None:
    """Compares the verdict on a program with that by CPython's values, for inputs for which the reference has one."""
    kept = [place for place, outcome in enumerate(own) if outcome.startswith("value")]
    found.counts["programs"] += 1
    if not kept:
        found.counts["without_a_value"] += 1
        return
    inputs = tuple(case.inputs[place] for place in kept)
    wanted = programs.Specification(case.function, hidden=inputs, reference=case.reference)
    start = time.process_time()
    verdict = programs.decide(case.program, wanted)
    found.seconds.append(time.process_time() - start)
    found.counts["right" if verdict.right else "wrong"] += 1
    found.counts["refused"] += not program
    right = bool(program) and all(program[place] == reference[place] for place in kept)
    if verdict.right is not right:
        found.differences.append(f"{case.program!r} for {case.reference!r}: {verdict}, in Python {right}")


def in_python(texts: Sequence[str], calls: Sequence[Calls]) -> list[list[str]]:
    """What CPython gives for the calls of each text, in a process of its own with limits of time and memory."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, text in enumerate(texts):
            (folder / f"program_{number}.py").write_text(text)
        named = [(f"program_{number}.py", each) for number, each in enumerate(calls)]
        (folder / "calls.json").write_text(json.dumps(named))
        command = [sys.executable, "-I", "-W", "ignore", python_runs.__file__, name]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    read: list[list[str]] = json.loads(done.stdout)
    return read
