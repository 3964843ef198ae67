"""Makes new records from a record: other numbers, every step recomputed and checked, other names and things.

`tracing` decides what may be changed, `drawing` chooses the values, and `names` and `things` the other words.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from fractions import Fraction

from tuili.data.multiplying.chain import Calculation, Exact, read_calculation, written_like
from tuili.data.multiplying.drawing import Drawing
from tuili.data.multiplying.edits import Edit, apply
from tuili.data.multiplying.mentions import Mention, mentions
from tuili.data.multiplying.names import Names
from tuili.data.multiplying.number_words import number_in_words
from tuili.data.multiplying.outcome import MultiplyReport, Refusal
from tuili.data.multiplying.things import Things
from tuili.data.multiplying.tracing import Plan, trace
from tuili.data.readers.masking import masked_question
from tuili.data.readers.read_question import without_commas
from tuili.data.records import MULTIPLIED_SOURCE, Record
from tuili.steps import THINK, Status, check_chain, render_response, render_term, split_response, terms

_TRIES_PER_RECORD = 3
_MOST_NUMBERS, _MOST_STEPS, _MOST_CHARACTERS = 40, 20, 4000
_CURRENCIES = ("$", "€", "£")
_ANSWER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?")


def multiply(record: Record, times: int, seed: int, held_back: Collection[str] = ()) -> list[Record]:
    """Make up to `times` records from one, all different. Empty if it cannot be multiplied.

    held_back: questions, as returned by `masked_question`, that must not be made, and not be multiplied, because other
    names or things do not make another question. The same arguments give the same records.
    """
    made = _multiplied(record, times, seed, held_back)
    return [] if isinstance(made, Refusal) else made


def multiply_all(
    records: Iterable[Record],
    times: int,
    seed: int,
    report: MultiplyReport,
    held_back: Collection[str] = (),
    tell: Callable[[int], None] = lambda read: None,
) -> Iterator[Record]:
    """Yield the records made from many, in order; `report` counts the outcomes. `tell` is called for every record."""
    for record in records:
        made = _multiplied(record, times, seed, held_back)
        report.read += 1
        if isinstance(made, Refusal):
            report.refused[made] += 1
        else:
            report.multiplied += 1
            report.short += len(made) < times
            report.written += len(made)
            yield from made
        tell(report.read)


def _multiplied(record: Record, times: int, seed: int, held_back: Collection[str]) -> list[Record] | Refusal:
    plan = _plan(record)
    if isinstance(plan, Refusal):
        return plan
    if masked_question(record.input) in held_back:
        return Refusal.HELD_BACK
    drawing = Drawing(plan)
    if not drawing.possible:
        return Refusal.NOTHING_TO_CHANGE
    words = Names(record.input), Things(record.input)
    rng = random.Random(f"{seed}/{record.id}/{record.input}")
    made, inputs, refusal = list[Record](), {record.input}, Refusal.NO_OTHER_NUMBERS
    for _ in range(times * _TRIES_PER_RECORD):
        if len(made) == times:
            break
        drawn = drawing.draw(rng)
        if drawn is None:
            if not made:
                break
            continue
        text = _written(record.input, plan, drawn[0], [edit for one in words for edit in one.edits(rng)])
        if text in inputs or masked_question(text) in held_back:
            refusal = Refusal.HELD_BACK if text not in inputs else refusal
            continue
        if (new := _record(record, plan, drawn[1], text, len(made) + 1)) is not None:
            made.append(new)
            inputs.add(text)
    return made or refusal


def _plan(record: Record) -> Plan | Refusal:
    """Find where the numbers of a record's steps come from."""
    if record.messages or record.specification is not None:
        return Refusal.OTHER_FORM
    response = split_response(record.response)
    if not response.steps or any(verdict.status is not Status.VALID for verdict in check_chain(response.steps)):
        return Refusal.NO_STEPS
    steps = list[Calculation]()
    for step in response.steps:
        if (calculation := read_calculation(step)) is None:
            return Refusal.OTHER_STEPS
        steps.append(calculation)
    answer = _plain(response.answer)
    if not _ANSWER.fullmatch(answer):
        return Refusal.NO_BARE_ANSWER
    if len(record.input) > _MOST_CHARACTERS or len(steps) > _MOST_STEPS:
        return Refusal.TOO_LONG
    if len(found := mentions(record.input)) > _MOST_NUMBERS:
        return Refusal.TOO_LONG
    return trace(record.input, found, steps, Fraction(answer))


def _written(text: str, plan: Plan, values: Sequence[Exact], words: Sequence[Edit]) -> str:
    """Write the question with other numbers, names and things; the rest of the text stays unchanged."""
    edits = [
        Edit(mention.start, mention.end, _number(value, mention))
        for variable, value in zip(plan.variables, values, strict=True)
        for mention in variable.mentions
        if value != variable.value
    ]
    return apply(text, [*edits, *words])


def _number(value: Exact, mention: Mention) -> str:
    """Write a number in the style of a mention."""
    if mention.in_words:
        word = number_in_words(int(value))
        return word.capitalize() if mention.capital else word
    scaled = value * 10**mention.places
    assert scaled.denominator == 1
    whole, places = divmod(int(scaled), 10**mention.places)
    written = f"{whole:,}" if mention.grouped else str(whole)
    return f"{written}.{places:0{mention.places}}" if mention.places else written


def _plain(answer: str) -> str:
    return without_commas(answer[answer.startswith(_CURRENCIES) :])


def _answer_like(written: str, value: Exact) -> str:
    """Write an answer in the style of another: `$1,250` for `$900,000`."""
    number = terms.Number(Fraction(_plain(written)), len(written.partition(".")[2]))
    whole, point, places = render_term(written_like(value, number)).partition(".")
    whole = f"{int(whole):,}" if "," in written else whole
    return f"{written[: written.startswith(_CURRENCIES)]}{whole}{point}{places}"


def _record(record: Record, plan: Plan, worked: Sequence[Sequence[Exact]], text: str, number: int) -> Record | None:
    """Build the new record; None unless the checker finds each of its steps valid."""
    steps = [step.rewritten(row[:-1], row[-1]) for step, row in zip(plan.steps, worked, strict=True)]
    if any(verdict.status is not Status.VALID for verdict in check_chain(steps)):
        return None
    answer = _answer_like(split_response(record.response).answer, worked[plan.answer][-1])
    whole = record.output.startswith(THINK)
    return Record(
        input=text,
        output=render_response(steps, answer) if whole else answer,
        domain=record.domain,
        level=record.level,
        steps=() if whole else tuple(steps),
        source=MULTIPLIED_SOURCE,
        id=f"{record.id}/x{number}",
    )
