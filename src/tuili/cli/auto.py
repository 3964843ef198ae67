"""`tuili compress auto`: the search for a chain of compressions. The work is left to `tuili.compress`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuili.cli.app import EXIT_INTERRUPTED
from tuili.cli.compressing import refuse_resumed_plan
from tuili.cli.options import ModelArgument, check_model, parse_folder, refuse_special

EXIT_MISSED = 3
"""Exit code if a model was made but does not meet all targets."""


def auto(
    model: ModelArgument,
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipes of the ways, as in prune.multiple=8."),
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="-N%", help="How much smaller than the parent's its weights should be.")
    ] = None,
    latency: Annotated[
        str | None, typer.Option(metavar="-N%", help="How much less processor time a token should take.")
    ] = None,
    loss: Annotated[
        str, typer.Option(metavar="N%", help="Of the parent's right answers, how many may be lost.")
    ] = "1%",
    minutes: Annotated[float, typer.Option(help="How long the search takes, all sessions together.")] = 120.0,
    first: Annotated[int, typer.Option(help="Steps of the shortest recoveries.")] = 50,
    candidates: Annotated[int, typer.Option(help="How many chains are tried at most.")] = 27,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What it recovers with; by default what it was trained on at last."),
    ] = None,
    problems: Annotated[
        int, typer.Option(help="On how many problems the search chooses; as many others are for the check.")
    ] = 240,
    test: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Questions for both, in place of unseen problems.")
    ] = None,
    out: Annotated[str, typer.Option(metavar="FOLDER", help="Folder of the run.")] = "runs/auto",
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be tried, and how long it takes.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
) -> None:
    """Search for what meets targets, for example: tuili compress auto nano --size -60% --latency -50% --loss 1%

    Orders and strengths of pruning, factorising, distilling and learning whole numbers are tried within a time. The
    chosen model is written to OUT/model, the front to OUT/front.svg. docs/compress.md explains more.
    """
    folder = parse_folder("--out", out)
    for file in (data, test):
        refuse_special(file)
    check_model(model)
    from rich.console import Console

    from tuili.compress import AutoRun, AutoSettings, Interrupted, Targets

    refuse_resumed_plan(plan, resume)
    settings = AutoSettings(
        Targets.parse(size, latency, loss), minutes, data, test, problems, first, candidates, tuple(changes or ())
    )  # fmt: skip
    run = AutoRun(model, settings, Console(stderr=True))
    try:
        if plan:
            print("\n".join(run.plan().lines))
            return
        report = run.run(folder, resume)
    except (Interrupted, KeyboardInterrupt) as interrupted:
        if plan:
            print("interrupted: the trial is not at its end, and nothing is written")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        saved = str(interrupted) or "what was made and measured is saved"
        print(f"interrupted: {saved}, add --resume to the same command to go on")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    for line in report.lines():
        print(line)
    print(f"{folder / 'model'}: the chosen model; {folder / 'front.svg'}: the front")
    if not report.met:
        raise typer.Exit(EXIT_MISSED)
