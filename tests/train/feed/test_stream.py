"""The blocks of a recipe: domains are drawn by their weights, the same way each time and from any state on."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from itertools import islice

import pytest
import torch

from tests.train.conftest import small
from tuili.data import Block, StreamState, sample_texts, train_tokenizer
from tuili.data.packing import IGNORE_INDEX
from tuili.store import Tokenizer
from tuili.tasks import BUILT_IN_DOMAINS
from tuili.train.build import training_stream
from tuili.train.feed.stream import build_curriculum, build_sources, open_stream
from tuili.train.recipe import Recipe

DOMAINS = ["propositional", "knights", "relations", "arithmetic", "calendar"]


def weighted(*overrides: str, steps: int = 40) -> Recipe:
    """A recipe of some domains of two phases, in the stages 75/25 and 40/60."""
    mixture = "curriculum={boundaries: [0.5, 1], mixture: [[3, 1, 0], [2, 3, 0], [0, 1, 0]]}"
    return small(f"data.domains={DOMAINS}", mixture, *overrides, steps=steps)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(islice(sample_texts(build_sources(weighted().data, seed=1)), 200), vocabulary=600)


def same(left: list[Block], right: list[Block]) -> bool:
    return all(
        torch.equal(value, vars(other)[name])
        for block, other in zip(left, right, strict=True)
        for name, value in vars(block).items()
    )


def learnt_shares(blocks: list[Block]) -> dict[str, float]:
    """The share that each domain has of the tokens that are learnt."""
    counts: Counter[str] = Counter()
    for block in blocks:
        learnt_BT = (block.targets_BT != IGNORE_INDEX) & (block.domains_BT >= 0)
        for expert, count in zip(*block.domains_BT[learnt_BT].unique(return_counts=True), strict=True):
            counts[BUILT_IN_DOMAINS[int(expert)]] += int(count)
    return {name: count / counts.total() for name, count in counts.items()}


def test_weights_divide_the_share_of_a_phase_and_leave_those_of_the_phases(tokenizer: Tokenizer) -> None:
    recipe = weighted("data.weights={knights: 2, relations: 0.5, calendar: 3}", "train.rows=8", steps=120)
    blocks = list(islice(training_stream(recipe, tokenizer), 120))
    for stage, (first, second) in ((blocks[4:60], (0.75, 0.25)), (blocks[64:], (0.4, 0.6))):
        shares = learnt_shares(stage)
        wanted = {"propositional": first / 3.5, "knights": 2 * first / 3.5, "relations": 0.5 * first / 3.5}
        wanted |= {"arithmetic": second / 4, "calendar": 3 * second / 4}
        assert shares == pytest.approx(wanted, abs=0.025)
    assert same(blocks[:8], list(islice(training_stream(recipe, tokenizer), 8)))


def test_weights_of_1_change_no_block(tokenizer: Tokenizer) -> None:
    plain = weighted()
    even = weighted("data.weights={knights: 1, relations: 1.0, proofs: 1}")
    heavy = weighted("data.weights={knights: 1.5}")
    blocks, like, other = (list(islice(training_stream(one, tokenizer), 40)) for one in (plain, even, heavy))
    assert same(blocks, like)
    assert not same(blocks, other)


@pytest.mark.parametrize("stop", [1, 19, 20, 21])
def test_a_stream_with_weights_goes_on_from_any_state(tokenizer: Tokenizer, stop: int) -> None:
    recipe = weighted("data.weights={knights: 1.6, calendar: 1.3}")
    whole = training_stream(recipe, tokenizer)
    list(islice(whole, stop))
    state = StreamState(**json.loads(json.dumps(asdict(whole.state))))
    sources = build_sources(recipe.data, recipe.train.seed)
    resumed = open_stream(recipe.stream, build_curriculum(recipe.stream), sources, tokenizer, state)
    assert same(list(islice(whole, 3)), list(islice(resumed, 3)))
    assert resumed.state == whole.state
