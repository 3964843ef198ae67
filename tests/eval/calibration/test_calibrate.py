"""Calibration: replayed attempts are what the engine does, and what is promised holds on problems never seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.harness.tiny import save_tiny, tiny_model
from tests.engine.reciting import reciting
from tuili.engine import (
    FEATURES,
    Alarms,
    Budget,
    Confidence,
    Curve,
    Engine,
    Entry,
    Familiar,
    LowConfidence,
    Numbers,
    Promises,
    Request,
    Runtime,
    calibration_bins,
    calibration_error,
    fit,
    load_runner,
    load_scheduler,
    read_calibration,
)
from tuili.errors import InputError
from tuili.eval.calibration.calibrate import (
    AttemptHistory,
    AttemptSnapshot,
    CalibrationGrid,
    attempt_history,
    calibrate,
    candidate_thresholds,
    certify_grid,
    collect_histories,
    fit_confidence,
    replay,
    starting_setting,
)
from tuili.eval.calibration.guarantee import CertifiedSetting, LossTable, certify
from tuili.eval.calibration.labelled import LabelledPrompt
from tuili.eval.calibration.risk import draw_risk_coverage
from tuili.model import LoadedModel, load_model
from tuili.steps import CHECKER_VERSION, render_response
from tuili.tasks import Split, generate, same_answer, score, unseen_problems

STEPS, TOKENS = 3, 120


@pytest.fixture(scope="module")
def nano() -> LoadedModel:
    return load_model("nano")


@pytest.fixture(scope="module")
def cases() -> list[LabelledPrompt]:
    domains = ("relations", "arithmetic", "tracing", "geometry")
    problems = unseen_problems(domains, [1, 3], 1, 5, Split.VALIDATION)
    return [LabelledPrompt.of(problem) for problem in problems]


class Recording(Alarms):
    """Alarms that keep what they are told of first attempts."""

    def __init__(self) -> None:
        super().__init__(0.5, ())
        self.told: list[tuple[bool, bool | None]] = []

    def observe_attempt(self, client: str, rejected: bool, unsure: bool | None = None) -> None:
        self.told.append((rejected, unsure))


def test_a_replay_is_what_the_engine_does(nano: LoadedModel, cases: list[LabelledPrompt]) -> None:
    histories = collect_histories(nano, cases, STEPS, TOKENS, lambda *_: None)
    assert {len(history.snapshots) for history in histories} > {STEPS}
    likely = [0.0] * len(FEATURES)
    likely[FEATURES.index("mean_log_chance")] = 20.0
    confidence = Confidence(tuple(likely), 2.0)
    confidences = sorted(
        confidence.of_features(snapshot.features)
        for history in histories
        for snapshot in history.snapshots
        if snapshot.features is not None
    )
    middle = len(confidences) // 2
    threshold_S = np.array([(confidences[place] + confidences[place - 1]) / 2 for place in (-1, middle)])
    calibration = read_calibration(nano.path)
    assert calibration is not None
    fitted = {"coefficients": confidence.coefficients, "constant": confidence.constant}
    level = float(confidences[middle])
    low = LowConfidence(level=level, share=0.5)
    promises = Promises(calibration.model_copy(update={**fitted, "low_confidence": low}))
    for steps, tokens in ((3, 120), (2, 60)):
        firsts = [(one.rejected, one.snapshots[0]) for one in histories if one.rejected is not None]
        first_attempts = [
            (bool(rejected), confidence.is_below(level, first.features))
            for rejected, first in firsts
            if first.tokens <= tokens
        ]
        wanted = replay(histories, confidence, threshold_S, steps, tokens)
        for setting, sure in enumerate(threshold_S):
            scheduler = load_scheduler(nano, slots=32, verifies=True)
            promises.alarms = recording = Recording()
            engine = Engine(scheduler, nano.tokenizer, promises)
            tickets = [
                engine.admit(
                    Request(case.prompt, Budget(max_steps=steps, max_tokens=tokens)), min_confidence=float(sure)
                )
                for case in cases
            ]
            while engine.busy:
                engine.step()
            answers = [ticket.answer for ticket in tickets]
            answered = [not answer.receipt.reason for answer in answers if answer is not None]
            assert answered == wanted.answered_SN[setting].tolist()
            assert sorted(recording.told) == sorted(first_attempts), "the alarms hear what calibration counted"
            assert {unsure for _, unsure in recording.told} == {True, False}
            wrong = [
                done and not same_answer(case.answer, answer.answer)
                for done, case, answer in zip(answered, cases, answers, strict=True)
                if answer is not None
            ]
            assert wrong == wanted.wrong_SN[setting].tolist()


def made_up(rng: np.random.Generator, count: int) -> list[AttemptHistory]:
    """Problems of a model whose first feature says how often it is right, the more so after a second attempt."""
    histories = []
    for hardness in rng.normal(3, 2, count):
        snapshots, tokens = [], 0
        for attempt in range(2):
            tokens += int(rng.integers(10, 60))
            features = np.zeros(len(FEATURES))
            features[0] = hardness + attempt + rng.normal(0, 0.5)
            right = rng.random() < 1 / (1 + np.exp(-hardness - attempt))
            snapshots.append(AttemptSnapshot(tokens, tuple(features) if rng.random() < 0.95 else None, bool(right)))
        histories.append(AttemptHistory(20, tuple(snapshots), bool(rng.random() < 0.1)))
    return histories


def test_what_is_certified_holds_on_ten_times_as_many_problems() -> None:
    rng, broken, uncertified, runs = np.random.default_rng(0), 0, 0, 40
    truth = made_up(rng, 20_000)
    confidence = fit_confidence(made_up(rng, 500))
    threshold_S = candidate_thresholds(made_up(rng, 500), confidence)
    seen = replay(made_up(rng, 500), confidence, threshold_S, 2, 200)
    risk_S = [wrong / max(n, 1) for wrong, n in replay(truth, confidence, threshold_S, 2, 200).error_counts()]
    for _ in range(runs):
        losses = replay(made_up(rng, 600), confidence, threshold_S, 2, 200)
        result = certify(losses, 0.05, 0.05, starting_setting(seen, 0.05, 0.05, 600))
        assert isinstance(result, CertifiedSetting)
        assert result.coverage > 0.3
        broken += risk_S[result.setting] > 0.05
        usual = [s for s, (wrong, n) in enumerate(losses.error_counts()) if n and wrong <= 0.05 * n][-1]
        uncertified += risk_S[usual] > 0.05
    assert broken <= 5, "5% of 40 are 2"
    assert uncertified > 10, "the empirical choice breaks it about every other time"


def test_testing_begins_where_other_problems_say_that_it_passes() -> None:
    answered = [np.arange(1000) < count for count in (50, 400, 600, 900)]
    wrong = [np.arange(1000) < count for count in (0, 0, 3, 30)]
    seen = LossTable(np.array(answered), np.array(wrong))
    assert [starting_setting(seen, tolerance, 0.05, 1000) for tolerance in (0.005, 0.03, 0.1)] == [2, 1, 1]
    assert starting_setting(seen, 0.1, 0.05, 8000) == 0, "with more problems fifty in a thousand are enough"
    assert starting_setting(LossTable(seen.answered_SN, seen.answered_SN), 0.05, 0.05, 1000) == 0


def test_more_attempts_and_tokens_let_more_be_answered() -> None:
    histories = made_up(np.random.default_rng(1), 300)
    confidence = fit_confidence(histories)
    threshold_S = candidate_thresholds(histories, confidence)
    assert np.all(np.diff(threshold_S) < 0)
    assert threshold_S[-1] == 0.0
    few, many, cut = (replay(histories, confidence, threshold_S, *limits) for limits in ((1, 200), (2, 200), (2, 30)))
    assert np.all(few.answered_SN <= many.answered_SN)
    assert np.all(cut.answered_SN <= many.answered_SN)
    assert cut.answered_SN.sum() < few.answered_SN.sum() < many.answered_SN.sum()


def test_the_file_says_what_was_found(tmp_path: Path) -> None:
    loaded = load_model(save_tiny(tmp_path / "model"))
    classes = CalibrationGrid(tolerances=(0.001, 0.1), max_steps=(1, 2), max_tokens=(50, 200), delta=0.1)
    calibration = certify_grid(made_up(np.random.default_rng(2), 1500), loaded, "made up", "0" * 64, classes, Runtime())
    assert (calibration.sample.fitted, calibration.sample.n) == (500, 1000)
    assert [(e.max_steps, e.max_tokens, e.error_tolerance) for e in calibration.entries] == [
        (steps, tokens, tolerance) for steps in (1, 2) for tokens in (50, 200) for tolerance in (0.001, 0.1)
    ]
    for entry in calibration.entries:
        curve = next(
            curve
            for curve in calibration.curves
            if (curve.max_steps, curve.max_tokens) == (entry.max_steps, entry.max_tokens)
        )
        agrees(entry, curve)
    assert all(entry.threshold is None and "2302" in entry.reason for entry in calibration.entries[::2])
    assert calibration.sample.calibration_error < 0.05
    low = calibration.low_confidence
    assert low is not None
    assert 0.2 < low.share < 0.35, "a quarter of the first attempts, and room for chance"
    assert 0 < low.level < calibration.sample.accuracy
    draw_risk_coverage(calibration, tmp_path / "risk.svg")
    assert "<svg" in (tmp_path / "risk.svg").read_text()[:500]


def agrees(entry: Entry, curve: Curve) -> None:
    """What an entry says of its threshold is what the curve says of it."""
    if entry.threshold is not None:
        tested = next(point for point in curve.tested if point.threshold == entry.threshold)
        assert (tested.answered, tested.wrong) == (entry.n, entry.wrong)
        assert entry.bound is not None
        assert entry.wrong / entry.n < entry.bound <= entry.error_tolerance


def test_a_regression_finds_what_made_the_answers() -> None:
    rng = np.random.default_rng(3)
    features_NF = rng.normal(0, 3, (20_000, len(FEATURES)))
    features_NF[:, 3] = 7.0
    true_F = np.array([0.5, -0.2, 0.0, 9.0, 0.3, 0.0, -0.4, 0.1, 0.2, 0.0, -0.3, 0.2])
    logit_N = features_NF @ true_F - 62.5
    right_N = rng.random(len(features_NF)) < 1 / (1 + np.exp(-logit_N))
    fitted = fit(features_NF, right_N)
    assert fitted.coefficients[3] == 0.0, "what never varies says nothing"
    np.testing.assert_allclose(np.delete(fitted.coefficients, 3), np.delete(true_F, 3), atol=0.03)
    assert fitted.constant == pytest.approx(0.5, abs=0.06)
    confidence_N = np.array([fitted.of_features(row) for row in features_NF])
    assert calibration_error(confidence_N, right_N) < 0.01
    assert calibration_error(1 - confidence_N, right_N) > 0.3


@pytest.mark.parametrize("numbers", ["fp32", "int8"])
def test_a_calibration_is_of_the_engine_that_answered(monkeypatch: pytest.MonkeyPatch, numbers: Numbers) -> None:
    nano, asked = load_model("nano"), list[dict[str, object]]()

    def collect(*arguments: Any) -> list[AttemptHistory]:
        asked.append(arguments[-1].keywords)
        return made_up(np.random.default_rng(2), 300)

    monkeypatch.setattr("tuili.eval.calibration.calibrate.collect_histories", collect)
    prompts = [LabelledPrompt("1", "1")] * 300
    grid = CalibrationGrid(tolerances=(0.1,), max_steps=(1, 2))
    calibration = calibrate(nano, prompts, "made up", grid, runner="torch", numbers=numbers, cache="fp32")
    assert asked == [{"runner": "torch", "numbers": numbers, "cache": "fp32", "refines_untraced": True}]
    assert calibration.runtime == load_runner(nano, runner="torch", numbers=numbers).runtime
    assert calibration.checker == CHECKER_VERSION


def test_the_calibration_error_is_the_distance_of_promise_and_share() -> None:
    chance_N = np.array([0.95] * 10 + [0.05] * 10)
    right_N = np.array([True] * 9 + [False] + [False] * 8 + [True] * 2)
    assert [count for count, _, _ in calibration_bins(chance_N, right_N)] == [10, 10]
    assert calibration_error(chance_N, right_N) == pytest.approx((0.05 + 0.15) / 2)
    assert calibration_error(np.ones(4), np.ones(4, dtype=bool)) == 0.0


@pytest.mark.parametrize(("seed", "constant"), [(1, 4), (2, 4), (1, 6), (2, 6), (3, 6)])
def test_a_regression_comes_to_rest_where_a_feature_is_rare(seed: int, constant: float) -> None:
    rng = np.random.default_rng(seed)
    features_NF = rng.normal(0, 1, (3000, len(FEATURES))) ** 3
    features_NF[:, 4] = np.arange(3000) < 3
    right_N = rng.random(3000) < 1 / (1 + np.exp(-np.clip(constant + 2 * features_NF[:, 0], -30, 30)))
    right_N[:3] = rng.random(3) < 0.5
    fitted = fit(features_NF, right_N)
    confidence_N = np.array([fitted.of_features(row) for row in features_NF])
    assert confidence_N.mean() == pytest.approx(right_N.mean(), abs=1e-4), "the best constant sees to that"


@pytest.mark.parametrize(
    "values",
    [{"tolerances": ()}, {"tolerances": (0.0,)}, {"tolerances": (0.1, 0.1)}, {"delta": 1.0}, {"tolerances": (1.5,)}],
)
def test_bad_classes_are_refused(values: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(InputError):
        CalibrationGrid(**values)  # type: ignore[arg-type]


def test_too_few_problems_are_refused_before_any_is_answered(tmp_path: Path) -> None:
    loaded = load_model(save_tiny(tmp_path / "model"))
    with pytest.raises(InputError, match="40 problems: at least 44 are needed"):
        calibrate(loaded, [LabelledPrompt("1", "1")] * 40, "few", CalibrationGrid(tolerances=(0.05, 0.1)))


def test_answers_of_one_kind_teach_only_how_many_there_are() -> None:
    snapshot = AttemptSnapshot(3, (1.0,) * len(FEATURES), True)
    assert fit_confidence([AttemptHistory(20, (snapshot,), False)] * 8).of_features(
        snapshot.features or ()
    ) == pytest.approx(0.9)
    with pytest.raises(InputError, match="answered none"):
        fit_confidence([AttemptHistory(20, (replace(snapshot, features=None),), None)])


def test_a_history_without_an_answer_is_unanswered() -> None:
    nothing = AttemptHistory(20, (AttemptSnapshot(3, None, False),), None)
    losses = replay([nothing], Confidence((0.0,) * len(FEATURES), 0.0), np.array([0.5, 0.0]), 1, 10)
    assert isinstance(losses, LossTable)
    assert not losses.answered_SN.any()


def test_an_unfamiliar_prompt_is_unanswered_as_at_run_time() -> None:
    model, tokenizer = tiny_model()
    engine, _ = reciting(LoadedModel(model.eval(), tokenizer, Path()), "<think>\n1 + 1 = 2\n</think>2")
    ticket = engine.admit(Request("What is 1 + 1?", Budget(max_steps=1)))
    while engine.busy:
        engine.step()
    place, states = FEATURES.index("log_familiarity"), list[tuple[float, ...] | None]()
    for familiar in (None, Familiar(0.02, 0.02), Familiar(0.019, 0.02)):
        ticket.state.familiar = familiar
        history = attempt_history(ticket.state, LabelledPrompt("What is 1 + 1?", "2"), verifies=False)
        assert history.rejected is False, "the alarm on first attempts sees it"
        states.append(history.snapshots[0].features)
    untold, just_enough, too_little = states
    assert untold is not None
    assert just_enough is not None
    assert (untold[place], just_enough[place]) == (0, pytest.approx(np.log(0.02)))
    assert too_little is None


def test_a_response_to_a_claim_is_right_only_if_its_steps_settle_it() -> None:
    model, tokenizer = tiny_model()
    loaded = LoadedModel(model.eval(), tokenizer, Path())
    problem = next(one for one in (generate("proofs", 3, index, 2) for index in range(30)) if one.answer == "proven")
    for steps in (problem.steps, problem.steps[:-1], ("1 + 1 = 2",)):
        response = render_response(steps, problem.answer)
        engine, _ = reciting(loaded, response)
        ticket = engine.admit(Request(problem.prompt, Budget(max_steps=1)))
        while engine.busy:
            engine.step()
        history = attempt_history(ticket.state, LabelledPrompt.of(problem), verifies=False)
        assert history.snapshots[0].right == (score(problem, response) == 1.0) == (steps == problem.steps)
