"""The verifier of an imported model: both steps judge what transformers computes, in pieces, with exits or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.engine.runtime.dense import EXITS, dense_folder
from tuili.engine import Budget, Outcome, Request, Sampling, load_engine, load_scheduler
from tuili.engine.sequence import Sequence, SequenceLimits, StopReason
from tuili.errors import ModelFolderError
from tuili.model import LoadedVerifier, Verifier, response_features, write_verifier
from tuili.store import VERIFIER_FILE, LineageEntry, VerifierCalibration, VerifierConfig, write_lineage

KINDS = ["llama", "llama, tied", "qwen2, tied", "qwen3"]
RUNNERS = ["native", "torch"]
PROMPT, RESPONSE = [5, 9, 260, 31, 77, 300, 12], [14, 61, 200, 7, 90, 33, 2]


def verifier(state_size: int = 64) -> LoadedVerifier:
    """A random one."""
    torch.manual_seed(3)
    network = Verifier(VerifierConfig(state_size, channels=16, layers=2, heads=2)).eval()
    return LoadedVerifier(network, VerifierCalibration(((-9.0, 0.0), (9.0, 1.0)), ((-9.0, 0.1), (9.0, 0.9))), {})


def verified(folder: Path, kind: str = "llama", **settings: Any) -> Path:
    """An imported model with a verifier."""
    dense_folder(folder, kind, **settings)
    write_verifier(folder, verifier())
    return folder


@torch.inference_mode()
def expected_logits(folder: Path) -> torch.Tensor:
    """The verifier's logit for each token of the response, from what transformers computes."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids_1T = torch.tensor([[*PROMPT, *RESPONSE]])
    state_1TM = model.model(ids_1T).last_hidden_state[:, len(PROMPT) - 1 :]
    logit_1TV = model.lm_head(state_1TM)
    embedding_VM = model.get_input_embeddings().weight
    features = response_features(state_1TM[:, 1:], logit_1TV[:, :-1], None, ids_1T[:, len(PROMPT) :], embedding_VM)
    return verifier().network(features)[0]


def judged(folder: Path, runner: str, numbers: str = "fp32", chunk: int = 256) -> Sequence:
    """The response, judged in the engine."""
    scheduler = load_scheduler(folder, runner=runner, numbers=numbers, slots=2, chunk=chunk, verifies=True)
    sequence = Sequence([*PROMPT, *RESPONSE], SequenceLimits(), verify_from=len(PROMPT))
    scheduler.submit(sequence)
    while scheduler.busy:
        scheduler.step()
        scheduler.check()
    return sequence


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_judges_what_transformers_computes(tmp_path: Path, kind: str, runner: str) -> None:
    folder = verified(tmp_path / "model", kind)
    sequence = judged(folder, runner)
    expected_Q = expected_logits(folder)
    torch.testing.assert_close(torch.tensor(sequence.validity_logits), expected_Q, atol=2e-4, rtol=2e-4)
    chances_Q = torch.cat([(expected_Q[:-1] + 9) / 18, 0.1 + 0.8 * (expected_Q[-1:] + 9) / 18])
    torch.testing.assert_close(torch.tensor(sequence.validity_probs), chances_Q, atol=2e-4, rtol=2e-4)
    assert (sequence.stop, sequence.tokens) == (StopReason.READ, [])
    assert sequence.layer_steps == 6 * (len(RESPONSE) + 1)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("chunk", [256, 3, 1])
def test_exits_and_pieces_change_no_judgement(tmp_path: Path, chunk: int, runner: str) -> None:
    """Exits may be trained anew without the verifier."""
    folder = verified(tmp_path / "model", exits=EXITS)
    sequence = judged(folder, runner, chunk=chunk)
    expected_Q = expected_logits(folder)
    torch.testing.assert_close(torch.tensor(sequence.validity_logits), expected_Q, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("numbers", ["bf16", "int8", "int4"])
@pytest.mark.parametrize("kind", ["llama", "llama, tied"])
def test_coarser_numbers_judge_alike(tmp_path: Path, kind: str, numbers: str) -> None:
    """The states are those of the coarser model, and the embeddings those that its numbers keep."""
    folder = verified(tmp_path / "model", kind)
    error = (torch.tensor(judged(folder, "native", numbers).validity_logits) - expected_logits(folder)).abs().mean()
    assert error < {"bf16": 0.02, "int8": 0.1, "int4": 0.5}[numbers]


def test_an_answer_is_read_and_gets_a_confidence_and_its_cost(tmp_path: Path) -> None:
    folder = verified(tmp_path / "model")
    engine = load_engine(folder, numbers="fp32")
    assert engine.verifies
    (answer,) = engine.answer([Request("What is 12 + 30?", Budget(max_tokens=400), Sampling(stop=tuple("aeio")))])
    receipt = answer.receipt
    generated = receipt.tokens["generated"]
    assert (receipt.stop, receipt.outcome) == ("stop", Outcome.ANSWERED)
    assert receipt.confidence is not None
    assert receipt.layer_steps == 6 * generated + 6 * (generated + 1)


def test_one_of_other_weights_is_refused_by_name(tmp_path: Path) -> None:
    folder, other = verified(tmp_path / "model"), dense_folder(tmp_path / "other", "llama", seed=1)
    write_lineage(other, (LineageEntry("import"),))
    (other / VERIFIER_FILE).write_bytes((folder / VERIFIER_FILE).read_bytes())
    with pytest.raises(ModelFolderError, match=r"verifier\.safetensors was trained on another model"):
        load_engine(other)


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"{}" + data[2:], lambda data: b""])
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_damaged_one_is_refused_in_one_line(tmp_path: Path, damage: Any, runner: str) -> None:
    folder = verified(tmp_path / "model")
    file = folder / VERIFIER_FILE
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ModelFolderError, match=r"verifier\.safetensors") as caught:
        load_engine(folder, runner=runner)
    assert "\n" not in str(caught.value)
