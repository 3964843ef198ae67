"""Counting and probability against plain enumeration of every case."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations, pairwise, permutations, product
from math import comb, gcd, log10
from statistics import mean

import pytest
import reasoning_gym

from tests.tasks.each_form import in_each_form
from tests.tasks.twin import Rule, integers, problems, shown, solve
from tests.tasks.wordings.reading_back import ReadClause, ReadSlot, form_of
from tests.tasks.wordings.story_reading import read_story
from tuili.tasks import Content, Language
from tuili.tasks.registry import find_domain

BAG = r"A bag holds (.*)\. "


def bag(held: str) -> list[str]:
    """Every single thing of the bag by its colour."""
    parts = held.replace(" and ", ", ").split(", ")
    return [part.split()[1] for part in parts for _ in range(int(part.split()[0]))]


def share(cases: list[bool]) -> Fraction:
    return Fraction(sum(cases), len(cases))


def drawn(held: str, number: int, wanted: Counter[str] | None = None, one: str = "") -> Fraction:
    """The share of the draws at once that have exactly the wanted colours, or at least one of a colour."""
    draws = [Counter(draw) for draw in combinations(bag(held), number)]
    return share([draw == wanted if wanted else draw[one] > 0 for draw in draws])


def rows(*counts: int) -> int:
    """Orders of things of which some look the same, by placing one at a time."""
    if sum(counts) == 0:
        return 1
    return sum(rows(*counts[:i], count - 1, *counts[i + 1 :]) for i, count in enumerate(counts) if count)


def heads(flips: int, low: int, high: int) -> Fraction:
    return share([low <= sum(case) <= high for case in product((0, 1), repeat=flips)])


def shares(things: int, people: int) -> int:
    return 1 if people == 1 else sum(shares(things - mine, people - 1) for mine in range(things + 1))


def paths(north: int, east: int) -> int:
    return 1 if not north or not east else paths(north - 1, east) + paths(north, east - 1)


def divisible(bound: int, a: int, b: int, wanted: bool) -> int:
    return sum((n % a == 0 or n % b == 0) is wanted for n in range(1, bound + 1))


def two_draws(held: str, first: str, second: str) -> Fraction:
    return share([pair == (first, second) for pair in permutations(bag(held), 2)])


def two_bags(a: int, a_rest: int, b: int, b_rest: int) -> Fraction:
    """Both bags hold equally many things, so that every thing is equally likely."""
    assert a + a_rest == b + b_rest
    return share([True] * a + [False] * b)


RULES: tuple[Rule, ...] = (
    (
        r"\w+ can choose from (.*)\. In how many ways .*",
        lambda listed: len(list(product(*map(range, integers(listed))))),
    ),
    (r"(\d+) \w+ meet at the .*", lambda n: len(list(combinations(range(n), 2)))),
    (
        r"In how many ways can (\d+) of (\d+) \w+ be chosen for .*",
        lambda k, n: len(list(combinations(range(n), k))),
    ),
    (r"(\d+) \w+ race .* the first and second place .*", lambda n: len(list(permutations(range(n), 2)))),
    (
        r"(\d+) \w+ race .* the first, second and third place .*",
        lambda n: len(list(permutations(range(n), 3))),
    ),
    (BAG + r"One is drawn .* that it is (\w+)\? .*", lambda held, c: share([x == c for x in bag(held)])),
    (BAG + r"One is drawn .* that it is not (\w+)\? .*", lambda held, c: share([x != c for x in bag(held)])),
    (
        r"\w+ throws two dice with the numbers 1 to (\d+) each\. .* the sum is (\d+)\? .*",
        lambda n, sum_: share([a + b == sum_ for a, b in product(range(1, n + 1), repeat=2)]),
    ),
    (
        r"In how many orders can ((?:[A-Z]\w+(?:, | and )?)+) stand in a row\?",
        lambda who: len(list(permutations(who.replace(" and ", ", ").split(", ")))),
    ),
    (
        r"Of some \w+, (\d+) like \w+, (\d+) like \w+ and (\d+) like both\. .* both\?",
        lambda a, b, both: len({*range(a), *range(a - both, a - both + b)}),
    ),
    (
        r"Of some .*, (\d+) like \w+, (\d+) like \w+ and (\d+) like both\. (\d+) like neither.*",
        lambda a, b, both, none: len({*range(a), *range(a - both, a - both + b)}) + none,
    ),
    (r".* choose a team of (\d+) from (\d+) \w+\?", lambda k, n: len(list(combinations(range(n), k)))),
    (r"(\d+) of (\d+) \w+ go to .*", lambda k, n: len(list(combinations(range(n), k)))),
    (BAG + r"Two .* that both are (\w+)\? .*", lambda held, c: two_draws(held, c, c)),
    (BAG + r"Two .* the first is (\w+) and the second (\w+)\? .*", two_draws),
    (
        r"In how many ways can a team of (\d+) \w+ and (\d+) \w+ be chosen from (\d+) \w+ and (\d+) \w+\?",
        lambda i, j, n, m: len(list(product(combinations(range(n), i), combinations(range(m), j)))),
    ),
    (r"\w+ throws a fair coin (\d+) times\. .* of exactly (\d+) heads?\? .*", lambda n, k: heads(n, k, k)),
    (r"\w+ throws a fair coin (\d+) times\. .* of at most (\d+) heads?\? .*", lambda n, k: heads(n, 0, k)),
    (r"\w+ throws a fair coin (\d+) times\. .* of at least (\d+) heads?\? .*", lambda n, k: heads(n, k, n)),
    (r"In how many orders can (\d+) \w+ and (\d+) \w+ \w+ lie in a row, .*", rows),
    (r"In how many orders can (\d+) \w+, (\d+) \w+ and (\d+) \w+ \w+ lie in a row, .*", rows),
    (
        r"How many of .* from 1 to (\d+) are divisible by (\d+) or by (\d+)\?",
        lambda n, a, b: divisible(n, a, b, True),
    ),
    (
        r"How many of .* from 1 to (\d+) are divisible neither by (\d+) nor by (\d+)\?",
        lambda n, a, b: divisible(n, a, b, False),
    ),
    (
        BAG + r"(\d+) are drawn at random, all at once\. .* of (\d+) (\w+) and (\d+) (\w+)\? .*",
        lambda held, n, i, a, j, b: drawn(held, n, Counter({a: i, b: j})),
    ),
    (
        BAG + r"(\d+) are drawn at random, all at once\. .* at least one is (\w+)\? .*",
        lambda held, n, colour: drawn(held, n, one=colour),
    ),
    (r"In how many ways can (\d+) identical \w+ be shared among (\d+) .*", shares),
    (
        r"\w+ walks (\d+) blocks north and (\d+) blocks east, .* (\d+) blocks north and (\d+) blocks .*",
        lambda n, e, a, b: paths(a, b) * paths(n - a, e - b),
    ),
    (r"Bag A holds (\d+) \w+ and (\d+) \w+ \w+, bag B (\d+) \w+ and (\d+) .*", two_bags),
    (
        r"Of some \w+, (\d+) like \w+, (\d+) like \w+, (\d+) like \w+, "
        r"(\d+) like \w+ and \w+, (\d+) like \w+ and \w+, "
        r"(\d+) like \w+ and \w+, and (\d+) like all three\. .*",
        lambda a, b, c, ab, ac, bc, abc: (
            (a - ab - ac + abc) + (b - ab - bc + abc) + (c - ac - bc + abc) + (ab + ac + bc - 2 * abc)
        ),
    ),
)


@pytest.mark.parametrize(("level", "count"), [(1, 200), (2, 200), (3, 150), (4, 100), (5, 60)])
def test_the_answers_are_those_of_enumeration(level: int, count: int) -> None:
    for problem in problems("counting", count, levels=(level,)):
        assert solve(RULES, problem.prompt) == problem.answer, problem.prompt


GROUPS_OF_NUMBERS = "a a_rest b b_rest c ab ac bc abc both none bound count drawn east east_first i j k m n north"
TEXTS = dict.fromkeys([*GROUPS_OF_NUMBERS.split(), "north_first", "number", "sides", "sum", "throws"], r"\d+")
HAN = r"[^\W\x00-\x7f]"
"""A letter beyond ASCII: of Chinese prompts, a character. A range of all of them would take long to compile."""
WORD = rf"(?:[a-z]+|{HAN}色|{HAN}{{1,3}}?)"
TEXTS |= dict.fromkeys(["first", "second", "things", "x", "y", "z", "people", "place"], WORD)
TEXTS |= {"colour": rf"(?:[a-z]+|{HAN}色)", "name": r"(?:[A-Z][a-z]+|小\w)"}
"""What stands in the slots of these names."""
QUESTIONS_DECIDE = (
    ("draw_one", "draw_other"),
    ("draws_alike", "draws_in_turn"),
    ("mixed_draw", "at_least_one"),
    ("multiples", "no_multiples"),
    ("two_places", "three_places"),
    ("coins_exactly", "coins_at_most", "coins_at_least"),
)
"""The kinds whose facts have the same words: the question tells them apart, and the facts all others."""


def listed(slot: ReadSlot) -> list[str]:
    """The things of a bag one by one, each by its colour."""
    assert isinstance(slot, list)
    clauses = [clause.slots for clause in slot if isinstance(clause, ReadClause)]
    return [str(one.get("colour", one.get("things"))) for one in clauses for _ in range(int(str(one["count"])))]


def at_once(bag_: list[str], number: int, wanted: Mapping[str, int] | None, one: str = "") -> Fraction:
    draws = [Counter(draw) for draw in combinations(bag_, number)]
    return share([draw == wanted if wanted else draw[one] > 0 for draw in draws])


def answered(kind: str, slots: Mapping[str, ReadSlot]) -> object:
    """The answer to a content of a kind by enumeration, from the texts of its slots in any wording."""
    text = {name: value for name, value in slots.items() if isinstance(value, str)}
    n = {name: int(value) for name, value in text.items() if value.isdigit()}
    number_of_heads = slots.get("heads")
    heads_ = int(str(number_of_heads.slots["number"])) if isinstance(number_of_heads, ReadClause) else 1
    held = listed(slots["held"]) if "held" in slots else []
    match kind:
        case "choices":
            sorts = slots["sorts"]
            assert isinstance(sorts, list)
            counts = [int(str(one.slots["count"])) for one in sorts if isinstance(one, ReadClause)]
            return len(list(product(*map(range, counts))))
        case "pairs":
            return len(list(combinations(range(n["n"]), 2)))
        case "two_places" | "three_places":
            return len(list(permutations(range(n["n"]), 2 if kind == "two_places" else 3)))
        case "row":
            row = slots["row"]
            assert isinstance(row, list)
            return len(list(permutations(range(len(row)))))
        case "either_group" | "all_groups":
            return len({*range(n["a"]), *range(n["a"] - n["both"], n["a"] - n["both"] + n["b"])}) + n.get("none", 0)
        case "team":
            return len(list(combinations(range(n["n"]), n["k"])))
        case "two_teams":
            teams = (combinations(range(n["n"]), n["k"]), combinations(range(n["m"]), n["j"]))
            return len(list(product(*teams)))
        case "two_colours":
            return rows(n["a"], n["b"])
        case "three_colours":
            return rows(*Counter(held).values())
        case "multiples" | "no_multiples":
            return divisible(n["bound"], n["a"], n["b"], kind == "multiples")
        case "three_groups":
            singles, doubles = n["a"] + n["b"] + n["c"], n["ab"] + n["ac"] + n["bc"]
            return singles - doubles + n["abc"]
        case "sharing":
            return shares(n["n"], n["k"])
        case "paths":
            a, b = n["north_first"], n["east_first"]
            return paths(a, b) * paths(n["north"] - a, n["east"] - b)
        case "draw_one":
            return share([one == text["colour"] for one in held])
        case "draw_other":
            return share([one != text["colour"] for one in held])
        case "two_dice":
            faces = range(1, n["sides"] + 1)
            return share([a + b == n["sum"] for a, b in product(faces, repeat=2)])
        case "draws_alike":
            return share([pair == (text["colour"],) * 2 for pair in permutations(held, 2)])
        case "draws_in_turn":
            return share([pair == (text["first"], text["second"]) for pair in permutations(held, 2)])
        case "coins_exactly":
            return heads(n["throws"], heads_, heads_)
        case "coins_at_most":
            return heads(n["throws"], 0, heads_)
        case "coins_at_least":
            return heads(n["throws"], heads_, n["throws"])
        case "mixed_draw":
            return at_once(held, n["drawn"], Counter({text["first"]: n["i"], text["second"]: n["j"]}))
        case "at_least_one":
            return at_once(held, n["drawn"], None, text["colour"])
    assert kind == "two_bags"
    return two_bags(n["a"], n["a_rest"], n["b"], n["b_rest"])


@pytest.mark.parametrize("language", list(Language))
def test_the_answers_are_those_of_enumeration_in_every_wording(language: Language) -> None:
    for problem in in_each_form("counting", 1, language):
        read = read_story(problem, TEXTS)
        facts, question = (read.get(name) for name in ("facts", "question"))
        clauses = [clause for clause in (facts, question) if isinstance(clause, ReadClause)]
        slots = {name: text for part in (*clauses, ReadClause("", read)) for name, text in part.slots.items()}
        kinds = [clause.kind for clause in clauses] or [min(form_of(problem).kinds)]
        decided = any(kinds[0] in group for group in QUESTIONS_DECIDE) and len(kinds) > 1
        assert shown(answered(kinds[decided], slots)) == problem.answer, (problem.form, problem.prompt)


def test_probabilities_are_in_lowest_terms() -> None:
    for problem in problems("counting", 100):
        if "/" in problem.answer:
            assert problem.answer == str(Fraction(problem.answer))
            assert 0 < Fraction(problem.answer) < 1


def test_a_probability_is_reduced_by_the_gcd_that_euclid_finds() -> None:
    """The gcd stands before the two divisions; a numerator of 1 needs none."""
    for problem in problems("counting", 200, levels=(1, 2)):
        if "/" not in problem.answer:
            continue
        old, *new = problem.steps[-1].split(" = ")[2:]
        top, bottom = integers(old)
        common, found = gcd(top, bottom), f"gcd({bottom}, {top}) = {gcd(top, bottom)}"
        assert (found in problem.steps) == (top > 1)
        assert len(new) == (common > 1)
        if common > 1:
            places = [f"{top} / {common} = {top // common}", f"{bottom} / {common} = {bottom // common}"]
            assert [*map(problem.steps.index, (found, *places))] == sorted(map(problem.steps.index, (found, *places)))


def test_a_probability_of_a_colour_begins_with_that_colour() -> None:
    """All things are added in the order of the prompt; then the line that names the colour asked for."""
    found = 0
    for problem in problems("counting", 200, levels=(1, 2)):
        if asked := re.search(r"that it is (?:not )?(\w+)\?", problem.prompt):
            counts = [int(count) for count in re.findall(rf"(\d+) {asked[1]}\b", problem.prompt)]
            (named,) = [step for step in problem.steps if step.startswith(f"{asked[1]} = ")]
            assert counts == [integers(named)[0]]
            found += 1
    assert found > 20


def test_products_of_factors_begin_with_their_factors() -> None:
    functions = {"place go to them": "P", "team of": "C", "shakes hands": "C", "orders": r"\d+!"}
    found = Counter[str]()
    for problem in problems("counting", 200, levels=(1, 2)):
        for asked, function in functions.items():
            if asked not in problem.prompt:
                continue
            found[asked] += 1
            plan = next(step for step in problem.steps if " * " in step)
            name, factors = plan.split(" = ")[:2]
            assert re.match(function, name)
            multiplied = [int(factor) for factor in factors.split(" / ")[0].split(" * ")]
            assert all(one == next_ + 1 for one, next_ in pairwise(multiplied))
    assert all(found[asked] > 5 for asked in functions), found


def test_each_kind_has_contents_enough_for_three_splits() -> None:
    """Of a handful of contents, training would hardly see any beside those it is tested on."""
    rng, contents = random.Random(0), defaultdict(set)
    for level in (1, 2, 3):
        for _ in range(1500):
            content = find_domain("counting").domain.sample(rng, level)
            assert isinstance(content, Content)
            contents[content.kind].add(content.fingerprint)
    assert min(map(len, contents.values())) >= 16


def test_level_3_is_as_hard_as_reasoning_gym() -> None:
    """Proxy: digits of the largest number in the working, against the number of cases in `coin_flip`."""
    ours = [log10(max(integers(" ".join(problem.steps)))) for problem in problems("counting", 300, levels=(3,))]
    flips = [item["metadata"]["num_trials"] for item in reasoning_gym.create_dataset("coin_flip", size=300, seed=1)]
    assert mean(ours) > mean(log10(2**n) for n in flips)
    coins = [integers(p.prompt)[0] for p in problems("counting", 300, levels=(3,)) if "coin" in p.prompt]
    assert mean(coins) > mean(flips)


def test_the_helper_twins_agree_with_the_binomials() -> None:
    assert rows(3, 4) == comb(7, 3) == paths(3, 4)
    assert shares(5, 3) == comb(7, 2)
