"""Building the library under bad conditions: it works, or one line says why it does not.

Most compilers are scripts that note each call and copy a ready library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.native.calling import library
from tuili.native import build
from tuili.native.build import find_compiler

COPYING = """#!/bin/sh
echo "$@" >>{log}
for last; do :; done
case "$last" in *.o) : >"$last" ;; *) cp {ready} "$last" ;; esac
"""
REFUSING = """#!/bin/sh
case "$*" in *-mavx*|*-march*) echo "error: unrecognized option" >&2; exit 1 ;; esac
exec {compiler} "$@" -O0
"""
SHOW = "from tuili.native import load; loaded = load(); print(repr(loaded)); print(getattr(loaded, 'path', ''))"


@pytest.fixture
def compiler(tmp_path: Path) -> Path:
    """The script of a compiler that makes a good library at once."""
    return script(tmp_path / "c++", COPYING.format(log=tmp_path / "calls", ready=library().path))


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def environment(tmp_path: Path, compiler: Path | str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "TUILI_INSTRUCTION_SET"}
    return kept | {"CXX": str(compiler), "TUILI_NATIVE_CACHE": str(tmp_path / "cache"), **more}


def start(variables: dict[str, str], code: str = SHOW) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def loaded(variables: dict[str, str], code: str = SHOW) -> str:
    """What a process of its own says of its library."""
    out, errors = start(variables, code).communicate(timeout=300)
    assert errors == ""
    return out.strip()


def calls(tmp_path: Path, word: str) -> int:
    log = tmp_path / "calls"
    return sum(word in line for line in log.read_text().splitlines()) if log.exists() else 0


def test_it_is_compiled_once_for_two_processes_and_kept(tmp_path: Path, compiler: Path):
    variables = environment(tmp_path, compiler)
    processes = [start(variables) for _ in range(2)]
    for process in processes:
        assert process.communicate(timeout=300)[0].startswith("Library(")
    assert calls(tmp_path, "dispatch.cpp") == 1

    gone = environment(tmp_path, tmp_path / "gone")  # the compiler is not needed again
    assert loaded(gone).startswith("Library(")
    assert sorted(path.suffix for path in (tmp_path / "cache").glob("*/*")) == ["", ".seal", ".so"]


def test_only_the_instruction_set_that_is_used_is_compiled(tmp_path: Path, compiler: Path):
    variables = environment(tmp_path, compiler)
    best, *others = build.instruction_sets()
    assert loaded(variables).startswith("Library(")
    assert [calls(tmp_path, f"/{name}.cpp") for name in (best, *others)] == [1] + [0] * len(others)
    loaded({**variables, "TUILI_INSTRUCTION_SET": "portable"})
    assert calls(tmp_path, "/portable.cpp") == 1


def test_a_processor_that_nobody_knows_runs_the_portable_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(build, "PROCESSOR", tmp_path / "gone")
    assert build.instruction_sets() == ("portable",)


def test_a_damaged_a_foreign_and_another_versions_library_are_built_anew(tmp_path: Path, compiler: Path):
    variables = environment(tmp_path, compiler)
    path = Path(loaded(variables).splitlines()[1])
    good, seal = path.read_bytes(), path.with_suffix(".seal")
    true_seal = seal.read_text()
    for bytes_now, seal_now in (
        (good[:-1] + bytes([good[-1] ^ 1]), true_seal),
        (b"\x7fELF of someone else", "no seal\n"),
        (good, true_seal.replace(true_seal[:8], "another ")),
    ):
        path.unlink()
        path.write_bytes(bytes_now)
        seal.write_text(seal_now)
        before = calls(tmp_path, "dispatch.cpp")
        assert loaded(variables).startswith("Library(")
        assert calls(tmp_path, "dispatch.cpp") == before + 1
        assert seal.read_text() != seal_now or seal_now == true_seal
        assert build.is_sealed(path)


def test_a_unit_that_the_compiler_refuses_is_left_out(tmp_path: Path, compiler: Path):
    script(compiler, REFUSING.format(compiler=find_compiler()))
    assert "instruction_set='portable'," in loaded(environment(tmp_path, compiler))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "is no program"),
        ("#!/bin/sh\necho 'x.h:1: error: it is broken' >&2; exit 1", "failed: x.h:1: error: it is broken"),
        ("#!/bin/sh\nexit 0", "made no"),
        ('#!/bin/sh\nfor last; do :; done; echo junk >"$last"', "too short"),
        ("no script", "cannot be run"),
    ],
    ids=["none", "failing", "doing nothing", "writing junk", "unrunnable"],
)
def test_a_broken_compiler_is_a_reason_of_one_line(tmp_path: Path, text: str | None, reason: str):
    if text is not None:
        script(tmp_path / "c++", text)
    said = loaded(environment(tmp_path, tmp_path / "c++")).splitlines()
    assert len(said) == 1
    assert said[0].startswith("Unavailable(reason=") and reason in said[0]
    assert not list(tmp_path.glob("cache/*/.build-*"))


def test_a_cache_that_cannot_be_written_is_a_reason(tmp_path: Path, compiler: Path):
    (tmp_path / "file").touch()
    said = loaded(environment(tmp_path, compiler, TUILI_NATIVE_CACHE=str(tmp_path / "file" / "cache")))
    assert said.startswith("Unavailable(reason=") and "cannot be written: Not a directory" in said


def test_a_cache_that_others_can_write_is_refused(tmp_path: Path, compiler: Path):
    folder = tmp_path / "cache" / build.key()
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert "can be written by others: remove it" in loaded(environment(tmp_path, compiler))


def test_the_library_of_a_package_needs_no_compiler(tmp_path: Path):
    ready = library().path
    for file in (ready, ready.with_suffix(".seal")):
        shutil.copy(file, tmp_path / f"tuili{file.suffix}")
    code = f"""
from pathlib import Path
from tuili.native import build, library
build.PREBUILT = library.PREBUILT = Path({str(tmp_path / "tuili.so")!r})
print(library.load())
"""
    assert loaded(environment(tmp_path, tmp_path / "gone"), code).endswith("of the package")
    assert not (tmp_path / "cache").exists()


def test_the_default_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("TUILI_NATIVE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert build.cache_folder() == tmp_path / "tuili" / "native"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert build.cache_folder() == tmp_path / ".cache" / "tuili" / "native"


def test_a_home_folder_that_is_not_there_is_a_reason(tmp_path: Path):
    said = loaded(environment(tmp_path, "c++", TUILI_NATIVE_CACHE="~nobody-of-this-name/cache"))
    assert said.startswith("Unavailable(reason='TUILI_NATIVE_CACHE=~nobody-of-this-name/cache is in a home folder that")
