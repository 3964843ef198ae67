"""Promises: given for calibrated classes, refused with what could be promised, revoked when requests change."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.harness.tiny import randomize_weights, save_tiny
from tests.engine.reciting import reciting
from tuili.engine.answer import Answer, Outcome, Receipt
from tuili.engine.attempt import Attempt
from tuili.engine.promises.calibration import (
    CALIBRATION_FILE,
    Calibration,
    Curve,
    Entry,
    NotPromised,
    Point,
    Promise,
    Sample,
    read_calibration,
)
from tuili.engine.promises.confidence import FEATURES, FITTED_FEATURES, Confidence
from tuili.engine.promises.promises import Promises, load_promises
from tuili.engine.request import Budget, Request, Sampling
from tuili.engine.runtime.load import load_engine
from tuili.engine.runtime.runner import Runtime
from tuili.engine.runtime.torch.runtime import runtime_of
from tuili.engine.sequence import Sequence, SequenceLimits, StopReason
from tuili.engine.written import CheckedStep, parse_tokens
from tuili.errors import InputError, ModelFolderError
from tuili.model import LoadedModel, load_model
from tuili.steps import CHECKER_VERSION, Context, check
from tuili.store import model_hash

pytestmark = pytest.mark.usefixtures("cold")

PROMPT = "What is 48 / 2 + 7?"

ADDED = {"refines_untraced", "familiarity", "parts", "calculator", "low_confidence"}
"""What the first files of this version did not have."""


def entry(tolerance: float, steps: int, tokens: int, threshold: float | None = 0.6) -> Entry:
    if threshold is None:
        return Entry(error_tolerance=tolerance, max_steps=steps, max_tokens=tokens, threshold=None, reason="too few")
    return Entry(
        error_tolerance=tolerance,
        max_steps=steps,
        max_tokens=tokens,
        threshold=threshold,
        n=100,
        wrong=1,
        bound=tolerance,
        coverage=0.5,
    )


def calibration(folder: Path, **changes: Any) -> Calibration:
    """At 10% every class is promised, at 1% only the one of four attempts and 40 tokens."""
    result = Calibration(
        model=model_hash(folder),
        verifier=None,
        checker=CHECKER_VERSION,
        runtime=Runtime(),
        exit_threshold=load_model(folder).model.config.exit_threshold,
        delta=0.05,
        coefficients=(0.0,) * len(FEATURES),
        features=FEATURES,
        constant=1.0,
        rejected=0.2,
        sample=Sample(
            source="made up",
            sha256="0" * 64,
            fitted=50,
            n=200,
            longest_prompt=400,
            accuracy=0.9,
            calibration_error=0.01,
        ),
        entries=tuple(
            entry(tolerance, steps, tokens, 0.6 if tolerance == 0.1 or (steps, tokens) == (4, 40) else None)
            for steps in (1, 4)
            for tokens in (20, 40)
            for tolerance in (0.01, 0.1)
        ),
        curves=(Curve(max_steps=1, max_tokens=20, tested=(Point(threshold=0.6, answered=100, wrong=1),)),),
    )
    return result.model_copy(update=changes)


def write(folder: Path, content: Calibration) -> LoadedModel:
    (folder / CALIBRATION_FILE).write_text(content.model_dump_json(), encoding="utf-8")
    return load_model(folder)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = save_tiny(tmp_path_factory.mktemp("calibrated") / "model")
    loaded = write(folder, calibration(folder))
    randomize_weights(loaded.model)
    return loaded


def always(prompt: int, tokens: int) -> bool:
    return True


def promises_of(loaded: LoadedModel) -> Promises:
    return load_promises(loaded.path, loaded.model.config.exit_threshold, Runtime())


def entry_for(loaded: LoadedModel, in_time: Any = always, prompt: int = 20, **budget: Any) -> Entry:
    return promises_of(loaded).entry(Request(PROMPT, Budget(**budget)), prompt, in_time, None)


def test_a_budget_belongs_to_the_largest_class_within_it(calibrated: LoadedModel) -> None:
    result = entry_for(calibrated, error_tolerance=0.3, max_steps=3)
    assert (result.error_tolerance, result.max_steps, result.max_tokens) == (0.1, 1, 40)
    result = entry_for(calibrated, error_tolerance=0.05, max_steps=64, max_tokens=50)
    assert (result.error_tolerance, result.max_steps, result.max_tokens) == (0.01, 4, 40)
    result = entry_for(calibrated, lambda prompt, tokens: tokens < 30, error_tolerance=0.1, deadline_ms=5.0)
    assert result.max_tokens == 20, "what the deadline leaves time for"


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (
            {"error_tolerance": 0.02, "max_steps": 2, "max_tokens": 30},
            "error_tolerance = 0.02 cannot be promised with max_steps = 1 and max_tokens = 20: too few; could be "
            "promised: error_tolerance = 0.1 with these, or error_tolerance = 0.01 with max_steps = 4 and max_tokens = "
            "40",
        ),
        ({"error_tolerance": 0.001}, "error_tolerance = 0.001: nothing is promised below 0.01"),
        ({"error_tolerance": 0.1, "max_tokens": 19}, "max_tokens = 19: nothing is promised below 20"),
        ({"error_tolerance": 0.1, "max_layer_steps": 500}, "nothing is promised with max_layer_steps"),
    ],
)
def test_what_cannot_be_promised_is_refused_with_what_could_be(
    calibrated: LoadedModel, budget: dict[str, Any], message: str
) -> None:
    with pytest.raises(NotPromised) as refused:
        entry_for(calibrated, **budget)
    assert message in str(refused.value)


def test_too_short_a_deadline_and_uncalibrated_settings_are_refused(calibrated: LoadedModel) -> None:
    with pytest.raises(NotPromised, match="deadline_ms = 3: too short for an answer of 20 tokens"):
        entry_for(calibrated, lambda prompt, tokens: False, error_tolerance=0.1, deadline_ms=3.0)
    promises = promises_of(calibrated)
    facts = Context(facts={"P1": "A"})
    others = ({"temperature": 0.5}, {"stop": ("x",)}, {"seed": 3}, {"logit_bias": ((5, 1.0),)})
    asked = ({"depth": 4}, {"context": facts}, {"prompt_ids": (1, 2, 90, 3)})
    for other in (*({"sampling": Sampling(**settings)} for settings in others), *asked):
        request = Request(PROMPT, Budget(error_tolerance=0.1), **other)  # type: ignore[arg-type]
        with pytest.raises(NotPromised, match="promised only for depth auto, temperature 0, seed 0"):
            promises.entry(request, 20, always, None)


def test_the_tokens_that_a_deadline_leaves_time_for_do_not_depend_on_the_prompt(calibrated: LoadedModel) -> None:
    asked: list[tuple[int, int]] = []

    def in_time(prompt: int, tokens: int) -> bool:
        asked.append((prompt, tokens))
        return tokens < 30

    message = (
        "max_tokens = 20, which deadline_ms = 5 leaves time for: too few; could be promised: error_tolerance = 0.1 with"
    )
    with pytest.raises(NotPromised, match=message):
        entry_for(calibrated, in_time, error_tolerance=0.01, max_steps=4, deadline_ms=5.0)
    assert set(asked) == {(400, 20), (400, 40)}, "for the longest prompt of the calibration"
    with pytest.raises(NotPromised, match="a prompt of 401 tokens: in calibration none had more than 400"):
        entry_for(calibrated, prompt=401, error_tolerance=0.1)


def test_an_answer_comes_with_its_promise_and_the_confidence_it_needs(calibrated: LoadedModel) -> None:
    engine = load_engine(calibrated, runner="torch")
    plain, promised = engine.answer(
        [Request(PROMPT, Budget(max_tokens=25)), Request(PROMPT, Budget(error_tolerance=0.1))]
    )
    assert plain.receipt.promise == Promise(why="no error_tolerance was asked for")
    assert promised.receipt.promise == Promise(0.1, 0.05, 100, 1, 0.1, 1, 40)
    assert promised.as_json()["receipt"]["promise"]["error_tolerance"] == 0.1
    assert promised.receipt.tokens["generated"] <= 40, "it keeps to the limits of its class"
    assert promised.receipt.outcome is Outcome.ABSTAINED, "an untrained model answers nothing"


def test_without_a_calibration_that_fits_nothing_is_promised(calibrated: LoadedModel, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model")
    good = calibration(folder)
    for other, message in [
        (good.model_copy(update={"model": "0" * 64}), "made with other weights"),
        (good.model_copy(update={"verifier": "0" * 64}), "made with another verifier"),
        (good.model_copy(update={"parts": "0" * 64}), "made with another tokenizer, chat template, exits or thinking"),
        (good.model_copy(update={"exit_threshold": 0.5}), "exit threshold of 0.5, not"),
        (good.model_copy(update={"checker": CHECKER_VERSION + 1}), f"of the checker, not {CHECKER_VERSION}: calibrate"),
        (
            good.model_copy(update={"runtime": Runtime("other", "int8")}),
            r"with other, int8, and runs with torch, fp32: calibrate anew \(tuili calibrate\)",
        ),
    ]:
        with pytest.raises(NotPromised, match=message):
            entry_for(write(folder, other), error_tolerance=0.1)
    first_version = json.loads(good.model_dump_json(exclude={"checker", "runtime"})) | {"version": 1}
    for content, message in (
        (json.dumps(first_version), r"another version than 2, .*: calibrate anew \(tuili calibrate\)"),
        ('{"version": 2}', "calibrate anew"),
        ("{", "calibrate anew"),
    ):
        (folder / CALIBRATION_FILE).write_text(content)
        with pytest.raises(ModelFolderError, match=message):
            read_calibration(folder)
    with pytest.raises(NotPromised, match="calibrate anew"):
        entry_for(load_model(folder), error_tolerance=0.1)
    (folder / CALIBRATION_FILE).unlink()
    with pytest.raises(NotPromised, match="it has not been calibrated"):
        entry_for(load_model(folder), error_tolerance=0.1)


def test_a_calibration_from_before_tracing_keeps_its_hash_and_the_reason_off(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model")
    written = calibration(folder).model_dump_json(exclude=ADDED)
    (folder / CALIBRATION_FILE).write_text(written)
    found = read_calibration(folder)
    assert found is not None and not found.refines_untraced
    assert found.sha256 == hashlib.sha256(written.encode()).hexdigest()
    assert not load_engine(folder, runner="torch").promises.refines_untraced
    (folder / CALIBRATION_FILE).unlink()
    assert load_engine(folder, runner="torch").promises.refines_untraced


def test_nothing_is_promised_with_another_reason_to_refine_than_in_calibration(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model")
    for measured, how in ((False, "without"), (True, "with")):
        write(folder, calibration(folder, refines_untraced=measured))
        request = Request(PROMPT, Budget(error_tolerance=0.1))
        load_engine(folder, runner="torch").admit(request)
        with pytest.raises(NotPromised, match=f"calibrated {how} further attempts for numbers from nowhere"):
            load_engine(folder, runner="torch", refines_untraced=not measured).admit(request)


def test_a_confidence_looks_only_at_the_features_that_it_was_fitted_with() -> None:
    values = tuple(range(len(FEATURES)))
    first, second, new = (Confidence((0.1,) * len(names), -5.0) for names in FITTED_FEATURES)
    assert first.of_features(values) == first.of_features((*values[:9], 0.0, 0.0, 0.0)) == first.of_features(values[:9])
    assert first.of_features(values) < second.of_features(values) < new.of_features(values)
    with pytest.raises(InputError, match="9 or 10 or 12 are needed"):
        Confidence((0.1,), 0.0)


def answered(promise: Promise) -> Answer:
    receipt = Receipt(1, {}, {}, 3.0, 9, "end", {}, promise=promise)
    return Answer(PROMPT, "31", (), receipt)


def test_a_model_is_promised_nothing_about_where_it_runs_as_it_was_not_calibrated(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model")
    loaded = write(folder, calibration(folder))
    load_engine(loaded, runner="torch").admit(Request(PROMPT, Budget(error_tolerance=0.1)))
    loaded.model.bfloat16()
    engine = load_engine(loaded, runner="torch")
    with pytest.raises(NotPromised, match="and runs with torch, bf16"):
        engine.admit(Request(PROMPT, Budget(error_tolerance=0.1)))
    assert str(runtime_of(loaded.model.lm_head.weight, int8=True)) == "torch, int8, all else bf16"
    loaded.model.float()
    assert str(runtime_of(loaded.model.lm_head.weight, int8=True)) == "torch, int8"
    torch.set_float32_matmul_precision("medium")
    try:
        assert runtime_of(loaded.model.lm_head.weight) == Runtime(numbers="fp32 with medium precision")
    finally:
        torch.set_float32_matmul_precision("highest")


def test_too_many_wrong_answers_revoke_the_promise_of_their_tolerance(calibrated: LoadedModel) -> None:
    promises = promises_of(calibrated)
    one, tenth = entry(0.01, 4, 40), entry(0.1, 1, 40)
    given = promises.promise(one)
    for number in range(400):
        promises.observe_judged(answered(given), right=number % 20 > 0)
        promises.observe_judged(answered(replace(given, why="revoked")), right=False)
        promises.observe_judged(answered(promises.promise(tenth)), right=number % 20 > 0)
        promises.observe_judged(answered(Promise(why="none")), right=False)
    assert promises.promise(tenth).why == "", "a twentieth is within a tenth"
    assert promises.promise(one).why.startswith("revoked: of ")
    assert promises.promise(one).error_tolerance == 0.01
    asked = Request(PROMPT, Budget(error_tolerance=0.05, max_steps=4))
    with pytest.raises(NotPromised) as refused:
        promises.entry(asked, 20, always, None)
    assert "revoked: of " in str(refused.value)
    assert str(refused.value).endswith("could be promised: error_tolerance = 0.1 with these")
    assert promises.alarms is not None
    promises.alarms.reset()
    assert promises.entry(asked, 20, always, None) == one


def test_more_wrong_first_attempts_than_in_calibration_revoke_all_promises(calibrated: LoadedModel) -> None:
    tokenizer = calibrated.tokenizer

    def attempt_of(text: str, stop: StopReason = StopReason.END) -> Attempt:
        tokens = tokenizer.encode_text(text)
        written = parse_tokens(tokenizer, tokens, [1] * len(tokens), Context())
        return Attempt(Sequence([1], SequenceLimits(), tokens=tokens, stop=stop), written, "")

    right, wrong = attempt_of("<think>\n1 + 1 = 2\n</think>2"), attempt_of("<think>\n1 + 1 = 3\n</think>3")
    cut = attempt_of("<think>\n1 + 1 = 3\n</think>3", StopReason.DEADLINE)
    depth_limited = attempt_of("<think>\n1 + 1 = 3\n</think>3")
    depth_limited.sequence.depth_limited = True
    calibrated_kind, other = Request(PROMPT), Request(PROMPT, sampling=Sampling(temperature=1.0))
    promises = promises_of(calibrated)
    for number in range(300):
        promises.observe_attempt(calibrated_kind, wrong if number % 6 == 0 else right, None)
        promises.observe_attempt(other, wrong, None)
        promises.observe_attempt(calibrated_kind, cut, None)
        promises.observe_attempt(calibrated_kind, depth_limited, None)
    assert promises.promise(entry(0.1, 1, 40)).why == "", "a sixth is within the fifth that is expected"
    for number in range(300):
        promises.observe_attempt(calibrated_kind, wrong if number % 2 else right, None)
    message = promises.promise(entry(0.1, 1, 40)).why
    assert message.startswith("revoked: requests are unlike the calibration sample")
    assert "more than 20.0% had a wrong step" in message
    with pytest.raises(NotPromised, match=r"wrong step.*; nothing like it can be promised"):
        promises.entry(Request(PROMPT, Budget(error_tolerance=0.1)), 20, always, None)


def test_what_one_client_asks_suspends_its_own_promise_alone(calibrated: LoadedModel) -> None:
    promises, mine = promises_of(calibrated), Request(PROMPT, Budget(error_tolerance=0.1), client="mine")
    wrong = parse_tokens(calibrated.tokenizer, [], [], Context())
    step = CheckedStep("1 + 1 = 3", check("1 + 1 = 3", Context()), 0.0, ())
    attempt = Attempt(Sequence([1], SequenceLimits(), stop=StopReason.END), replace(wrong, steps=(step,)), "")
    for _ in range(300):
        promises.observe_attempt(mine, attempt, None)
    with pytest.raises(NotPromised, match="requests of mine are unlike the calibration sample"):
        promises.entry(mine, 20, always, None)
    for client in ("yours", ""):
        assert promises.entry(replace(mine, client=client), 20, always, None).error_tolerance == 0.1
    assert promises.promise(entry(0.1, 1, 40), "mine").why.startswith("revoked")
    other = promises_of(calibrated)
    assert other.take_over(promises)
    with pytest.raises(NotPromised):
        other.entry(mine, 20, always, None)
    changed = Promises(calibration(calibrated.path, delta=0.1))
    assert not changed.take_over(promises)
    changed.entry(mine, 20, always, None)


@pytest.mark.parametrize("revoked", [False, True])
def test_an_answer_is_withheld_whose_promise_is_revoked_meanwhile(calibrated: LoadedModel, revoked: bool) -> None:
    right = "<think>\n48 / 2 = 24\n24 + 7 = 31\n</think>31"
    engine, _ = reciting(calibrated, right, promises=promises_of(calibrated))
    ticket = engine.admit(Request(PROMPT, Budget(error_tolerance=0.1)))
    for _ in range(200 * revoked):
        engine.promises.observe_judged(answered(engine.promises.promise(entry(0.1, 1, 40))), right=False)
    while ticket.answer is None:
        engine.step()
    receipt = ticket.answer.receipt
    expected = ("", Outcome.ABSTAINED) if revoked else ("31", Outcome.ANSWERED)
    assert (ticket.answer.answer, receipt.outcome) == expected
    assert receipt.reason.startswith("revoked: of ") == receipt.promise.why.startswith("revoked: of ") == revoked


def test_features_that_are_no_numbers_give_no_confidence() -> None:
    assert Confidence((1.0,) * len(FEATURES), 0.0).of_features((float("nan"),) * len(FEATURES)) < 1e-6


def test_nothing_is_promised_with_another_calculator_than_in_calibration(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model")
    for measured, other in (("off", "forced"), ("forced", "off"), ("forced", "repair")):
        write(folder, calibration(folder, calculator=measured))
        engine = load_engine(folder, runner="torch")
        request = Request(PROMPT, Budget(error_tolerance=0.1))
        assert engine.admit(replace(request, calculator=measured)).state.min_confidence is not None
        message = f"promised only with calculator {measured}, as it was calibrated, not {other}"
        with pytest.raises(NotPromised, match=message):
            engine.admit(replace(request, calculator=other))


def test_the_calculator_is_part_of_a_calibration_and_its_hash(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model")
    write(folder, calibration(folder, calculator="forced"))
    found = read_calibration(folder)
    assert found is not None
    assert found.calculator == "forced"
    assert found.sha256 != calibration(folder).sha256
