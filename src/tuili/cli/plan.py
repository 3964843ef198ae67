"""`tuili plan`: what a compression, or training with expert parallelism, would take, from a network's shape alone. The
work is left to `tuili.planning`, and showing a plan to `planned` and `planned_experts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tuili.cli.options import JsonFlag
from tuili.cli.sharing import with_options

if TYPE_CHECKING:
    from tuili.planning import RecoverySettings

app = typer.Typer(no_args_is_help=False, help="Plan a compression, or a training, from shapes alone, at any size.")

FromOption = Annotated[
    str,
    typer.Option("--from", metavar="MODEL", help="A size such as 70B, a model folder, config.json, recipe or preset."),
]


@dataclass(frozen=True, kw_only=True)
class RecoveryOptions:
    """Options for the recovery, which all verbs but `train` share."""

    curve: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="A run's folder, or a record, whose recovery is the curve for healing tokens."
        ),
    ] = None
    divergence: Annotated[
        float | None, typer.Option(help="Nats a token from the parent at which it has recovered; by the curve's end.")
    ] = None
    tokens: Annotated[float | None, typer.Option(help="Healing tokens, in place of a curve.")] = None
    tokens_per_second: Annotated[
        float | None, typer.Option("--tokens-per-second", help="How fast the machines heal, for the time.")
    ] = None
    as_json: JsonFlag = False

    @property
    def settings(self) -> RecoverySettings:
        """Raises `InputError` for invalid values."""
        from tuili.planning import RecoverySettings

        return RecoverySettings(self.curve, self.divergence, self.tokens, self.tokens_per_second)


with_recovery = with_options("recovery", RecoveryOptions)


@app.command()
@with_recovery
def factorise(
    source: FromOption,
    to: Annotated[str | None, typer.Option(metavar="SIZE", help="Parameters that stay at most, as in 380B.")] = None,
    keep: Annotated[float | None, typer.Option(help="The same as a share of all.")] = None,
    multiple: Annotated[
        int | None, typer.Option(min=1, help="What ranks are multiples of; 8, and 64 from a hidden size of 2048 on.")
    ] = None,
    *,
    recovery: RecoveryOptions,
) -> None:
    """Matrices as products of smaller ones, for example: tuili plan factorise --from 1.2T --to 380B"""
    settings = recovery.settings
    from tuili.cli.planned import show_plan
    from tuili.planning import plan_factorise, planned_model

    show_plan(plan_factorise(planned_model(source), to, keep, multiple, settings), recovery.as_json)


@app.command()
@with_recovery
def prune(
    source: FromOption,
    share: Annotated[float | None, typer.Option(help="Of the neurons, the share that is removed.")] = None,
    heads: Annotated[int | None, typer.Option(help="Heads of keys and values that stay in each layer.")] = None,
    experts: Annotated[int | None, typer.Option(help="Experts that stay in each layer.")] = None,
    *,
    recovery: RecoveryOptions,
) -> None:
    """Fewer neurons, heads or experts, for example: tuili plan prune --from 70B --share 0.3"""
    settings = recovery.settings
    from tuili.cli.planned import show_plan
    from tuili.planning import plan_prune, planned_model

    show_plan(plan_prune(planned_model(source), share, heads, experts, settings), recovery.as_json)


@app.command()
@with_recovery
def distil(
    source: FromOption,
    to: Annotated[str, typer.Option(metavar="SIZE", help="The student: a size, a preset, or fields that differ.")],
    *,
    recovery: RecoveryOptions,
) -> None:
    """A smaller student, for example: tuili plan distil --from 70B --to 7B"""
    settings = recovery.settings
    from tuili.cli.planned import show_plan
    from tuili.planning import plan_distil, planned_model

    show_plan(plan_distil(planned_model(source), to, settings), recovery.as_json)


@app.command()
@with_recovery
def quantize(
    source: FromOption,
    numbers: Annotated[Literal["int8", "w4a8"], typer.Option(help="Of 8 bits, or weights of 4 bits.")] = "int8",
    cache: Annotated[Literal["int8"] | None, typer.Option(help="Keys and values, too.")] = None,
    *,
    recovery: RecoveryOptions,
) -> None:
    """Whole numbers, for example: tuili plan quantize --from 70B --numbers w4a8"""
    settings = recovery.settings
    from tuili.cli.planned import show_plan
    from tuili.planning import plan_quantize, planned_model

    show_plan(plan_quantize(planned_model(source), numbers, cache, settings), recovery.as_json)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or a shipped recipe's name.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe.")
    ] = None,
    nproc: Annotated[int, typer.Option(min=1, metavar="N", help="Processes, each with a GPU.")] = 8,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Experts divided among processes, for example: tuili plan train r1-7b-experts --nproc 32"""
    from tuili.cli.planned_experts import show_experts
    from tuili.config import load_recipe
    from tuili.planning import plan_experts
    from tuili.train import Recipe

    show_experts(plan_experts(load_recipe(recipe, overrides or [], Recipe), nproc), recipe, as_json)
