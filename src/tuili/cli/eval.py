"""`tuili eval`: measure a model on unseen problems. The measuring is left to `tuili.eval`."""

from __future__ import annotations

from os.path import realpath
from pathlib import Path
from typing import Annotated

import typer

from tuili.cli.options import (
    CacheOption,
    DataOption,
    DepthOption,
    DomainsOption,
    LanguagesOption,
    LevelsOption,
    ModelArgument,
    NumbersOption,
    RunnerOption,
    WordingOption,
    check_data,
    check_wording,
    find_model,
    learnt_languages,
    load_for,
    parse_depth,
    parse_domains,
    parse_levels,
    parse_list,
    progress_bar,
    result_console,
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
    depth: DepthOption = "auto",
    threshold: Annotated[
        float | None,
        typer.Option(help="Certainty at which a token leaves under auto; the model's own by default."),
    ] = None,
    runner: RunnerOption = "auto",
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
    """Measure accuracy per domain and level on problems that no training ever sees, or on those of a file of yours.

    The same seed gives the same problems on every machine. docs/evaluation.md explains each field of the
    report.
    """
    layers = parse_depth(depth)
    languages = None if language is None else parse_list("--language", language)
    check_wording(wording, *(languages or ()))
    chosen_levels = parse_levels(levels)
    parse_domains(domains)  # what is wrong with them is told before the model is looked for
    if data is not None:
        if full or card or conversations:
            raise InputError(
                "--full, --conversations and --card are for problems that no training sees: leave them out with --data"
            )
        if (domains, levels, per_cell, seed, wording, language) != ("all", "1,2", 200, 0, "seen", None):
            options = "--domains, --levels, --per-cell, --seed, --wording and --language"
            raise InputError(f"--data brings its own problems: leave {options} out")
        check_data(data)
    folder, shape = find_model(model)
    chosen_domains = parse_domains(domains, shape.domains)
    from tuili.cli.show import show_cells, show_conversations, show_scores
    from tuili.eval import EVAL_FILE, EvalSettings, evaluate, write_card, write_html, write_json
    from tuili.files import check_file_place, is_special
    from tuili.train import RUN_FILE, read_log

    settings = EvalSettings(
        domains=chosen_domains,
        levels=chosen_levels,
        per_cell=per_cell,
        seed=seed,
        wording=wording,
        languages=languages or learnt_languages(folder),
        depth=layers,
        threshold=threshold,
        full=full,
        conversations=conversations,
        data=data,
        runner=runner,
        numbers=numbers,
        cache=cache,
    )
    loaded = load_for(model, runner, numbers)
    in_folder = (loaded.path / EVAL_FILE, loaded.path / "README.md") if card else ()
    places = [path for path in (json_file, html_file, *in_folder) if path]
    for number, path in enumerate(places):
        check_file_place(path)
        if not is_special(path) and realpath(path) in map(realpath, places[:number]):
            raise InputError(f"{path} would be written twice: give --json and --html places of their own")
    run_folder = loaded.path.parent
    log = read_log(run_folder) if (run_folder / RUN_FILE).is_file() else []
    with progress_bar() as progress:
        report = {"model": model, **evaluate(loaded, settings, progress)}
    console = result_console()
    show_cells(console, report)
    if conversations:
        show_conversations(console, report["conversations"])
    if data is not None:
        show_scores(console, report)
    if json_file:
        write_json(json_file, report)
    if html_file:
        write_html(html_file, report, f"Evaluation of {model}", loaded.model.config.exit_layers, log)
    if card:
        write_card(loaded.path, report)
