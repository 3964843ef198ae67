"""The command line's frame: what is imported when, and how each kind of ending looks."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from importlib import import_module
from keyword import iskeyword
from types import ModuleType

import pytest
import typer

from tuili import __version__, cli
from tuili.cli import app
from tuili.errors import CheckpointError, PromptError

HEAVY = {"jinja2", "matplotlib", "numpy", "pydantic", "rich", "tokenizers", "torch", "transformers", "yaml"}
FRAME = {"tuili", "tuili.cli", "tuili.cli.app", "tuili.errors"}
"""Our modules behind every command line."""
PARTS = {
    f"tuili.cli.{name}"
    for name in (
        "auto",
        "compressing",
        "documents",
        "measuring",
        "quality",
        "questions",
        "routing",
        "sharing",
        "show",
        "showing",
        "surveying",
    )
}
"""Parts of verbs that have files of their own."""
MAX_MODULES_OF_HELP = 250
"""Modules of all packages that `tuili --help` may import; there are about 150, and each takes time."""


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch):
    """Puts a function in place of the verb `ask`."""

    def install(run) -> None:
        module = ModuleType("tuili.cli.ask")
        module.run = run
        monkeypatch.setitem(sys.modules, "tuili.cli.ask", module)

    return install


IMPORTED = """
import os, sys
from contextlib import redirect_stdout
from io import StringIO
from tuili.cli.app import main
for line in sys.argv[1:]:
    sys.stdout.flush()
    if process := os.fork():
        os.waitpid(process, 0)
        continue
    with redirect_stdout(StringIO()):
        main(line.split())
    print(*sys.modules, flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def imported_by() -> dict[str, set[str]]:
    """For each command line the modules that a process has imported behind it: a copy of one that did nothing yet."""
    lines = ["--help", *(f"{name} --help" for name in app.VERBS)]
    done = subprocess.run([sys.executable, "-c", IMPORTED, *lines], capture_output=True, text=True, check=True)
    return {line: set(said.split()) for line, said in zip(lines, done.stdout.splitlines(), strict=True)}


def of_ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "tuili"}


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_lists_every_verb(arguments, capsys):
    assert app.main(arguments) == 0
    listing = capsys.readouterr().out.split("Commands:")[1]
    assert [line.split()[0] for line in listing.strip().splitlines()] == list(app.VERBS)


def test_summaries_fit_the_listing(capsys):
    app.main(["--help"])
    assert "..." not in capsys.readouterr().out.split("Commands:")[1]


def test_help_imports_little(imported_by):
    """This is what keeps `tuili --help` fast."""
    modules = imported_by["--help"]
    assert of_ours(modules) == FRAME
    assert HEAVY & modules == set()
    assert len(modules) <= MAX_MODULES_OF_HELP


@pytest.mark.parametrize("name", app.VERBS)
def test_the_help_of_a_verb_imports_little_more(name, imported_by):
    modules = imported_by[f"{name} --help"]
    assert of_ours(modules) <= FRAME | {"tuili.cli.options", *PARTS, f"tuili.cli.{name}{'_' * iskeyword(name)}"}
    assert HEAVY & modules <= {"pydantic"}  # typer itself converts arguments with it


def test_what_the_guide_to_verbs_imports_exists():
    lines = re.findall(r"^ +from (tuili\.\S+) import ([\w, ]+?) *(?:#.*)?$", cli.__doc__, re.MULTILINE)
    assert lines
    for module, names in lines:
        assert set(names.split(", ")) <= set(import_module(module).__all__)


def test_version(capsys):
    assert app.main(["--version"]) == 0
    assert capsys.readouterr().out == f"tuili {__version__}\n"


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "tuili", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"tuili {__version__}\n"


def test_a_verb_gets_its_typed_options(verb, capsys):
    def run(count: int, loud: bool = False) -> None:
        typer.echo(f"{count + 1} {loud}")

    verb(run)
    assert app.main(["ask", "3", "--loud"]) == 0
    assert capsys.readouterr().out == "4 True\n"


def test_a_verb_may_have_verbs_of_its_own(monkeypatch, capsys):
    module = ModuleType("tuili.cli.data")
    module.app = typer.Typer()
    module.app.command("first")(lambda: typer.echo("one"))
    module.app.command("second")(lambda: typer.echo("two"))
    monkeypatch.setitem(sys.modules, "tuili.cli.data", module)
    assert app.main(["data", "second"]) == 0
    assert capsys.readouterr().out == "two\n"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (PromptError("the prompt is empty"), 2, "tuili: error: the prompt is empty\n"),
        (CheckpointError("the disk is full"), 1, "tuili: error: the disk is full\n"),
        (KeyboardInterrupt(), 130, "tuili: interrupted\n"),
    ],
)
def test_an_expected_ending_is_one_line_and_a_code(verb, capsys, error, code, line):
    def run() -> None:
        raise error

    verb(run)
    assert app.main(["ask"]) == code
    assert capsys.readouterr().err == line


def test_a_verb_may_choose_its_exit_code(verb):
    def run() -> None:
        raise typer.Exit(3)

    verb(run)
    assert app.main(["ask"]) == 3


def test_deepspeed_warns_nobody_on_standard_output(verb, caplog):
    """It logs there when it is imported, which transformers do wherever it is installed."""

    def run() -> None:
        logging.getLogger("DeepSpeed").warning("Setting accelerator to CPU")
        logging.getLogger("DeepSpeed").error("no process group")

    verb(run)
    assert app.main(["ask"]) == 0
    assert caplog.messages == ["no process group"]


def test_an_unexpected_exception_keeps_its_traceback(verb):
    def run() -> None:
        raise ZeroDivisionError

    verb(run)
    with pytest.raises(ZeroDivisionError):
        app.main(["ask"])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["evla"], ["evla", "eval"]),
        (["--foo"], ["--foo"]),
        (["ask", "--foo"], ["--foo"]),
        (["ask", "many"], ["count", "integer"]),
        (["ask"], ["count"]),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(verb, capsys, arguments, named):
    def run(count: int) -> None:
        raise AssertionError(count)

    verb(run)
    assert app.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tuili: error: ")
    assert all(name in line.lower() for name in named)
