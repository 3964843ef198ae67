"""The checker against the slow twin: which lines are valid that may not be, and which are invalid that may not be."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.checker.facts.cases import draw
from benchmarks.checker.facts.oracle import State
from benchmarks.checker.facts.reader import read
from tuili.steps import Context, Status, check

Reader = Callable[[str, tuple[tuple[str, str], ...]], Context]


@dataclass
class Comparison:
    """Counts of verdicts, and the lines on which the two differ."""

    verdicts: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    """Lines that may be valid and are unsupported."""
    false_valid: list[tuple[str, ...]] = field(default_factory=list)
    false_invalid: list[tuple[str, ...]] = field(default_factory=list)


def compare(pairs: int, seed: int, reader: Reader = Context.from_prompt) -> Comparison:
    """Checks so many pairs of a prompt and a line, drawn from a seed. The lines of a prompt are one chain.

    `reader` makes the checker's context of a prompt and the earlier turns.
    """
    rng, found = random.Random(seed), Comparison()
    while found.verdicts.total() < pairs:
        case = draw(rng)
        context, state = reader(case.prompt, case.earlier), State(read(case.prompt, case.earlier))
        before: list[str] = []
        for line in case.lines:
            verdict = check(line, context)
            may_be_valid, may_be_invalid = state.judge(line)
            found.verdicts[verdict.status.value] += 1
            report = (repr(case.prompt), repr(case.earlier), " | ".join(before), line, verdict.reason)
            if verdict.status is Status.VALID:
                if not may_be_valid:
                    found.false_valid.append(report)
                    break
                state.after(line)
                before.append(line)
            elif verdict.status is Status.INVALID and not may_be_invalid:
                found.false_invalid.append(report)
            found.missed += may_be_valid and verdict.status is Status.UNSUPPORTED
            context = context.after(line, verdict)
    return found
