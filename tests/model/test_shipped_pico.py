"""The smallest model that comes with the package: a student of `nano` in 4 bits, with what is left of its answers."""

from __future__ import annotations

import json

import pytest

from tuili.cli.app import main
from tuili.engine import Budget, Request, load_decoder
from tuili.engine.promises.promises import Promises, valid_calibration
from tuili.eval import EVAL_FILE, answer_problems
from tuili.eval.accuracy import accuracy
from tuili.store import SHIPPED_MODELS, check_recorded, model_hash, read_lineage, read_settings
from tuili.tasks import unseen_problems

NANO, PICO = SHIPPED_MODELS / "nano", SHIPPED_MODELS / "pico"
REPORT, OF_NANO = (json.loads((folder / EVAL_FILE).read_text()) for folder in (PICO, NANO))
DOMAINS = read_settings(NANO).domains or ()


def test_its_weights_take_at_most_one_and_a_half_megabytes() -> None:
    assert sum(file.stat().st_size for file in PICO.glob("*.safetensors")) <= 1.5e6


def test_it_descends_from_nano_and_its_figures_are_of_these_weights() -> None:
    check_recorded(PICO)
    lineage = read_lineage(PICO)
    assert [entry.step for entry in lineage[-2:]] == ["distil", "quantize"]
    assert lineage[-2].parent == model_hash(NANO)
    assert lineage[-1].hash == REPORT["model_hash"] == model_hash(PICO)
    assert lineage[-1].figures["right_level_1"] >= 0.9 * OF_NANO["mean"]["1"]
    assert "right_before" not in lineage[-1].figures  # of the student that was rounded nobody measured them
    assert (PICO / "README.md").is_file()


def test_it_keeps_nine_tenths_of_what_nano_answers_at_the_first_level() -> None:
    assert {cell["n"] for cell in REPORT["cells"]} == {200}
    assert REPORT["mean"]["1"] >= 0.9 * OF_NANO["mean"]["1"]


def test_it_is_as_good_here_as_where_it_was_measured() -> None:
    problems = unseen_problems(DOMAINS, [1], per_cell=4, seed=9)
    assert accuracy(answer_problems(load_decoder("pico"), problems)) >= REPORT["mean"]["1"] - 0.15


def test_it_promises_and_answers(capsys: pytest.CaptureFixture[str]) -> None:
    promises = Promises(*valid_calibration(PICO, read_settings(PICO).exit_threshold))
    entry = promises.entry(
        Request("?", Budget(max_steps=4, error_tolerance=0.05)), 20, lambda prompt, tokens: True, None
    )
    assert entry.bound is not None
    assert entry.bound <= 0.05
    assert entry.coverage > 0.5
    assert main(["ask", "3 * (4 + 5)", "--model", "pico", "--error-tolerance", "0.05", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answer"] == "27"
