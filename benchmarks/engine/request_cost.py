"""What knowing costs a request: the same questions to one engine with and without the parts that say what an answer is
worth.

The parts are told apart: how familiar the prompt is, where the numbers of its steps come from, and what it claims or
shows by examples. Each is taken out alone, and then all of them. The checker stays, and the model writes the same
tokens in every turn. Processor time counts, so that other work on the machine does not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Self
from unittest.mock import patch

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.texts import own_domains
from tuili.engine import Budget, Engine, Request, load_engine
from tuili.steps import StepSources, read_as
from tuili.tasks import unseen_problems

WHOLE, BARE = "whole", "bare"
"""The engine with all parts, and with none."""


class Untraced:
    """Stands for the tracer of numbers, and traces none."""

    unused: tuple[str, ...] = ()

    def __init__(self, *_: object) -> None: ...

    def copy(self) -> Self:
        """The tracer itself: it knows nothing."""
        return self

    def trace(self, _: str) -> StepSources:
        """No number, so that none comes from nowhere."""
        return StepSources()


PARTS: dict[str, dict[str, Any]] = {
    "familiarity": {"tuili.engine.promises.promises.Promises.familiar": lambda *_: None},
    "tracing": {"tuili.engine.text.judging.NumberTracer": Untraced},
    "claims": {
        "tuili.engine.dialects.steps.read_claim": lambda *_: None,
        "tuili.engine.dialects.steps.programs.read_examples": lambda *_: None,
    },
}


@contextmanager
def without(*parts: str) -> Iterator[None]:
    """An engine does without these parts while this lasts."""
    with ExitStack() as patches:
        for part in parts:
            for name, stand_in in PARTS[part].items():
                patches.enter_context(patch(name, stand_in))
        yield


def answered(engine: Engine, prompts: Sequence[str]) -> tuple[float, list[str]]:
    """The processor milliseconds of a request when all are asked at once, and the answers."""
    begun = time.process_time()
    answers = engine.answer([Request(prompt, Budget(max_steps=1)) for prompt in prompts])
    return 1e3 * (time.process_time() - begun) / len(prompts), [answer.answer for answer in answers]


def measure(model: str = "nano", rounds: int = 60, per_cell: int = 1, seed: int = 5) -> Measured:
    """Milliseconds of a request with all parts, without each and without all, and what all add in percent."""
    prompts = [read_as(problem.prompt).text for problem in unseen_problems(own_domains(model), (1, 2), per_cell, seed)]
    engine = load_engine(model, waiting=len(prompts))
    turns = {WHOLE: (), **{part: (part,) for part in PARTS}, BARE: tuple(PARTS)}
    spent: dict[str, list[float]] = {name: [] for name in turns}
    expected = answered(engine, prompts)[1]  # warms up
    for number in range(rounds):
        for name in list(turns)[:: 1 if number % 2 else -1]:
            with without(*turns[name]):
                milliseconds, answers = answered(engine, prompts)
            if answers != expected:
                raise AssertionError(f"without {', '.join(turns[name]) or 'nothing'}: other answers")
            spent[name].append(milliseconds)
    over = [100 * (whole / bare - 1) for whole, bare in zip(spent[WHOLE], spent[BARE], strict=True)]
    figures = {f"{name}_ms": Figure("ms", spent[name]) for name in (WHOLE, BARE)}
    for part in PARTS:
        costs = [whole - less for whole, less in zip(spent[WHOLE], spent[part], strict=True)]
        figures[f"{part}_ms"] = Figure("ms", costs)
    return {"model": model, "questions": len(prompts), "rounds": rounds, "threads": 1}, figures | {
        "over": Figure("%", over)
    }


if __name__ == "__main__":
    run("request_cost", measure)
