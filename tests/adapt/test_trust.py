"""What a taught model gets beside its weights, of Tuili's own kind too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.adapt.conftest import quick_verifier
from tests.store.taught_folder import questions
from tuili.adapt import AdaptOptions, trust
from tuili.engine import Budget, Request, load_engine
from tuili.errors import TooFew
from tuili.store import FAMILIARITY_FILE, read_thinking_file, resolve_model, verifier_hash


def test_a_model_of_tuilis_own_gets_a_verifier_from_questions_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tiny model that a run adapts ends no answer, so the shipped one writes the chains."""
    judged = tmp_path / "judged.jsonl"
    records = [record | {"id": f"sums/{number}"} for number, record in enumerate(questions(60))]
    judged.write_text("".join(json.dumps(record) + "\n" for record in records))
    with quick_verifier():
        monkeypatch.setattr(trust, "MAX_JUDGED", 6)
        monkeypatch.setattr(trust, "WRITTEN", 1)
        nano = resolve_model("nano")
        added = trust.add_verifier(nano, judged, len(records), tmp_path / "verifier", 1, lambda *_: None)
    assert "why" not in added
    assert added["figures"]["answers"] > 0
    made = tmp_path / "verifier" / "model"
    assert added["verifier"] == verifier_hash(made) != verifier_hash(nano)
    assembled = trust.assemble(made, tmp_path / "model", "repair")
    assert assembled["verifier"] == added["verifier"]
    settings = read_thinking_file(tmp_path / "model")
    assert settings is not None
    assert settings.calculator == "repair"
    engine = load_engine(tmp_path / "model", slots=1)
    assert engine.calculator == "repair"
    ticket = engine.admit(Request("What is 12 + 30?", Budget(max_tokens=60)))
    while engine.busy:
        engine.step()
    assert ticket.answer is not None
    assert ticket.answer.receipt.calculator == "repair"
    assert ticket.answer.receipt.confidence is not None, "of the verifier"


def test_a_folder_that_says_how_its_model_is_asked_is_copied_as_it_is(tmp_path: Path) -> None:
    first = trust.assemble(resolve_model("nano"), tmp_path / "first", "repair")
    again = trust.assemble(shutil.copytree(tmp_path / "first", tmp_path / "copy"), tmp_path / "second", "off")
    settings = read_thinking_file(tmp_path / "second")
    assert settings is not None
    assert settings.calculator == "repair"
    assert again == first


def test_a_calibration_begins_without_what_a_former_one_knew(
    base: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would pass for what a training has read, and a run that was killed would end with other promises."""
    model = shutil.copytree(base, tmp_path / "model")
    former = model / FAMILIARITY_FILE
    former.write_bytes(b"of a session that was killed")

    def refused(*_: object) -> None:
        raise TooFew("no former file" if not former.exists() else "a former file")

    monkeypatch.setattr(trust, "calibrate_folder", refused)
    options = AdaptOptions(model=str(base), data=sums)
    assert trust.add_calibration(model, sums, options, lambda *_: None) == {"why": "no former file"}
