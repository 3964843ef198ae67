"""`tuili train`: make a model folder from a recipe. Training a model is left to `tuili.train`, and training a verifier
or teaching an imported model to `tuili.posttrain`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tuili.cli.app import EXIT_INTERRUPTED
from tuili.cli.options import parse_folder, progress_bar
from tuili.errors import InputError

if TYPE_CHECKING:
    from tuili.train import Recipe

OTHERS_WAIT_SECONDS = 10
"""How long other processes wait for the first one of their machine before they report an error themselves."""


def run(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or a shipped recipe's name.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe.")
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Folder of the run; by default runs/RECIPE.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint.")] = False,
    nproc: Annotated[int | None, typer.Option(min=1, metavar="N", help="Train in N processes on this machine.")] = None,
    restarts: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Go on N times after a process was killed; by default 5.")
    ] = None,
) -> None:
    """Train a model by a recipe, for example: tuili train nano train.steps=2000 --out runs/mine

    The model is written to OUT/model. Ctrl-C saves a checkpoint first; --resume goes on from it and ends with
    exactly the weights of a run that was never interrupted. docs/training.md explains more. A recipe with the section
    `verifier` trains a verifier for a model (docs/verifier.md), one with the section `teach` teaches an imported model
    to reason in steps (docs/real-models.md). docs/distributed.md tells of several processes and machines.
    """
    folder = Path("runs", Path(recipe).stem) if out is None else parse_folder("--out", out)
    from tuili.config import has_section

    with _one_by_one():
        kind = next((section for section in ("verifier", "teach") if has_section(recipe, section)), None)
        from tuili.files import check_file_place
        from tuili.train import RUN_FILE

        check_file_place(folder / RUN_FILE)
        if resume and not (folder / RUN_FILE).is_file():
            raise InputError(f"{folder} holds no run that could go on: leave --resume out to begin one there")
        if kind is not None and (nproc, restarts) != (None, None):
            raise InputError(f"--nproc and --restarts: a recipe with the section {kind} trains in one process")
    if kind is None:
        _train(recipe, overrides or [], folder, resume, nproc, restarts)
    else:
        {"verifier": _train_verifier, "teach": _teach}[kind](recipe, overrides or [], folder, resume)


def _train(
    recipe: str, overrides: list[str], folder: Path, resume: bool, nproc: int | None, restarts: int | None
) -> None:
    from tuili.config import load_recipe
    from tuili.train import (
        EXIT_ALONE,
        Place,
        Recipe,
        ReplicaDied,
        RunFolder,
        check_place,
        check_replicas,
        tell_loss,
        train,
    )

    with _one_by_one():
        settings = load_recipe(recipe, overrides, Recipe)
        started = Place.find()
        by_itself, alone = settings.train.dist.backend == "replicas", started is None or started.world_size == 1
        if nproc is not None and started is not None and not (by_itself and alone):
            raise InputError("--nproc starts processes, and torchrun has started this one: leave one of them out")
        if not by_itself:
            if nproc is not None:
                _launch(settings, recipe, overrides, folder, resume, nproc, restarts)
            if restarts is not None:
                raise InputError("--restarts goes with --nproc; torchrun has an option --max-restarts of its own")
        elif started is not None and not alone:
            check_replicas(settings.train, started)
            if started.rank > 0:
                raise SystemExit(0)  # process 0 starts replicas, with which it shares memory
            nproc = started.world_size
        if by_itself and nproc is not None:
            settings = load_recipe(recipe, [*overrides, f"train.replicas={nproc}"], Recipe)
        place = check_place(settings.train)
    resume = resume or (started is not None and RunFolder(folder).begun_by_torchrun())
    is_first = place is None or place.rank == 0
    try:
        outcome = train(settings, folder, resume=resume, restarts=restarts)
    except ReplicaDied as error:
        tell_loss(place, error)
        raise SystemExit(EXIT_ALONE) from error
    if not is_first:
        raise SystemExit(EXIT_INTERRUPTED if outcome.model is None else 0)
    if outcome.model is None:
        print(f"interrupted: step {outcome.step} is saved, add --resume to the same command to go on")
        raise typer.Exit(EXIT_INTERRUPTED)
    minutes = outcome.seconds / 60
    print(f"{outcome.model}: {outcome.step} steps, {outcome.tokens:,} tokens, {minutes:.1f} minutes")


def _launch(
    settings: Recipe,
    recipe: str,
    overrides: list[str],
    folder: Path,
    resume: bool,
    nproc: int,
    restarts: int | None,
) -> NoReturn:
    """Start this command in `nproc` processes, and exit with their exit code."""
    from tuili.train import MAX_RESTARTS, RUN_FILE, RunFolder, check_count, launch

    check_count(settings.train, nproc)
    RunFolder(folder).recorded(resume)  # raises if the first process would
    command = ["-m", "tuili", "train", recipe, *overrides, "--out", str(folder), *(["--resume"] if resume else [])]
    most = MAX_RESTARTS if restarts is None else restarts
    raise SystemExit(
        launch(command, nproc, most, (folder / RUN_FILE).is_file, lambda line: print(line, file=sys.stderr))
    )


@contextmanager
def _one_by_one() -> Iterator[None]:
    """Let the first of a machine's processes report an error in the command line that started them all.

    When it exits, the others are ended. If it does not exit, because it has no such error, another process reports its
    own. Processes on other machines are told of the error.
    """
    try:
        yield
    except InputError as error:
        if (rank := os.environ.get("RANK")) is None:
            raise
        from tuili.train import tell_other_machines

        tell_other_machines(str(error))
        if os.environ.get("LOCAL_RANK", "0") != "0":
            time.sleep(OTHERS_WAIT_SECONDS)
        if rank == "0":
            raise
        raise InputError(f"process {rank}: {error}") from error


def _teach(recipe: str, overrides: list[str], folder: Path, resume: bool) -> None:
    from tuili.config import load_recipe
    from tuili.posttrain import TeachingRecipe, teach

    result = teach(load_recipe(recipe, overrides, TeachingRecipe).teach, folder, resume=resume)
    if result.model is None:
        print(f"interrupted: step {result.step} is saved, add --resume to the same command to go on")
        raise typer.Exit(EXIT_INTERRUPTED)
    print(f"{result.model}: {result.step} steps, {result.tokens:,} tokens, {result.seconds / 60:.1f} minutes")
    if result.adapter is not None:
        print(f"{result.adapter}: what has changed, as an adapter in PEFT's format")


def _train_verifier(recipe: str, overrides: list[str], folder: Path, resume: bool) -> None:
    from tuili.config import load_recipe
    from tuili.posttrain import VerifierRecipe, train_verifier

    plan = load_recipe(recipe, overrides, VerifierRecipe).verifier
    with progress_bar() as progress:
        outcome = train_verifier(plan, folder, resume=resume, tell=progress)
    figures = outcome.figures
    print(f"{outcome.model}: {figures['chains']:,} chains, {figures['tokens']:,} tokens")
    if "f1_held_out" in figures:
        print(f"first errors of {', '.join(plan.held_out)}: F1 {figures['f1_held_out']:.3f}")
    for name in ("answer", "step"):
        if figures[f"{name}s"]:
            auroc, ece = figures[f"{name}_auroc"], figures[f"{name}_ece"]
            print(f"{name}s that the model wrote: AUROC {auroc:.3f}, calibration error {ece:.3f}")
