"""Chains are kept for a round, and learnt up to the first step that the checker refutes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.compress.distilling.test_distil import config_of
from tuili.compress import open_parent
from tuili.compress.compression import StageSetting
from tuili.compress.distilling import chains
from tuili.compress.distilling.chains import chain_rounds
from tuili.compress.distilling.mask import refuted_end
from tuili.compress.distilling.rounds import Rounds, packed
from tuili.compress.distilling.writing import Written
from tuili.data import Document, StreamState
from tuili.errors import CheckpointError
from tuili.model import TuiliForCausalLM, load_model
from tuili.steps import Context, render_response


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        (("1 + 1 = 2", "2 + 3 = 5"), None),
        (("1 + 1 = 2", "2 + 3 = 6", "6 + 1 = 7"), 2),
        (("1 + 1 = 3", "3 + 3 = 7"), 1),
        (("no step at all", "1 + 1 = 2"), None),
    ],
)
def test_a_chain_is_kept_up_to_its_first_refuted_step(own: Path, steps: tuple[str, ...], kept: int | None) -> None:
    tokenizer = load_model(own).tokenizer
    response = tokenizer.encode_example("?", render_response(steps, "7"))
    ids = response[0][response[1] :]
    end = refuted_end(tokenizer, ids, Context())
    if kept is None:
        assert end is None
        return
    assert end is not None
    text = tokenizer.decode(ids[:end])
    assert text.strip().splitlines()[-1] == steps[kept - 1]
    assert text.endswith("\n")
    assert refuted_end(tokenizer, ids[: end - 1], Context()) is None  # a line that is cut off


def test_no_token_behind_a_refuted_step_has_a_loss(own: Path) -> None:
    tokenizer = load_model(own).tokenizer
    ids, prompt = tokenizer.encode_example("?", render_response(("1 + 1 = 3", "3 + 3 = 6"), "6"))
    end = refuted_end(tokenizer, ids[prompt:], Context())
    assert end is not None
    (block,) = packed([Document(tuple(ids[: prompt + end]), prompt)], rows=1, length=64, pad_id=0)
    learnt = block.targets_BT[0] >= 0
    assert block.targets_BT[0][learnt].tolist() == ids[prompt : prompt + end]


def test_a_round_goes_on_with_the_chains_that_it_began_with(tmp_path: Path) -> None:
    calls = list[int]()

    def write(number: int) -> list[Document]:
        calls.append(number)
        return [Document((number, 1, 2, 3), 1)] * 3

    one = Rounds(first=4, steps=2, rows=1, length=8, pad_id=0, folder=tmp_path / "written", write=write)
    with one.open_blocks(StreamState(4)) as blocks:
        found = [next(blocks) for _ in range(4)]
    assert calls == [0, 1]
    assert [state.blocks for _, state in found] == [5, 6, 7, 8]
    with one.open_blocks(StreamState(7)) as blocks:
        block, state = next(blocks)
    assert torch.equal(block.tokens_BT, found[3][0].tokens_BT)
    assert state.blocks == 8
    assert calls == [0, 1]
    for damaged in ("[", "[]", "[[1]]"):
        (tmp_path / "written" / "0.json").write_text(damaged)
        with (
            pytest.raises(CheckpointError, match=r"0\.json is damaged.*: begin another run"),
            one.open_blocks(StreamState(4)) as blocks,
        ):
            next(blocks)


def test_chains_that_fill_no_block_are_repeated() -> None:
    (block,) = packed([Document((5, 6, 7), 1)], rows=2, length=4, pad_id=0)
    assert block.tokens_BT.tolist() == [[5, 6, 7, 0]] * 2


def test_there_are_no_more_rounds_than_steps_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: Path) -> None:
    """9 steps in 8 rounds are 5 rounds of 2."""
    config = config_of(steps=9, by="sequence", writing={"rounds": 8, "chains": 1})
    parent, told = open_parent(own, config.healing), list[str]()
    model = parent.load()
    assert isinstance(model, TuiliForCausalLM)
    monkeypatch.setattr(chains, "write_chains", lambda *_: [Written(Document((5, 6, 7), 1), False, True)])
    setting = StageSetting(parent.data(None, print), 0, 9, tmp_path, lambda: False, told.append)
    rounds = chain_rounds(config, False, model, (own, load_model(own).tokenizer), setting)
    with rounds.open_blocks(StreamState()) as blocks:
        for _ in range(9):
            next(blocks)
    lines = [line for line in told if line.startswith("round ")]
    assert lines[0] == "round 1 of 5: the teacher writes 1 chain"
    assert len(lines) == 5
