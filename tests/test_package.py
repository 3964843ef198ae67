"""The wheel: what an installation holds, and that it answers without the sources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tuili.config import load_recipe
from tuili.train import Recipe

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what is in the wheel."""
    place = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place / "dist")]
    built = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = (place / "dist").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def run(installed: Path, *arguments: str) -> str:
    """What Python says when it finds Tuili in that folder only, away from the sources."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=installed.parent, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_the_package_and_nothing_else(installed: Path) -> None:
    (about,) = installed.glob("tuili-*.dist-info")
    assert {path.name for path in installed.iterdir()} == {"tuili", about.name}
    assert (about / "licenses" / "LICENSE").is_file()
    assert {path.name for path in (installed / "tuili" / "recipes").iterdir()} == {
        path.name for path in (ROOT / "recipes").iterdir()
    }
    assert (installed / "tuili" / "py.typed").is_file()


def test_it_answers_right_after_installation(installed: Path) -> None:
    assert run(installed, "-c", "import tuili; print(tuili.__file__)").strip() == str(
        installed / "tuili" / "__init__.py"
    )
    answer = json.loads(run(installed, "-m", "tuili", "ask", "Compute 3 + 4.", "--json"))
    assert answer["answer"]
    assert answer["receipt"]["stop"] == "end"


def test_it_finds_its_recipes(installed: Path) -> None:
    code = "from tuili.config import load_recipe; from tuili.train import Recipe; "
    recipe = run(installed, "-c", code + "print(load_recipe('nano', (), Recipe).model_dump_json())")
    assert Recipe.model_validate_json(recipe) == load_recipe("nano", (), Recipe)
