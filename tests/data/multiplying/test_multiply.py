"""What is made of a record: right steps, and a question that differs in its numbers, names and things alone."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuili.data import MultiplyReport, Record, Refusal, masked_question, multiply, multiply_all, read_questions
from tuili.data.multiplying.number_words import PATTERN
from tuili.steps import Status, check_chain, split_response
from tuili.tasks import Split, generate

DATA = Path(__file__).parents[4] / "shared" / "data"
LISTS = Path(__file__).parents[3] / "src" / "tuili" / "data" / "multiplying"


def record(question: str, *steps: str, answer: str = "", **more: str) -> Record:
    given = answer or steps[-1].rpartition(" = ")[2]
    return Record(input=question, output=given, steps=steps, **{"id": "made/1", "source": "made"} | more)


RECORDS = (
    record(
        "Tom has 3 bags of 14 apples. He gives 8 apples to Mary. How many apples does Tom have?",
        "3 * 14 = 42", "42 - 8 = 34",
    ),
    record("Anna's rope of 28.3 feet is cut into 5 pieces. How long is each?", "28.3 / 5 = 5.66"),
    record("A coat costs $1,250. In a sale it is 20% off. What is the price?", "1250 * 0.2 = 250", "1250 - 250 = 1000"),
    record("Twelve cows each give nine liters. How many liters in all?", "12 * 9 = 108"),
    record("Sam buys 3 dozen eggs at $0.35 each. What does he pay?", "3 * 12 = 36", "36 * 0.35 = 12.6"),
    record("An 8 inch pie is shared by 4 friends of James'. How wide is a share?", "8 / 4 = 2"),
    record("John had $57.5, earned $14 more and paid $4 a day for a week.", "57.5 + 14 = 71.5"),
)  # fmt: skip


def words(text: str) -> list[str]:
    return re.findall(rf"(?i:\b{PATTERN}\b)|[\d.,]*\d|[A-Za-z]+|[^\w\s]", text)


def exchangeable() -> set[frozenset[str]]:
    """Words that may take each other's place, by the lists of names and of things."""
    names = tomllib.loads((LISTS / "names.toml").read_text())
    things = tomllib.loads((LISTS / "things.toml").read_text())["group"]
    found = {
        frozenset(names[kind].split() + names.get(f"words_{kind}", "").split()) for kind in ("he", "she", "unsure")
    }
    for group in things:
        for number in (0, 1):
            parts = [thing.split(" / ")[number].split() for thing in group["things"]]
            found |= {frozenset(place) for place in zip(*parts, strict=True)}
    return found


def is_number(word: str) -> bool:
    return re.fullmatch(rf"[\d.,]*\d|(?i:{PATTERN})", word) is not None


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(RECORDS), st.integers(0, 10**6))
def test_what_is_made_checks_and_differs_in_the_traced_places_alone(original: Record, seed: int) -> None:
    groups, found = exchangeable(), multiply(original, 3, seed)
    assert found
    for made in found:
        assert all(verdict.status is Status.VALID for verdict in check_chain(made.steps))
        assert made.output == made.steps[-1].rpartition(" = ")[2]
        assert len(made.steps) == len(original.steps)
        before, after = words(original.input), words(made.input)
        assert len(before) == len(after) or "James" in original.input
        for old, new in zip(before, after, strict=False):
            if old == new or {old.lower(), new.lower()} == {"a", "an"}:
                continue
            same_kind = any({old, new} <= group or {old.lower(), new.lower()} <= group for group in groups)
            assert (is_number(old) and is_number(new)) or same_kind or "James" in original.input, (old, new)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RECORDS), st.integers(0, 10**6))
def test_numbers_keep_their_kind(original: Record, seed: int) -> None:
    """Whole results stay whole, none is 0 or below, none is far from what it was."""
    found = multiply(original, 2, seed)
    assert found
    for made in found:
        for old, new in zip(original.steps, made.steps, strict=True):
            before, after = (float(step.rpartition(" = ")[2]) for step in (old, new))
            assert before % 1 or after % 1 == 0
            assert before / 6 <= after <= before * 6


@st.composite
def amounts(draw: st.DrawFn) -> tuple[Decimal, list[str]]:
    """A number, and sentences that tell it with more zeros or fewer, as in `$2.5` and `2.50 cents`."""
    places = draw(st.integers(0, 3))
    value = Decimal(draw(st.integers(0, 40 * 10**places))).scaleb(-places)
    written = st.integers(places, 3).map(lambda most: f"{value:.{most}f}")
    sentences = st.sampled_from(("Ann has {} cows.", "Bob has ${} left.", "He has {}% now.", "It has {} cents."))
    return value, draw(st.lists(st.builds(str.format, sentences, written), min_size=2, max_size=3))


@settings(max_examples=150, deadline=None)
@given(st.text("ab 0123456789.,$%-/:'’\"ST\n", max_size=60), amounts(), amounts(), st.booleans())
def test_any_text_is_read(
    text: str, first: tuple[Decimal, list[str]], second: tuple[Decimal, list[str]], adds: bool
) -> None:
    (one, told), (other, told_then) = first, second
    question = " ".join((*told, text, *told_then))
    step = f"{one:f} + {other:f} = {one + other:f}" if adds else f"{one:f} * {other:f} = {one * other:f}"
    for made in multiply(record(question, step), 2, 0):
        assert all(verdict.status is Status.VALID for verdict in check_chain(made.steps))
        old, new = (
            [Fraction(found) for found in re.findall(r"has \$?([\d.]*\d)", all_of)] for all_of in (question, made.input)
        )
        assert len(set(zip(old, new, strict=True))) == len(set(old))


def test_every_record_that_is_wanted_is_made_and_tells_where_it_comes_from() -> None:
    made = multiply(RECORDS[0], 10, seed=1)
    assert [one.id for one in made] == [f"made/1/x{number}" for number in range(1, 11)]
    assert {one.source for one in made} == {"multiplied"}
    assert len({one.input for one in made} | {RECORDS[0].input}) == 11
    assert {(one.domain, one.level) for one in made} == {(RECORDS[0].domain, RECORDS[0].level)}


def test_a_seed_decides_what_is_made() -> None:
    first, again, other = (multiply(RECORDS[0], 5, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_name_is_replaced_everywhere_with_its_possessive() -> None:
    original = record("Emma has 12 cards. Emma's brother takes 5 of them. How many has Emma?", "12 - 5 = 7")
    changed = [one.input for one in multiply(original, 20, 0) if "Emma" not in one.input]
    assert changed
    for text in changed:
        name = text.split()[0]
        assert re.findall(rf"\b{name}\b", text) == [name] * 3
        assert f"{name}'s brother" in text


@pytest.mark.parametrize(
    ("question", "step"),
    [
        ("Each of 24 boys has 24 marbles. How many marbles do the 24 boys have?", "24 * 24 = 576"),
        ("A pen costs $2.50. A ruler costs $2.5. What do 3 pens cost?", "3 * 2.5 = 7.5"),
        ("It takes 0.5 hours and 0.50 liters. 6 times?", "6 * 0.5 = 3"),
        ("He has $4.00 and 4 bags of 7 pens. How many pens?", "4 * 7 = 28"),
    ],
)
def test_numbers_of_one_value_stay_equal(question: str, step: str) -> None:
    made = multiply(record(question, step), 5, 0)
    assert made
    for one in made:
        old, new = (list(map(Fraction, re.findall(r"\d+(?:\.\d+)?", text))) for text in (question, one.input))
        assert len(set(zip(old, new, strict=True))) == len(set(old))


@pytest.mark.parametrize(
    ("question", "steps", "staying"),
    [
        ("He runs 9 miles on each of 7 days. How far?", ("9 * 7 = 63",), "7"),
        ("A box of a dozen eggs and 12 boxes of 40 eggs. How many eggs?", ("12 * 40 = 480", "480 + 12 = 492"), "12"),
        ("Of 60 pens 25% leak. How many leak in a year of 12 months?", ("60 * 0.25 = 15",), "12"),
        ("On page 30 there are 8 words, on page 31 there are 17. How many?", ("8 + 17 = 25",), "30"),
        ("In 2015 he had 40 pens, he lost 15 of them. How many are left?", ("40 - 15 = 25",), "2015"),
        ("Three men, Al, Bo and Cy, have 12 cups each. How many cups?", ("12 * 3 = 36",), "Three"),
        ("It rained 4 inches a day in the first 15 days of June, and 9 in the rest.", ("4 * 15 = 60", "9 * 15 = 135",
         "60 + 135 = 195"), "15"),
        ("He owes $90 and has $80. How many bottles at 50 cents does he return?", ("90 - 80 = 10", "10 / (1 / 2) = 20"),
         "50"),
        ("It halves every 10 years from $160. What is it in 30 years?", ("160 / 2 = 80", "80 / 2 = 40", "40 / 2 = 20"),
         "10"),
    ],
)  # fmt: skip
def test_numbers_that_could_be_something_else_stay(question: str, steps: tuple[str, ...], staying: str) -> None:
    made = multiply(record(question, *steps), 6, 0)
    assert made
    assert all(staying in words(one.input) for one in made)


@pytest.mark.parametrize("answer", ["$1,250", "1,250", "$1250.00", "€1,250", "£1250"])
def test_an_answer_is_written_as_that_of_the_original(answer: str) -> None:
    original = record("He earns $800 in spring and $450 in fall. How much?", "800 + 450 = 1250", answer=answer)
    found = multiply(original, 8, 0)
    assert found
    for made in found:
        value = made.steps[-1].rpartition(" = ")[2]
        assert made.output == answer.replace("1,250", f"{int(value):,}").replace("1250", value)


def test_results_that_a_question_compares_keep_their_order() -> None:
    """Whoever has most stays the one, where the question asks for that one."""
    question = "Ann has 6 pens, Bo 3 times as many, and Cy 11 more than Ann. What have those who do not have most?"
    steps = ("3 * 6 = 18", "6 + 11 = 17", "18 + 17 = 35", "35 + 6 = 41", "41 - 18 = 23")
    orders = []
    for text in (question, question.replace("those who do not have most", "Ann and Cy")):
        results = [
            [int(step.rpartition(" ")[2]) for step in one.steps] for one in multiply(record(text, *steps), 40, 0)
        ]
        orders.append({bo > cy for bo, cy, *_ in results})
    assert orders == [{True}, {True, False}]


def test_nobody_gets_too_old() -> None:
    original = record("Cody is 14 years old. His aunt is 6 times as old. How old is his aunt?", "14 * 6 = 84")
    ages = [int(one.output) for one in multiply(original, 40, 0)]
    assert 84 < max(ages) <= 100


@pytest.mark.parametrize(
    ("original", "refusal"),
    [
        (Record(input="What is 2 + 3?", output="5"), Refusal.NO_STEPS),
        (record("What is 2 + 3?", "2 + 3 = 6"), Refusal.NO_STEPS),
        (record("What is 20 kg and 30 kg?", "20 kg + 30 kg = 50 kg", answer="50"), Refusal.OTHER_STEPS),
        (record("He has 20 cups and 30 pens.", "20 + 30 = 50", answer="7"), Refusal.NO_ANSWER),
        (record("He has 20 cups and 30 pens.", "20 + 17 = 37"), Refusal.NOWHERE),
        (record("He earns $40, each apple for $1. How many?", "40 / 0.4 = 100"), Refusal.NOWHERE),
        (record("He has $90 for each month. How much is left?", "90 - 30 = 60"), Refusal.NOWHERE),
        (record("She sleeps 8 hours, works 4, and has 60 cups. What is left?", "60 - 56 = 4"), Refusal.NOWHERE),
        (record("He runs 14 and 9 miles, 28 in all. How many are 9 more?", "14 + 9 = 23"), Refusal.REDUNDANT),
        (record("A $5 cone, 20% gain. $80?", "80 * 5 = 400", "400 / 5 = 80"), Refusal.NOTHING_TO_CHANGE),
        (record("She had 85% and 70%, and wants 80%. What is next?", "85 - 70 = 15"), Refusal.LEFT_OUT),
        (record("Of 90 cars half are red, 40 of these big. How many not?", "90 - 40 = 50"), Refusal.LEFT_OUT),
        (record("He has 1/5 of 90 pens, 40 fewer than she.", "90 - 40 = 50"), Refusal.LEFT_OUT),
        (record("With 8 kids or more all pay $9 less than $20.", "20 - 9 = 11"), Refusal.LEFT_OUT),
        (record("He made $69, by 17 caps and 4 bags at $5. What is a cap?", "17 = 17"), Refusal.OTHER_STEPS),
        (record("He wins 15 games, 5 more than she.", "15 - 5 = 10", "5 + 5 = 10"), Refusal.USELESS_STEP),
        (record("He runs 60 laps in 20 minutes, she 40 in 16. Who is faster?", "60 / 20 = 3", "40 / 16 = 2.5"),
         Refusal.USELESS_STEP),
        (record("He has 20 cups and 30 pens. " + "He is old. " * 400, "20 + 30 = 50"), Refusal.TOO_LONG),
        (record("He has 20 cups and 30 pens" + " or 7" * 40, "20 + 30 = 50"), Refusal.TOO_LONG),
        (record("He has 20 cups and 30 pens.", "20 + 30 = 50", answer="5,0"), Refusal.NO_BARE_ANSWER),
        (record("He has 20 cups and 30 pens.", "20 + 30 = 50", answer="50 things"), Refusal.NO_BARE_ANSWER),
        (record("He has 20 cups for 7.5 guests each day of 8.", "20 / 8 = 2.5", "3 * 7.5 = 22.5"), Refusal.NOWHERE),
        (record("A hall of 96 seats has 12 rows of 8. How many in 5 rows?", "5 * 8 = 40"), Refusal.REDUNDANT),
        (record("He works 7 days of 24 hours. How many hours?", "7 * 24 = 168"), Refusal.NOTHING_TO_CHANGE),
    ],
)  # fmt: skip
def test_what_cannot_be_multiplied_has_a_reason(original: Record, refusal: Refusal) -> None:
    report = MultiplyReport()
    assert list(multiply_all([original], 4, 0, report)) == []
    assert report.refused == {refusal: 1}
    assert (report.read, report.multiplied, report.written) == (1, 0, 0)


def test_no_question_is_made_that_is_held_back() -> None:
    original = record("He has 20 sons and 30 mules. How many in all?", "20 + 30 = 50")
    report = MultiplyReport()
    assert not list(multiply_all([original], 4, 0, report, {masked_question(original.input)}))
    assert report.refused == {Refusal.HELD_BACK: 1}


def test_nothing_is_made_of_a_question_that_is_held_back_or_becomes_one() -> None:
    """Neither is one made that differs from it in a name or a thing alone."""
    original = record("Tom has 24 cards in 3 bags. How many in each?", "24 / 3 = 8")
    assert not multiply(original, 9, 0, {masked_question(original.input)})
    found = {masked_question(one.input) for one in multiply(original, 9, 0)}
    held_back = {min(found - {masked_question(original.input)})}
    left = {masked_question(one.input) for one in multiply(original, 9, 0, held_back)}
    assert left
    assert left.isdisjoint(held_back)


def test_a_whole_response_stays_one() -> None:
    original = record("He has 20 cups and 31 pens. How many things?", "20 + 31 = 51")
    whole = Record(input=original.input, output=original.response, id="made/2")
    (made, *_) = multiply(whole, 3, 0)
    response = split_response(made.output)
    assert not made.steps
    assert response.answer == response.steps[-1].rpartition(" = ")[2] != "51"


def test_the_split_is_inherited() -> None:
    """What is made of a problem of the test split is refused as training data, as the problem itself is."""
    seeds = (Split.TEST.seed(0), Split.TRAIN.seed(0))
    found = dict.fromkeys(seeds, 0)
    for seed, index in product(seeds, range(40)):
        original = Record.of(generate("word_problems", seed, index, 1))
        for made in multiply(original, 2, 0):
            assert made.is_held_out == original.is_held_out == (seed == seeds[0])
            assert made.split is original.split
            found[seed] += 1
    assert all(found.values())


@pytest.mark.skipif(not DATA.exists(), reason=f"no real problems at {DATA}")
def test_most_of_mawps_can_be_multiplied() -> None:
    records = [one.record for one in read_questions(DATA / "mwp" / "mawps-train.jsonl")][:150]
    report = MultiplyReport()
    made = list(multiply_all(records, 2, 0, report))
    assert report.multiplied >= 120
    assert all(verdict.status is Status.VALID for one in made for verdict in check_chain(one.steps))
