"""`tuili adapt`: adapt a model to the user's own problems, read from a file. The work is left to `tuili.adapt`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuili.cli.app import EXIT_INTERRUPTED
from tuili.cli.options import FormOption, ModelArgument, parse_folder, parse_list, parse_numbers, progress_bar
from tuili.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from tuili.adapt import Plan


def run(
    model: ModelArgument,
    data: Annotated[Path, typer.Option("--data", metavar="FILE", help="Questions with answers and steps (JSONL).")],
    form: FormOption = "auto",
    out: Annotated[str, typer.Option(metavar="FOLDER", help="Folder of the run.")] = "runs/adapt",
    times: Annotated[int, typer.Option(help="Variants of each question, with other numbers; 0 for none.")] = 10,
    minutes: Annotated[float, typer.Option(help="The longest that teaching may take.")] = 30.0,
    rehearse: Annotated[
        str | None,
        typer.Option(help="Domains that an imported model learns beside them, such as arithmetic,fractions."),
    ] = None,
    exits: Annotated[
        str | None, typer.Option(help="Depths of exits for an imported model, such as 12,18,24; none by default.")
    ] = None,
    no_verifier: Annotated[bool, typer.Option("--no-verifier", help="Train no verifier, which takes a while.")] = False,
    seed: Annotated[int, typer.Option(help="Of the split, the variants and the teaching.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
) -> None:
    """Adapt a model to problems of your own, for example: tuili adapt smollm2 --data mine.jsonl --out runs/adapt

    Checks the file, splits and multiplies the questions, says what it will do and how long that takes, teaches the
    model, finds out what it can promise, and measures it before and after. Ctrl-C keeps what is done; --resume goes on
    from it. docs/adapt.md explains more.
    """
    folder = parse_folder("--out", out)
    options = {"model": model, "data": data, "form": form, "times": times, "minutes": minutes, "seed": seed}
    options["verifier"] = not no_verifier
    if rehearse is not None:
        options["rehearse"] = tuple(parse_list("--rehearse", rehearse))
    if exits is not None:
        options["exits"] = tuple(parse_numbers("--exits", exits))
    from pydantic import ValidationError
    from rich.console import Console

    from tuili.adapt import AdaptOptions, Interrupted, Listener, adapt
    from tuili.cli.options import result_console
    from tuili.train import RUN_FILE

    try:
        chosen = AdaptOptions.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"--{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from None
    console = result_console()
    listener = Listener(console.print, lambda plan: show_plan(console, plan), progress_bar, Console(stderr=True))
    try:
        result = adapt(chosen, folder, resume=resume, listener=listener)
    except (Interrupted, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) and not (folder / RUN_FILE).is_file():
            raise  # nothing has started yet
        console.print(f"interrupted: {str(error) or 'what is done is kept'}; add --resume to go on")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    question = shlex.quote(str(result.document["after"]["rows"][0]["question"]))
    name = shlex.quote(str(result.model))
    console.print(f"\n{folder / 'report.html'} says more. To try the model:")
    console.print(f"  tuili ask {question} --model {name}\n  tuili serve {name}")


def show_plan(console: Console, plan: Plan) -> None:
    """Print the plan as a table."""
    from rich.table import Table

    table = Table("stage", "what it does")
    table.add_column("about", justify="right")
    for stage in plan.stages:
        table.add_row(stage.name, stage.does, _duration(stage.seconds))
    table.add_row("", "all of it", _duration(plan.seconds))
    console.print(table)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
