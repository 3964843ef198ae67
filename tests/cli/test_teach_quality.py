from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.refusals import refusal
from tests.data.pipeline.quality.examples import document, documents
from tuili.cli.app import main


def data(*arguments: str | Path) -> int:
    return main(["data", *map(str, arguments), "--workers", "0"])


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of good texts, and a file with junk."""
    good, junk = tmp_path / "good", tmp_path / "junk.jsonl"
    good.mkdir()
    for number, one in enumerate(documents(80)[::2]):
        (good / f"{number}.txt").write_text(one.text)
    junk.write_text("\n".join(json.dumps({"text": one.text}) for one in documents(80)[1::2]))
    return good, junk


def test_a_classifier_is_taught_and_filters(
    labelled: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, junk = labelled
    out = tmp_path / "mine.safetensors"
    assert data("teach-quality", "--good", good, "--junk", junk, "--out", out) == 0
    told = capsys.readouterr().out
    found = re.search(r"en: (\d+) good documents, (\d+) of junk", told)
    assert found and 50 <= int(found[1]) < 80 and 50 <= int(found[2]) < 80
    held = 160 - int(found[1]) - int(found[2])
    assert f"of {held} documents held back 0.0% of the good would be dropped, 0.0% of the junk kept" in told
    assert "F1 1.000" in told and f"{out}: " in told
    assert "refused" not in told
    again = tmp_path / "again.safetensors"
    junk.write_text(junk.read_text() + "\nno JSON")
    assert data("teach-quality", "--good", good, "--junk", junk, "--out", again) == 0
    assert "1 refused by jsonl: not_json\n" in capsys.readouterr().out
    assert again.read_bytes() == out.read_bytes()

    new = tmp_path / "new.jsonl"
    texts = [document(good, 900 + number, words=90) for number in range(5) for good in (True, False)]
    new.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    thresholds = ["--kind", "prose", "--quality", "--weights", out]
    assert data("filter", new, *thresholds, "--out", tmp_path / "kept") == 0
    manifest = json.loads((tmp_path / "kept" / "manifest.json").read_text())
    assert [block["block"] for block in manifest["recipe"]["blocks"]] == ["basic", "quality"]
    assert manifest["kept"] == {"prose": 5} and manifest["dropped"] == {"quality": {"low_quality": 5}}


def test_what_cannot_be_used_is_refused(
    labelled: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, junk = map(str, labelled)
    few = tmp_path / "few.jsonl"
    few.write_text(json.dumps({"text": document(False, 0)}))
    teach = ("data", "teach-quality", "--good", good, "--workers", "0")
    assert "'--junk'" in refusal(capsys, *teach)
    assert "is a file; choose another place" in refusal(capsys, *teach, "--junk", junk, "--out", f"{junk}/mine")
    assert "no such file or folder" in refusal(capsys, *teach, "--junk", str(tmp_path / "none"))
    assert main([*teach, "--junk", str(few)]) == 2
    assert "no language has 50 good documents and 50 of junk" in capsys.readouterr().err
    assert not Path("quality.safetensors").exists()
    filtering = ("data", "filter", junk, "--out", str(tmp_path / "out"))
    assert "--weights is the classifier of --quality: name both" in refusal(capsys, *filtering, "--weights", good)
    assert "is no quality classifier" in refusal(capsys, *filtering, "--quality", "--weights", str(few))
