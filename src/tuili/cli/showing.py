"""`tuili data show`: show records as training uses them. What is shown is left to `tuili.data.showing`, and how
training reads a file to `tuili.train` and `tuili.posttrain`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuili.cli.show import STYLES
from tuili.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from tuili.data import showing

RECIPE, TEACHING_RECIPE = "adapt", "smollm2-math"
"""The default recipes by which records are shown: for Tuili's own models, and for imported ones."""
SHOWN = 5
MOST_ON_PAGE = 1000
"""Most records or rows on a page: each token takes a hundred bytes of it, and a browser keeps all of them."""
_STYLE_OF = {**STYLES, "unsupported": "yellow", "timeout": "yellow"}


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSONL file of records, or of questions in any form.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Model folder, hub name, shipped or fetched name; by default the recipe's."),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="RECIPE", help=f"Of the training; by default {RECIPE} or {TEACHING_RECIPE}.")
    ] = None,
    record: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Begin with this record of the file, counted from 1.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=100_000, help=f"How many; by default {SHOWN}, or the one of --record.")
    ] = None,
    packed: Annotated[bool, typer.Option("--packed", help="Show rows, as the training packs records.")] = False,
    tokens: Annotated[bool, typer.Option("--tokens", help="Put ¦ between tokens.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="OUT", help="Write a page of HTML instead of printing.")
    ] = None,
) -> None:
    """Show records as they are trained: which tokens are learnt, and what the checker says of each step.

    For example: tuili data show mine.jsonl, or: tuili data show gsm8k.jsonl --model smollm2 --record 7

    Without --recipe the training reads the file alone. With --packed rows are those of the training's beginning: by
    --recipe with all that it reads. docs/data.md explains what is shown.
    """
    from tuili.cli.options import result_console
    from tuili.data import showing
    from tuili.files import check_file_place

    if packed and record is not None:
        raise InputError("--packed shows rows as the training draws them: leave --record out")
    if html is not None:
        check_file_place(html)
        if html.resolve() == file.resolve():
            raise InputError(f"{html} is read, and would be replaced: give --html another place")
        if limit is not None and limit > MOST_ON_PAGE:
            raise InputError(f"--limit {limit}: a page has room for {MOST_ON_PAGE} records or rows: leave --html out")
    feed = _feed(file, model, recipe, overrides or [])
    notes = (f"rows of {feed.capacity} tokens", *feed.notes)
    count = limit or (SHOWN if record is None else 1)
    alone = map(showing.ShownRow.alone, showing.show_records(feed, record or 1, count))
    rows = showing.show_rows(feed, count) if packed else alone
    first = next(rows, None)
    if first is None:
        raise InputError(f"{file} has no record {record}: it has fewer")
    rows, prefix = chain((first,), rows), showing.show_prefix(feed)
    if html is not None:
        summary = showing.write_page(html, file.name, notes, prefix, rows)
        print(f"{html}: {summary}")
        for note in summary.notes:
            print(note)
        return
    console, summary = result_console(), showing.Summary()
    _print_legend(console, notes, prefix, tokens)
    for row in summary.counted(rows):
        if facts := showing.row_facts(row):
            console.print(f"\n{facts}", style="bold")
        for document in row.documents:
            _print_document(console, document, tokens)
        if row.padding:
            console.print(f"\n{row.padding} places of padding, not learnt", style="dim")
    console.print()
    for note in summary.notes:
        console.print(note, style="red")
    console.print(str(summary))


def _feed(file: Path, model: str | None, recipe: str | None, overrides: Sequence[str]) -> showing.Feed:
    """How the chosen training reads the file."""
    from tuili.cli.options import imported_folder
    from tuili.config import has_section

    imported = model is not None and imported_folder(model) is not None
    teaches = imported if recipe is None else has_section(recipe, "teach")
    if model is not None and teaches is not imported:
        kind = "an imported model" if imported else "one of Tuili's own models"
        raise InputError(f"--recipe {recipe} trains another kind of model, and {model} is {kind}: leave one out")
    return (_teaching if teaches else _training)(file, model, recipe, overrides)


def _training(file: Path, model: str | None, recipe: str | None, overrides: Sequence[str]) -> showing.Feed:
    _refuse_other_forms(file)
    from tuili.config import load_recipe
    from tuili.train import Recipe, training_feed

    chosen = [*overrides, *([f"model.start={json.dumps(model)}"] if model else [])]
    return training_feed(load_recipe(recipe or RECIPE, chosen, Recipe), file, recipe is None, _tell)


def _teaching(file: Path, model: str | None, recipe: str | None, overrides: Sequence[str]) -> showing.Feed:
    from tuili.config import load_recipe
    from tuili.posttrain import TeachingFeed, TeachingRecipe, taught_data_with
    from tuili.store import ImportedModel, open_model

    chosen = [*overrides, *([f"teach.model={json.dumps(model)}"] if model else [])]
    config = load_recipe(recipe or TEACHING_RECIPE, chosen, TeachingRecipe).teach
    config = config.model_copy(update={"data": taught_data_with(config.data, file, recipe is None)})
    stored = open_model(config.model)
    if not isinstance(stored, ImportedModel):
        raise InputError(f"{stored.path} is of Tuili's own kind, and the recipe teaches imported models")
    return TeachingFeed(config, stored, file, _tell)


def _refuse_other_forms(file: Path) -> None:
    """Raise `InputError` for a file that training does not read, but that can be converted to one that it reads."""
    from tuili.data import question_form

    form = question_form(file)
    if form not in (None, "records"):
        raise InputError(
            f"{file} has questions in the form {form}: make records of them by tuili data import, or name an imported "
            "model by --model"
        )


def _tell(line: str) -> None:
    from rich.console import Console

    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


def _print_legend(
    console: Console, notes: Sequence[str], prefix: Sequence[showing.ShownToken], separated: bool
) -> None:
    from rich.text import Text

    from tuili.data import showing

    parts = (("+", "bold"), (" has learnt tokens, ", ""), ("⟦masked⟧", "dim"), (" is not learnt; steps: ", ""))
    marks = (("✓ valid", STYLES["valid"]), (", ", ""), ("✗ invalid", STYLES["invalid"]), (", · not decided", "yellow"))
    console.print(Text.assemble(*parts, *marks))
    for note in notes:
        console.print(note, style="dim")
    if prefix:
        console.print("\nbefore every row", style="bold")
        for line in showing.prefix_lines(prefix):
            console.print(_line_text(line, None, separated))


def _print_document(console: Console, document: showing.ShownDocument, separated: bool) -> None:
    from tuili.data import showing

    console.print(f"\n{showing.title(document)}", style="bold")
    console.print(showing.facts(document), style="red" if document.left_out else None)
    for line in showing.shown_lines(document):
        if line.ends_row:
            console.print("---- a row ends here ----", style="red")
        console.print(_line_text(line, document, separated))


def _line_text(line: showing.ShownLine, document: showing.ShownDocument | None, separated: bool) -> Text:
    """A line of the terminal: a sign if some of its tokens are learnt, the verdict's mark, its tokens, and a remark."""
    from rich.text import Text

    from tuili.data import showing

    status = line.step.verdict.status if line.step else None
    text = Text(f"{'+' if line.learnt else ' '} ", "bold")
    text.append(f"{status.mark if status else ' '} ", _STYLE_OF[status] if status else "")
    for place, (masked, run) in enumerate(line.runs):
        text.append(showing.BORDER if separated and place else "", "dim")
        text.append(showing.MASKED[0] if masked else "", "dim")
        for number, piece in enumerate(run):
            text.append(showing.BORDER if separated and number else "", "dim")
            learnt, _, verdict = showing.token_style(piece, document).partition(" ")
            text.append(piece.text, "dim" if learnt == "unlearnt" else _STYLE_OF.get(verdict, "bold"))
        text.append(showing.MASKED[1] if masked else "", "dim")
    if line.step and line.step.remark:
        text.append(f"   {line.step.remark}", "red" if status == "invalid" else "yellow")
    return text
