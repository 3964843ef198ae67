"""Writes the problems: `python -m benchmarks.imported.adapted.problems FILE [COUNT [held]]`.

Half are about taxes in brackets, half about recipes for other numbers of people. Each has steps that check, and is
another question also where numbers are left out. With `held` they are in wordings that the others do not have. The same
number gives the same problem on every machine.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.imported.adapted import wordings
from benchmarks.imported.adapted.wordings import DISHES, LANDS, NAMES, THINGS
from tuili.data import masked_question
from tuili.files import whole_file

COUNT, HELD = 300, 100
"""Problems that a model is adapted to, and problems in other wordings that it is tested on."""


@dataclass(frozen=True)
class Wordings:
    """Those of each sort of problem."""

    taxes: Sequence[str]
    kept: Sequence[str]
    scaled: Sequence[str]
    bought: Sequence[str]


TAUGHT = Wordings(wordings.TAXES, wordings.KEPT, wordings.SCALED, wordings.BOUGHT)
KEPT_BACK = Wordings(
    wordings.KEPT_BACK_TAXES, wordings.KEPT_BACK_KEPT, wordings.KEPT_BACK_SCALED, wordings.KEPT_BACK_BOUGHT
)


def problems(count: int = COUNT, held: bool = False) -> list[dict[str, Any]]:
    """So many records, taxes and recipes in turn. held: in the wordings that are kept for the test."""
    made, seen = list[dict[str, Any]](), set[str]()
    name, words = ("held", KEPT_BACK) if held else ("adapted", TAUGHT)
    for number in itertools.count():
        if len(made) == count:
            break
        record = (_tax, _recipe)[len(made) % 2](random.Random(f"{name}/{number}"), words)
        if (masked := masked_question(record["input"])) not in seen:
            seen.add(masked)
            made.append(record | {"id": f"{name}/{len(made)}"})
    return made


def _tax(rng: random.Random, asked: Wordings) -> dict[str, Any]:
    limit, above = 1000 * rng.randint(4, 30), 100 * rng.randint(5, 300)
    low = rng.choice((5, 8, 10, 12, 15))
    high = low + rng.choice((5, 8, 10, 15, 20))
    keeps = rng.random() < 0.4
    income, first, second = limit + above, limit * low // 100, above * high // 100
    steps = [
        f"{limit} * {low} / 100 = {first}",
        f"{income} - {limit} = {above}",
        f"{above} * {high} / 100 = {second}",
        f"{first} + {second} = {first + second}",
    ]
    answer = first + second
    if keeps:
        answer = income - answer
        steps.append(f"{income} - {first + second} = {answer}")
    words = {"name": rng.choice(NAMES), "land": rng.choice(LANDS)}
    numbers = {"limit": limit, "low": low, "high": high, "income": income}
    return _record(rng.choice(asked.kept if keeps else asked.taxes).format(**words, **numbers), steps, answer)


def _recipe(rng: random.Random, asked: Wordings) -> dict[str, Any]:
    people, each = rng.randint(2, 8), rng.randint(2, 60)
    guests = rng.choice([number for number in range(3, 31) if number != people])
    amount, needed = people * each, guests * each
    steps, answer = [f"{amount} / {people} = {each}", f"{each} * {guests} = {needed}"], needed
    buys = rng.random() < 0.4
    stock = rng.randint(1, needed - 1)
    if buys:
        answer = needed - stock
        steps.append(f"{needed} - {stock} = {answer}")
    words = {"name": rng.choice(NAMES), "dish": rng.choice(DISHES), "thing": rng.choice(THINGS)}
    numbers = {"people": people, "amount": amount, "guests": guests, "stock": stock}
    return _record(rng.choice(asked.bought if buys else asked.scaled).format(**words, **numbers), steps, answer)


def _record(question: str, steps: list[str], answer: int) -> dict[str, Any]:
    return {"input": question, "output": str(answer), "steps": steps, "domain": "word_problems", "level": len(steps)}


def write(path: Path, count: int = COUNT, held: bool = False) -> None:
    """Write the problems as a file."""
    with whole_file(path) as part:
        part.write_text("".join(json.dumps(one) + "\n" for one in problems(count, held)), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else COUNT, "held" in sys.argv[3:])
