"""`tuili compress`: compress a model folder. The work is left to `tuili.compress`, and what the verbs share to
`tuili.cli.compressing`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from tuili.cli.auto import auto
from tuili.cli.compressing import OverridesArgument, RunOptions, with_run_options
from tuili.cli.options import ModelArgument

app = typer.Typer(no_args_is_help=False, help="Make a model smaller, and let it recover from that.")


@app.command()
@with_run_options("prune")
def prune(
    model: ModelArgument,
    run: RunOptions,
    overrides: OverridesArgument = None,
    share: Annotated[
        float | None, typer.Option(help="Of the neurons of every layer and expert, the share that is removed.")
    ] = None,
    by: Annotated[
        Literal["magnitude", "activation", "reconstruction"] | None,
        typer.Option("--by", help="What tells which neurons and heads go."),
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of removal, each with recovery behind it.")] = None,
    heads: Annotated[int | None, typer.Option(help="Heads of keys and values that stay in each layer.")] = None,
    experts: Annotated[int | None, typer.Option(help="Experts that stay in each layer.")] = None,
    experts_by: Annotated[
        Literal["reap", "frequency"] | None, typer.Option("--experts-by", help="What tells which experts go.")
    ] = None,
) -> None:
    """Remove neurons, heads or experts, for example: tuili compress prune nano --share 0.3 --out runs/pruned

    The smaller model is written to OUT/model. It recovers by learning what its parent predicts. Ctrl-C keeps what is
    done; --resume goes on from it. docs/compress.md explains more.
    """
    from tuili.compress import PruneRecipe, Pruning, open_parent

    given = {
        "share": share, "by": by, "rounds": rounds, "key_value_heads": heads, "experts": experts,
        "experts_by": experts_by,
    }  # fmt: skip
    config = run.load(PruneRecipe, overrides, "prune", given).prune
    run.compress(Pruning(open_parent(model, config.healing), config), config.healing)


@app.command()
@with_run_options("factorise")
def factorise(
    model: ModelArgument,
    run: RunOptions,
    overrides: OverridesArgument = None,
    keep: Annotated[float | None, typer.Option(help="Of all parameters, the share that stays at most.")] = None,
    ranks: Annotated[
        Literal["dynamic", "uniform"] | None,
        typer.Option(help="Ranks by measured sensitivity, or the same share of each."),
    ] = None,
    by: Annotated[
        Literal["whitened", "plain"] | None, typer.Option("--by", help="Factors for the inputs of samples, or for any.")
    ] = None,
    bases: Annotated[
        Literal["auto", "separate", "shared"] | None, typer.Option(help="Factors of each expert, or shared bases.")
    ] = None,
) -> None:
    """Make matrices products of smaller ones, for example: tuili compress factorise nano --keep 0.32 --out runs/factors

    The smaller model is written to OUT/model. It recovers by learning what its parent predicts. Ctrl-C keeps what is
    done; --resume goes on from it. docs/compress.md explains more.
    """
    from tuili.compress import FactoriseRecipe, Factorising, open_parent

    given = {"keep": keep, "ranks": ranks, "by": by, "bases": bases}
    config = run.load(FactoriseRecipe, overrides, "factorise", given).factorise
    run.compress(Factorising(open_parent(model, config.healing), config), config.healing)


@app.command()
@with_run_options("distil")
def distil(
    model: Annotated[str, typer.Argument(metavar="TEACHER", help="Model folder, hub name or a shipped model's name.")],
    run: RunOptions,
    overrides: OverridesArgument = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Its size: a preset, fields as in num_groups=1,head_dim=16, or both."),
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="MODEL", help="A model with the same tokenizer that goes on as the student.")
    ] = None,
    by: Annotated[
        Literal["logits", "sequence", "data"] | None,
        typer.Option("--by", help="What it learns: its teacher's probabilities, its teacher's chains, or texts alone."),
    ] = None,
    source: Annotated[
        Literal["teacher", "texts"] | None,
        typer.Option(help="Whose chains it learns first: its teacher's, which are written, or its training's."),
    ] = None,
    on_policy: Annotated[
        float | None, typer.Option("--on-policy", help="Share of the last steps, in which the student writes.")
    ] = None,
    mask: Annotated[
        bool | None,
        typer.Option("--mask/--no-mask", help="Leave out what the student writes behind the first refuted step."),
    ] = None,
    layers: Annotated[
        Literal["teacher", "new"] | None, typer.Option(help="The teacher's layers to begin with, or new ones.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="How long it learns.")] = None,
) -> None:
    """Teach a smaller student, for example: tuili compress distil nano --to num_groups=1 --out runs/student

    The student is written to OUT/model. It learns what its teacher predicts. Ctrl-C keeps what is done; --resume goes
    on from it. docs/compress.md explains more.
    """
    from tuili.compress import DistilRecipe, distillation, open_parent, size_changes

    given = {
        "to.start": start, "by": by, "layers": layers, "healing.steps": steps, "source": source, "on_policy": on_policy,
        "mask": None if mask is None else str(mask).lower(),
    }  # fmt: skip
    changes = [*(overrides or []), *([] if to is None else size_changes(to))]
    config = run.load(DistilRecipe, changes, "distil", given).distil
    run.compress(distillation(open_parent(model, config.healing), config), config.healing)


@app.command()
@with_run_options("quantize")
def qat(
    model: ModelArgument,
    run: RunOptions,
    overrides: OverridesArgument = None,
    numbers: Annotated[
        Literal["int8", "w4a8"] | None,
        typer.Option(help="int8, or w4a8: weights of 4 bits in groups of 32 inputs, and inputs of 8."),
    ] = None,
    cache: Annotated[Literal["int8"] | None, typer.Option(help="Round keys and values, too.")] = None,
    rounding: Annotated[
        Literal["nearest", "compensated"] | None,
        typer.Option(help="How weights of 4 bits are rounded at first: others make up for what is lost, or do not."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="How long it learns; 0 rounds the weights alone.")] = None,
) -> None:
    """Let a model learn whole numbers, for example: tuili compress qat nano --numbers w4a8 --out runs/nano-w4a8

    It learns to predict in them what it predicts in full numbers, and is written to OUT/model. Ctrl-C keeps what is
    done; --resume goes on from it. docs/compress.md explains more.
    """
    from tuili.compress import QuantizeRecipe, Quantizing, open_parent

    given = {"numbers": numbers, "cache": cache, "rounding": rounding, "healing.steps": steps}
    config = run.load(QuantizeRecipe, overrides, "quantize", given).quantize
    run.compress(Quantizing(open_parent(model, config.healing, config.rounded), config), config.healing)


app.command()(auto)
