"""The shape of the code base: who imports whom, what is public, what is never called, how long a file is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "tuili"
LONGEST_FILE = 400
LONGEST_ENGINE = 4930
"""Lines of code of the whole engine but its runner for torch, without blank ones, comments and docstrings."""
LONGEST_NATIVE = 2120
"""Lines of C++ of the native library but for what trains or reads texts, without blank ones and comments."""
LONGEST_TRAINING = 1400
"""The same of what trains, in a folder of its own."""
LONGEST_TEXT = 150
"""The same of what reads texts."""
LONGEST_NATIVE_STEP = 610
"""Lines of code of its step in Python: what is called, and the tables and weights that this is given."""
NATIVE_STEP = ("dense", "own", "records", "sizes", "slots", "step", "verifier", "weights")

# What each part may import beside itself and the version in `tuili/__init__.py`: only what lies below it.
_BASE = {"errors", "config", "files"}
MAY_IMPORT = {
    "errors": set(),
    "config": {"errors", "yaml_reading"},
    "files": {"errors"},
    "machine": set(),
    "native": {"errors"},
    "parent": set(),
    "provenance": set(),
    "silence": set(),
    "yaml_reading": set(),
    "steps": {"errors"},
    "store": _BASE | {"provenance", "steps"},
    "grammars": {"errors", "steps"},
    "tasks": _BASE | {"steps", "yaml_reading"},
    "exchange": _BASE | {"silence", "steps", "store", "tasks"},
    "data": _BASE | {"native", "steps", "tasks", "store"},
    "model": _BASE | {"native", "silence", "steps", "store", "data"},
    "train": _BASE | {"machine", "native", "parent", "provenance", "steps", "tasks", "store", "data", "model"},
    "engine": _BASE | {"machine", "native", "steps", "tasks", "store", "grammars", "data", "model"},
    "eval": _BASE | {"machine", "parent", "provenance", "steps", "tasks", "store", "data", "model", "engine"},
    "serve": _BASE | {"steps", "store", "grammars", "engine"},
    "posttrain": _BASE | {"machine", "silence", "steps", "tasks", "store", "data", "model", "train", "engine", "eval"},
    "adapt": _BASE | {"machine", "steps", "tasks", "store", "data", "model", "train", "engine", "eval", "posttrain"},
    "compress": _BASE
    | {"bench", "machine", "native", "silence", "steps", "tasks", "store", "data", "model", "train", "engine", "eval"}
    | {"posttrain"},
    "bench": _BASE | {"machine", "tasks", "store", "data", "engine"},
    "planning": _BASE | {"store", "model", "train", "compress"},
    "cli": _BASE
    | {"machine", "native", "parent", "steps", "tasks", "store", "data", "model", "train", "engine", "eval", "serve"}
    | {"posttrain", "adapt", "compress", "planning", "bench", "exchange"},
    "__init__": set(),
    "__main__": {"cli"},
}

FACES = {
    "adapt",
    "bench",
    "compress",
    "data",
    "engine",
    "eval",
    "exchange",
    "grammars",
    "model",
    "planning",
    "posttrain",
    "serve",
    "steps",
    "store",
    "tasks",
    "train",
}
"""Packages of which others import public names alone; `tests/test_exported_members.py` has the lists."""

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "yaml.load", "yaml.unsafe_load"}
FORBIDDEN_IMPORTS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}

# Folders of one machine, and hosts of package registries.
OF_ONE_MACHINE = re.compile(r"(?<![\w.$}-])/(root|home|work|farm|opt|Users)/\w|(pypi|pythonhosted|debian|npmjs)\.org")


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), str(file))


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """What was parsed is given back: millions of nodes."""
    yield
    for kept in (tree, nodes, imported):
        kept.cache_clear()


@cache
def nodes(module: ast.Module) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(module))


def dotted(node: ast.expr) -> str:
    """A name, or names with dots between them; of what else they are taken from, nothing."""
    names = list[str]()
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join(reversed([*names, node.id if isinstance(node, ast.Name) else ""]))


def sources(*folders: Path) -> list[Path]:
    return [file for folder in folders for file in sorted(folder.rglob("*.py"))]


def part(file: Path) -> str:
    """The part of Tuili that a file belongs to: a folder, or a module at the top."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imported(module: ast.Module) -> tuple[str, ...]:
    """Every module that is imported anywhere in a file, in a function or for type checking alike."""
    names = list[str]()
    for node in nodes(module):
        if isinstance(node, ast.Import):
            names += (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "relative imports hide where a name comes from"
            names.append(node.module)
            names += (f"{node.module}.{name.name}" for name in node.names if node.module == "tuili")
    return tuple(names)


def parts_imported(module: ast.Module) -> set[str]:
    names = (name.split(".") for name in imported(module))
    return {path[1] for path in names if path[0] == "tuili" and len(path) > 1} - {"__version__"}


def committed_texts() -> Iterator[tuple[str, str]]:
    """Every text file that git tracks or would add, with its content."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        try:
            yield name, (ROOT / name).read_text()
        except (
            UnicodeDecodeError,
            FileNotFoundError,
        ):  # a picture or weights; a file deleted but still tracked
            continue


def test_imports_point_downwards():
    upwards = {}
    for file in sources(PACKAGE):
        own = part(file)
        assert own in MAY_IMPORT, f"{own} is new: say in MAY_IMPORT what it may import"
        if wrong := parts_imported(tree(file)) - MAY_IMPORT[own] - {own}:
            upwards[str(file.relative_to(ROOT))] = wrong
    assert upwards == {}


def test_the_import_scan_sees_every_way_to_import():
    code = "import tuili.a.x\nfrom tuili import b\ndef f():\n  from tuili.c.y import z"
    assert parts_imported(ast.parse(code)) == {"a", "b", "c"}


def test_steps_are_checked_by_the_standard_library_alone():
    others = {name.partition(".")[0] for file in sources(PACKAGE / "steps") for name in imported(tree(file))}
    assert others - sys.stdlib_module_names == {"tuili", "lazy_loader"}


OPTIONAL = {"deepspeed": "deepspeed", "opentelemetry": "traces", "datatrove": "scale"} | dict.fromkeys(
    ("datasets", "pyarrow", "pypdfium2", "resiliparse", "trafilatura"), "documents"
)
"""What is imported only where it is asked for, and the extra that it comes with."""


def test_exactly_the_packages_that_are_imported_are_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    names = {name.partition(".")[0] for file in sources(PACKAGE) for name in imported(tree(file))} - OPTIONAL.keys()
    assert all(any(name in line for line in project["optional-dependencies"][own]) for name, own in OPTIONAL.items())
    of_module = packages_distributions()
    needed = {of_module[name][0].lower().replace("_", "-") for name in names - sys.stdlib_module_names - {"tuili"}}
    assert needed - {"pydantic-core"} == declared  # pydantic-core comes with pydantic, in the one version that fits


def test_only_the_torch_runner_imports_the_model_and_torch():
    """Another runner may take its place, in the engine and so in the server."""
    heavy = {}
    for file in sources(PACKAGE / "engine", PACKAGE / "serve", PACKAGE / "store"):
        names = {name.split(".")[0] for name in imported(tree(file))} & {"torch", "transformers"}
        names |= parts_imported(tree(file)) & {"model"}
        if names and PACKAGE / "engine" / "runtime" / "torch" not in file.parents:
            heavy[str(file.relative_to(ROOT))] = names
    assert heavy == {}


def test_the_engine_and_the_server_are_imported_where_torch_cannot_be():
    code = """
import sys
sys.modules |= {"torch": None, "transformers": None}
from tuili.engine import Engine, Service
from tuili.serve import ModelRegistry, make_app
import tuili.store
for name in tuili.store.__all__:
    getattr(tuili.store, name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_part_may_import_one_that_may_import_it():
    for name, lower in MAY_IMPORT.items():
        assert all(name not in MAY_IMPORT[other] for other in lower)


def reaching_deep(module: ast.Module, own: str) -> set[str]:
    """What a file of the part `own` imports of other packages beside their public names."""
    deep = set()
    for name in imported(module):
        top, _, rest = name.partition(".")
        package, _, inside = rest.partition(".")
        if top == "tuili" and package in FACES - {own} and inside:
            deep.add(name)
    for node in nodes(module):
        if isinstance(node, ast.ImportFrom) and node.module in {f"tuili.{name}" for name in FACES - {own}}:
            public = import_module(node.module).__all__
            deep |= {f"{node.module}.{name.name}" for name in node.names if name.name not in public}
    return deep


def test_packages_meet_by_their_public_names():
    files = [(file, part(file)) for file in sources(PACKAGE)] + [(file, "") for file in sources(ROOT / "benchmarks")]
    deep = {str(file.relative_to(ROOT)): names for file, own in files if (names := reaching_deep(tree(file), own))}
    assert deep == {}


def test_only_training_knows_how_processes_share_its_steps():
    """`train/dist` is a closed room: its ways to share a step may come and go."""
    files = sources(PACKAGE, ROOT / "benchmarks")
    outside = [file for file in files if not file.is_relative_to(PACKAGE / "train")]
    assert [str(file) for file in outside if any(n.startswith("tuili.train.dist") for n in imported(tree(file)))] == []


def test_benchmarks_import_no_tests():
    wrong = {
        file.name
        for file in sources(ROOT / "benchmarks")
        if any(n.split(".")[0] == "tests" for n in imported(tree(file)))
    }
    assert wrong == set()


def test_the_scan_for_deep_imports_sees_modules_and_private_names(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "FACES", {"steps", "tasks"})
    code = "from tuili.steps.checker import check\nfrom tuili.steps import parse, checker\nimport tuili.tasks.scoring"
    assert reaching_deep(ast.parse(code), "tasks") == {"tuili.steps.checker"}
    assert reaching_deep(ast.parse(code), "steps") == {"tuili.tasks.scoring"}


def test_nothing_runs_text_or_unpickles():
    found = []
    for file in sources(ROOT / "src", ROOT / "benchmarks"):
        calls = {dotted(node.func) for node in nodes(tree(file)) if isinstance(node, ast.Call)}
        modules = {name.partition(".")[0] for name in imported(tree(file))}
        found += [(file.name, name) for name in (calls & FORBIDDEN_CALLS) | (modules & FORBIDDEN_IMPORTS)]
    assert found == []


def test_files_are_short():
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text().splitlines())
        for file in sources(ROOT / "src", ROOT / "tests", ROOT / "benchmarks")
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_contributors_read_the_order_in_which_packages_import():
    """A package stands as far to the left as what it imports lets it."""

    def place(package: str) -> int:
        return 1 + max((place(below) for below in MAY_IMPORT[package] & packages), default=-1)

    (line,) = (line for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines() if line.startswith("steps ←"))
    told = [set(re.findall(r"\w+", group)) for group in line.split("←")]
    packages = set[str]().union(*told)
    assert packages == FACES | {"cli"}
    assert told == [{package for package in packages if place(package) == number} for number in range(len(told))]


def lines_of_code(files: Iterable[Path]) -> int:
    """Lines of these files, without blank ones, comments and docstrings."""
    lines = 0
    for file in files:
        texts = [
            node for node in nodes(tree(file)) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ]
        in_text = {line for text in texts for line in range(text.lineno, (text.end_lineno or text.lineno) + 1)}
        numbered = enumerate(file.read_text().splitlines(), start=1)
        lines += sum(
            bool(line.strip()) and line.strip()[0] != "#" and number not in in_text for number, line in numbered
        )
    return lines


def test_the_engine_stays_small():
    lines = lines_of_code(sources(PACKAGE / "engine")) - lines_of_code(
        sources(PACKAGE / "engine" / "runtime" / "torch")
    )
    assert 1500 < lines <= LONGEST_ENGINE


def lines_of_cpp(folder: Path) -> int:
    """Lines of the files of a folder, without blank ones and comments."""
    texts = [file.read_text() for file in folder.iterdir() if file.is_file()]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return sum(bool(line) and not line.startswith("//") for line in lines)


def test_the_native_library_stays_small():
    """All of it, with what packs and holds the threads; what trains, and what reads texts, are counted apart."""
    source = PACKAGE / "native" / "source"
    assert {file.name for file in source.iterdir() if file.is_dir()} == {"text", "training"}
    assert 1000 < lines_of_cpp(source) <= LONGEST_NATIVE
    assert 100 < lines_of_cpp(source / "training") <= LONGEST_TRAINING
    assert 50 < lines_of_cpp(source / "text") <= LONGEST_TEXT
    assert 200 < lines_of_code(PACKAGE / "native" / f"{name}.py" for name in NATIVE_STEP) <= LONGEST_NATIVE_STEP


def test_lines_of_code_are_counted_in_subfolders_and_without_texts(tmp_path):
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "module.py").write_text(
        '"""Text\nof two lines."""\n\nx = 1  # one\n# none\n"""None."""\ny = 2\n'
    )
    assert lines_of_code(sources(tmp_path)) == 2


def test_no_file_names_a_machine_or_a_registry():
    found = [f"{name}: {hit[0]}" for name, text in committed_texts() for hit in OF_ONE_MACHINE.finditer(text)]
    assert found == []


def private_assignments(code: str) -> list[str]:
    """The private attributes that a file assigns to objects other than `self`, by statement or by `setattr`."""
    names = list[str]()
    if not re.search(r"[.\"']_[^_]", code):  # which hardly any file has: reading its code would take long
        return names
    for node in ast.walk(ast.parse(code)):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Attribute) and dotted(target.value) not in ("self", "cls"):
                names.append(target.attr)
        if isinstance(node, ast.Call) and dotted(node.func).endswith("setattr"):
            names += [str(given.value).rpartition(".")[2] for given in node.args if isinstance(given, ast.Constant)]
    return [name for name in names if name.startswith("_") and not name.startswith("__")]


def test_tests_hand_collaborators_in_and_assign_no_private_attributes():
    assigned = {str(file.relative_to(ROOT)): private_assignments(file.read_text()) for file in sources(ROOT / "tests")}
    assert {file: names for file, names in assigned.items() if names} == {}


def test_the_scan_for_private_assignments_sees_every_way():
    code = 'engine._judge = 1\nself._own = 2\nmonkeypatch.setattr(runner, "_cache", 3)\nx.y._z += 1\nsetattr(a, "b", 4)'
    assert private_assignments(code) == ["_judge", "_z", "_cache"]
