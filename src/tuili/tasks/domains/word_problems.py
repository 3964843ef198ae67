"""Word problems: short stories in everyday English, one elementary calculation to a step.

Six kinds of story, each with as many calculations as the level asks for. From level 3 on, sentences whose
numbers do not matter are mixed in. The answer is a whole number.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from tuili.tasks.building.wording import conjoin
from tuili.tasks.building.words import CONTAINERS, FIRST_NAMES, PLACES, THINGS, singular
from tuili.tasks.building.working import exact_division, grid_multiplication, percentage, running_sums, worked_product
from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain

OPERATIONS_BY_LEVEL = {1: (1, 2), 2: (3, 3), 3: (4, 5), 4: (6, 7), 5: (8, 9)}
DISTRACTIONS_BY_LEVEL = {1: 0, 2: 0, 3: 1, 4: 1, 5: 2}
TIMES = {2: "twice", 3: "3 times", 4: "4 times", 5: "5 times"}


@dataclass
class Story:
    """Sentences in the order they are told, the question, and the worked steps to its answer."""

    sentences: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    question: str = ""
    answer: int = 0


StoryTemplate: TypeAlias = Callable[[random.Random, int], Story | None]
"""Draws a story with that many calculations, or None where the drawn numbers do not come out even."""


def _number(rng: random.Random, operations: int) -> int:
    """A starting number: two digits in short stories, three in long ones."""
    return rng.randint(11, 99) if operations < 4 else rng.randint(50, 400)


def _holdings(rng: random.Random, operations: int) -> Story | None:
    """One person's things change by one event after the other."""
    name, other = rng.sample(FIRST_NAMES, 2)
    things, have = rng.choice(THINGS), _number(rng, operations)
    story = Story([f"{name} has {have} {things}."])
    left = operations
    while left:
        change = rng.randint(5, 99)
        event = rng.choice(("buy", "find", "give", "lose", "packs", "half", "double", "percent", "share"))
        if event in ("buy", "find"):
            story.sentences.append(f"{name} {event}s {change} more {things}.")
            story.steps.append(f"{have} + {change} = {have + change}")
            have, cost = have + change, 1
        elif event in ("give", "lose") and change < have:
            story.sentences.append(f"{name} {event}s {change} {things}{f' to {other}' if event == 'give' else ''}.")
            story.steps.append(f"{have} - {change} = {have - change}")
            have, cost = have - change, 1
        elif event == "packs" and left >= 2:
            packs, each = rng.randint(2, 9), rng.randint(3, 20)
            story.sentences.append(f"{name} gets {packs} {rng.choice(CONTAINERS)} with {each} {things} each.")
            story.steps += [
                *worked_product(packs, each),
                f"{have} + {packs * each} = {have + packs * each}",
            ]
            have, cost = have + packs * each, 2
        elif event == "half" and have % 2 == 0:
            story.sentences.append(f"{name} sells half of the {things}.")
            story.steps += [*exact_division(have, 2), f"{have} / 2 = {have // 2}"]
            have, cost = have // 2, 1
        elif event == "double" and have < 500:
            story.sentences.append(f"Then the number of {things} doubles.")
            story.steps.append(f"{have} * 2 = {have} + {have} = {have * 2}")
            have, cost = have * 2, 1
        elif event == "percent" and operations >= 6 and left >= 2 and have % 10 == 0:
            percent = 10 * rng.randint(1, 9)
            sold = have * percent // 100
            story.sentences.append(f"{name} sells {percent}% of the {things}.")
            story.steps += [*percentage(percent, have), f"{have} - {sold} = {have - sold}"]
            have, cost = have - sold, 2
        elif event == "share" and left == 1 and (divisors := [d for d in range(2, 10) if have % d == 0]):
            friends = rng.choice(divisors)
            story.sentences.append(f"{name} shares the {things} equally among {friends} friends.")
            story.steps += [*exact_division(have, friends), f"{have} / {friends} = {have // friends}"]
            story.question, story.answer = f"How many {things} does each friend get?", have // friends
            return story
        else:
            continue
        left -= cost
    end = rng.choice(("now", "in the end"))
    story.question, story.answer = f"How many {things} does {name} have {end}?", have
    return story


def _backwards(rng: random.Random, operations: int) -> Story | None:
    """The end is known and the beginning is asked: every event is undone, from the last to the first."""
    name, other = rng.sample(FIRST_NAMES, 2)
    things, start = rng.choice(THINGS), _number(rng, operations)
    have, events = start, []
    for _ in range(operations):
        working: list[str] = []
        change, event = rng.randint(5, 60), rng.choice(("buys", "gives", "doubles"))
        if event == "doubles" and have < 300:
            told, undo, after = f"Then the number of {things} doubles.", "/ 2", have * 2
            working = exact_division(after, 2)
        elif event == "gives" and change < have:
            told, undo, after = f"{name} gives {change} {things} to {other}.", f"+ {change}", have - change
        else:
            told, undo, after = f"{name} buys {change} more {things}.", f"- {change}", have + change
        events.append((told, [*working, f"{after} {undo} = {have}"]))
        have = after
    return Story(
        [f"{name} has some {things}.", *(told for told, _ in events), f"Now {name} has {have} {things}."],
        [line for _, undone in reversed(events) for line in undone],
        f"How many {things} did {name} have at first?",
        start,
    )


def _comparison(rng: random.Random, operations: int) -> Story | None:
    """Each person has more, fewer or a multiple of what an earlier one has; in the end all is added up."""
    relations = max(1, operations // 2)
    names, things = rng.sample(FIRST_NAMES, relations + 1), rng.choice(THINGS)
    have = [rng.randint(11, 60)]
    story = Story([f"{names[0]} has {have[0]} {things}."])
    for name in names[1:]:
        known = rng.randrange(len(have)) if operations >= 4 else len(have) - 1
        base, whom, change = have[known], names[known], rng.randint(3, 40)
        kind, working = rng.choice(("more", "fewer", "times", "half")), list[str]()
        if kind == "times" and base < 100:
            factor = rng.choice(tuple(TIMES))
            told, sum_, value = f"{TIMES[factor]} as many {things} as {whom}", f"{base} * {factor}", base * factor
            if factor == 2:
                sum_ += f" = {base} + {base}"
            else:
                working = grid_multiplication(base, factor)
        elif kind == "half" and base % 2 == 0:
            told, sum_, value = f"half as many {things} as {whom}", f"{base} / 2", base // 2
            working = exact_division(base, 2)
        elif kind == "fewer" and change < base:
            told, sum_, value = f"{change} fewer {things} than {whom}", f"{base} - {change}", base - change
        else:
            told, sum_, value = f"{change} more {things} than {whom}", f"{base} + {change}", base + change
        story.sentences.append(f"{name} has {told}.")
        story.steps += [*working, f"{name} = {sum_} = {value}"]
        have.append(value)
    if operations == 1:
        story.question, story.answer = f"How many {things} does {names[1]} have?", have[1]
        return story
    story.steps += running_sums(have)
    if operations % 2 == 0:
        story.question, story.answer = f"How many {things} do {conjoin(names)} have together?", sum(have)
        return story
    needed = sum(have) + rng.randint(5, 80)
    story.steps.append(f"{needed} - {sum(have)} = {needed - sum(have)}")
    story.sentences.append(f"Together they need {needed} {things}.")
    story.question, story.answer = f"How many {things} are missing?", needed - sum(have)
    return story


def _shopping(rng: random.Random, operations: int) -> Story | None:
    """Some of each thing at a price each; then perhaps a discount, perhaps change from a sum of money."""
    kinds = (operations + 1) // 2 if operations <= 6 else (operations - 1) // 2
    further = operations - (2 * kinds - 1)
    name, things = rng.choice(FIRST_NAMES), rng.sample(THINGS, kinds)
    amounts = [(rng.randint(2, 30 if kinds == 1 else 9), rng.randint(2, 9 if kinds == 1 else 30)) for _ in things]
    bought = [f"{count} {kind} at {price} dollars each" for kind, (count, price) in zip(things, amounts, strict=True)]
    costs = [count * price for count, price in amounts]
    story = Story(
        [f"{name} buys {conjoin(bought)}."],
        [line for count, price in amounts for line in worked_product(count, price)] + running_sums(costs),
        f"How many dollars does {name} pay?",
        sum(costs),
    )
    if further >= 2:
        percents = [p for p in (10, 20, 25, 50) if story.answer * p % 100 == 0]
        if not percents:
            return None
        percent = rng.choice(percents)
        off = story.answer * percent // 100
        story.sentences.append(f"The whole price is reduced by {percent}%.")
        story.steps += [*percentage(percent, story.answer), f"{story.answer} - {off} = {story.answer - off}"]
        story.answer -= off
    if further % 2:
        money = rng.randint(story.answer // 10 + 1, story.answer // 10 + 30) * 10
        story.sentences.append(f"{name} gives the seller {money} dollars.")
        story.steps.append(f"{money} - {story.answer} = {money - story.answer}")
        story.question, story.answer = f"How many dollars does {name} get back?", money - story.answer
    return story


def _work(rng: random.Random, operations: int) -> Story | None:
    """People make things at a steady rate; then perhaps they are packed, perhaps the packs are sold."""
    workers = max(1, operations // 2)
    further = operations - (2 * workers - 1)
    names, things, place = rng.sample(FIRST_NAMES, workers), rng.choice(THINGS), rng.choice(PLACES)
    rates = [(rng.randint(11, 60), rng.randint(2, 9)) for _ in names]
    made = [rate * hours for rate, hours in rates]
    doings = [
        f"{name} makes {rate} {things} an hour for {hours} hours"
        for name, (rate, hours) in zip(names, rates, strict=True)
    ]
    story = Story(
        [f"{doing} at the {place}." for doing in doings],
        [line for rate, hours in rates for line in worked_product(rate, hours)] + running_sums(made),
        f"How many {things} are made?",
        sum(made),
    )
    if further:
        sizes = [size for size in range(2, 10) if story.answer % size == 0]
        if not sizes:
            return None
        size, packs = rng.choice(sizes), rng.choice(CONTAINERS)
        story.sentences.append(f"All {things} are put into {packs} of {size}.")
        story.steps += [*exact_division(story.answer, size), f"{story.answer} / {size} = {story.answer // size}"]
        story.question, story.answer = f"How many {packs} are filled?", story.answer // size
        if further == 2:
            price = rng.randint(3, 9)
            story.sentences.append(f"Each {singular(packs)} is sold for {price} dollars.")
            story.steps += worked_product(story.answer, price)
            story.question, story.answer = "For how many dollars is everything sold?", story.answer * price
    return story


def _ages(rng: random.Random, operations: int) -> Story | None:
    """Ages given one by the other, the last one asked some years from now."""
    names, age, ages = rng.sample(FIRST_NAMES, operations), rng.randint(8, 40), []
    story = Story([f"{names[0]} is {age} years old."])
    for name, whom in zip(names[1:], names, strict=False):
        years, kind = rng.randint(2, 30), rng.choice(("older", "younger", "twice"))
        if kind == "twice" and age < 40:
            told, sum_, age = f"twice as old as {whom}", f"{age} * 2 = {age} + {age}", age * 2
        elif kind == "younger" and years < age:
            told, sum_, age = f"{years} years younger than {whom}", f"{age} - {years}", age - years
        else:
            told, sum_, age = f"{years} years older than {whom}", f"{age} + {years}", age + years
        ages.append(age)
        story.sentences.append(f"{name} is {told}.")
        story.steps.append(f"{name} = {sum_} = {age}")
    later = rng.randint(3, 40)
    story.steps.append(f"{age} + {later} = {age + later}")
    story.question, story.answer = f"How old will {names[-1]} be in {later} years?", age + later
    return story if max(ages, default=0) <= 95 else None


TEMPLATES_BY_LEVEL: dict[int, tuple[StoryTemplate, ...]] = {
    1: (_holdings, _comparison, _shopping, _work, _ages),
    2: (_holdings, _comparison, _shopping, _work, _ages, _backwards),
    3: (_holdings, _comparison, _shopping, _work, _ages, _backwards),
    4: (_holdings, _comparison, _shopping, _work, _backwards),
    5: (_holdings, _comparison, _shopping, _work, _backwards),
}


def _distraction(rng: random.Random) -> str:
    """A true sentence with a number that no question asks for."""
    number, place = rng.randint(2, 60), rng.choice(PLACES)
    return rng.choice(
        (
            f"The {place} is {number} years old.",
            f"The way to the {place} takes {number} minutes.",
            f"There are {number} trees at the {place}.",
            f"The {place} opened {number} days ago.",
        )
    )


@domain("word_problems", phase=2)
class WordProblems:
    """Stories of 1–2 calculations at level 1 to 8–9 at level 5."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        story = None
        while story is None:
            story = rng.choice(TEMPLATES_BY_LEVEL[level])(rng, rng.choice(OPERATIONS_BY_LEVEL[level]))
        for _ in range(DISTRACTIONS_BY_LEVEL[level]):
            story.sentences.insert(rng.randint(1, len(story.sentences)), _distraction(rng))
        return Draft(" ".join([*story.sentences, story.question]), tuple(story.steps), str(story.answer))
