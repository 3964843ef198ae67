"""Orders against the closure of all facts, and amounts against substitution until nothing changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from tests.tasks.each_form import in_each_form
from tests.tasks.twin import problems
from tests.tasks.wordings.reading_back import ReadSlot, form_of, read_back
from tuili.tasks import Language, Problem
from tuili.tasks.domains.relations.facts import Fact, follow_facts
from tuili.tasks.domains.relations.orders import ORDERS
from tuili.tasks.wordings.language import lexicon

Pair = tuple[str, str]


def order(facts: Iterable[str]) -> tuple[set[Pair], set[Pair]]:
    """All pairs (greater, smaller) and all pairs that are at least equal, by transitive closure."""
    greater: set[Pair] = set()
    at_least: set[Pair] = set()
    for fact in facts:
        left, sign, right = fact.split()
        pair = (right, left) if sign == "<" else (left, right)
        at_least |= {pair, pair[::-1]} if sign == "=" else {pair}
        greater |= set() if sign == "=" else {pair}
    names = {name for pair in at_least for name in pair}
    for middle, first, last in product(names, repeat=3):
        if {(first, middle), (middle, last)} <= at_least:
            at_least.add((first, last))
            if {(first, middle), (middle, last)} & greater:
                greater.add((first, last))
    return greater, at_least


def amounts(facts: Iterable[str]) -> dict[str, int]:
    equations = [fact.split(" = ") for fact in facts]
    known: dict[str, int] = {}
    for _ in equations:
        for left, right in equations:
            name, sign, more = [*right.split(), "+", "0"][:3]
            change = int(sign + more)
            if name.isdigit():
                known[left] = int(name)
            elif name in known:
                known[left] = known[name] + change
            elif left in known:
                known[name] = known[left] - change
    return known


def expected(problem: Problem) -> str:
    facts, question = problem.context.facts.values(), problem.prompt.split("\n")[-1]
    if question.startswith("How"):
        asked = next(name for name in amounts(facts) if re.search(rf"\b{name}\b", question))
        return str(amounts(facts)[asked])
    greater, _ = order(facts)
    names = {name for pair in greater for name in pair}
    ranked = sorted(names, key=lambda name: sum(first == name for first, _ in greater), reverse=True)
    if match := re.fullmatch(r"Is (\w+) \w+ than (\w+)\? Answer yes or no\.", question):
        assert (match.groups() in greater) != (match.groups()[::-1] in greater)
        return "yes" if match.groups() in greater else "no"
    if match := re.fullmatch(r"Who is the (\w+)\?", question):
        return ranked[-1] if match[1] in {least for *_, least in ORDERS} else ranked[0]
    assert question.startswith("List everyone from ")
    return ", ".join(ranked)


def test_the_answer_is_what_the_closure_says():
    for problem in problems("relations", 40):
        assert problem.answer == expected(problem), problem.prompt


def test_a_fact_reads_the_same_from_either_side():
    fact = Fact("Ann", "=", "Bob", 3)
    assert (str(fact), str(fact.turned())) == ("Ann = Bob + 3", "Bob = Ann - 3")
    assert str(Fact("Ann", ">", "Bob").turned()) == "Bob < Ann"
    assert fact.seen_from("Bob") == fact.turned()
    assert fact.seen_from("Cid") is None


def test_a_blind_alley_is_walked_before_the_way_out():
    given = {
        "P1": Fact("Bob", ">", "Eve"),
        "P2": Fact("Ann", ">", "Bob"),
        "P3": Fact("Eve", "=", "Fay"),
        "P4": Fact("Cid", "<", "Bob"),
    }
    assert follow_facts(given, "Ann", ">", "Cid") == (
        [
            "Ann > Bob => Ann > Bob",
            "Ann > Bob, Bob > Eve => Ann > Eve",
            "Ann > Eve, Eve = Fay => Ann > Fay",
            "Ann > Bob, Cid < Bob => Ann > Cid",
        ],
        True,
    )
    assert follow_facts(given, "Ann", "<", "Cid") == ([], False)
    assert follow_facts(given, "Eve", "<", "Ann") == (
        [
            "Bob > Eve => Bob > Eve",
            "Bob > Eve, Ann > Bob => Ann > Eve",
        ],
        True,
    )


def from_both_sides(facts: Iterable[str]) -> Iterator[tuple[str, str, str, str]]:
    """Each fact with its sides and its relation as it is written, then as seen from the right."""
    for fact in facts:
        left, sign, right = fact.split()
        yield fact, left, sign, right
        yield fact, right, {">": "<", "<": ">", "=": "="}[sign], left


def directed(facts: Sequence[str], start: str, goal: str = "", sign: str = ">") -> list[str]:
    """The chain from `start`, each line by what stands above it: the last person met from whom a fact leads on."""
    lines: list[str] = []
    met = {start: ("", "=")}
    while goal not in met:
        ways = (
            (known, before, fact, relation, new)
            for person, (known, before) in reversed(met.items())
            for fact, left, relation, new in from_both_sides(facts)
            if left == person and new not in met and relation in ("=", sign)
        )
        if (way := next(ways, None)) is None:
            break
        known, before, fact, relation, new = way
        relation = max(relation, before, key="=<>".index)
        conclusion = f"{new} > {start}" if relation == "<" else f"{start} {relation} {new}"
        lines.append(f"{known}{fact} => {conclusion}")
        met[new] = f"{conclusion}, ", relation
    return lines


def mechanical(problem: Problem) -> list[str]:
    """The chain of an order by its prompt, without a look at the answer."""
    facts, question = list(problem.context.facts.values()), problem.prompt.split("\n")[-1]
    if match := re.fullmatch(r"Is (\w+) \w+ than (\w+)\? Answer yes or no\.", question):
        asked, other = match.groups()
        down = directed(facts, asked, other)
        return down if re.search(rf" {other}$", down[-1]) else down + directed(facts, other, asked)
    least = question in {f"Who is the {word}?" for *_, word in ORDERS}
    falling = [(fact, high, low) for fact, high, sign, low in from_both_sides(facts) if sign == ">"]
    lines, end, leading = [], "", falling[:1]
    while leading:
        fact, high, low = leading[0]
        lines.append(f"{fact} => {high} > {low}")
        end = low if least else high
        leading = [way for way in falling if way[1 if least else 2] == end]
    return lines + directed(facts, end, sign="<" if least else ">")[1:]


def summed(problem: Problem) -> list[str]:
    """The chain of an amount: the last person met from whom a fact leads on, until the person asked about is met."""
    facts, question = list(problem.context.facts.values()), problem.prompt.split("\n")[-1]
    (given,) = (fact for fact in facts if fact.split(" = ")[1].isdigit())
    met = {given.split(" = ")[0]: int(given.split(" = ")[1])}
    ways = [
        (fact, person, new, number if (sign == "+") == (new == left) else -number)
        for fact in facts
        if fact != given
        for left, right, sign, number in [(fact.split()[0], *fact.split()[2:4], int(fact.split()[4]))]
        for person, new in ((right, left), (left, right))
    ]
    lines = list[str]()
    while not any(re.search(rf"\b{person}\b", question) for person in met):
        fact, person, new, change = next(
            way for person in reversed(met) for way in ways if way[1] == person and way[2] not in met
        )
        met[new] = met[person] + change
        sum_ = f"{met[person]} {'-' if change < 0 else '+'} {abs(change)}"
        lines.append(f"{person} = {met[person]}, {fact} => {new} = {sum_} = {met[new]}")
    return lines


def test_each_line_is_written_by_what_stands_above_it():
    for problem in problems("relations", 40):
        chain = summed if "How " in problem.prompt else mechanical
        assert list(problem.steps) == chain(problem), problem.prompt


CHINESE = lexicon(Language.ZH).terms
SIGNS = {word: sign for more, less, *_ in ORDERS for word, sign in ((more, ">"), (less, "<"))}
SIGNS |= {CHINESE[word]: sign for word, sign in SIGNS.items()}


def formal(read: ReadSlot) -> str:
    """A fact in the step language, whatever its words."""
    if isinstance(read, str):
        return read
    slots = {name: slot[0].upper() + slot[1:] for name, slot in read.slots.items()}
    if read.kind in ("more", "less", "equal"):
        word = read.slots.get("more") or read.slots.get("less")
        sign = "=" if read.kind == "equal" else SIGNS[word] if word else {"more": ">", "less": "<"}[read.kind]
        return f"{slots['left']} {sign} {slots['right']}"
    change = {"is": "", "more": f"{slots.get('right')} + ", "less": f"{slots.get('right')} - "}
    return f"{slots['left']} = {change[read.kind.partition('_')[2]]}{slots['number']}"


def answered(problem: Problem) -> str:
    """The answer from the words of the prompt alone."""
    slots, form = read_back(problem), form_of(problem)
    facts = list(map(formal, slots["facts"]))
    question = slots.get("question")
    asks = {**slots, **(question.slots if question else {})}
    if "person" in asks:
        return str(amounts(facts)[asks["person"]])
    greater, _ = order(facts)
    names = {name for pair in greater for name in pair}
    ranked = sorted(names, key=lambda name: sum(first == name for first, _ in greater), reverse=True)
    if "other" in asks:
        pair = (asks["asked"], asks["other"])
        assert (pair in greater) != (pair[::-1] in greater)
        if form.answer and form.answer.slots <= {"winner", "loser"}:
            return pair[(pair in greater) is ("loser" in form.answer.slots)]
        yes = (pair in greater) is not bool(form.answer)
        return {True: "yes", False: "no"}[yes] if problem.language == "en" else "否是"[yes]
    if "extreme" in asks:
        least = {name for *_, word in ORDERS for name in (word, CHINESE[word])}
        return ranked[-1 if asks["extreme"] in least else 0]
    return ", ".join(ranked)


def test_the_answer_is_what_the_words_say_in_every_form():
    for language in Language:
        for problem in in_each_form("relations", 7, language, levels=(1, 2, 3)):
            assert problem.answer == answered(problem), problem.prompt
