"""The verifier in the engine: it judges as in training, piece by piece and within the budget."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks.harness.tiny import save_tiny, tiny_model
from tests.engine.runtime.steps import KINDS, Kind, runner_of, scheduler_of
from tuili.engine import load_engine
from tuili.engine.answer import Outcome
from tuili.engine.attempt import Attempt
from tuili.engine.controller import with_step_confidences
from tuili.engine.engine import Engine
from tuili.engine.promises.promises import Promises
from tuili.engine.request import Budget, Request
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Sequence, SequenceLimits, StopReason
from tuili.engine.written import parse_tokens
from tuili.errors import InputError
from tuili.model import LoadedModel, LoadedVerifier, Verifier, features_of, load_model, write_verifier
from tuili.posttrain.verifier.examples import build_examples
from tuili.posttrain.verifier.fit import predict_logits
from tuili.posttrain.verifier.own import render_chain
from tuili.steps import Context
from tuili.store import VerifierCalibration, VerifierConfig
from tuili.tasks import unseen_problems

PROMPT = "What is 48 / 2 + 7?"


def verifier(state_size: int = 16) -> LoadedVerifier:
    torch.manual_seed(3)
    network = Verifier(VerifierConfig(state_size, channels=16, layers=2, heads=2)).eval()
    return LoadedVerifier(network, VerifierCalibration(((-4.0, 0.0), (4.0, 1.0)), ((-9.0, 0.1), (9.0, 0.9))), {})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [256, 7, 1])
def test_pieces_are_judged_as_the_whole_is_in_training(chunk: int, kind: Kind) -> None:
    model, tokenizer = tiny_model()
    loaded, loaded_verifier = LoadedModel(model.eval(), tokenizer, Path()), verifier()
    problems = unseen_problems(["arithmetic"], [1, 2], 1, 0)
    chains = [render_chain(loaded, problem, problem.steps, problem.answer, "right") for problem in problems]
    scheduler = scheduler_of(kind, model, tokenizer, slots=3, chunk=chunk, verifier=loaded_verifier)
    sequences = [Sequence(list(chain.ids), SequenceLimits(), verify_from=chain.prompt) for chain in chains if chain]
    decoding = Sequence(list(chains[0].ids[:9]), SequenceLimits(60), depth=4)  # type: ignore[union-attr]
    for sequence in (sequences[0], decoding, *sequences[1:], copy_of(sequences[0])):
        scheduler.submit(sequence)
    while scheduler.busy:
        scheduler.step()
        scheduler.check()
    for sequence, chain in zip(sequences, chains, strict=True):
        assert chain is not None
        raw_Q = predict_logits(
            loaded_verifier.network, build_examples(partial(features_of, model), [chain], lambda *_: None)
        )
        torch.testing.assert_close(
            torch.tensor(sequence.validity_logits), raw_Q, atol=0.03, rtol=0.02
        )  # features kept in bf16
        expected_Q = torch.cat([(raw_Q[:-1] + 4) / 8, 0.1 + 0.8 * (raw_Q[-1:] + 9) / 18])
        torch.testing.assert_close(torch.tensor(sequence.validity_probs), expected_Q, atol=0.01, rtol=0.02)
        assert (sequence.stop, sequence.tokens) == (StopReason.READ, [])
        assert sequence.layer_steps == 4 * (len(chain.labels) + 1)
    assert scheduler.stats.ended[StopReason.READ] == len(sequences) + 1


@pytest.mark.parametrize(("deadline", "ended"), [(None, 4), (1e9, 1)])
def test_a_response_with_a_deadline_waits_for_no_other_to_be_read(deadline: float | None, ended: int) -> None:
    model, tokenizer = tiny_model()
    scheduler = scheduler_of("native", model, tokenizer, verifier=verifier())
    for _ in range(4):
        scheduler.submit(Sequence([8] * 20, SequenceLimits(deadline=deadline), verify_from=9))
    scheduler.step()
    assert scheduler.stats.ended == {StopReason.READ: ended}
    while scheduler.busy:
        scheduler.step()
    assert scheduler.stats.ended == {StopReason.READ: 4}


def copy_of(sequence: Sequence) -> Sequence:
    return Sequence(sequence.prompt, sequence.limits, verify_from=sequence.verify_from)


def test_without_a_verifier_or_a_response_there_is_nothing_to_read() -> None:
    model, tokenizer = tiny_model()
    with pytest.raises(InputError, match="there is no verifier"):
        scheduler_of("native", model, tokenizer).submit(Sequence([1, 2], SequenceLimits(), verify_from=1))
    for place in (0, 2):
        with pytest.raises(InputError, match="no response behind a prompt"):
            scheduler_of("native", model, tokenizer, verifier=verifier()).submit(
                Sequence([1, 2], SequenceLimits(), verify_from=place)
            )


@pytest.fixture(scope="module")
def nano() -> LoadedModel:
    return load_model("nano")


@pytest.fixture(params=KINDS)
def engine(nano: LoadedModel, request: pytest.FixtureRequest) -> Engine:
    """nano with an untrained verifier."""
    runner = runner_of(request.param, nano.model, nano.tokenizer, slots=2, verifier=verifier(192))
    return Engine(Scheduler.of(runner, nano.tokenizer), nano.tokenizer, Promises(None))


def test_an_answer_is_read_once_and_gets_a_confidence(engine: Engine) -> None:
    (answer,) = engine.answer([Request("What is 48 + 27 * 3?")])
    stats = engine.scheduler.stats
    assert answer.receipt.outcome is Outcome.ANSWERED
    assert answer.receipt.attempts == 1
    assert answer.receipt.confidence is not None
    assert stats.ended == {StopReason.END: 1, StopReason.READ: 1}
    generated = answer.receipt.tokens["generated"]
    decoding_steps = round(answer.receipt.mean_depth * generated)
    assert answer.receipt.layer_steps == decoding_steps + 12 * (generated + 1)
    assert answer.receipt.milliseconds["total"] > 0


@pytest.mark.parametrize("budget", [Budget(deadline_ms=60_000), Budget(max_layer_steps=400)])
def test_with_a_deadline_or_few_layer_steps_the_verifier_reads_nothing(engine: Engine, budget: Budget) -> None:
    (answer,) = engine.answer([Request("What is 48 + 27 * 3?", budget)])
    assert answer.receipt.outcome is Outcome.ANSWERED
    assert answer.receipt.confidence is None
    assert engine.scheduler.stats.ended == {StopReason.END: 1}


def test_cancelling_while_the_verifier_reads_frees_the_slot(engine: Engine) -> None:
    ticket = engine.admit(Request("What is 48 + 27 * 3?"))
    while ticket.sequence.verify_from is None:
        engine.step()
    engine.cancel(ticket)
    engine.check()
    assert ticket.answer is not None
    assert ticket.answer.receipt.outcome is Outcome.CANCELLED
    assert not engine.busy


def test_a_step_that_the_checker_cannot_decide_is_doubted_if_its_probability_is_low(nano: LoadedModel) -> None:
    tokens = nano.tokenizer.encode_text("<think>\n1 + 1 = 2\nso it goes\n</think>2")
    response = parse_tokens(nano.tokenizer, tokens, [3] * len(tokens), Context())
    sequence = Sequence([1], SequenceLimits(), tokens=tokens, stop=StopReason.END)
    end = response.steps[1].last_token
    assert end is not None
    assert tokens[end] == nano.tokenizer.encode_text("so it goes")[-1]
    for prob, doubted in ((0.4, True), (0.6, False)):
        probs = [0.9] * len(tokens)
        probs[end] = prob
        judged = with_step_confidences(Attempt(sequence, response, "", (), tuple(probs)), 0)
        assert [step.confidence for step in judged.response.steps] == [None, prob]
        assert bool(judged.shortcoming) == doubted
    assert with_step_confidences(Attempt(sequence, response, "", (), (0.3,) * len(tokens)), 0).shortcoming.startswith(
        "step 2 is doubted"
    )


def test_an_engine_loads_the_verifier_of_the_model_folder(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model")
    assert not load_engine(load_model(folder)).verifies
    write_verifier(folder, verifier())
    assert load_engine(load_model(folder)).verifies
