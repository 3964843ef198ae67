"""`tuili train`: a recipe to a model folder. A model's training is left to `tuili.train`, a verifier's and
the teaching of an imported model to `tuili.posttrain`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuili.cli.app import EXIT_INTERRUPTED
from tuili.cli.options import parse_folder, progress_bar
from tuili.errors import InputError


def run(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or a shipped recipe's name.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe.")
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Folder of the run; by default runs/RECIPE.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint.")] = False,
) -> None:
    """Train a model by a recipe, for example: tuili train nano train.steps=2000 --out runs/mine

    The model is written to OUT/model. Ctrl-C saves a checkpoint first; --resume goes on from it and ends with
    exactly the weights of a run that was never interrupted. docs/training.md explains more. A recipe with the section
    `verifier` trains a verifier for a model (docs/verifier.md), one with the section `teach` teaches an imported model
    to reason in steps (docs/real-models.md).
    """
    folder = Path("runs", Path(recipe).stem) if out is None else parse_folder("--out", out)
    from tuili.config import has_section, load_recipe

    trains_verifier = has_section(recipe, "verifier")  # raises for a recipe that is not there, before torch is imported
    teaches = has_section(recipe, "teach")
    from tuili.files import check_file_place
    from tuili.train import RUN_FILE, Recipe, train

    if resume and not (folder / RUN_FILE).is_file():
        raise InputError(f"{folder} holds no run that could go on: leave --resume out to begin one there")
    if trains_verifier:
        _train_verifier(recipe, overrides or [], folder, resume)
        return
    if teaches:
        _teach(recipe, overrides or [], folder, resume)
        return
    settings = load_recipe(recipe, overrides or [], Recipe)
    check_file_place(folder / RUN_FILE)
    outcome = train(settings, folder, resume=resume)
    if outcome.model is None:
        print(f"interrupted: step {outcome.step} is saved, add --resume to the same command to go on")
        raise typer.Exit(EXIT_INTERRUPTED)
    minutes = outcome.seconds / 60
    print(f"{outcome.model}: {outcome.step} steps, {outcome.tokens:,} tokens, {minutes:.1f} minutes")


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
