"""The verifier in the engine: it judges what training judges, piece by piece, within the budget."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.harness.tiny import save_tiny, tiny_model
from tuili.engine.answer import Outcome
from tuili.engine.attempt import Attempt
from tuili.engine.controller import with_step_confidences
from tuili.engine.engine import Engine
from tuili.engine.promises.promises import Promises
from tuili.engine.request import Budget, Request
from tuili.engine.runtime.torch.load import load_engine, load_runner, load_scheduler
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Sequence, SequenceLimits, StopReason
from tuili.engine.written import parse_tokens
from tuili.errors import InputError
from tuili.model import LoadedModel, LoadedVerifier, Verifier, load_model, write_verifier
from tuili.posttrain.verifier.chains import render_chain
from tuili.posttrain.verifier.examples import build_examples
from tuili.posttrain.verifier.fit import predict_logits
from tuili.steps import Context
from tuili.store import VerifierCalibration, VerifierConfig
from tuili.tasks import unseen_problems

PROMPT = "What is 48 / 2 + 7?"


def verifier(state_size: int = 16) -> LoadedVerifier:
    torch.manual_seed(3)
    network = Verifier(VerifierConfig(state_size, channels=16, layers=2, heads=2)).eval()
    return LoadedVerifier(network, VerifierCalibration(((-4.0, 0.0), (4.0, 1.0)), ((-9.0, 0.1), (9.0, 0.9))), {})


@pytest.mark.parametrize("chunk", [256, 7, 1])
def test_pieces_say_what_the_whole_says_in_training(chunk: int) -> None:
    model, tokenizer = tiny_model()
    loaded, own = LoadedModel(model.eval(), tokenizer, Path()), verifier()
    problems = unseen_problems(["arithmetic"], [1, 2], 2, 0)
    chains = [render_chain(loaded, problem, problem.steps, problem.answer, "right") for problem in problems]
    scheduler = load_scheduler(model, tokenizer, slots=3, chunk=chunk, verifier=own)
    rows = [Sequence(list(chain.ids), SequenceLimits(), verify_from=chain.prompt) for chain in chains if chain]
    writing = Sequence(list(chains[0].ids[:9]), SequenceLimits(60), depth=4)  # type: ignore[union-attr]
    for row in (rows[0], writing, *rows[1:], replace_row(rows[0])):
        scheduler.submit(row)
    while scheduler.busy:
        scheduler.step()
        scheduler.check()
    for row, chain in zip(rows, chains, strict=True):
        assert chain is not None
        raw_Q = predict_logits(own.network, build_examples(model, [chain], lambda *_: None))
        torch.testing.assert_close(
            torch.tensor(row.validity_logits), raw_Q, atol=0.03, rtol=0.02
        )  # features kept in bf16
        wanted_Q = torch.cat([(raw_Q[:-1] + 4) / 8, 0.1 + 0.8 * (raw_Q[-1:] + 9) / 18])
        torch.testing.assert_close(torch.tensor(row.validity_probs), wanted_Q, atol=0.01, rtol=0.02)
        assert (row.stop, row.tokens) == (StopReason.READ, [])
        assert row.layer_steps == 4 * (len(chain.labels) + 1)
    assert scheduler.stats.ended[StopReason.READ] == len(rows) + 1


def replace_row(row: Sequence) -> Sequence:
    return Sequence(row.prompt, row.limits, verify_from=row.verify_from)


def test_without_a_verifier_or_a_response_there_is_nothing_to_read() -> None:
    model, tokenizer = tiny_model()
    with pytest.raises(InputError, match="there is no verifier"):
        load_scheduler(model, tokenizer).submit(Sequence([1, 2], SequenceLimits(), verify_from=1))
    for place in (0, 2):
        with pytest.raises(InputError, match="no response behind a prompt"):
            load_scheduler(model, tokenizer, verifier=verifier()).submit(
                Sequence([1, 2], SequenceLimits(), verify_from=place)
            )


@pytest.fixture(scope="module")
def nano() -> LoadedModel:
    return load_model("nano")


@pytest.fixture
def engine(nano: LoadedModel) -> Engine:
    """nano with an untrained verifier."""
    runner = load_runner(nano.model, nano.tokenizer, slots=2, verifier=verifier(192))
    return Engine(Scheduler.of(runner, nano.tokenizer), nano.tokenizer, Promises(None))


def test_an_answer_is_read_once_and_its_confidence_told(engine: Engine) -> None:
    (answer,) = engine.answer([Request("What is 48 + 27 * 3?")])
    reading = engine.scheduler.stats
    assert answer.receipt.outcome is Outcome.ANSWERED
    assert answer.receipt.attempts == 1
    assert answer.receipt.confidence is not None
    assert reading.ended == {StopReason.END: 1, StopReason.READ: 1}
    generated = answer.receipt.tokens["generated"]
    written = round(answer.receipt.mean_depth * generated)
    assert answer.receipt.layer_steps == written + 12 * (generated + 1)
    assert answer.receipt.milliseconds["total"] > 0


@pytest.mark.parametrize("budget", [Budget(deadline_ms=60_000), Budget(max_layer_steps=400)])
def test_where_time_or_layers_are_short_it_is_not_asked(engine: Engine, budget: Budget) -> None:
    (answer,) = engine.answer([Request("What is 48 + 27 * 3?", budget)])
    assert answer.receipt.outcome is Outcome.ANSWERED
    assert answer.receipt.confidence is None
    assert engine.scheduler.stats.ended == {StopReason.END: 1}


def test_cancelling_while_it_reads_frees_the_slot(engine: Engine) -> None:
    ticket = engine.admit(Request("What is 48 + 27 * 3?"))
    while ticket.sequence.verify_from is None:
        engine.step()
    engine.cancel(ticket)
    engine.check()
    assert ticket.answer is not None
    assert ticket.answer.receipt.outcome is Outcome.CANCELLED
    assert not engine.busy


def test_a_step_that_nobody_can_decide_is_doubted_where_the_verifier_does(nano: LoadedModel) -> None:
    tokens = nano.tokenizer.encode_text("<think>\n1 + 1 = 2\nso it goes\n</think>2")
    written = parse_tokens(nano.tokenizer, tokens, [3] * len(tokens), Context())
    row = Sequence([1], SequenceLimits(), tokens=tokens, stop=StopReason.END)
    end = written.steps[1].last_token
    assert end is not None
    assert tokens[end] == nano.tokenizer.encode_text("so it goes")[-1]
    for chance, doubted in ((0.4, True), (0.6, False)):
        believed = [0.9] * len(tokens)
        believed[end] = chance
        found = with_step_confidences(Attempt(row, written, "", (), tuple(believed)), 0)
        assert [step.confidence for step in found.response.steps] == [None, chance]
        assert bool(found.shortcoming) == doubted
    assert with_step_confidences(Attempt(row, written, "", (), (0.3,) * len(tokens)), 0).shortcoming.startswith(
        "step 2 is doubted"
    )


def test_a_model_folder_brings_its_verifier(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model")
    assert not load_engine(load_model(folder)).verifies
    write_verifier(folder, verifier())
    assert load_engine(load_model(folder)).verifies
