"""`tuili eval`: measure a model on unseen problems or on a file of questions. The work is left to `measuring`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuili.cli.measuring import measure_file, measure_unseen, refuse_imported
from tuili.cli.options import (
    CacheOption,
    CalculatorOption,
    DataOption,
    DepthOption,
    DeviceOption,
    DomainsOption,
    FormOption,
    LanguagesOption,
    LevelsOption,
    ModelArgument,
    NumbersOption,
    RunnerOption,
    WordingOption,
    check_data,
    check_model,
    check_wording,
    find_model,
    learnt_languages,
    parse_depth,
    parse_domains,
    parse_levels,
    parse_list,
)
from tuili.errors import InputError


def run(
    model: ModelArgument,
    domains: DomainsOption = "all",
    levels: LevelsOption = "1,2",
    per_cell: Annotated[int, typer.Option(help="Problems for each domain and level.")] = 200,
    seed: Annotated[int, typer.Option(help="Number of the test set.")] = 0,
    wording: WordingOption = "seen",
    language: LanguagesOption = None,
    data: DataOption = None,
    form: FormOption = "auto",
    seen: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Questions of training, with --data: tell accuracy without them, too."),
    ] = None,
    max_steps: Annotated[int | None, typer.Option(help="Most attempts at a question of --data. 1 by default.")] = None,
    max_attempts: Annotated[int | None, typer.Option(help="Another name of --max-steps.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Most tokens for a question of --data, in all attempts. 400 by default.")
    ] = None,
    all_attempts: Annotated[
        bool, typer.Option("--all-attempts", help="Make every attempt at a question of --data: they vote.")
    ] = False,
    calculator: CalculatorOption = None,
    depth: DepthOption = "auto",
    threshold: Annotated[
        float | None,
        typer.Option(help="Certainty at which a token leaves under auto; the model's own by default."),
    ] = None,
    runner: RunnerOption = "auto",
    device: DeviceOption = "cpu",
    numbers: NumbersOption = "auto",
    cache: CacheOption = "auto",
    full: Annotated[bool, typer.Option("--full", help="Compare depths and measure experts as well.")] = False,
    conversations: Annotated[
        bool, typer.Option("--conversations", help="Ask the same problems in conversations, too.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report here.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the page here.")] = None,
    card: Annotated[bool, typer.Option("--card", help="Write report and model card into the folder.")] = False,
) -> None:
    """Measure accuracy per domain and level on problems that no training ever sees, or on the questions of a file.

    The same seed gives the same problems on every machine. An imported model is measured on files alone.
    docs/evaluation.md explains each field of the report.
    """
    layers = parse_depth(depth)
    languages = None if language is None else parse_list("--language", language)
    check_wording(wording, *(languages or ()))
    chosen_levels = parse_levels(levels)
    parse_domains(domains)  # reports errors before the model is looked up
    limits = {"max_steps": max_steps, "max_attempts": max_attempts, "max_tokens": max_tokens}
    given = {name: value for name, value in limits.items() if value is not None}
    if data is not None:
        if full or card or conversations:
            raise InputError(
                "--full, --conversations and --card are for problems that no training sees: leave them out with --data"
            )
        if (domains, levels, per_cell, seed, wording, language) != ("all", "1,2", 200, 0, "seen", None):
            options = "--domains, --levels, --per-cell, --seed, --wording and --language"
            raise InputError(f"--data brings its own problems: leave {options} out")
        check_data(data, form)
        for file in seen or ():
            check_data(file)
        check_model(model)
        from tuili.engine import Budget, parse_settings
        from tuili.eval import FileSettings

        budget = parse_settings(Budget, given, lambda name: f"--{name.replace('_', '-')}")
        settings = FileSettings(
            data=data,
            form=form,
            seen=tuple(seen or ()),
            budget=budget,
            all_attempts=all_attempts,
            calculator=calculator,
            depth=layers,
            threshold=threshold,
            runner=runner,
            device=device,
            numbers=numbers,
            cache=cache,
        )
        measure_file(model, settings, json_file, html_file)
        return
    if form != "auto" or seen or given or all_attempts or calculator:
        options = "--form, --seen, --max-steps, --max-attempts, --max-tokens, --calculator and --all-attempts"
        raise InputError(f"{options} are for the questions of a file: give --data FILE, too")
    refuse_imported(model)
    folder, shape = find_model(model)
    from tuili.eval import EvalSettings

    unseen = EvalSettings(
        domains=parse_domains(domains, shape.domains),
        levels=chosen_levels,
        per_cell=per_cell,
        seed=seed,
        wording=wording,
        languages=languages or learnt_languages(folder),
        depth=layers,
        threshold=threshold,
        full=full,
        conversations=conversations,
        runner=runner,
        device=device,
        numbers=numbers,
        cache=cache,
    )
    measure_unseen(model, unseen, json_file, html_file, card)
