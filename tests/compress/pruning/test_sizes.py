"""How many parts stay, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuili.compress.pruning.recipe import PruneConfig
from tuili.compress.pruning.sizes import Sizes, pruned_sizes
from tuili.errors import InputError
from tuili.store import DenseShape, ModelShape

NANO = ModelShape(domains=tuple(f"d{number}" for number in range(16)))
DENSE = DenseShape(
    family="llama", vocab_size=100, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
    num_attention_heads=9, num_key_value_heads=3, head_dim=64, max_position_embeddings=512, rope_theta=1e4,
    rms_norm_eps=1e-5,
)  # fmt: skip


def test_widths_are_multiples_that_leave_out_the_share_at_least() -> None:
    assert pruned_sizes(NANO, PruneConfig()) == Sizes(feed_forward=352, expert=48, experts=16, heads=2)
    assert pruned_sizes(NANO, PruneConfig(multiple=8)) == Sizes(feed_forward=352, expert=56, experts=16, heads=2)
    assert pruned_sizes(DENSE, PruneConfig()) == Sizes(feed_forward=1072, expert=0, experts=0, heads=3)
    assert pruned_sizes(replace(NANO, intermediate_size=160), PruneConfig()).feed_forward == 112  # 160 * 0.7 exactly


def test_all_layers_lose_in_rounds_what_they_lose_in_the_end() -> None:
    before, after = Sizes.of(NANO), pruned_sizes(NANO, PruneConfig(experts=8, key_value_heads=1))
    rounds = [before.towards(after, part, 16) for part in (1 / 3, 2 / 3, 1.0)]
    assert [size.expert for size in rounds] == [64, 64, 48]
    assert [size.experts for size in rounds] == [13, 11, 8]
    assert all(size.feed_forward % 16 == 0 for size in rounds)
    assert rounds[-1] == after


@given(st.integers(17, 2000), st.sampled_from((8, 16, 128)), st.integers(2, 5), st.sampled_from((0.1, 0.3, 0.5)))
def test_widths_only_fall_in_rounds(width: int, multiple: int, rounds: int, share: float) -> None:
    """Also those that were no multiples."""
    shape = replace(DENSE, intermediate_size=width)
    try:
        after = pruned_sizes(shape, PruneConfig(share=share, multiple=multiple))
    except InputError:
        return
    widths = [Sizes.of(shape).towards(after, part / rounds, multiple).feed_forward for part in range(1, rounds + 1)]
    assert [width, *widths] == sorted([width, *widths], reverse=True)
    assert widths[-1] == after.feed_forward


def test_experts_lose_their_domains_where_layers_keep_different_ones() -> None:
    fewer = pruned_sizes(NANO, PruneConfig(experts=8)).shape_from(NANO)
    assert (fewer.domains, fewer.num_experts) == (None, 8)
    assert pruned_sizes(NANO, PruneConfig()).shape_from(NANO).domains == NANO.domains


@pytest.mark.parametrize(
    ("shape", "config", "told"),
    [
        (NANO, {"share": 0.9}, "of the 80 neurons of an expert no multiple of 16 would stay"),
        (NANO, {"experts": 17}, "prune.experts = 17: the model has 16"),
        (NANO, {"experts": 1}, "each token takes 2"),
        (NANO, {"share": 0, "experts": 16}, "nothing would be removed"),
        (NANO, {"key_value_heads": 3}, "prune.key_value_heads = 3: the model has 2"),
        (DENSE, {"experts": 8}, "the model has no experts"),
    ],
)
def test_what_cannot_be_is_refused(shape: ModelShape | DenseShape, config: dict[str, float], told: str) -> None:
    with pytest.raises(InputError, match=told):
        pruned_sizes(shape, PruneConfig.model_validate(config))


@pytest.mark.parametrize("config", [{"share": 1.0}, {"share": -0.1}, {"share": 0.0}])
def test_what_no_model_can_lose_is_refused(config: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        PruneConfig.model_validate(config)
