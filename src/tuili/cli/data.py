"""`tuili data`: make problems, clean documents, check data files. The work is left to `tuili.data` and `tuili.tasks`.

The verbs that make records of questions are in `questions`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from textwrap import indent
from typing import Annotated

import typer

from tuili.cli.documents import build, decontaminate, dedup, filter_documents
from tuili.cli.options import (
    DomainsOption,
    LanguageOption,
    LevelsOption,
    WordingOption,
    check_wording,
    parse_domains,
    parse_folder,
    parse_levels,
)
from tuili.cli.quality import teach_quality
from tuili.cli.questions import import_questions, multiply
from tuili.cli.routing import route
from tuili.cli.showing import show
from tuili.cli.surveying import sample, stats
from tuili.errors import RecordError, TuiliError

app = typer.Typer(no_args_is_help=False, help="Make problems, clean documents, check data files.")


@app.command()
def schema() -> None:
    """Print the JSON schema of a line of a data file."""
    import json

    from tuili.data import record_schema

    print(json.dumps(record_schema(), indent=2))


@app.command()
def generate(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The JSONL file to write.")],
    domains: DomainsOption = "all",
    levels: LevelsOption = "1,2",
    count: Annotated[int, typer.Option(min=1, help="Problems for each domain and level.")] = 100,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    seed: Annotated[int, typer.Option(help="Number of the seed in the split.")] = 0,
    wording: WordingOption = "seen",
    language: LanguageOption = "en",
    conversations: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Share of the problems that stand in a conversation.")
    ] = 0.0,
) -> None:
    """Write generated problems as JSONL, each step checked.

    Conversations of the test split have system messages, small talk and follow-ups that no training sees.
    """
    import random

    from tuili.data import Record, write_records
    from tuili.tasks import Problem, Split, converse
    from tuili.tasks import generate as generate_problem

    if split not in list(Split):
        raise typer.BadParameter(f"{split!r} is no split: use {', '.join(Split)}", param_hint="--split")
    check_wording(wording, language)
    first = Split(split).seed(seed)
    make = partial(generate_problem, wording=wording, language=language)

    def record(problem: Problem) -> Record:
        rng = random.Random(f"conversation/{problem.id}")
        if rng.random() >= conversations:
            return Record.of(problem.checked())
        held_out = split == Split.TEST
        return Record.of_conversation(converse(problem, rng, wording=wording, held_out=held_out).checked())

    written = write_records(
        out,
        (
            record(make(name, first, index, level))
            for name in parse_domains(domains)
            for level in parse_levels(levels)
            for index in range(count)
        ),
    )
    print(f"{out}: {written} problems")


@app.command()
def wordings(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="A domain.")],
    wording: WordingOption = "all",
    language: LanguageOption = "en",
    level: Annotated[int, typer.Option(min=1, max=5, help="Level of the problems.")] = 1,
    seed: Annotated[int, typer.Option(help="Number of the seed in the split that is trained on.")] = 0,
) -> None:
    """Print a problem in every form of a domain, with the form's name and the answer as the form asks for it."""
    from tuili.tasks import in_every_form

    check_wording(wording, language)
    problems = in_every_form(domain, seed, level, wording=wording, language=language)
    for problem in problems:
        answer = indent(problem.answer, " " * 5).lstrip()
        print(f"{problem.form}:\n{indent(problem.prompt, '  ')}\n  -> {answer}\n")
    print(f"{domain}: {len(problems)} forms")


@app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSONL file of records.")]) -> None:
    """Count the records of a file, check their steps, and name every bad line, repeated id and invalid step.

    Exit code 1 if there is one.
    """
    from tuili.data import check_records

    report = check_records(file)
    if not report.lines:
        raise RecordError(f"{file} holds no record: write one JSON object a line, see tuili data schema")
    for fault in (*report.errors, *report.repeated, *report.invalid):
        print(fault)
    for (domain, level), number in sorted(report.records.items()):
        print(f"{domain} level {level}: {number} records")
    print("steps: " + (", ".join(f"{n} {status}" for status, n in sorted(report.steps.items())) or "none"))
    if report.verdict:
        raise TuiliError(f"{file}: {report.verdict}")


app.command(name="import")(import_questions)
app.command()(multiply)
app.command()(build)
app.command(name="filter")(filter_documents)
app.command()(teach_quality)
app.command()(dedup)
app.command()(decontaminate)
app.command()(route)
app.command()(show)
app.command()(stats)
app.command()(sample)


@app.command()
def tokenizer(
    out: Annotated[str, typer.Argument(metavar="FOLDER", help="Where the tokenizer is written.")],
    domains: DomainsOption = "all",
    file: Annotated[list[Path] | None, typer.Option(help="A JSONL file to learn from as well.")] = None,
    vocabulary: Annotated[int, typer.Option(help="Most entries.")] = 2048,
) -> None:
    """Train a tokenizer as `tuili train` does, and tell how many tokens a problem of each source takes."""
    folder = parse_folder("FOLDER", out)
    from statistics import fmean

    from tuili.data import (
        TOKENIZER_SAMPLE_RECORDS,
        FileSource,
        Source,
        TaskSource,
        encode_record,
        sample_texts,
        train_tokenizer,
    )
    from tuili.files import check_file_place, writing
    from tuili.model import transformers_tokenizer
    from tuili.tasks import LEVELS

    sources: list[Source] = [TaskSource(name, dict.fromkeys(LEVELS, 1.0), seed=0) for name in parse_domains(domains)]
    sources += [FileSource(path, seed=0) for path in file or []]
    check_file_place(folder / "tokenizer.json")
    trained = train_tokenizer(sample_texts(sources), vocabulary)
    with writing(folder, "choose another place"):
        transformers_tokenizer(trained).save_pretrained(folder)
    for source in sources:
        unseen = [encode_record(trained, source.record(TOKENIZER_SAMPLE_RECORDS + number)) for number in range(100)]
        prompts, responses = zip(*((one.prompt_length, one.response_length) for one in unseen), strict=True)
        print(f"{source.name}: {fmean(prompts):.0f} + {fmean(responses):.0f} tokens")
    print(f"{folder}: {trained.size} entries")
