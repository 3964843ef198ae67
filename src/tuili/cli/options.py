"""What several verbs share: options, the parsing of depths, lists and folders, early checks of a model's folder, the
console that results are printed on, and a progress bar on stderr.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tuili.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from tuili.data import QuestionForm
    from tuili.engine import DeviceName, Numbers, RunnerName
    from tuili.model import LoadedModel
    from tuili.store import ModelSettings

ModelOption = Annotated[str, typer.Option("--model", "-m", help="Model folder, hub name, shipped or fetched name.")]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="Model folder, hub name, shipped or fetched name.")]
DepthOption = Annotated[
    str,
    typer.Option(
        "--depth", help="Layers per token: auto, an exit such as 3 or 12, or exact: all of them, by verified drafts."
    ),
]
EffortOption = Annotated[
    Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None,
    typer.Option(
        "--reasoning-effort",
        help="A budget by its name; none also leaves out the thinking of an imported model whose template can do so.",
    ),
]
CalculatorOption = Annotated[
    Literal["off", "repair", "forced"] | None,
    typer.Option(
        help="Whether the checker puts values into steps: repair replaces wrong ones, forced writes all it can "
        "calculate. As the model was taught, else off.",
    ),
]
RunnerOption = Annotated[
    Literal["auto", "native", "torch"],
    typer.Option(
        "--runner", envvar="TUILI_RUNNER", help="What computes; auto is native where that is possible, else torch."
    ),
]
DeviceOption = Annotated[
    Literal["cpu", "cuda"],
    typer.Option("--device", envvar="TUILI_DEVICE", help="Where it is computed; cuda is a GPU, by torch."),
]
NumbersOption = Annotated[
    Literal["auto", "fp32", "bf16", "int8", "int4"],
    typer.Option(
        "--numbers", envvar="TUILI_NUMBERS", help="Format of weights and products; auto is int8, and fp32 with torch."
    ),
]
CacheOption = Annotated[
    Literal["auto", "fp32", "bf16", "int8"],
    typer.Option(
        "--cache",
        envvar="TUILI_CACHE",
        help="Format of keys and values; auto is bf16, and fp32 with numbers in fp32 and with torch.",
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, max=1024, envvar="TUILI_THREADS", help="Threads that compute; by default as many as help."
    ),
]
DomainsOption = Annotated[
    str, typer.Option("--domains", help="Domains, separated by commas, or all that the model knows.")
]
WordingOption = Annotated[str, typer.Option("--wording", help="Forms of the questions: seen, unseen or all.")]
LanguageOption = Annotated[str, typer.Option("--language", help="Language of the questions: en or zh.")]
LanguagesOption = Annotated[
    str | None,
    typer.Option("--language", help="Languages of the questions, as in en,zh; by default those the model learnt."),
]
LevelsOption = Annotated[str, typer.Option("--levels", help="Levels from 1 to 5, separated by commas.")]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="FILE", help="Questions of your own (JSONL) instead, in any form that is read."),
]
FormOption = Annotated[
    Literal["auto", "records", "gsm8k", "mwp"],
    typer.Option("--form", help="Form of the questions in a file; auto is told by the keys of its first line."),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

MAX_DIGITS = 9
"""Most digits of a number on the command line; Python itself refuses to parse a number of thousands of digits."""

MAX_COLUMNS = 1000
"""More columns than any line of a table here takes."""


def parse_depth(text: str) -> int | Literal["auto", "exact"]:
    """`auto`, `exact` or a number of layers. The model itself checks whether it has an exit there."""
    if text == "auto":
        return "auto"
    if text == "exact":
        return "exact"
    if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS:
        return int(text)
    raise InputError(f"--depth {text[:40]!r}: use auto, exact or a number of layers such as 3, 6, 9 or 12")


def parse_list(option: str, text: str) -> list[str]:
    """The names in `a,b,c`. Raises `InputError` for an empty or a repeated one."""
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise InputError(f"{option} {text!r}: give names separated by commas, each once")
    return names


def parse_domains(text: str, experts: Sequence[str] | None = None) -> Sequence[str]:
    """The names in `a,b,c`; for `all`, every domain or, given a model's experts, those that it was trained on.

    Raises `InputError` for one that does not exist.
    """
    from tuili.tasks import domain_names, read_domains, trained_domains

    if text == "all":
        return domain_names() if experts is None else trained_domains(experts)
    return read_domains(parse_list("--domains", text))


def parse_levels(text: str) -> list[int]:
    """The levels in `1,2`. Raises `InputError` for one that does not exist."""
    from tuili.tasks import LEVELS

    levels = parse_numbers("--levels", text)
    if unknown := set(levels) - set(LEVELS):
        raise InputError(f"--levels: level {min(unknown)} does not exist: use some of {', '.join(map(str, LEVELS))}")
    return levels


def check_wording(wording: str, *languages: str) -> None:
    """Raise `InputError` for a wording or a language that does not exist."""
    from tuili.tasks import Language, Wording

    for option, text, known in (("--wording", wording, Wording), *(("--language", one, Language) for one in languages)):
        if text not in list(known):
            raise InputError(f"{option} {text[:40]!r}: use one of {', '.join(known)}")


def learnt_languages(folder: Path) -> list[str]:
    """The languages named in the recipes of a model's training; English if they name none."""
    from tuili.store import read_lineage
    from tuili.tasks import Language

    named = {name for entry in read_lineage(folder) for name in entry.recipe.get("data", {}).get("languages", ())}
    return [language for language in Language if language in named] or [Language.EN]


def parse_numbers(option: str, text: str) -> list[int]:
    """The numbers in `1,2`. Raises `InputError` for anything that is not a number, and for a repeated one."""
    names = parse_list(option, text)
    if not all(name.isascii() and name.isdigit() and len(name) <= MAX_DIGITS for name in names):
        raise InputError(f"{option} {text[:40]!r}: give numbers separated by commas, as in 1,2")
    return [int(name) for name in names]


def parse_folder(option: str, text: str) -> Path:
    """The folder of that name. Raises `InputError` for an empty name, which would mean the working folder."""
    if not text:
        raise InputError(f"{option} is empty: name a folder")
    return Path(text)


def find_model(name: str) -> tuple[Path, ModelSettings]:
    """The folder and configuration of one of Tuili's own models, without importing torch, which takes seconds.

    Raises `ModelFolderError` if there is no sound folder of such a model.
    """
    from tuili.store import CONFIG_FIELDS, check_files, check_size, count_parameters, read_settings, resolve_model

    path = resolve_model(name)
    check_files(path, CONFIG_FIELDS)
    settings = read_settings(path)
    check_size(path, count_parameters(settings).total)
    return path, settings


def check_model(name: str) -> None:
    """Check the folder of a model that can be asked, Tuili's own or an imported one, before it is loaded.

    Raises `ModelFolderError` if it is not sound.
    """
    from tuili.store import check_model_folder

    check_model_folder(name)


def imported_folder(name: str) -> Path | None:
    """The folder of that name if it contains an imported model, else None. Raises what `check_model` raises."""
    from tuili.store import IMPORTED_TYPES, check_model_folder, model_type

    path = check_model_folder(name)
    return path if model_type(path) in IMPORTED_TYPES else None


def load_for(name: str, runner: RunnerName, device: DeviceName, numbers: Numbers) -> LoadedModel:
    """Load a model for a verb that measures it: in bf16 if torch is to run it in bf16, else in fp32. Our own runner
    converts the weights itself. Raises `InputError` for a GPU that torch does not see, or whose memory is too small.
    """
    import torch
    from torch import nn

    from tuili.engine import check_gpu, default_choice
    from tuili.model import load_model
    from tuili.train import noticing_full_gpu

    check_gpu(device)
    by_torch = runner == "torch" or (runner == "auto" and (device != "cpu" or default_choice().runner == "torch"))
    loaded = load_model(name, torch.bfloat16 if by_torch and numbers == "bf16" else torch.float32)
    with noticing_full_gpu("use --device cpu"):
        nn.Module.to(loaded.model, device)  # transformers' own `to` has another type
    return loaded


def check_data(path: Path, form: Literal["auto"] | QuestionForm = "auto") -> None:
    """Raise `RecordError` for the first line of a data file that is not a question, before a model is loaded."""
    from collections import deque

    from tuili.data import read_questions

    refuse_special(path)
    deque(read_questions(path, form), maxlen=0)


def refuse_special(path: Path | None) -> None:
    """Raise `InputError` for a pipe or a device, because the file is read more than once."""
    from tuili.files import is_special

    if path is None or not os.path.lexists(path):  # also if its name is too long
        return
    if is_special(path) and not path.is_dir():
        raise InputError(f"{path} is a pipe or a device, and is read more than once: give a file")


def result_console() -> Console:
    """The console on stdout: as wide as the terminal, or `MAX_COLUMNS` wide if there is none."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = MAX_COLUMNS
    return console


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr, with one line per task.

    Yields the function that reports progress: the task, the number of finished parts, and the number of all parts.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def report(what: str, finished: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=finished)

        yield report
