"""`tuili calibrate`: what may be promised about a model's answers. The work is left to `tuili.eval`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import typer

from tuili.cli.options import (
    CacheOption,
    DataOption,
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
    check_wording,
    find_model,
    imported_folder,
    learnt_languages,
    load_for,
    parse_domains,
    parse_levels,
    parse_list,
    progress_bar,
    result_console,
)
from tuili.errors import InputError

if TYPE_CHECKING:
    from tuili.eval import LabelledPrompt
    from tuili.store import ImportedModel

Number = TypeVar("Number", int, float)
Progress: TypeAlias = Callable[[str, int, int], None]


def run(
    model: ModelArgument,
    tolerance: Annotated[
        str, typer.Option(help="Shares of wrong answers that requests may tolerate.")
    ] = "0.01,0.02,0.05,0.1",
    delta: Annotated[float, typer.Option(help="Probability that the promise of a class does not hold.")] = 0.05,
    steps: Annotated[str, typer.Option(help="Limits on attempts that requests may have.")] = "1,2,4",
    tokens: Annotated[
        str, typer.Option(help="Limits on tokens; a deadline is kept as the largest that fits.")
    ] = "100,200,400",
    domains: DomainsOption = "all",
    levels: LevelsOption = "1,2,3",
    per_cell: Annotated[int, typer.Option(help="Problems for each domain and level.")] = 60,
    seed: Annotated[int, typer.Option(help="Number of the sample.")] = 0,
    wording: WordingOption = "seen",
    language: LanguagesOption = None,
    data: DataOption = None,
    form: FormOption = "auto",
    runner: RunnerOption = "auto",
    device: DeviceOption = "cpu",
    numbers: NumbersOption = "auto",
    cache: CacheOption = "auto",
) -> None:
    """Promise at most a share of wrong answers: `tuili/calibration.json` in the model's folder, and a picture of it.

    The promise holds for requests that come as the sample does: bring your own with --data. It holds for a model that
    is served with the same --runner, --numbers and --cache.
    """
    tolerances, attempts, limits = (
        _numbers("--tolerance", tolerance, float),
        _numbers("--steps", steps, int),
        _numbers("--tokens", tokens, int),
    )
    chosen_levels = parse_levels(levels)
    parse_domains(domains)  # reports errors before the model is looked up
    languages = None if language is None else parse_list("--language", language)
    check_wording(wording, *(languages or ()))
    if data is not None:
        if (domains, levels, per_cell, wording, language) != ("all", "1,2,3", 60, "seen", None):
            options = "--domains, --levels, --per-cell, --wording and --language"
            raise InputError(f"--data brings its own problems: leave {options} out")
        check_data(data, form)
    elif form != "auto":
        raise InputError("--form is that of a file: give --data FILE, too")
    imported = imported_folder(model)
    if imported is not None and data is None:
        raise InputError(f"{imported} is imported: give --data FILE, questions with answers like those it will get")
    from tuili.cli.show import show_calibration
    from tuili.engine import CALIBRATION_FILE
    from tuili.eval import CalibrationGrid
    from tuili.files import check_file_place
    from tuili.posttrain import calibrate_folder, prompts_of_file
    from tuili.store import FAMILIARITY_FILE

    grid = CalibrationGrid(tolerances, attempts, limits, delta)
    loaded = load_for(model, runner, device, numbers) if imported is None else _open_imported(imported)
    place = loaded.path / CALIBRATION_FILE
    check_file_place(place)
    if data is None:
        folder, shape = find_model(model)
        chosen_domains = parse_domains(domains, shape.domains)
        words = wording, tuple(languages or learnt_languages(folder))
        instructed = shape.conversation == "multi"
        prompts, source = _generated_problems(chosen_domains, chosen_levels, per_cell, seed, *words, instructed)
    else:
        prompts, source = prompts_of_file(data, loaded, seed, form), data.name
    with progress_bar() as progress:
        own = prompts if data is not None else ()
        calibration = calibrate_folder(
            loaded, prompts, source, grid, progress, own, runner=runner, device=device, numbers=numbers, cache=cache
        )
    console = result_console()
    show_calibration(console, calibration)
    told = (
        FAMILIARITY_FILE.name
        if (loaded.path / FAMILIARITY_FILE).is_file()
        else "nothing that tells unfamiliar questions: too few are known"
    )
    console.print(f"{place}, {place.with_suffix('.svg').name} and {told}", soft_wrap=True)


def _open_imported(folder: Path) -> ImportedModel:
    from tuili.store import ImportedModel, open_model

    model = open_model(folder)
    assert isinstance(model, ImportedModel)
    return model


def _numbers(option: str, text: str, kind: Callable[[str], Number]) -> tuple[Number, ...]:
    try:
        return tuple(kind(name) for name in parse_list(option, text))
    except ValueError:
        raise InputError(f"{option} {text[:40]!r}: give numbers separated by commas") from None


def _generated_problems(
    domains: Sequence[str],
    levels: Sequence[int],
    per_cell: int,
    seed: int,
    wording: str,
    languages: tuple[str, ...],
    instructed: bool,
) -> tuple[list[LabelledPrompt], str]:
    """Problems of the validation split, which no training sees, in random order, and a description of them.

    If `instructed`, every second problem follows instructions that training has not seen, as in requests with a system
    message.
    """
    import random

    from tuili.eval import LabelledPrompt
    from tuili.tasks import Ingredient, Split, converse, unseen_problems

    problems = unseen_problems(domains, levels, per_cell, seed, Split.VALIDATION, wording=wording, language=languages)
    random.Random(seed).shuffle(problems)
    source = f"{len(domains)} domains, levels {', '.join(map(str, levels))}, validation split, seed {seed}"
    source += f", {wording} wording in {' and '.join(languages)}"
    if instructed:
        source += ", half of them behind a system message"
        for number in range(1, len(problems), 2):
            rng = random.Random(f"{seed}/{problems[number].id}")
            drawn = converse(problems[number], rng, held_out=True, ingredients=[Ingredient.SYSTEM])
            problems[number] = drawn.asked
    return [LabelledPrompt.of(problem) for problem in problems], source
