"""`tuili compress`: a model folder into a smaller one. The work is left to `tuili.compress`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tuili.cli.app import EXIT_INTERRUPTED
from tuili.cli.options import ModelArgument, check_model, parse_folder

if TYPE_CHECKING:
    from tuili.compress import Compression, HealingConfig, Measuring

app = typer.Typer(no_args_is_help=False, help="Make a model smaller, and let it recover from that.")
PROBLEMS = 960
"""Twenty of each domain and level of the shipped model."""

OverridesArgument = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe.")]
HealingOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="FILE", help="What it recovers with; by default what it was trained on at last."),
]
ProblemsOption = Annotated[
    int, typer.Option(help="About how many problems accuracy is measured on, before and after; 0 for none.")
]
TestOption = Annotated[
    Path | None,
    typer.Option("--test", metavar="FILE", help="Questions that accuracy is measured on, in place of unseen problems."),
]
OutOption = Annotated[str | None, typer.Option(metavar="FOLDER", help="Folder of the run; by default runs/VERB.")]
PlanFlag = Annotated[
    bool, typer.Option("--plan", help="Say what would be done, try a few steps for time and memory, and end.")
]
ResumeFlag = Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")]


@app.command()
def prune(
    model: ModelArgument,
    overrides: OverridesArgument = None,
    share: Annotated[
        float | None, typer.Option(help="Of the neurons of every layer and expert, the share that is removed.")
    ] = None,
    by: Annotated[
        Literal["magnitude", "activation"] | None, typer.Option("--by", help="What tells which neurons and heads go.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of removal, each with recovery behind it.")] = None,
    heads: Annotated[int | None, typer.Option(help="Heads of keys and values that stay in each layer.")] = None,
    experts: Annotated[int | None, typer.Option(help="Experts that stay in each layer.")] = None,
    experts_by: Annotated[
        Literal["reap", "frequency"] | None, typer.Option("--experts-by", help="What tells which experts go.")
    ] = None,
    data: HealingOption = None,
    problems: ProblemsOption = PROBLEMS,
    test: TestOption = None,
    out: OutOption = None,
    recipe: Annotated[str, typer.Option(help="A YAML file, or a shipped recipe's name.")] = "prune",
    plan: PlanFlag = False,
    resume: ResumeFlag = False,
) -> None:
    """Remove neurons, heads or experts, for example: tuili compress prune nano --share 0.3 --out runs/pruned

    The smaller model is written to OUT/model. It recovers by learning what its parent predicts. Ctrl-C keeps what is
    done; --resume goes on from it. docs/compress.md explains more.
    """
    folder = Path("runs", "prune") if out is None else parse_folder("--out", out)
    given = {
        "share": share, "by": by, "rounds": rounds, "key_value_heads": heads, "experts": experts,
        "experts_by": experts_by,
    }  # fmt: skip
    changes = [f"prune.{key}={value}" for key, value in given.items() if value is not None]
    check_model(model)
    from tuili.compress import Measuring, PruneRecipe, Pruning, open_parent
    from tuili.config import load_recipe

    config = load_recipe(recipe, [*(overrides or []), *changes], PruneRecipe).prune
    measuring = Measuring(problems, test)
    compression = Pruning(open_parent(model, config.healing), config)
    _compress(compression, config.healing, data, measuring, folder, plan, resume)


@app.command()
def factorise(
    model: ModelArgument,
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
    data: HealingOption = None,
    problems: ProblemsOption = PROBLEMS,
    test: TestOption = None,
    out: OutOption = None,
    recipe: Annotated[str, typer.Option(help="A YAML file, or a shipped recipe's name.")] = "factorise",
    plan: PlanFlag = False,
    resume: ResumeFlag = False,
) -> None:
    """Make matrices products of smaller ones, for example: tuili compress factorise nano --keep 0.32 --out runs/factors

    The smaller model is written to OUT/model. It recovers by learning what its parent predicts. Ctrl-C keeps what is
    done; --resume goes on from it. docs/compress.md explains more.
    """
    folder = Path("runs", "factorise") if out is None else parse_folder("--out", out)
    given = {"keep": keep, "ranks": ranks, "by": by, "bases": bases}
    changes = [f"factorise.{key}={value}" for key, value in given.items() if value is not None]
    check_model(model)
    from tuili.compress import FactoriseRecipe, Factorising, Measuring, open_parent
    from tuili.config import load_recipe

    config = load_recipe(recipe, [*(overrides or []), *changes], FactoriseRecipe).factorise
    measuring = Measuring(problems, test)
    compression = Factorising(open_parent(model, config.healing), config)
    _compress(compression, config.healing, data, measuring, folder, plan, resume)


@app.command()
def distil(
    model: Annotated[str, typer.Argument(metavar="TEACHER", help="Model folder, hub name or a shipped model's name.")],
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
    on_policy: Annotated[
        float | None, typer.Option("--on-policy", help="Share of the last steps, in which the student writes.")
    ] = None,
    mask: Annotated[
        bool | None, typer.Option("--mask/--no-mask", help="Leave out what it writes behind the first refuted step.")
    ] = None,
    layers: Annotated[
        Literal["teacher", "new"] | None, typer.Option(help="The teacher's layers to begin with, or new ones.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="How long it learns.")] = None,
    data: HealingOption = None,
    problems: ProblemsOption = PROBLEMS,
    test: TestOption = None,
    out: OutOption = None,
    recipe: Annotated[str, typer.Option(help="A YAML file, or a shipped recipe's name.")] = "distil",
    plan: PlanFlag = False,
    resume: ResumeFlag = False,
) -> None:
    """Teach a smaller student, for example: tuili compress distil nano --to num_groups=1 --out runs/student

    The student is written to OUT/model. It learns what its teacher predicts. Ctrl-C keeps what is done; --resume goes
    on from it. docs/compress.md explains more.
    """
    folder = Path("runs", "distil") if out is None else parse_folder("--out", out)
    given = {
        "to.start": start, "by": by, "layers": layers, "healing.steps": steps, "on_policy": on_policy,
        "mask": None if mask is None else str(mask).lower(),
    }  # fmt: skip
    changes = [f"distil.{key}={value}" for key, value in given.items() if value is not None]
    for part in [] if to is None else to.split(","):
        changes.append(f"distil.to.{'overrides.' if '=' in part else 'preset='}{part.strip()}")
    check_model(model)
    from tuili.compress import Distilling, DistilRecipe, Measuring, open_parent
    from tuili.config import load_recipe

    config = load_recipe(recipe, [*(overrides or []), *changes], DistilRecipe).distil
    measuring = Measuring(problems, test)
    compression = Distilling(open_parent(model, config.healing), config)
    _compress(compression, config.healing, data, measuring, folder, plan, resume)


@app.command()
def qat(
    model: ModelArgument,
    overrides: OverridesArgument = None,
    numbers: Annotated[
        Literal["int8", "w4a8"] | None,
        typer.Option(help="int8, or w4a8: weights of 4 bits in groups of 32 inputs, and inputs of 8."),
    ] = None,
    cache: Annotated[Literal["int8"] | None, typer.Option(help="Round keys and values, too.")] = None,
    steps: Annotated[int | None, typer.Option(help="How long it learns; 0 rounds the weights as they are.")] = None,
    data: HealingOption = None,
    problems: ProblemsOption = PROBLEMS,
    test: TestOption = None,
    out: OutOption = None,
    recipe: Annotated[str, typer.Option(help="A YAML file, or a shipped recipe's name.")] = "quantize",
    plan: PlanFlag = False,
    resume: ResumeFlag = False,
) -> None:
    """Let a model learn whole numbers, for example: tuili compress qat nano --numbers w4a8 --out runs/nano-w4a8

    It learns to predict in them what it predicts in full numbers, and is written to OUT/model. Ctrl-C keeps what is
    done; --resume goes on from it. docs/compress.md explains more.
    """
    folder = Path("runs", "qat") if out is None else parse_folder("--out", out)
    given = {"numbers": numbers, "cache": cache, "healing.steps": steps}
    changes = [f"quantize.{key}={value}" for key, value in given.items() if value is not None]
    check_model(model)
    from tuili.compress import Measuring, QuantizeRecipe, Quantizing, open_parent
    from tuili.config import load_recipe

    config = load_recipe(recipe, [*(overrides or []), *changes], QuantizeRecipe).quantize
    measuring = Measuring(problems, test)
    compression = Quantizing(open_parent(model, config.healing), config)
    _compress(compression, config.healing, data, measuring, folder, plan, resume)


def _compress(
    compression: Compression, healing: HealingConfig, data: Path | None, measuring: Measuring, out: Path,
    only_plan: bool, resume: bool,
) -> None:  # fmt: skip
    """Tell the plan, and carry it out unless it alone is wanted."""
    import sys

    from tuili.compress import compress, make_plan, tried_plan

    def tell(line: str) -> None:
        print(line, file=sys.stderr)

    if only_plan:
        found = compression.parent.data(data, tell)
        plan = make_plan(compression, healing, found, len(measuring.chosen(compression.parent, found.files)))
        print("\n".join(tried_plan(plan, compression, healing, found, tell).lines))
        return
    result = compress(compression, healing, data, out, resume=resume, measuring=measuring)
    if result.model is None:
        print(f"interrupted: step {result.step} is saved, add --resume to the same command to go on")
        raise typer.Exit(EXIT_INTERRUPTED)
    print(f"{result.model}: {result.step} steps, {result.tokens:,} tokens, {result.seconds / 60:.1f} minutes")
    for line in _told(result.figures):
        print(line)


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
