"""Word problems: short stories from everyday life, with one elementary calculation in each step.

There are six types of story, and a story has as many calculations as its level requires. From level 3 on, there are
also sentences whose numbers do not matter. The answer is a whole number. Each sentence is a clause; the forms have its
words.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tuili.tasks.building.wording import names_in
from tuili.tasks.building.words import CONTAINERS, FIRST_NAMES, PLACES, THINGS
from tuili.tasks.building.working import exact_division, grid_multiplication, percentage, running_sums, worked_product
from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.registry import domain

OPERATIONS_BY_LEVEL = {1: (1, 2), 2: (3, 3), 3: (4, 5), 4: (6, 7), 5: (8, 9)}
DISTRACTIONS_BY_LEVEL = {1: 0, 2: 0, 3: 1, 4: 1, 5: 2}
DISTRACTIONS = ("old_place", "way", "trees", "opening")


def _told(kind: str, **slots: Slot) -> Clause:
    """A sentence of a story, or its question. Its text slots are names."""
    return Clause(kind, "", slots)


def _people(names: Sequence[str]) -> Clauses:
    return Clauses(tuple(Clause("", name) for name in names), ordered=True)


@dataclass
class Story:
    """The sentences of a story in order, its question, and the steps that lead to the answer."""

    kind: str
    sentences: list[Clause]
    steps: list[str] = field(default_factory=list)
    question: Clause = field(default_factory=lambda: _told(""))
    answer: int = 0
    ordered: bool = True
    """Whether the sentences must keep their order."""


StoryTemplate: TypeAlias = Callable[[random.Random, int], Story | None]
"""Draws a story with the given number of calculations. None if a division of the drawn numbers leaves a remainder."""


def _number(rng: random.Random, operations: int) -> int:
    """The first number of a story: 11 to 99 in short stories, 50 to 400 in long ones."""
    return rng.randint(11, 99) if operations < 4 else rng.randint(50, 400)


def _holdings(rng: random.Random, operations: int) -> Story | None:
    """A sequence of events changes the number of one person's things."""
    name, other = rng.sample(FIRST_NAMES, 2)
    things, count = rng.choice(THINGS), _number(rng, operations)
    story = Story("holdings", [_told("has", name=name, count=count, things=things)])
    left = operations
    while left:
        change = rng.randint(5, 99)
        event = rng.choice(("buy", "find", "give", "lose", "packs", "half", "double", "percent", "share"))
        if event in ("buy", "find"):
            story.sentences.append(_told(event, name=name, change=change, things=things))
            story.steps.append(f"{count} + {change} = {count + change}")
            count, cost = count + change, 1
        elif event in ("give", "lose") and change < count:
            whom = {"other": other} if event == "give" else {}
            story.sentences.append(_told(event, name=name, change=change, things=things, **whom))
            story.steps.append(f"{count} - {change} = {count - change}")
            count, cost = count - change, 1
        elif event == "packs" and left >= 2:
            packs, each = rng.randint(2, 9), rng.randint(3, 20)
            container = rng.choice(CONTAINERS)
            story.sentences.append(
                _told("packs", name=name, packs=packs, container=container, each=each, things=things)
            )
            story.steps += [
                *worked_product(packs, each),
                f"{count} + {packs * each} = {count + packs * each}",
            ]
            count, cost = count + packs * each, 2
        elif event == "half" and count % 2 == 0:
            story.sentences.append(_told("half", name=name, things=things))
            story.steps += [*exact_division(count, 2), f"{count} / 2 = {count // 2}"]
            count, cost = count // 2, 1
        elif event == "double" and count < 500:
            story.sentences.append(_told("double", name=name, things=things))
            story.steps.append(f"{count} * 2 = {count} + {count} = {count * 2}")
            count, cost = count * 2, 1
        elif event == "percent" and operations >= 6 and left >= 2 and count % 10 == 0:
            percent = 10 * rng.randint(1, 9)
            sold = count * percent // 100
            story.sentences.append(_told("percent", name=name, percent=percent, things=things))
            story.steps += [*percentage(percent, count), f"{count} - {sold} = {count - sold}"]
            count, cost = count - sold, 2
        elif event == "share" and left == 1 and (divisors := [d for d in range(2, 10) if count % d == 0]):
            friends = rng.choice(divisors)
            story.sentences.append(_told("share", name=name, things=things, friends=friends))
            story.steps += [*exact_division(count, friends), f"{count} / {friends} = {count // friends}"]
            story.question, story.answer = _told("each_gets", name=name, things=things), count // friends
            return story
        else:
            continue
        left -= cost
    story.question, story.answer = _told("has_now", name=name, things=things), count
    return story


def _backwards(rng: random.Random, operations: int) -> Story | None:
    """The last number is given and the first is asked for: the steps undo the events, from the last to the first."""
    name, other = rng.sample(FIRST_NAMES, 2)
    things, start = rng.choice(THINGS), _number(rng, operations)
    count, events = start, []
    for _ in range(operations):
        working: list[str] = []
        change, event = rng.randint(5, 60), rng.choice(("buys", "gives", "doubles"))
        if event == "doubles" and count < 300:
            sentence, undo, after = _told("double", name=name, things=things), "/ 2", count * 2
            working = exact_division(after, 2)
        elif event == "gives" and change < count - 1:
            sentence = _told("give", name=name, change=change, things=things, other=other)
            undo, after = f"+ {change}", count - change
        else:
            sentence = _told("buy", name=name, change=change, things=things)
            undo, after = f"- {change}", count + change
        events.append((sentence, [*working, f"{after} {undo} = {count}"]))
        count = after
    some, now = _told("has_some", name=name, things=things), _told("now", name=name, count=count, things=things)
    return Story(
        "backwards",
        [some, *(sentence for sentence, _ in events), now],
        [line for _, undone in reversed(events) for line in undone],
        _told("had_first", name=name, things=things),
        start,
    )


def _comparison(rng: random.Random, operations: int) -> Story | None:
    """Each person has more or fewer things than an earlier person, or a multiple; the end asks for the sum."""
    relations = max(1, operations // 2)
    names, things = rng.sample(FIRST_NAMES, relations + 1), rng.choice(THINGS)
    counts = [rng.randint(11, 60)]
    story = Story("comparison", [_told("has", name=names[0], count=counts[0], things=things)], ordered=False)
    for name in names[1:]:
        known = rng.randrange(len(counts)) if operations >= 4 else len(counts) - 1
        base, whom, change = counts[known], names[known], rng.randint(3, 40)
        kind, working = rng.choice(("more", "fewer", "times", "half")), list[str]()
        if kind == "times" and base < 100:
            factor = rng.randint(2, 5)
            relation, sum_, value = _told("times", factor=factor), f"{base} * {factor}", base * factor
            if factor == 2:
                relation, sum_ = _told("twice"), f"{sum_} = {base} + {base}"
            else:
                working = grid_multiplication(base, factor)
        elif kind == "half" and base % 2 == 0:
            relation, sum_, value = _told("half_of"), f"{base} / 2", base // 2
            working = exact_division(base, 2)
        elif kind == "fewer" and change < base:
            relation, sum_, value = _told("fewer", change=change), f"{base} - {change}", base - change
        else:
            relation, sum_, value = _told("more", change=change), f"{base} + {change}", base + change
        slots = {"name": name, "whom": whom, "things": things, **relation.slots}
        story.sentences.append(_told(relation.kind, **slots))
        story.steps += [*working, f"{name} = {sum_} = {value}"]
        counts.append(value)
    if operations == 1:
        story.question, story.answer = _told("has_asked", name=names[1], things=things), counts[1]
        return story
    story.steps += running_sums(counts)
    if operations % 2 == 0:
        story.question, story.answer = _told("together", people=_people(names), things=things), sum(counts)
        return story
    needed = sum(counts) + rng.randint(5, 80)
    story.steps.append(f"{needed} - {sum(counts)} = {needed - sum(counts)}")
    story.sentences.append(_told("need", needed=needed, people=_people(names), things=things))
    story.question, story.answer = _told("missing", things=things), needed - sum(counts)
    story.ordered = True
    return story


def _shopping(rng: random.Random, operations: int) -> Story | None:
    """The cost of several things; longer stories add a discount or the change from a sum of money."""
    kinds = (operations + 1) // 2 if operations <= 6 else (operations - 1) // 2
    further = operations - (2 * kinds - 1)
    name, things = rng.choice(FIRST_NAMES), rng.sample(THINGS, kinds)
    amounts = [(rng.randint(2, 30 if kinds == 1 else 9), rng.randint(2, 9 if kinds == 1 else 30)) for _ in things]
    bought = Clauses(
        tuple(
            _told("item", count=count, things=thing, price=price)
            for thing, (count, price) in zip(things, amounts, strict=True)
        )
    )
    costs = [count * price for count, price in amounts]
    story = Story(
        "shopping",
        [_told("buys", name=name, items=bought)],
        [line for count, price in amounts for line in worked_product(count, price)] + running_sums(costs),
        _told("cost", name=name),
        sum(costs),
    )
    if further >= 2:
        percents = [p for p in (10, 20, 25, 50) if story.answer * p % 100 == 0]
        if not percents:
            return None
        percent = rng.choice(percents)
        off = story.answer * percent // 100
        story.sentences.append(_told("reduced", percent=percent))
        story.steps += [*percentage(percent, story.answer), f"{story.answer} - {off} = {story.answer - off}"]
        story.answer -= off
    if further % 2:
        money = rng.randint(story.answer // 10 + 1, story.answer // 10 + 30) * 10
        story.sentences.append(_told("pays", name=name, money=money))
        story.steps.append(f"{money} - {story.answer} = {money - story.answer}")
        story.question, story.answer = _told("change", name=name), money - story.answer
    return story


def _work(rng: random.Random, operations: int) -> Story | None:
    """People make things at a constant rate; in longer stories the things are packed and the packs sold."""
    workers = max(1, operations // 2)
    further = operations - (2 * workers - 1)
    names, things, place = rng.sample(FIRST_NAMES, workers), rng.choice(THINGS), rng.choice(PLACES)
    rates = [(rng.randint(11, 60), rng.randint(2, 9)) for _ in names]
    made = [rate * hours for rate, hours in rates]
    story = Story(
        "work",
        [
            _told("makes", name=name, rate=rate, things=things, hours=hours, place=place)
            for name, (rate, hours) in zip(names, rates, strict=True)
        ],
        [line for rate, hours in rates for line in worked_product(rate, hours)] + running_sums(made),
        _told("made", things=things, people=_people(names)),
        sum(made),
        ordered=bool(further),
    )
    if further:
        sizes = [size for size in range(2, 10) if story.answer % size == 0]
        if not sizes:
            return None
        size, packs = rng.choice(sizes), rng.choice(CONTAINERS)
        story.sentences.append(_told("packed", things=things, container=packs, size=size))
        story.steps += [*exact_division(story.answer, size), f"{story.answer} / {size} = {story.answer // size}"]
        story.question, story.answer = _told("filled", things=things, container=packs), story.answer // size
        if further == 2:
            price = rng.randint(3, 9)
            story.sentences.append(_told("sold", things=things, container=packs, price=price))
            story.steps += worked_product(story.answer, price)
            story.question, story.answer = _told("earned", things=things), story.answer * price
    return story


def _ages(rng: random.Random, operations: int) -> Story | None:
    """Each age is given relative to another age; the question asks for the last person's age some years from now."""
    names, age, ages = rng.sample(FIRST_NAMES, operations), rng.randint(8, 40), []
    story = Story("ages", [_told("aged", name=names[0], age=age)], ordered=False)
    for name, whom in zip(names[1:], names, strict=False):
        years, kind = rng.randint(2, 30), rng.choice(("older", "younger", "twice"))
        if kind == "twice" and age < 40:
            relation, sum_, age = _told("twice_as_old", name=name, whom=whom), f"{age} * 2 = {age} + {age}", age * 2
        elif kind == "younger" and years < age:
            relation = _told("younger", name=name, whom=whom, years=years)
            sum_, age = f"{age} - {years}", age - years
        else:
            relation = _told("older", name=name, whom=whom, years=years)
            sum_, age = f"{age} + {years}", age + years
        ages.append(age)
        story.sentences.append(relation)
        story.steps.append(f"{name} = {sum_} = {age}")
    later = rng.randint(3, 40)
    story.steps.append(f"{age} + {later} = {age + later}")
    story.question, story.answer = _told("age_later", name=names[-1], later=later), age + later
    return story if max(ages, default=0) <= 95 else None


TEMPLATES_BY_LEVEL: dict[int, tuple[StoryTemplate, ...]] = {
    1: (_holdings, _comparison, _shopping, _work, _ages),
    2: (_holdings, _comparison, _shopping, _work, _ages, _backwards),
    3: (_holdings, _comparison, _shopping, _work, _ages, _backwards),
    4: (_holdings, _comparison, _shopping, _work, _backwards),
    5: (_holdings, _comparison, _shopping, _work, _backwards),
}


def _distraction(rng: random.Random) -> Clause:
    """A distractor: a true sentence with a number that no question needs."""
    number, place = rng.randint(2, 60), rng.choice(PLACES)
    return _told(rng.choice(DISTRACTIONS), place=place, number=number)


@domain("word_problems", phase=2)
class WordProblems:
    """Stories with 1 or 2 calculations at level 1, and with 8 or 9 at level 5."""

    def sample(self, rng: random.Random, level: int) -> Content:
        story = None
        while story is None:
            story = rng.choice(TEMPLATES_BY_LEVEL[level])(rng, rng.choice(OPERATIONS_BY_LEVEL[level]))
        for _ in range(DISTRACTIONS_BY_LEVEL[level]):
            story.sentences.insert(rng.randint(1, len(story.sentences)), _distraction(rng))
        sentences = Clauses(tuple(story.sentences), ordered=story.ordered)
        slots: dict[str, Slot] = {"story": sentences, "question": story.question}
        return Content(story.kind, slots, tuple(story.steps), str(story.answer), names_in(slots))
