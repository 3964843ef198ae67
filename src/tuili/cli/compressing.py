"""What the verbs of `tuili compress` share: the options of a run, its plan, and the report of its result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from tuili.cli.app import EXIT_INTERRUPTED
from tuili.cli.options import check_model, parse_folder, refuse_special
from tuili.cli.sharing import with_options
from tuili.errors import InputError

if TYPE_CHECKING:
    from tuili.compress import Compression, HealingConfig
    from tuili.config import Config

PROBLEMS = 960
"""Twenty for each domain and level of the shipped model."""
OverridesArgument = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe.")]
Recipe = TypeVar("Recipe", bound="Config")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options that all verbs but `auto` share, and what a verb does with them."""

    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="FILE", help="What it recovers with; by default what it was trained on at last."
        ),
    ] = None
    problems: Annotated[
        int, typer.Option(help="About how many problems accuracy is measured on, before and after; 0 for none.")
    ] = PROBLEMS
    test: Annotated[
        Path | None,
        typer.Option(
            "--test", metavar="FILE", help="Questions that accuracy is measured on, in place of unseen problems."
        ),
    ] = None
    out: Annotated[str, typer.Option(metavar="FOLDER", help="Folder of the run.")]
    recipe: Annotated[str, typer.Option(help="A YAML file, or a shipped recipe's name.")]
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be done, try a little of it for time and memory, and end.")
    ] = False
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False

    def load(
        self, schema: type[Recipe], overrides: Sequence[str] | None, section: str, given: Mapping[str, object]
    ) -> Recipe:
        """The recipe with the overrides and the values of the verb's own options.

        given: option values by the keys of the section that they set; None if an option was not given.
        """
        from tuili.config import load_recipe

        changes = [f"{section}.{key}={value}" for key, value in given.items() if value is not None]
        return load_recipe(self.recipe, [*(overrides or []), *changes], schema)

    def compress(self, compression: Compression, healing: HealingConfig) -> None:
        """Report the plan, and carry it out unless `--plan` is given."""
        from tuili.compress import Measuring, compress, make_plan, tried_plan

        def tell(line: str) -> None:
            print(line, file=sys.stderr)

        refuse_resumed_plan(self.plan, self.resume)
        measuring = Measuring(self.problems, self.test)
        if self.plan:
            found = compression.parent.data(self.data, tell)
            problems = measuring.chosen(compression.parent, found.files)
            plan = make_plan(compression, healing, found, len(problems))
            print("\n".join(tried_plan(plan, compression, healing, found, tell, problems).lines))
            return
        folder = parse_folder("--out", self.out)
        result = compress(compression, healing, self.data, folder, resume=self.resume, measuring=measuring)
        if result.model is None:
            print(f"interrupted: step {result.step} is saved, add --resume to the same command to go on")
            raise typer.Exit(EXIT_INTERRUPTED)
        print(f"{result.model}: {result.step} steps, {result.tokens:,} tokens, {result.seconds / 60:.1f} minutes")
        for line in _told(result.figures):
            print(line)


def refuse_resumed_plan(plan: bool, resume: bool) -> None:
    """Raise `InputError` if both options are given."""
    if plan and resume:
        raise InputError("--plan begins nothing that --resume could go on with: leave one of both out")


def with_run_options(recipe: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace a verb's parameter `run` with the options of a run, by default with `recipe` and in `runs/VERB`.

    The folder, the files and the model, which is the verb's first parameter, are checked before the verb runs.
    """

    def given_to(verb: Callable[..., None]) -> Callable[..., None]:
        @wraps(verb)
        def checked(**given: Any) -> None:
            parse_folder("--out", given["run"].out)
            for file in (given["run"].data, given["run"].test):
                refuse_special(file)
            check_model(given["model"])
            verb(**given)

        return with_options("run", RunOptions, {"recipe": recipe, "out": f"runs/{verb.__name__}"})(checked)

    return given_to


def _told(figures: Mapping[str, float]) -> Iterator[str]:
    """How close the model is to its parent, as far as that was measured."""
    if "agreement" in figures:
        yield (
            f"it predicts the parent's next token {figures['agreement']:.1%} of the time, "
            f"{figures['loss']:.4f} nats a token away"
        )
    if "right" in figures:
        gain, low, high = (100 * figures[name] for name in ("gain", "gain_low95", "gain_high95"))
        yield (
            f"right answers: {figures['right_before']:.1%} -> {figures['right']:.1%} of {figures['problems']:,.0f} "
            f"problems, {gain:+.1f} points (95%: {low:+.1f} to {high:+.1f})"
        )
        levels = [name.removeprefix("right_") for name in figures if name.startswith("right_level_")]
        for level in levels:
            before, after = figures[f"right_before_{level}"], figures[f"right_{level}"]
            yield f"{level.replace('_', ' ')}: {before:.1%} -> {after:.1%}"
