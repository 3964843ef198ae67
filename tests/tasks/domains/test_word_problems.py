"""Word problems against a reader that follows each sentence, and searches where the beginning is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from statistics import mean

import pytest
import reasoning_gym

from tests.tasks.each_form import in_each_form
from tests.tasks.twin import problems, shown
from tests.tasks.wordings.reading_back import ReadClause, ReadSlot
from tests.tasks.wordings.story_reading import read_story
from tuili.tasks import Language
from tuili.tasks.building.working import exact_division, grid_multiplication
from tuili.tasks.domains.word_problems import OPERATIONS_BY_LEVEL

FACTORS = {"twice": 2, "3 times": 3, "4 times": 4, "5 times": 5}
CHANGES: tuple[tuple[str, Callable[..., Fraction]], ...] = (
    (r"\w+ (?:buys|finds) (\d+) more \w+", lambda count, n: count + n),
    (r"\w+ (?:gives|loses) (\d+) \w+(?: to \w+)?", lambda count, n: count - n),
    (r"\w+ gets (\d+) \w+ with (\d+) \w+ each", lambda count, packs, each: count + packs * each),
    (r"\w+ sells half of the \w+", lambda count: count / 2),
    (r"\w+ sells (\d+)% of the \w+", lambda count, percent: count * (1 - percent / 100)),
    (r"Then the number of \w+ doubles", lambda count: 2 * count),
    (r"\w+ shares the \w+ equally among (\d+) friends", lambda count, friends: count / friends),
)  # fmt: skip
DISTRACTION = (
    r"The \w+ is \d+ years old|The way to the \w+ takes \d+ minutes|"
    r"There are \d+ trees at the \w+|The \w+ opened \d+ days ago"
)


def sentences(prompt: str) -> list[str]:
    """The sentences without those that no question needs."""
    return [s for s in re.split(r"[.?] ?", prompt) if s and not re.fullmatch(DISTRACTION, s)]


def numbers(match: re.Match[str]) -> list[Fraction]:
    return [Fraction(group) for group in match.groups() if group and group.isdigit()]


def understood(events: list[str]) -> Callable[[Fraction], Fraction]:
    """What the events make of a number of things; each one is read by exactly one pattern."""
    changes = []
    for event in events:
        ((match, change),) = [(m, change) for p, change in CHANGES if (m := re.fullmatch(p, event))]
        changes.append((change, numbers(match)))

    def changed(count: Fraction) -> Fraction:
        for change, amounts in changes:
            count = change(count, *amounts)
        return count

    return changed


def compared(story: list[str], what: str) -> Mapping[str, Fraction]:
    """What each person has, from sentences that lean on an earlier person."""
    counts: dict[str, Fraction] = {}
    for sentence in story:
        if match := re.fullmatch(rf"(\w+) (?:has|is) (\d+) {what}", sentence):
            counts[match[1]] = Fraction(match[2])
        elif match := re.fullmatch(
            r"(\w+) (?:has|is) (\d+) (?:years )?(more|fewer|older|younger) (?:\w+ )?than (\w+)", sentence
        ):
            sign = 1 if match[3] in ("more", "older") else -1
            counts[match[1]] = counts[match[4]] + sign * int(match[2])
        elif match := re.fullmatch(r"(\w+) (?:has|is) (twice|half|\d times) as (?:many \w+|old) as (\w+)", sentence):
            counts[match[1]] = counts[match[3]] * FACTORS.get(match[2], Fraction(1, 2))
        else:
            assert re.fullmatch(rf"Together they need \d+ {what}", sentence), sentence
    return counts


def bought(story: list[str], question: str) -> Fraction:
    pay = sum(int(count) * Fraction(price) for count, price in re.findall(r"(\d+) \w+ at (\d+) dollars each", story[0]))
    for sentence in story[1:]:
        if match := re.fullmatch(r"The whole price is reduced by (\d+)%", sentence):
            pay *= 1 - Fraction(int(match[1]), 100)
    return (
        int(re.findall(r"gives the seller (\d+) dollars", " ".join(story))[0]) - pay if "get back" in question else pay
    )


def produced(story: list[str], question: str) -> Fraction:
    text = ". ".join(story)
    made = sum(
        int(rate) * Fraction(hours) for rate, hours in re.findall(r"makes (\d+) \w+ an hour for (\d+) hours", text)
    )
    size = re.search(r"All \w+ are put into \w+ of (\d+)", text)
    price = re.search(r"Each \w+ is sold for (\d+) dollars", text)
    return made / int(size[1] if size else 1) * int(price[1] if price else 1)


def read(prompt: str) -> Fraction:
    """The answer to a story."""
    *story, question = sentences(prompt)
    if match := re.fullmatch(r"How many (\w+) did (\w+) have at first", question):
        end = int(re.findall(r"^Now \w+ has (\d+) \w+$", story[-1])[0])
        changed = understood(story[1:-1])
        (start,) = [n for n in range(1000) if changed(Fraction(n)) == end]
        return Fraction(start)
    if match := re.fullmatch(r"How old will (\w+) be in (\d+) years", question):
        return compared(story, "years old")[match[1]] + int(match[2])
    if " buys " in story[0] and "dollars" in story[0]:
        return bought(story, question)
    if " an hour " in story[0]:
        return produced(story, question)
    if match := re.fullmatch(
        r"How many (\w+) does (\w+) have (?:now|in the end)|How many \w+ does each friend get", question
    ):
        return understood(story[1:])(Fraction(re.findall(r"\d+", story[0])[0]))
    things = re.search(r"\d+ (\w+)$", story[0])
    counts = compared(story, things[1] if things else "")
    if "missing" in question:
        return int(re.findall(r"Together they need (\d+)", " ".join(story))[0]) - sum(counts.values(), Fraction())
    if "together" in question:
        return sum(counts.values(), Fraction())
    return counts[re.findall(r"does (\w+) have", question)[0]]


def test_the_answers_are_those_of_the_reader() -> None:
    for problem in problems("word_problems", 250):
        assert shown(read(problem.prompt)) == problem.answer, problem.prompt


NUMBERS = "age change count each factor friends hours later money needed number packs percent price rate size years"
NAME = r"(?:[A-Z][a-z]+|小\w)"
TEXTS = dict.fromkeys(NUMBERS.split(), r"\d+") | {"name": NAME, "whom": NAME, "other": NAME}
"""What stands in the slots of these names."""
CLAUSES: Mapping[str, Callable[[Fraction, Mapping[str, Fraction]], Fraction]] = {
    "buy": lambda count, n: count + n["change"],
    "find": lambda count, n: count + n["change"],
    "give": lambda count, n: count - n["change"],
    "lose": lambda count, n: count - n["change"],
    "packs": lambda count, n: count + n["packs"] * n["each"],
    "half": lambda count, _: count / 2,
    "double": lambda count, _: count * 2,
    "percent": lambda count, n: count * (100 - n["percent"]) / 100,
    "share": lambda count, n: count / n["friends"],
}
RELATIONS: Mapping[str, Callable[[Fraction, Mapping[str, Fraction]], Fraction]] = {
    "more": lambda base, n: base + n["change"],
    "fewer": lambda base, n: base - n["change"],
    "older": lambda base, n: base + n["years"],
    "younger": lambda base, n: base - n["years"],
    "twice": lambda base, _: base * 2,
    "twice_as_old": lambda base, _: base * 2,
    "times": lambda base, n: base * n["factor"],
    "half_of": lambda base, _: base / 2,
}
"""What clauses say, by their kinds, whatever their words."""
INVERSES = {"more": "fewer", "fewer": "more"}
"""A sentence such as `If Ann had 3 more, she would have as many as Bob` may be read in both ways."""


def amounts(slots: Mapping[str, ReadSlot]) -> dict[str, Fraction]:
    return {name: Fraction(text) for name, text in slots.items() if isinstance(text, str) and text.isdigit()}


def by_kind(story: Sequence[ReadClause], *kinds: str) -> list[dict[str, Fraction]]:
    return [amounts(clause.slots) for clause in story if clause.kind in kinds]


def happened(story: Sequence[ReadClause], count: Fraction) -> Fraction:
    for clause in story:
        if clause.kind in CLAUSES:
            count = CLAUSES[clause.kind](count, amounts(clause.slots))
    return count


def related(story: Sequence[ReadClause]) -> dict[ReadSlot, Fraction]:
    """What each person has, from clauses in any order: those that lean on an unknown person wait."""
    known: dict[ReadSlot, Fraction] = {}
    waiting = [clause for clause in story if clause.kind in ("has", "aged", *RELATIONS)]
    while waiting:
        clause = waiting.pop(0)
        numbers_ = amounts(clause.slots)
        if clause.kind in ("has", "aged"):
            known[str(clause.slots["name"])] = numbers_.get("count", numbers_.get("age", Fraction()))
        elif str(clause.slots["whom"]) in known:
            known[str(clause.slots["name"])] = RELATIONS[clause.kind](known[str(clause.slots["whom"])], numbers_)
        elif clause.kind in INVERSES and str(clause.slots["name"]) in known:
            inverse = RELATIONS[INVERSES[clause.kind]]
            known[str(clause.slots["whom"])] = inverse(known[str(clause.slots["name"])], numbers_)
        else:
            waiting.append(clause)
    return known


def price(story: Sequence[ReadClause]) -> Fraction:
    (buys,) = [clause for clause in story if clause.kind == "buys"]
    items = buys.slots["items"]
    assert isinstance(items, list)
    bought = by_kind([item for item in items if isinstance(item, ReadClause)], "item")
    pay = sum((item["count"] * item["price"] for item in bought), Fraction())
    for clause in by_kind(story, "reduced"):
        pay *= (100 - clause["percent"]) / 100
    return pay


def answered(slots: Mapping[str, ReadSlot]) -> Fraction:
    """The answer from the clauses that a prompt was read back into."""
    story, question = slots["story"], slots["question"]
    assert isinstance(story, list)
    assert isinstance(question, ReadClause)
    told = [clause for clause in story if isinstance(clause, ReadClause)]
    made = sum((n["rate"] * n["hours"] for n in by_kind(told, "makes")), Fraction())
    match question.kind:
        case "has_now" | "each_gets":
            return happened(told, by_kind(told, "has")[0]["count"])
        case "had_first":
            (now,) = by_kind(told, "now")
            (start,) = [n for n in range(1000) if happened(told, Fraction(n)) == now["count"]]
            return Fraction(start)
        case "has_asked":
            return related(told)[str(question.slots["name"])]
        case "together":
            return sum(related(told).values(), Fraction())
        case "missing":
            return by_kind(told, "need")[0]["needed"] - sum(related(told).values(), Fraction())
        case "age_later":
            return related(told)[str(question.slots["name"])] + amounts(question.slots)["later"]
        case "cost":
            return price(told)
        case "change":
            return by_kind(told, "pays")[0]["money"] - price(told)
        case "made":
            return made
        case "filled":
            return made / by_kind(told, "packed")[0]["size"]
    assert question.kind == "earned", question
    return made / by_kind(told, "packed")[0]["size"] * by_kind(told, "sold")[0]["price"]


@pytest.mark.parametrize("language", list(Language))
def test_the_answers_are_those_of_the_reader_in_every_wording(language: Language) -> None:
    for problem in in_each_form("word_problems", 1, language):
        assert shown(answered(read_story(problem, TEXTS))) == problem.answer, (problem.id, problem.prompt)


def calculations(steps: Sequence[str]) -> list[str]:
    """The steps without the lines that only break up the product or quotient after them."""
    kept: list[str] = []
    for step in steps:
        match = re.fullmatch(r"(?:\w+ = )?(\d+) ([*/]) (\d+) = \d+", step)
        if match:
            working = (grid_multiplication if match[2] == "*" else exact_division)(int(match[1]), int(match[3]))
            if working and kept[-len(working) :] == working:
                del kept[-len(working) :]
        kept.append(step)
    return kept


def test_products_and_quotients_are_broken_up() -> None:
    """What is left to do in one line is a fact of the tables, perhaps with zeros, or a sum."""
    for problem in problems("word_problems", 100, levels=(1, 2)):
        for line in problem.steps:
            if match := re.fullmatch(r"(?:\w+ = )?(\d+) ([*/]) (\d+) = \d+", line):
                working = (grid_multiplication if match[2] == "*" else exact_division)(int(match[1]), int(match[3]))
                at = problem.steps.index(line)
                assert list(problem.steps[at - len(working) : at]) == working, problem.steps


def test_a_level_has_the_calculations_it_promises() -> None:
    """A percentage may take one more line than its one calculation."""
    for problem in problems("word_problems", 100):
        low, high = OPERATIONS_BY_LEVEL[problem.level]
        extra = sum(" 10% * " in f" {step}" for step in problem.steps)
        assert low <= len(calculations(problem.steps)) <= high + extra


def test_distractions_begin_at_level_3() -> None:
    for problem in problems("word_problems", 60):
        count = len([s for s in re.split(r"[.?] ?", problem.prompt) if re.fullmatch(DISTRACTION, s)])
        assert count == {1: 0, 2: 0, 3: 1, 4: 1, 5: 2}[problem.level]


def test_level_3_is_as_hard_as_reasoning_gym() -> None:
    """Proxy: calculations of a solution, against the equalities in the worked answers of `gsm_symbolic`."""
    ours = [len(calculations(problem.steps)) for problem in problems("word_problems", 300, levels=(3,))]
    worked = [item["metadata"]["answer_cot"] for item in reasoning_gym.create_dataset("gsm_symbolic", size=300, seed=1)]
    assert mean(ours) > mean(len(re.findall(r"=", text)) for text in worked)
