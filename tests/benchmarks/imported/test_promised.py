"""Promises of a taught model: questions are answered once, samples are drawn of them, and other streams are seen."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.harness.cells import Cells
from benchmarks.imported.promised import __main__ as measuring
from benchmarks.imported.promised import answers, held_back, kinds
from benchmarks.imported.promised.answers import sharing_folder, with_familiarity
from benchmarks.imported.promised.sample import risks
from benchmarks.imported.promised.stream import stream_figures
from benchmarks.imported.taught.data import TaughtData
from benchmarks.table.pictures import risk_by_coverage
from benchmarks.table.promised_rows import of
from tests.engine.reciting import reciting, speechless
from tests.serve.scripted import made_up_calibration
from tuili.data import masked_question, read_questions
from tuili.engine import FEATURES, Budget, Calibration, Familiar, LowConfidence, Request
from tuili.errors import InputError
from tuili.eval import AttemptHistory, AttemptSnapshot, CalibrationGrid, LabelledPrompt
from tuili.eval.calibration.calibrate import attempt_history
from tuili.store import FAMILIARITY_FILE, ImportedModel, model_hash

NAMES, THINGS = ("Ann", "Ben", "Eve", "Tom", "Zoe"), ("pens", "hats", "nuts", "cups", "keys", "eggs", "bags", "coins")


def history(rng: np.random.Generator, mean: float) -> AttemptHistory:
    """One attempt, whose first feature is the logarithm of the odds that it is right."""
    sure = float(rng.normal(mean, 2))
    right = bool(rng.random() < 1 / (1 + np.exp(-sure)))
    return AttemptHistory(20, (AttemptSnapshot(9, (sure, *[0.0] * (len(FEATURES) - 1)), right),), False)


def questions(place: Path, asked: str, count: int, least: int = 10) -> Path:
    """A file of different questions that end alike. least: of the first number in them."""
    draw, lines = random.Random(least), dict[str, str]()
    while len(lines) < count:
        a, b, name, thing = (
            draw.randint(least, least + 39),
            draw.randint(10, 99),
            draw.choice(NAMES),
            draw.choice(THINGS),
        )
        question = f"{name} has {a} {thing} and gets {b}. {asked}"
        lines[question] = json.dumps({"question": question, "equation": f"+ {a} {b}", "answer": f"{a + b}"})
    place.write_text("".join(f"{line}\n" for line in lines.values()))
    return place


def masked(file: Path) -> list[str]:
    """The questions of a file without their numbers."""
    return [masked_question(one.record.input) for one in read_questions(file)]


def test_familiarity_that_is_told_afterwards_is_what_the_engine_would_have_told() -> None:
    engine, _ = reciting(speechless(), "<think>\n1 + 1 = 2\n</think>2")
    ticket = engine.admit(Request("What is 1 + 1?", Budget(max_steps=1)))
    while engine.busy:
        engine.step()
    asked = LabelledPrompt("What is 1 + 1?", "2")
    unknown = attempt_history(ticket.state, asked, verifies=False)
    for familiar in (Familiar(0.5, 0.02), Familiar(0.02, 0.02), Familiar(0.01, 0.02)):
        ticket.state.familiar = familiar
        assert with_familiarity(unknown, familiar) == attempt_history(ticket.state, asked, verifies=False)


def test_a_folder_shares_the_files_of_a_model_but_not_its_promises(imported: ImportedModel, tmp_path: Path) -> None:
    model = sharing_folder(imported.path, tmp_path / "model").path
    (model / FAMILIARITY_FILE).parent.mkdir(exist_ok=True)
    (model / FAMILIARITY_FILE).write_bytes(b"other")
    shared = sharing_folder(model, tmp_path / "shared")
    assert model_hash(shared.path) == model_hash(imported.path)
    assert not (shared.path / FAMILIARITY_FILE).exists()
    assert (shared.path / "config.json").samefile(model / "config.json")
    assert sharing_folder(model, tmp_path / "shared").path == shared.path, "it is made anew"


def by_first_feature(**changes: Any) -> Calibration:
    """The confidence is the probability by which `history` draws; a tenth may be wrong of what is surer than 0.9."""
    coefficients = (1.0, *[0.0] * (len(FEATURES) - 1))
    return made_up_calibration(coefficients=coefficients, constant=0.0, **changes)


def test_a_stream_of_which_the_model_is_less_sure_raises_the_alarm() -> None:
    rng, low = np.random.default_rng(0), LowConfidence(level=0.5, share=0.3)
    like, other = ([history(rng, mean) for _ in range(400)] for mean in (2.0, 0.0))
    found = [stream_figures(by_first_feature(low_confidence=low), stream, 1, 10, 0) for stream in (like, other)]
    assert [one["alarm_within_200"].median for one in found] == [0.0, 1.0]
    assert found[0]["alarm_requests"].runs == [401] * 10, "never"
    assert 0 < max(found[1]["alarm_requests"].runs) < 200
    assert found[0]["low"].median < 0.3 < found[1]["low"].median
    sure = np.array([one.snapshots[0].features[0] > np.log(0.6 / 0.4) for one in other])  # type: ignore[index]
    wrong = np.array([not one.snapshots[0].right for one in other])
    assert found[1]["error0.1_promised"].median == pytest.approx(sure.mean())
    assert found[1]["error0.1_wrong"].median == pytest.approx(wrong[sure].mean())
    silent = stream_figures(by_first_feature(), other, 1, 2, 0)
    assert silent["alarm_requests"].runs == [401] * 2, "no step is wrong, and nothing else watches"
    long = made_up_calibration().sample.model_copy(update={"longest_prompt": 19})
    assert stream_figures(by_first_feature(sample=long), other, 1, 1, 0)["error0.1_promised"].median == 0.0


def test_judged_answers_raise_the_alarm_where_the_model_is_wrongly_sure() -> None:
    rng = np.random.default_rng(1)
    wrong = [AttemptHistory(20, (AttemptSnapshot(9, history(rng, 4.0).snapshots[0].features, False),), False)] * 300
    low = LowConfidence(level=0.1, share=0.3)
    figures = stream_figures(by_first_feature(low_confidence=low), wrong, 1, 3, 0)
    assert figures["alarm_within_200"].median == 0.0
    assert max(figures["error0.1_judged_requests"].runs) < 50


def test_the_risk_is_that_of_the_surest_answers() -> None:
    rng = np.random.default_rng(2)
    learnt, tested = ([history(rng, 1.0) for _ in range(600)] for _ in range(2))
    found = dict(risks(by_first_feature(), learnt, tested, CalibrationGrid((0.1,), (1,), (100,))))
    assert list(found) == sorted(found)
    assert found[0.1] < found[0.5] < found[1.0]
    assert found[1.0] == pytest.approx(np.mean([not one.snapshots[0].right for one in tested]), abs=1e-9)


def test_the_held_back_questions_are_new_ones_of_the_kinds_that_were_taught(tmp_path: Path) -> None:
    tests = {
        "mawps_dev": questions(tmp_path / "mawps.jsonl", "How many now?", 30),
        "asdiv_a": questions(tmp_path / "asdiv.jsonl", "How many are there?", 30),
        "gsm8k": questions(tmp_path / "gsm8k.jsonl", "What is the sum of both?", 20),
    }
    learnt = questions(tmp_path / "learnt.jsonl", "How many now?", 3)
    count = held_back.write(TaughtData(learnt, learnt, {}, tests), tmp_path / "out.jsonl")
    written = masked(tmp_path / "out.jsonl")
    asked = [*masked(tests["mawps_dev"]), *masked(tests["gsm8k"])]
    assert written == [one for one in asked if one not in masked(learnt)]
    assert 20 < count == len(written) < 50


@pytest.mark.trials
def test_questions_are_answered_once_and_all_figures_are_told(
    imported: ImportedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = {
        "mawps_dev": questions(tmp_path / "mawps.jsonl", "How many now?", 180),
        "asdiv_a": questions(tmp_path / "asdiv.jsonl", "How many now?", 130, least=50),
        "gsm8k": questions(tmp_path / "gsm8k.jsonl", "What is the sum of both?", 90),
    }
    asked: list[int] = []

    def answer(_: object, block: list[LabelledPrompt], *how: object) -> list[AttemptHistory]:
        asked.append(len(block))
        rng = np.random.default_rng(len(block))
        hard = [int(one.prompt.split()[2]) >= 50 for one in block]
        return [history(rng, 0.0 if each else 3.0) for each in hard]

    monkeypatch.setattr(answers, "collect_histories", answer)
    learnt = questions(tmp_path / "learnt.jsonl", "How many now?", 1)
    (form,) = masked(learnt)
    monkeypatch.setattr(measuring, "taught_data", lambda *_: TaughtData(learnt, learnt, {}, tests))
    monkeypatch.setattr(measuring, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr("benchmarks.harness.cells.commit", lambda: "c1")
    monkeypatch.setattr(kinds, "foreign_texts", lambda *_: {"mail": ["Dear Sir,"], "gsm8k": ["How many?"]})
    monkeypatch.setattr(kinds, "BUILT_IN_DOMAINS", ("arithmetic",))
    monkeypatch.setattr(kinds, "PER_CELL", 1)
    how: dict[str, Any] = {"numbers": "fp32", "max_steps": (1,), "splits": 5, "orders": 4, "folder": str(tmp_path)}
    config, figures = measuring.measure(str(imported.path), **how)
    assert sorted(asked) == [10, 60, 90, 120, 120]
    assert config["kinds"] == {"domains": 3, "chat": 60, "mail": 1}
    assert config["questions"] == {"mawps_dev": 180, "asdiv_a": 130, "gsm8k": 90}
    assert config["new"] == {name: sum(one != form for one in masked(file)) for name, file in tests.items()}
    assert config["new"]["mawps_dev"] < 180
    assert 0 <= figures["both_steps1_error0.2_broken"].median <= 1
    assert figures["mawps_refused_chat"].median > figures["mawps_refused_mawps_dev"].median
    assert len(figures["mawps_asdiv_a_alarm_requests"].runs) == 4
    assert figures["mawps_asdiv_a_low"].median > figures["mawps_asdiv_a_low_bound"].median
    assert {f"both{end}_{file}_risk_at_0.5" for file in tests for end in ("", "_new")} <= {*figures}
    monkeypatch.setattr(answers, "collect_histories", lambda *_: pytest.fail("answered again"))
    assert measuring.measure(str(imported.path), **how)[1] == figures

    record = {"config": config, "figures": {key: figure.summary() for key, figure in figures.items()}}
    record = json.loads(json.dumps(record))
    assert "<svg" in risk_by_coverage(record)
    assert of("mawps_refused_chat", "kinds", "chat")(record).endswith("(n = 60)")
    assert of("mawps_refused_others", "kinds")(record).endswith("(n = 64)")
    with pytest.raises(InputError, match="shorter is no folder: name one, or one of the kinds long"):
        measuring.measure("shorter", folder=str(tmp_path))
