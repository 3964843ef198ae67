"""Domains of other packages: what an entry point gives, and what is refused."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tuili.errors import InputError
from tuili.tasks import Draft, Split, domain, domain_names, generate, registry

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tasks.md").read_text()
USE = """
from tuili.steps import Status, check_chain
from tuili.tasks import BUILT_IN_DOMAINS, LEVELS, domain_names, generate, phase, score

assert domain_names() == (*BUILT_IN_DOMAINS, "change") and phase("change") == 2
for level in LEVELS:
    problem = generate("change", 2_000_000_000, 0, level)
    assert [verdict.status for verdict in check_chain(problem.steps, problem.context)] == [Status.VALID]
    assert score(problem, problem.answer) == 1.0
    assert problem.id == f"change/{level}/2000000000/0/en/own"
"""


def install(folder: Path, entry_points: str) -> None:
    """The package of the documentation's page, laid out as an installer would: code and entry points."""
    ((place, code),) = re.findall(r"```python\n# (my_package/\S+)\n(.*?)```", PAGE, re.DOTALL)
    (folder / place).parent.mkdir()
    (folder / place).write_text(code)
    information = folder / "my_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my_package\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[tuili.domains]\n{entry_points}\n")


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(folder)))}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_a_package_adds_a_domain_by_an_entry_point(tmp_path):
    (entry_point,) = re.findall(r'entry-points."tuili.domains"\]\n(.*)\n', PAGE)
    install(tmp_path, entry_point.replace('"', ""))
    finished = run(tmp_path, USE)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_an_entry_point_that_registers_nothing_is_named(tmp_path):
    install(tmp_path, "halving = my_package.my_domain:Change")
    finished = run(tmp_path, "import tuili.tasks; tuili.tasks.domain_names()")
    assert "entry point 'halving' (my_package.my_domain:Change) registers no domain" in finished.stderr


def test_an_entry_point_that_does_not_load_is_refused_in_one_line(tmp_path):
    install(tmp_path, "change = nowhere:Change")
    code = f"import sys; from tuili.cli.app import main; sys.exit(main(['data', 'generate', {str(tmp_path / 'x')!r}]))"
    finished = run(tmp_path, code)
    reason = """ModuleNotFoundError("No module named 'nowhere'")"""
    assert finished.stderr == f"tuili: error: entry point 'change' (nowhere:Change) does not load: {reason}\n"
    assert finished.returncode == 2


@pytest.mark.parametrize(("prompt", "answer"), [("", "2"), ("What is 1 + 1?", " \n"), ("What is 1 + 1?", 2)])
def test_a_draft_without_a_prompt_or_an_answer_is_refused(prompt, answer):
    with pytest.raises(InputError, match="must be a text that is not blank"):
        Draft(prompt, (), answer)


@pytest.fixture
def added():
    """Forgets afterwards what a test has registered."""
    domain_names()
    before = dict(registry.REGISTERED)
    yield
    registry.REGISTERED.clear()
    registry.REGISTERED.update(before)


class Monotone:
    """Asks the same thing every time."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        return Draft("What is 1 + 1?", ("1 + 1 = 2",), "2")


@pytest.mark.usefixtures("added")
def test_a_domain_with_too_few_prompts_cannot_fill_every_split():
    domain("monotone", phase=1)(Monotone)
    split = Split.of_fingerprint(Draft("What is 1 + 1?", (), "2").fingerprint)
    other_split = next(each for each in Split if each is not split)
    assert generate("monotone", split.seed(0), 0, 1).answer == "2"
    with pytest.raises(InputError, match="monotone"):
        generate("monotone", other_split.seed(0), 0, 1)


@pytest.mark.usefixtures("added")
def test_a_name_is_taken_once():
    domain("monotone", phase=1)(Monotone)
    with pytest.raises(InputError, match="registered twice"):
        domain("monotone", phase=2)(Monotone)


@pytest.mark.usefixtures("added")
def test_the_name_of_a_domain_of_before_is_not_given_again():
    with pytest.raises(InputError, match="'fractions' was the name of a part of arithmetic: choose another"):
        domain("fractions", phase=2)(Monotone)


def test_a_phase_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="phase 4"):
        domain("monotone", phase=4)
