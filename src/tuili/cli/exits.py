"""`tuili exits`: exits for an imported model, so that tokens may leave early. The work is left to `tuili.posttrain`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tuili.cli.options import ModelArgument, parse_folder, parse_numbers, progress_bar
from tuili.errors import InputError


def run(
    model: ModelArgument,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="FILE", help="Questions with answers (JSONL); may be given several times."),
    ] = None,
    at: Annotated[str | None, typer.Option("--at", help="Depths of exits, such as 12,18,24.")] = None,
    way: Annotated[
        str | None, typer.Option("--way", help="frozen: the model stays as it is. joint: its layers learn too.")
    ] = None,
    out: Annotated[str | None, typer.Option(metavar="FOLDER", help="Folder of the run; by default runs/exits.")] = None,
    recipe: Annotated[str, typer.Option(help="A YAML file, or a shipped recipe's name.")] = "exits",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
) -> None:
    """Train exits for an imported model, for example: tuili exits ./smollm2 --at 12,18,24 --data gsm8k.jsonl

    The model with its exits is written to OUT/model. Ctrl-C keeps what is done; --resume goes on from it.
    docs/real-models.md explains more.
    """
    folder = Path("runs", "exits") if out is None else parse_folder("--out", out)
    if not data:
        raise InputError("--data is missing: give files of questions with answers (JSONL) to learn from")
    changes = [*(overrides or [])]
    if at is not None:
        changes.append(f"exits.at={parse_numbers('--at', at)}")
    if way is not None:
        changes.append(f"exits.way={way}")
    from tuili.config import load_recipe
    from tuili.posttrain import ExitsRecipe, train_exits

    plan = load_recipe(recipe, changes, ExitsRecipe).exits
    with progress_bar() as progress:
        result = train_exits(
            model, plan, data, folder, resume=resume, tell=progress, announce=lambda line: print(line, file=sys.stderr)
        )
    figures = result.figures
    print(f"{result.model}: {figures['mean_layers']:.1f} layers a token, {figures['share_of_layers']:.0%} of them")
    print(
        f"next-token accuracy {figures['accuracy']:.1%}, {figures['loss']:.2f} points below full depth, "
        f"on {figures['tokens']:,} tokens; the same token as full depth: {figures['agreement']:.1%}"
    )
