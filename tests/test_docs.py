"""The documents: every page is listed, every link leads somewhere, every example does what it says, and every
command line is one that `tuili` takes.
"""

from __future__ import annotations

import doctest
import io
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from tuili.cli import quickstart, showing
from tuili.cli.app import VERBS, build_command
from tuili.config import has_section, load_recipe
from tuili.errors import InputError

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
BLOCK = re.compile(r"```.*?```", re.DOTALL)
QUOTED_OR_COMMENT = re.compile(r"""'[^']*'|"[^"]*"|\s#.*""")
COMMANDS = [
    pytest.param(line, id=f"{page.name}: {line}")
    for page in PAGES
    for block in BLOCK.findall(page.read_text())
    for line in map(str.strip, block.splitlines())
    if re.match(r"(\S+ )*?(\S*/)?tuili\s", line) and not line.startswith("#")
]


def check_command(line: str) -> None:
    """Raise unless a shell hands `line` over as it stands and `tuili` takes it; nothing is run."""
    bare = QUOTED_OR_COMMENT.sub("", line)
    assert not re.search(r"[][{}()<>*?|&;$`~!]", bare), "needs quotes"
    program, *arguments = shlex.split(line, comments=True)
    if program == "torchrun":
        program, *arguments = arguments[1 + arguments.index("-m") :]
    assert program == "tuili"
    command = typer.main.get_command(build_command(arguments))
    context, name = command.make_context("tuili", list(arguments)), ""
    while isinstance(command, TyperGroup):
        words = [*context._protected_args, *context.args]
        assert words, "no verb"
        verb, subcommand, rest = command.resolve_command(context, words)
        assert verb and subcommand
        name, command = verb, subcommand
        context = command.make_context(name, rest, parent=context)
    if "overrides" in context.params:
        from tuili.compress import DistilRecipe, FactoriseRecipe, PruneRecipe, QuantizeRecipe
        from tuili.data.pipeline import BuildRecipe
        from tuili.posttrain import ExitsRecipe, TeachingRecipe, VerifierRecipe
        from tuili.train import Recipe

        recipe = context.params.get("recipe", name) or showing.RECIPE
        of_reader = recipe.endswith(".yaml") and not Path(recipe).exists()
        recipe = "base" if of_reader else recipe
        others = {
            "verifier": VerifierRecipe, "exits": ExitsRecipe, "teach": TeachingRecipe, "prune": PruneRecipe,
            "quantize": QuantizeRecipe, "factorise": FactoriseRecipe, "build": BuildRecipe, "distil": DistilRecipe,
        }  # fmt: skip
        schema = next((schema for section, schema in others.items() if has_section(recipe, section)), Recipe)
        load_recipe(recipe, context.params["overrides"] or [], schema)


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_every_package_stands_in_the_tables(page: str) -> None:
    listed = re.findall(r"^\| \[`(\w+)`\]\(\S*src/tuili/\w+\) \|", (ROOT / page).read_text(), re.MULTILINE)
    assert {file.parent.name for file in (ROOT / "src/tuili").glob("*/__init__.py")} <= set(listed)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    listed = {(index.parent / link).resolve() for link in LINK.findall(index.read_text())}
    assert set((ROOT / "docs").glob("*.md")) - {index} <= listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_do_what_they_say(page: Path) -> None:
    text = re.sub(r"^\s*```.*$", "", page.read_text(), flags=re.MULTILINE)  # a fence is no output
    runner = doctest.DocTestRunner()
    runner.run(doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0))
    assert runner.failures == 0


def test_every_verb_and_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        code = " ".join(re.findall(r"```.*?```|`[^`]+`", page.read_text(), re.DOTALL))
        assert set(re.findall(r"\btuili ([a-z]+)\b(?!:)", code)) <= set(VERBS), page.name
        assert set(re.findall(r"\bmake ([a-z]+)\b", code)) <= targets, page.name


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_line_is_one_that_tuili_takes(line: str) -> None:
    check_command(line)


@pytest.mark.parametrize(
    "line",
    [
        "tuili tarin nano",
        "tuili train",
        "tuili data",
        "tuili data chek mine.jsonl",
        "tuili data check mine.jsonl   count records",
        "tuili eval nano --fulll",
        "tuili eval nano --per-cell many",
        "tuili info nano micro",
        "tuili ask What is 1 + 1?",
        "tuili ask 'What is 1 + 1?' --model",
        "tuili ask 'What is 1 + 1?",
        "tuili train nano   a shipped recipe, by its bare name",
        "tuili train nano train.stpes=3",
        "tuili train mine.yaml data.levels=[1,1]",
        "tuili train mine.yaml optimizer.kind=adam",
        "tuili quickstart train.steps=many",
        "$ tuili info nano",
        ".venv/bin/tuili info nano",
    ],
)
def test_a_command_line_that_tuili_does_not_take_is_found(line: str) -> None:
    with pytest.raises((AssertionError, ValueError, InputError, typer.TyperException)):
        check_command(line)


def test_what_the_quickstart_suggests_is_what_tuili_takes() -> None:
    values = {"tuili": "tuili", "out": "run", "seconds": 1.0, "prompt": "'1 + 1'", "model": "run/model"}
    shown = quickstart.NEXT_STEPS.format(**values, domains="arithmetic", levels="1", recipe=quickstart.RECIPE, steps=2)
    lines = [line.strip() for line in shown.splitlines() if line.startswith("  ")]
    assert len(lines) == 4
    for line in lines:
        check_command(line)


@pytest.mark.parametrize(
    ("called", "path", "shown"),
    [
        ("{here}/bin/tuili", "", "bin/tuili"),
        ("bin/tuili", "", "bin/tuili"),
        ("./tuili", "", "./tuili"),
        ("{here}/bin/tuili", "{here}/bin", "tuili"),
        ("{here}/a b/tuili", "{here}/bin", "'a b/tuili'"),
        ("{here}/tuili/__main__.py", "{here}/bin", "python -m tuili"),
        ("{here}/tuili/__main__.py", "", "bin/python -m tuili"),
    ],
)
def test_the_quickstart_names_tuili_as_it_was_called(
    called: str, path: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("tuili", "python"):
        (tmp_path / "bin" / name).touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [called.format(here=tmp_path)])
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", path.format(here=tmp_path))
    assert quickstart._as_called() == shown


def test_the_answer_on_the_page_is_printed_as_tuili_ask_prints_it() -> None:
    from rich.console import Console

    from tuili.cli.show import show_answer
    from tuili.engine import Answer, CheckedStep, Receipt
    from tuili.steps import check_chain

    shown = re.search(r"```text\n(.*?)```", (ROOT / "docs" / "asking.md").read_text(), re.DOTALL)
    assert shown
    *_, answer, receipt = shown[1].splitlines()
    steps = re.findall(r"^  \S (.*?) +([0-9.]+) layers", shown[1], re.MULTILINE)
    tokens, mean_depth, *times = map(float, re.findall(r"([0-9.]+)(?= tokens| layers| ms|,|\))", receipt))
    verdicts = check_chain([text for text, _ in steps])
    printed = io.StringIO()
    show_answer(
        Console(file=printed, highlight=False),
        Answer(
            prompt="",
            answer=answer,
            steps=tuple(
                CheckedStep(text, verdict, float(depth), ())
                for (text, depth), verdict in zip(steps, verdicts, strict=True)
            ),
            receipt=Receipt(
                attempts=1,
                milliseconds=dict(zip(("total", "prefill", "decode"), times, strict=True)),
                tokens={"generated": int(tokens)},
                mean_depth=mean_depth,
                layer_steps=0,
                stop="end",
                checked={"valid": sum(verdict.status == "valid" for verdict in verdicts)},
            ),
        ),
    )
    assert printed.getvalue() == shown[1]
