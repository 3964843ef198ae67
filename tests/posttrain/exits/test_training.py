"""Adapters and confidence heads learn what they should from states."""

from __future__ import annotations

import torch

from tuili.posttrain.backbone import Backbone
from tuili.posttrain.exits.adapters import AdapterConfig, Head, distill, random_rows, start_by_regression
from tuili.posttrain.exits.confidence import ConfidenceConfig, exit_output, kept_probability, train_confidence
from tuili.posttrain.exits.network import ExitNetwork, Exits, plain_norm
from tuili.posttrain.exits.states import States, read_states
from tuili.posttrain.exits.text_batch import TextBatch
from tuili.posttrain.exits.texts import Text
from tuili.store import ExitsSettings, exit_tensor_shapes


def nothing(done: int, total: int) -> None:
    pass


def test_the_regression_finds_a_map_of_its_rank(head: Head) -> None:
    torch.manual_seed(1)
    hidden_NM, map_MM = torch.randn(600, 64), torch.randn(64, 4) @ torch.randn(4, 64) / 8
    full_NM = hidden_NM + plain_norm(hidden_NM, head.eps) @ map_MM
    network = ExitNetwork(64, 4, 8, head.eps)
    start_by_regression(network, hidden_NM, full_NM, torch.randint(400, (600, 8)), head)
    error = (network.adapted(hidden_NM) - full_NM).square().mean() / (hidden_NM - full_NM).square().mean()
    assert error < 0.01


def states_of(backbone: Backbone) -> States:
    generator = torch.Generator().manual_seed(2)
    texts = [Text(tuple(torch.randint(3, 300, (40,), generator=generator).tolist()), 4) for _ in range(20)]
    return read_states(backbone, TextBatch.of(texts), (3,))


def divergence(network: ExitNetwork, states: States, head: Head) -> float:
    logits_NV = head.read(network.adapted(states.hidden[3])) @ head.weight_VM.T
    own_NK = logits_NV.log_softmax(-1).gather(1, states.top_NK)
    return (states.log_prob_NK.exp() * (states.log_prob_NK - own_NK)).sum(-1).mean().item()


def test_an_adapter_comes_nearer_to_full_depth(backbone: Backbone, head: Head) -> None:
    torch.manual_seed(4)
    states, network = states_of(backbone), ExitNetwork(64, 16, 8, head.eps)
    torch.nn.init.zeros_(network.up.weight)
    before = divergence(network, states, head)
    start_by_regression(network, states.hidden[3], states.hidden[4], states.top_NK, head)
    started = divergence(network, states, head)
    distill(network, 3, states, head, AdapterConfig(steps=40, rows=256), 1, nothing)
    assert divergence(network, states, head) < started < before


def test_rows_are_the_same_for_the_same_seed() -> None:
    one, two, other = ([row_B.tolist() for row_B in random_rows(50, 4, 3, seed)] for seed in (1, 1, 2))
    assert one == two != other


def test_what_is_kept_is_the_probability_that_is_not_lost() -> None:
    log_prob_NK = torch.tensor([[0.6, 0.3], [0.6, 0.3], [0.6, 0.3]]).log()
    nothing_N = torch.zeros(3, dtype=torch.bool)
    states = States({}, nothing_N, torch.zeros(3), torch.tensor([[5, 6], [5, 6], [5, 6]]), log_prob_NK)
    kept_N = kept_probability(torch.tensor([5, 6, 7]), states)
    torch.testing.assert_close(kept_N, torch.tensor([1.0, 0.7, 0.4]))


def test_confidence_tells_good_tokens_from_bad_ones(head: Head) -> None:
    """The exit is right where its likeliest token leads by more than elsewhere."""
    torch.manual_seed(5)
    hidden_NM, common_X = torch.randn(3000, 64), torch.arange(0, 400, 2)
    network = ExitNetwork(64, 4, 16, head.eps)
    torch.nn.init.zeros_(network.up.weight)
    input_N2, said_N = (each.clone() for each in exit_output(hidden_NM, head, common_X))
    assert set(said_N.tolist()) <= set(common_X.tolist())
    right_N = input_N2[:, 1] > input_N2[:, 1].median()
    top_NK = torch.stack([torch.where(right_N, said_N, (said_N + 1) % 400), (said_N + 2) % 400], dim=-1)
    log_prob_NK = torch.tensor([0.9, 0.05]).log().expand(3000, 2)
    states = States({3: hidden_NM}, torch.ones(3000, dtype=torch.bool), said_N, top_NK, log_prob_NK)
    learnt, _ = states.split(0.7)
    train_confidence(network, 3, learnt, head, common_X, ConfidenceConfig(steps=200, rows=256, learning_rate=0.02), 1)
    logit_NX = head.read(hidden_NM) @ head.weight_VM[common_X].T
    sure_N = network.confidence_logit(logit_NX[2100:]).sigmoid() > 0.5
    assert (sure_N == right_N[2100:]).float().mean() > 0.9


def test_tensors_have_the_names_and_shapes_of_the_file(exits: Exits) -> None:
    shapes = {name: array.shape for name, array in exits.arrays().items()}
    assert shapes == exit_tensor_shapes(ExitsSettings((1, 3, 4), 0.5, 8, 16), 64)
    other = Exits((1, 3), 64, 8, 16, 1e-6, torch.arange(400))
    other.load_arrays(exits.arrays())
    assert all(torch.equal(a, b) for a, b in zip(exits.parameters(), other.parameters(), strict=True))
