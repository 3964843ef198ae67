"""What is counted of experts and heads is what the layers did."""

from __future__ import annotations

import pytest
import torch

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.engine.runtime.texts import Texts
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.step import TorchStep
from tuili.engine.runtime.torch.tally import Tally
from tuili.model import LayeredAttention
from tuili.native import Sizes


def test_heads_are_active_if_their_output_is_large_enough() -> None:
    model, _ = tiny_model()
    tally = Tally(Sizes.of(model.config.shape), torch.device("cpu"), every=1)
    assert tally.take() is None
    read_RHD = torch.tensor([[[3.0, 4.0], [0.0, 0.49]], [[1.0, 0.0], [0.0, 1.0]]])  # 5 and 0.49, 1 and 1
    tally.heads(0, read_RHD)
    tally.heads(1, torch.zeros(3, 2, 2))
    observation = tally.take()
    assert observation is not None
    assert observation.active_heads[:2] == pytest.approx(((0.5 + 1.0) / 2, 0.0))
    assert tally.take() is None, "it is told once"


def test_every_layer_is_counted_as_the_model_computes_it() -> None:
    model, _ = tiny_model(top_units=2, window=4, max_unit=4)
    randomize_weights(model).eval()
    ids, reads = list(range(10, 40)), list[torch.Tensor]()
    for module in model.modules():
        if isinstance(module, LayeredAttention):
            module.o_proj.register_forward_pre_hook(lambda _, arguments: reads.append(arguments[0]))
    with model.record_routing() as record:
        model(torch.tensor([ids]), use_cache=False)
    step = TorchStep(LeanModel(model), slots=1, count_every=1)
    Texts(step).read(0, ids)
    observation = step.observe()
    assert observation is not None
    assert observation.expert_tokens == tuple(tuple(layer.all_E.tolist()) for layer in record.layers)
    sizes = [read_1TX.unflatten(-1, (2, -1)).norm(dim=-1) for read_1TX in reads]
    shares = [float((size >= 0.1 * size.amax(-1, keepdim=True)).float().mean()) for size in sizes]
    assert observation.active_heads == pytest.approx(shares)


def test_some_steps_are_counted_for_all() -> None:
    model, _ = tiny_model()
    step = TorchStep(LeanModel(model.eval()), slots=1, count_every=4)
    texts = Texts(step)
    for number in range(8):
        texts.read(0, [10 + number])
    observation = step.observe()
    assert observation is not None
    assert [sum(tokens) for tokens in observation.expert_tokens] == [2 * 2] * 3, "two of eight"
