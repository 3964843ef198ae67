"""`tuili data import` and `multiply`: make records from a file of questions. The work is left to `tuili.data`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuili.cli.options import FormOption, progress_bar
from tuili.errors import InputError, TuiliError

if TYPE_CHECKING:
    from tuili.data import Record


def import_questions(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of questions in JSONL.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The JSONL file of records to write.")],
    form: FormOption = "auto",
) -> None:
    """Turn questions of GSM8K, or with equations in prefix notation, into records with checked steps.

    Those are written that may be trained on with their steps: all are valid, and one gives the answer. Tells how many
    questions are so, and how many are not for which reason.
    """
    from tuili.data import ImportOutcome, count_outcomes, read_questions

    _check_place(out, file)
    questions = list(read_questions(file, form))
    written = _write(out, (one.record for one in questions if one.outcome is ImportOutcome.CHECKED))
    for outcome, number in count_outcomes(questions).most_common():
        print(f"{number} of {len(questions)}: {outcome}")
    if not written:
        raise TuiliError(f"{out} is not written: no question has steps that may be trained on")
    print(f"{out}: {written} questions")


def multiply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of questions in JSONL.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The JSONL file of records to write.")],
    times: Annotated[int, typer.Option(min=1, help="Records to make of each.")] = 10,
    seed: Annotated[int, typer.Option(help="Another seed makes other records.")] = 0,
    form: FormOption = "auto",
    held_back: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Questions of which none is made, whatever its numbers. May stand again."),
    ] = None,
) -> None:
    """Make more records of each: with other numbers, names and things, and every step worked out anew.

    Only records whose steps all check are multiplied, and only numbers of which is certain where steps use them are
    changed. Tells how many records yield how many, and how many yield none for which reason.
    """
    from tuili.data import MultiplyReport, masked_question, multiply_all, read_questions

    _check_place(out, file, *(held_back or ()))
    records = [question.record for question in read_questions(file, form)]
    known = {masked_question(one.record.input) for path in held_back or () for one in read_questions(path)}
    report = MultiplyReport()
    with progress_bar() as progress:
        made = multiply_all(
            records, times, seed, report, known, lambda read: progress("records multiplied", read, len(records))
        )
        written = _write(out, made)
    print(f"{report.multiplied} of {report.read} multiplied, {report.short} of these fewer than {times} times")
    for refusal, number in report.refused.most_common():
        print(f"{number} of {report.read} not: {refusal}")
    if not written:
        raise TuiliError(f"{out} is not written: no record could be multiplied")
    print(f"{out}: {written} records")


def _write(out: Path, records: Iterable[Record]) -> int:
    """Write records, and return their number; write no file if there are none."""
    from tuili.data import write_records

    left = iter(records)
    first = next(left, None)
    return 0 if first is None else write_records(out, chain((first,), left))


def _check_place(out: Path, *read: Path) -> None:
    """Raise `InputError` if `out` cannot be written, or would replace a file that is read."""
    from tuili.files import check_file_place, is_special

    check_file_place(out)
    if not is_special(out) and realpath(out) in map(realpath, read):
        raise InputError(f"{out} is read, and would be replaced: give --out another place")
