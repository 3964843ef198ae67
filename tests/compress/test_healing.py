"""What is distilled: the divergence against its slow twin, and a parent that has nothing to learn from itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tuili.compress import HealedNetwork, HealingConfig, TokenStates, forward_kl, healing, open_parent
from tuili.data import StreamState


def states(seed: int) -> TokenStates:
    torch.manual_seed(seed)
    return TokenStates(torch.randn(7, 5, requires_grad=True), torch.randn(11, 5, requires_grad=True), torch.arange(7))


@pytest.mark.parametrize("at_a_time", [11, 33, 1000])
def test_the_divergence_in_parts_is_that_of_all_logits(at_a_time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher, student, twin = states(1), states(2), states(2)
    monkeypatch.setattr(healing, "LOGITS_AT_A_TIME", at_a_time)
    divergence, agrees_N, right_N = forward_kl(teacher, student)
    divergence.backward()
    aim, own = teacher.hidden_NM @ teacher.head_VM.T, twin.hidden_NM @ twin.head_VM.T
    probability = aim.detach().softmax(-1)
    slow = (probability * (probability.log() - own.log_softmax(-1))).sum(-1).mean()
    slow.backward()
    torch.testing.assert_close(divergence, slow)
    torch.testing.assert_close(student.hidden_NM.grad, twin.hidden_NM.grad)
    torch.testing.assert_close(student.head_VM.grad, twin.head_VM.grad)
    assert teacher.hidden_NM.grad is None
    assert torch.equal(agrees_N, aim.argmax(-1) == own.argmax(-1))
    assert torch.equal(right_N, own.argmax(-1) == twin.target_N)


@pytest.mark.parametrize("kind", ["own", "imported"])
def test_a_model_has_nothing_to_learn_from_itself(kind: str, own: Path, dense: Path, questions: Path) -> None:
    config = HealingConfig(steps=9, rows=2, kernels="auto" if kind == "imported" else "torch", precision="fp32")
    parent = open_parent(own if kind == "own" else dense, config)
    data = parent.data(None if kind == "own" else questions, lambda line: None)
    student, teacher = (parent.network(parent.load(), learns) for learns in (True, False))
    with data.open_blocks(StreamState()) as blocks:
        block, _ = next(blocks)
    figures = HealedNetwork(student, teacher).learn(block, 0)
    assert figures["loss"] == pytest.approx(0.0, abs=1e-6)
    assert figures["agreement"] == 1.0
    assert teacher.parameters == {}
    reached = {name: parameter.grad for name, parameter in student.parameters.items() if parameter.grad is not None}
    assert reached.keys() == student.parameters.keys()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in student.parameters.values():
            parameter += 0.02 * torch.randn_like(parameter)
    student.follow(1.0)
    changed = HealedNetwork(student, teacher).learn(block, 0)
    assert changed["loss"] > 0.001


def test_a_student_reads_the_tokens_that_its_teacher_reads(own: Path) -> None:
    parent = open_parent(own, HealingConfig(steps=9, rows=2, kernels="torch", precision="fp32"))
    network = parent.network(parent.load(), learns=False)
    with parent.data(None, lambda line: None).open_blocks(StreamState()) as blocks:
        block, _ = next(blocks)
    one, same, other = (network.read(block, step) for step in (3, 3, 4))
    assert torch.equal(one.hidden_NM, same.hidden_NM)
    assert one.hidden_NM.shape != other.hidden_NM.shape or not torch.equal(one.hidden_NM, other.hidden_NM)
    assert len(one.target_N) == int((block.targets_BT >= 0).sum())


def test_the_samples_are_always_the_same_and_others_than_those_of_the_run(own: Path) -> None:
    data = open_parent(own, HealingConfig(steps=9, rows=2)).data(None, lambda line: None)
    first, again = list(data.samples(5)), list(data.samples(5))
    assert len(first) == len(again)
    assert all(torch.equal(one.tokens_BT, other.tokens_BT) for one, other in zip(first, again, strict=True))
    assert sum(int((block.documents_BT.amax(1) + 1).sum()) for block in first) >= 5
    with data.open_blocks(StreamState()) as blocks:
        assert not torch.equal(next(blocks)[0].tokens_BT, first[0].tokens_BT)


def test_the_divergence_is_never_negative() -> None:
    aim, own = states(4), states(5)
    divergence, *_ = forward_kl(aim, own)
    logits = aim.hidden_NM @ aim.head_VM.T, own.hidden_NM @ own.head_VM.T
    assert divergence.item() >= 0
    assert divergence.item() == pytest.approx(
        functional.kl_div(logits[1].log_softmax(-1), logits[0].softmax(-1), reduction="batchmean").item(), rel=1e-5
    )


def test_no_token_is_led_to_an_expert_that_is_no_domain_s(own: Path) -> None:
    parent = open_parent(own, HealingConfig(steps=9, rows=2, kernels="torch", precision="fp32"))
    with parent.data(None, lambda line: None).open_blocks(StreamState()) as blocks:
        block, _ = next(blocks)
    of_domains, of_none = parent.load(), parent.load()
    of_none.config.domains = None
    unled = replace(block, domains_BT=torch.full_like(block.domains_BT, -1))
    penalties = []
    for model, read in ((of_domains, block), (of_none, block), (of_none, unled)):
        penalty = parent.network(model, learns=True).read(read, 0).penalty
        assert isinstance(penalty, torch.Tensor)
        penalties.append(penalty.item())
    led, free, without = penalties
    assert led > free == without
