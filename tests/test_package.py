"""The wheel: what an installation holds, that it answers without the sources, and what its native library is."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.debian import needs
from tuili.config import shipped_recipes
from tuili.native.build import PREBUILT, find_compiler

ROOT = Path(__file__).parents[1]
LOAD = "from tuili.native import load; print(load())"
QUICK = """#!/bin/sh
case "$*" in *-mavx2*) exit 1 ;; esac
exec {compiler} "$@" -O0
"""


def build(sources: Path, place: Path, kind: str = "wheel", **variables: str) -> tuple[Path, list[str]]:
    """The file that hatch builds of the sources, and its warnings."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(place)]
    environment = os.environ | variables
    built = subprocess.run(command, cwd=sources, env=environment, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (file,) = place.iterdir()
    *warnings, named = built.stderr.splitlines()
    assert named == str(file)
    return file, warnings


def install(wheel: Path, site: Path) -> Path:
    """What pip makes of a wheel: it refuses one that is not for this machine."""
    quick = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *quick, "--target", site, wheel]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return site


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel as it is built on this machine, but by a compiler that does not optimise and knows no AVX2, in a
    fifth of the time."""
    variables = {}
    if compiler := find_compiler():
        quick = tmp_path_factory.mktemp("compiler") / "c++"
        quick.write_text(QUICK.format(compiler=shlex.quote(compiler)))
        quick.chmod(0o755)
        variables["CXX"] = str(quick)
    return build(ROOT, tmp_path_factory.mktemp("dist"), **variables)[0]


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources without models and adapters, which take most of the time of a build."""
    folder = tmp_path_factory.mktemp("light")
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    left_out = shutil.ignore_patterns("models", "adapters", "__pycache__")
    shutil.copytree(ROOT / "src", folder / "src", ignore=left_out)
    return folder


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with that wheel's installation."""
    return install(wheel, tmp_path_factory.mktemp("wheel") / "site")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installation of a wheel as others get it, optimised in full."""
    return install(build(ROOT, tmp_path_factory.mktemp("dist"))[0], tmp_path_factory.mktemp("published") / "site")


def run(installed: Path, *arguments: str, through: Sequence[str] = (), **variables: str) -> str:
    """What Python says when it finds Tuili in that folder only, away from the sources."""
    environment = os.environ | {"PYTHONPATH": str(installed)} | variables
    command = [*through, sys.executable, *arguments]
    done = subprocess.run(command, cwd=installed.parent, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(installed: Path, **variables: str) -> dict[str, Any]:
    """The receipt of an answer."""
    answer = json.loads(run(installed, "-m", "tuili", "ask", "Compute 3 + 4.", "--json", **variables))
    assert answer["answer"]
    return answer["receipt"]


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_it_holds_the_package_and_nothing_else(installed: Path) -> None:
    (about,) = installed.glob("tuili-*.dist-info")
    assert {path.name for path in installed.iterdir()} == {"tuili", "bin", about.name}
    assert (about / "licenses" / "LICENSE").is_file()
    assert {path.name for path in (installed / "tuili" / "recipes").iterdir()} == {
        path.name for path in (ROOT / "recipes").iterdir()
    }
    assert (installed / "tuili" / "py.typed").is_file()


def test_it_holds_every_file_of_models_and_adapters(installed: Path) -> None:
    """So of those that `tuili fetch` reads, too, once one ships."""
    for folder in ("models", "adapters", "exchange"):
        held, there = (
            {path.relative_to(package / folder) for path in (package / folder).rglob("*") if path.suffix != ".pyc"}
            for package in (ROOT / "src" / "tuili", installed / "tuili")
        )
        assert {path for path in held if path.name != "__pycache__"} == {
            path for path in there if path.name != "__pycache__"
        }


def test_it_is_imported_from_where_it_was_installed(installed: Path) -> None:
    assert run(installed, "-c", "import tuili; print(tuili.__file__)").strip() == str(
        installed / "tuili" / "__init__.py"
    )


def test_it_finds_its_recipes(installed: Path) -> None:
    found = run(
        installed, "-c", "from tuili.config import shipped_recipes; print(*shipped_recipes().values(), sep='\\n')"
    )
    assert found.split() == [str(installed / "tuili" / "recipes" / path.name) for path in shipped_recipes().values()]
    assert all(Path(path).read_bytes() == (ROOT / "recipes" / Path(path).name).read_bytes() for path in found.split())


@needs("g++")
def test_made_where_a_compiler_is_at_hand_it_brings_the_native_library_and_answers_by_it(
    wheel: Path, installed: Path, tmp_path: Path
) -> None:
    assert "-py3-none-linux_" in wheel.name
    cache = tmp_path / "cache"
    said = run(installed, "-c", LOAD, PATH="", CXX="", TUILI_NATIVE_CACHE=str(cache))
    assert said.endswith(", of the package\n")
    receipt = ask(installed, PATH="", CXX="", TUILI_NATIVE_CACHE=str(cache))
    assert (receipt["stop"], receipt["runtime"].partition(",")[0]) == ("end", "native")
    assert not cache.exists()


@pytest.mark.native
@needs("g++")
@needs("qemu-x86_64")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="these processors are of another kind")
@pytest.mark.parametrize(("processor", "chosen"), [("IvyBridge", "portable"), ("Haswell", "avx2")])
def test_its_library_is_not_for_this_processor_alone(published: Path, processor: str, chosen: str) -> None:
    """Ivy Bridge has no AVX2, Haswell no AVX-512; qemu stops a program that uses what they have not."""
    said = run(published, "-c", LOAD, through=("qemu-x86_64", "-cpu", processor))
    assert said == f"{chosen}, of the package\n"


@needs("g++")
def test_its_library_needs_the_c_library_alone(installed: Path) -> None:
    library = installed / PREBUILT.relative_to(ROOT / "src")
    done = subprocess.run(["readelf", "--dynamic", "--wide", library], check=True, capture_output=True, text=True)
    needed = {line.split("[")[1].rstrip("]") for line in done.stdout.splitlines() if "(NEEDED)" in line}
    assert {name.split(".")[0] for name in needed} <= {
        "libc",
        "libm",
        "libpthread",
        "ld-linux-x86-64",
        "ld-linux-aarch64",
    }


@needs("g++")
def test_a_damaged_library_is_not_loaded(installed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "site"
    subprocess.run(["cp", "-r", installed, copy], check=True)
    with (copy / PREBUILT.relative_to(ROOT / "src")).open("r+b") as file:
        file.seek(1000)
        file.write(b"damaged")
    said = run(copy, "-c", LOAD, PATH="", CXX="", TUILI_NATIVE_CACHE=str(tmp_path / "cache"))
    assert said == "no C++ compiler was found\n"


def build_by(compiler: str, sources: Path, place: Path) -> tuple[Path, str]:
    """A wheel that is for any machine, for want of a good compiler, and the warning that says so."""
    wheel, (said,) = build(sources, place, CXX=compiler)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not {name for name in names(wheel) if "prebuilt" in name}
    return wheel, said


def test_with_a_broken_compiler_it_is_for_any_machine(light: Path, tmp_path: Path) -> None:
    _, said = build_by("false", light, tmp_path / "dist")
    assert said.startswith("the wheel has no native library: ")


def test_without_a_compiler_it_is_for_any_machine_and_does_without_the_library(light: Path, tmp_path: Path) -> None:
    """Answers are then computed by torch: see `tests/engine/runtime/test_load.py`."""
    wheel, said = build_by("/nowhere/c++", light, tmp_path / "dist")
    assert said.startswith("no C++ compiler was found: the wheel has no native library")
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    no_compiler = {"PATH": "", "CXX": "", "TUILI_NATIVE_CACHE": str(tmp_path / "cache")}
    assert run(installed, "-c", LOAD, **no_compiler) == "no C++ compiler was found\n"


def test_an_editable_installation_leaves_compiling_to_the_first_use(light: Path, tmp_path: Path) -> None:
    code = f"import hatchling.build; hatchling.build.build_editable({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=light, check=True)
    (wheel,) = tmp_path.iterdir()
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not {name for name in names(wheel) if "prebuilt" in name}
    assert not (light / PREBUILT.relative_to(ROOT)).parent.exists()


def test_a_source_distribution_can_build_a_wheel(light: Path, tmp_path: Path) -> None:
    file, _ = build(light, tmp_path / "dist", "sdist")
    with tarfile.open(file) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    sources = filter(Path.is_file, (PREBUILT.parents[1] / "source").rglob("*"))
    assert {"pyproject.toml", "hatch_build.py", *(str(path.relative_to(ROOT)) for path in sources)} <= held
