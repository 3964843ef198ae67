from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.pipeline.conftest import contents, prose
from tests.waiting import eventually
from tuili.cli.app import main
from tuili.cli.documents import worker_count
from tuili.native import Unavailable

ROOT = Path(__file__).parents[2]
BASIC = "build.blocks=[{block: basic}]"
"""Enough for a build, where the other blocks would first generate what tests hold out."""


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    folder.mkdir()
    lines = [json.dumps({"text": prose(number)}) for number in range(20)]
    (folder / "a.jsonl").write_text("\n".join([*lines, '{"text": "too short"}', "no JSON"]))
    return folder


def data(*arguments: str | Path) -> int:
    return main(["data", *map(str, arguments), "--workers", "0"])


def test_a_corpus_is_built_measured_and_sampled(
    pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "corpus"
    assert data("build", "documents", "--input", pages, "--out", out) == 0
    assert f"{out}: 20 documents kept, 1 dropped, 1 parts refused" in capsys.readouterr().out
    assert set(contents(out)) == {
        "manifest.json", "report.html", "part-00000.jsonl.zst", "dropped/part-00000.jsonl.zst",
    }  # fmt: skip
    assert data("stats", out) == 0
    told = capsys.readouterr().out
    assert "1 dropped by basic: few_words" in told
    assert "20 documents" in told and "20 en" in told
    assert "median" in told
    assert data("sample", out, "--count", "2") == 0
    first = capsys.readouterr().out
    assert first.count("--- pages/a.jsonl:") == 2
    assert data("sample", out, "--count", "2") == 0
    assert capsys.readouterr().out == first
    assert data("sample", out, "--count", "2", "--seed", "1") == 0
    assert capsys.readouterr().out != first
    assert data("sample", out, "--reason", "basic/few_words") == 0
    assert capsys.readouterr().out == "pages/a.jsonl:21: measured 2.0, least 30.0\n    too short\n"
    assert data("sample", out, "--reason", "jsonl/not_json") == 0
    told = capsys.readouterr().out
    assert told.startswith("pages/a.jsonl:22: ") and told.count("\n") == 1


def test_a_corpus_of_records_is_measured_and_sampled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"question": f"Tom has {n} apples and gets 3. How many apples has he?", "answer": f"{n} + 3 = {n + 3} apples"}
        for n in range(4)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert data("route", tmp_path / "a.jsonl", "--records", "--out", tmp_path / "records") == 0
    capsys.readouterr()
    assert data("stats", tmp_path / "records") == 0
    told = capsys.readouterr().out
    assert "4 documents" in told and "refused" not in told
    assert data("sample", tmp_path / "records", "--count", "1") == 0
    assert "apples and gets 3. How many apples has he?" in capsys.readouterr().out


def test_two_corpora_are_read_together_also_where_they_have_the_same_name(
    pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outs = [tmp_path / place / "corpus" for place in "ab"]
    for out in outs:
        assert data("build", "documents", BASIC, "--input", pages, "--out", out) == 0
    assert data("stats", *outs) == 0
    assert "40 documents" in capsys.readouterr().out
    assert data("sample", *outs, "--reason", "basic/few_words") == 0
    assert capsys.readouterr().out.count("pages/a.jsonl:21: measured") == 2
    monkeypatch.chdir(outs[0])
    assert data("sample", ".", outs[1], "--reason", "basic/few_words") == 0
    outs[1].rename(tmp_path / "other")
    assert data("sample", outs[0], tmp_path / "other", "--reason", "basic/few_words") == 0
    assert capsys.readouterr().out.count("pages/a.jsonl:21: measured") == 4
    assert data("build", "documents", BASIC, "--input", outs[0], "--out", tmp_path / "again") == 0
    assert "20 documents kept, 0 dropped, 0 parts refused" in capsys.readouterr().out


def test_stats_tell_numbers_plainly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("a" * 1361 + ".")
    assert data("stats", tmp_path / "a.txt") == 0
    assert re.search(r"characters( +1,362){4}\n", capsys.readouterr().out)


def test_filter_is_the_basic_filter_alone(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data("filter", pages, "--kind", "problem", "--out", tmp_path / "out") == 0
    assert "21 documents kept" in capsys.readouterr().out
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [block["block"] for block in manifest["recipe"]["blocks"]] == ["basic"]
    assert manifest["kept"] == {"problem": 21}


def test_dedup_drops_what_stood_before_and_names_it(
    pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pages / "b.jsonl").write_text((pages / "a.jsonl").read_text().replace(" the ", "  the\u00a0"))
    assert data("dedup", pages, "--exact", "--out", tmp_path / "out") == 0
    assert "21 documents kept, 21 dropped, 2 parts refused" in capsys.readouterr().out
    assert data("sample", tmp_path / "out", "--reason", "dedup/duplicate", "--count", "1") == 0
    told = re.match(r"pages/b\.jsonl:(\d+): of pages/a\.jsonl:(\d+)\n    \w", capsys.readouterr().out)
    assert told and told[1] == told[2]
    assert data("dedup", pages, "--similarity", "0.3", "--out", tmp_path / "other") == 2
    assert data("dedup", pages, "--similarity", "0.6", "--exact", "--out", tmp_path / "other") == 2


def test_decontaminate_drops_what_has_a_question_and_names_it(
    pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = json.loads((pages / "a.jsonl").read_text().splitlines()[2])
    questions = [{"question": line["text"][40:200]}, {"question": "3 + 4 ="}]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, questions)))
    command = ["decontaminate", pages, "--no-own", "--out", tmp_path / "out"]
    assert data(*command, "--against", tmp_path / "test.jsonl") == 0
    shown = capsys.readouterr().out
    assert "20 documents kept, 1 dropped, 1 parts refused" in shown
    assert "decontaminate: 1 of 2 questions of test.jsonl have too few words to be looked for\n" in shown
    assert data("sample", tmp_path / "out", "--reason", "decontaminate/contaminated") == 0
    assert capsys.readouterr().out.startswith("pages/a.jsonl:3: of test.jsonl:1, words 13.0, matched ")


def test_a_recipe_may_name_inputs_and_kinds(pages: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        f"base: documents\nbuild:\n  inputs: [{{path: {pages}, kind: poem}}]\n"
        "  blocks: [{block: basic, thresholds: {poem: {few_words: 1}}}]\n"
    )
    assert data("build", recipe, "--out", tmp_path / "out", "build.output.format=jsonl") == 0
    assert len((tmp_path / "out" / "part-00000.jsonl").read_text().splitlines()) == 21


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "documents"], "build.inputs is empty: name what is to be read"),
        (
            ["build", "documents", "--input", "nowhere"],
            "nowhere: no such file or folder; name what holds the documents",
        ),
        (["build", "documents", "--kind", "web"], "--kind says what the inputs of --input are"),
        (["build", "documents", "build.blocks=[{block: basics}]"], "build.blocks"),
        (["build", "documents", "build.output.format=csv"], "should be 'jsonl.zst', 'jsonl' or 'parquet'"),
        (["build", "nano"], "nano"),
        (["filter", "nowhere"], "nowhere: no such file or folder"),
        *(
            ([verb, ".", "--kind", "problms"], "--kind 'problms' is no kind of text: use one of web, prose, paper,")
            for verb in ("filter", "dedup", "decontaminate", "route")
        ),
        (["filter", ".", "--out", "."], ". exists already: choose another place"),
        (["filter", ".", "--out", "/"], "/ exists already: choose another place"),
        (["filter", ".", "--out", ".."], ".. exists already: choose another place"),
        (["filter", ".", "--out", ""], "--out is empty: name a folder\n"),
        (["filter", ".", "--out", "a" * 250], "a cannot be written: File name too long; choose another place"),
        (["dedup", ".", "--out", __file__], "test_documents.py is a file: choose another place"),
        (["decontaminate", ".", "--no-own"], "there is nothing to look for: name a file of questions by --against"),
        (["stats", "nowhere"], "nowhere: no such file or folder"),
        (["sample", ".", "--reason", "basic/few_words"], "holds no built corpus: build one by tuili data build"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert data(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_keeps_what_is_done(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is a pipe in disguise: the build waits at it, and is interrupted there."""
    os.mkfifo(tmp_path / "never.jsonl")
    code = (  # what starts the tests may have told them to ignore Ctrl-C
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from tuili.cli.app import main; import tuili.data.pipeline.readers.files as files;"
        "files.stat.S_ISREG = lambda mode: True; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "data", "build", "documents", BASIC, "--input", tmp_path / "never.jsonl"]
    process = subprocess.Popen(
        [*command, "--out", tmp_path / "out", "--workers", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT / "src"
    )
    lock = tmp_path / "out.building" / ".build" / "lock"
    eventually(lambda: lock.exists() or process.poll() is not None, "it does not come to the pipe")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate()
    assert process.returncode == 130
    assert out == "interrupted: what is done is kept, and the same command goes on from it\n"


def test_there_is_a_worker_for_each_core_that_a_container_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text("200000 100000\n")
    monkeypatch.setattr("tuili.machine.CPU_QUOTA_FILE", tmp_path / "cpu.max")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(64)))
    assert worker_count(None) == 2
    assert (worker_count(0), worker_count(5)) == (0, 5)


def test_a_machine_without_the_native_library_is_told(
    pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuili.native.load", lambda: Unavailable("no C++ compiler was found"))
    assert data("filter", pages, "--out", tmp_path / "out") == 0
    assert "takes longer: no C++ compiler was found" in capsys.readouterr().err
