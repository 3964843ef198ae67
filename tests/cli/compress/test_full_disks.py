"""A full disk, wherever a verb writes, is a line with exit code 2: nothing is half-written, and room lets it go on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.compress.commands import VERBS, with_options
from tests.compress.full_disk import FULL, check_nothing_half_written, full_for, full_in
from tuili.cli.app import main
from tuili.store import open_model

RECOVERY, FLUSH = ("*/log.jsonl", "*/checkpoints/*"), "tuili.store.folder.flush_all"
OWN_TENSORS, IMPORTED_TENSORS = "transformers.modeling_utils.safe_save_file", "tuili.compress.imported.save_file"
OWN = {
    "prune": ("*/.run.json.part", "*/.log.jsonl.part", *RECOVERY, OWN_TENSORS, "*/tuili/.lineage.json.part", FLUSH),
    "factorise": ("*/.decisions.json.part", *RECOVERY, OWN_TENSORS, FLUSH),
    "distil": ("*/written/*/0.json", *RECOVERY, OWN_TENSORS, FLUSH),
    "qat": (*RECOVERY, OWN_TENSORS, FLUSH),
}
"""By verb, where the disk becomes full, a session after the other: paths of files, and functions."""
WRITTEN = ["distil.samples=4", "distil.on_policy=0", "distil.writing.chains=2", "--to", "num_groups=1"]
"""A student that learns from chains of its teacher's."""
OF_IMPORTED = VERBS | {"distil": ["--to", "num_hidden_layers=2"]}


@pytest.fixture(autouse=True)
def fewer_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.compress.own.THRESHOLD_DOCUMENTS", 2)
    monkeypatch.setattr("tuili.compress.parent.MEASURED_DOCUMENTS", 2)


def check_full(given: Sequence[str], out: Path, places: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Assert that a verb is refused at each place in turn, and then goes on to a sound model."""
    for place in places:
        capsys.readouterr()
        with full_for(place) if "/" in place else full_in(place):
            assert main([*given, *(["--resume"] if (out / "run.json").exists() else [])]) == 2, place
        errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line or FULL in line]
        assert len(errors) == 1, place
        assert errors[0].startswith("tuili: error: "), place
        assert re.search(rf"written.*: (\[Errno 28\] |Error while serializing: I/O error: )?{FULL}", errors[0]), place
        check_nothing_half_written(out)
    assert main([*given, "--resume"]) == 0
    open_model(out / "model")


@pytest.mark.parametrize("verb", OWN)
def test_a_full_disk_is_told_wherever_a_verb_writes(
    verb: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = WRITTEN if verb == "distil" else VERBS[verb]
    check_full(with_options(verb, model, tmp_path / "run", options), tmp_path / "run", OWN[verb], capsys)


@pytest.mark.parametrize("verb", OF_IMPORTED)
def test_a_full_disk_is_told_where_an_imported_model_is_written(
    verb: str, dense_model: Path, questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    given = [*with_options(verb, dense_model, out, OF_IMPORTED[verb]), "--data", str(questions)]
    check_full(given, out, (*(["*/tokenizer.json"] if verb == "prune" else []), IMPORTED_TENSORS), capsys)


def test_a_full_disk_is_told_when_answers_are_kept(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    given = ["2" if word == "0" else word for word in with_options("qat", model, out, VERBS["qat"])]
    check_full(given, out, ("*/.answers.json.part",), capsys)
