"""`tuili quickstart`: train, evaluate, ask and report in one go. Each part is left to its own package."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuili.cli.app import EXIT_INTERRUPTED
from tuili.cli.options import parse_folder, progress_bar, result_console

if TYPE_CHECKING:
    from rich.console import Console

    from tuili.eval import EvalSettings, ScoredResponse
    from tuili.model import LoadedModel
    from tuili.tasks import Problem
    from tuili.train import Recipe, TrainingResult

STARTED_SECONDS = time.perf_counter()  # this module is the first thing that the verb loads
RECIPE = "quickstart"
QUESTION_COUNT = 5
JSON_FILE, HTML_FILE = "report.json", "report.html"

NEXT_STEPS = """
Wrote {out}/report.html (open it in a browser) and {out}/report.json after {seconds:.0f} s. What to try next:
  {tuili} ask {prompt} --model {model}
  {tuili} eval {model} --domains {domains} --levels {levels} --depth 3
  {tuili} info {model}
  {tuili} train {recipe} --out runs/mine train.steps={steps}
"""


def run(
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe.")
    ] = None,
    out: Annotated[str, typer.Option(metavar="FOLDER", help="Folder of the run.")] = "runs/quickstart",
    per_cell: Annotated[int, typer.Option(min=1, help="Test problems for each domain and level.")] = 100,
) -> None:
    """Train a small model from scratch, evaluate it on unseen problems and ask it five questions.

    Writes report.html and report.json beside the model. Run it again to go on after an interruption; delete
    the folder to begin anew.
    """
    folder = parse_folder("--out", out)
    from tuili.cli.show import show_cells
    from tuili.config import load_recipe
    from tuili.eval import EvalSettings, cells_by_domain, evaluate
    from tuili.files import check_file_place
    from tuili.model import load_model
    from tuili.train import Recipe, train

    console = result_console()
    recipe = load_recipe(RECIPE, overrides or [], Recipe)
    levels = [level for level, weight in enumerate(recipe.data.levels, start=1) if weight]
    settings = EvalSettings(
        domains=recipe.data.domain_names,
        levels=levels,
        per_cell=per_cell,
        languages=tuple(recipe.data.languages),
        depths=True,
    )
    questions = _further_questions(settings)
    for file in (JSON_FILE, HTML_FILE):
        check_file_place(folder / file)

    console.print(f"training on {', '.join(settings.domains)} in {folder}")
    moments = [STARTED_SECONDS, time.perf_counter()]
    outcome = train(recipe, folder, resume=True)
    moments.append(time.perf_counter())
    if outcome.model is None:
        console.print(f"interrupted at step {outcome.step}: run the same command again to go on")
        raise typer.Exit(EXIT_INTERRUPTED)
    loaded = load_model(outcome.model)

    console.print("\nevaluating on problems that training never sees")
    with progress_bar() as progress:
        report = evaluate(loaded, settings, progress)
    moments.append(time.perf_counter())
    show_cells(console, report)

    console.print(f"\nasking {QUESTION_COUNT} more unseen questions")
    responses = _ask(console, loaded, questions)

    moments.append(time.perf_counter())
    seconds = moments[-1] - STARTED_SECONDS + outcome.earlier
    figures = {
        "accuracy": {
            name: fmean(cell["accuracy"] for cell in row.values())
            for name, row in cells_by_domain(report["cells"]).items()
        },
        "seconds": round(seconds, 1),
        "seconds_training": round(outcome.seconds, 1),
        "seconds_by_part": _seconds_by_part(moments, outcome),
        "steps": outcome.step,
        "tokens_trained": outcome.tokens,
    }
    _write(folder, recipe, loaded, figures, report, responses)
    prompts = sorted(
        (response.problem.prompt for response in responses), key=lambda prompt: ("\n" in prompt, len(prompt))
    )
    console.print(
        NEXT_STEPS.format(
            out=folder,
            seconds=seconds,
            tuili=_as_called(),
            prompt=shlex.quote(prompts[0]),
            model=shlex.quote(str(outcome.model)),
            domains=",".join(settings.domains),
            levels=",".join(map(str, levels)),
            recipe=RECIPE,
            steps=2 * outcome.step,
        )
    )


def _seconds_by_part(moments: list[float], outcome: TrainingResult) -> dict[str, float]:
    """Where the time went, from the moments between the parts. Earlier sessions count as training."""
    start, train, evaluate, ask = (after - before for before, after in pairwise(moments))
    parts = {
        "start of the program": start,
        **{f"training: {part}": seconds for part, seconds in outcome.spent.items()},
        "training: tokenizer, compilation, checkpoints": train + outcome.earlier - sum(outcome.spent.values()),
        "evaluation": evaluate,
        "questions": ask,
    }
    return {part: round(seconds, 1) for part, seconds in parts.items()}


def _further_questions(settings: EvalSettings) -> list[Problem]:
    """Questions of the hardest level, from each domain in turn, that are in neither the training nor the evaluation.

    Raises `InputError` if a domain has too few different prompts for the evaluation and these questions.
    """
    from tuili.tasks import unseen_problems

    count = settings.per_cell + QUESTION_COUNT
    cells = settings.domains, settings.levels, count, settings.seed
    unseen = unseen_problems(*cells, wording=settings.wording, language=tuple(settings.languages))
    further = [unseen[start + settings.per_cell : start + count] for start in range(0, len(unseen), count)]
    hardest = further[-len(settings.domains) :]
    return [hardest[number % len(hardest)][number // len(hardest)] for number in range(QUESTION_COUNT)]


def _ask(console: Console, loaded: LoadedModel, questions: list[Problem]) -> list[ScoredResponse]:
    """Ask questions, and show how they are answered."""
    from tuili.cli.show import show_answer
    from tuili.engine import explain, load_decoder
    from tuili.eval import answer_problems

    one_by_one = load_decoder(loaded, batch_size=1)
    responses = answer_problems(one_by_one, questions)
    for response in responses:
        problem = response.problem
        console.print(f"\n{problem.prompt}", style="bold")
        show_answer(console, explain(problem.prompt, response.generation, loaded.tokenizer, problem.context))
        if not response.correct:
            console.print(f"wrong: it is {problem.answer}", style="red")
    return responses


def _write(
    folder: Path,
    recipe: Recipe,
    loaded: LoadedModel,
    figures: dict[str, Any],
    report: dict[str, Any],
    responses: list[ScoredResponse],
) -> None:
    """Write the reports, one for programs and one for people."""
    from tuili.eval import sample, write_html, write_json
    from tuili.train import read_log

    questions = [sample(response, loaded.tokenizer) for response in responses]
    write_json(folder / JSON_FILE, {**figures, "evaluation": report, "questions": questions})
    phases: list[tuple[float, int]] = []
    if recipe.curriculum.kind == "phases":
        starts = (0.0, *recipe.curriculum.boundaries)
        phases = [(start * recipe.train.steps, number) for number, start in enumerate(starts, 1) if start < 1]
    write_html(
        folder / HTML_FILE,
        {
            **report,
            "samples": questions,
            "seconds": figures["seconds"],
            "seconds_by_part": figures["seconds_by_part"],
            "seconds_of": "in all, training included",
        },
        "Tuili quickstart",
        loaded.model.config.exit_layers,
        read_log(folder),
        phases,
    )


def _as_called() -> str:
    """The command by which a shell in the working directory runs this program."""
    program = Path(sys.argv[0])
    return _for_shell(program) if program.name == "tuili" else f"{_for_shell(Path(sys.executable))} -m tuili"


def _for_shell(program: Path) -> str:
    """The name alone if the shell finds this very file by it, else the shorter of its absolute and relative path."""
    on_path = shutil.which(program.name)
    if on_path and Path(on_path).absolute() == program.absolute():
        return shlex.quote(program.name)
    relative = os.path.relpath(program)
    return shlex.quote(min(str(program.absolute()), relative if "/" in relative else f"./{relative}", key=len))
