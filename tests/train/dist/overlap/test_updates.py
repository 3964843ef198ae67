"""Work in a thread of its own, and updates of some parameters at a time: the same bits as with all at once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from threading import Event, Thread
from typing import Any, cast

import pytest
import torch
from torch import nn

from tests.waiting import GUARD_SECONDS
from tuili.model import TuiliForCausalLM, preset
from tuili.train.dist.group import SingleProcess
from tuili.train.dist.overlap.lanes import Done, Lane
from tuili.train.dist.overlap.updates import BucketOptimizers, BucketUpdates
from tuili.train.optim import OptimizerConfig, Optimizers

CPU = torch.device("cpu")


def test_a_lane_does_what_is_most_urgent_and_then_what_came_first() -> None:
    lane, may_begin, done = Lane("test", CPU), Event(), list[str]()
    lane.put(lambda: may_begin.wait() and None)
    for name, order in (("c", 2), ("a", 0), ("d", 2), ("b", 1)):
        last = lane.put(lambda name=name: done.append(name), order)
    may_begin.set()
    last.wait()
    lane.close()
    assert done == ["a", "b", "c", "d"]
    assert not lane.is_alive


def test_what_went_wrong_in_a_lane_is_raised_where_it_is_waited_for() -> None:
    lane = Lane("test", CPU)
    wrong, right = lane.put(lambda: [][0]), lane.put(lambda: None)
    right.wait()
    with pytest.raises(IndexError):
        wrong.wait()
    lane.close()


class FaultyStream:
    """A stream of a GPU that has failed."""

    def wait_event(self, event: object) -> None:
        raise RuntimeError("no GPU any more")

    def record_event(self) -> None:
        raise RuntimeError("no GPU any more")


@pytest.mark.parametrize("before", [None, object()])
def test_what_goes_wrong_around_the_work_is_raised_too(before: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    done, worked, stream = Done(), list[int](), cast(torch.cuda.Stream, FaultyStream())
    Thread(target=done.run, args=(lambda: worked.append(1), stream, before)).start()
    with pytest.raises(RuntimeError, match="no GPU any more"):
        done.wait()
    assert len(worked) == (before is None)


def test_a_thread_that_is_told_to_end_tells_it_and_takes_other_work() -> None:
    lane = Lane("test", CPU)
    with pytest.raises(SystemExit):
        lane.put(sys.exit).wait()
    lane.put(lambda: None).wait()
    lane.close()
    with pytest.raises(RuntimeError, match="the thread test has ended, and takes no more work"):
        lane.put(lambda: None)


def model() -> TuiliForCausalLM:
    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "moe_intermediate_size": 16}
    return TuiliForCausalLM(preset("nano", vocab_size=64, **sizes))


def gradients(network: TuiliForCausalLM, step: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    return {name: torch.randn(own.shape, generator=generator) for name, own in network.named_parameters()}


def test_updates_of_some_at_a_time_make_the_same_bits() -> None:
    """Also from a state that was collected on the way."""
    whole, some = model(), model()
    expected, ours = Optimizers(OptimizerConfig(), whole, SingleProcess()), BucketOptimizers(OptimizerConfig(), some)
    for step in range(4):
        of_step = gradients(whole, step)
        for name, parameter in whole.named_parameters():
            parameter.grad = of_step[name]
        expected.step(0.5)
        names = [*reversed(of_step)]
        for begin in range(0, len(names), 7):
            ours.step_of({name: of_step[name] for name in names[begin : begin + 7]}, 0.5)
        if step == 1:
            state = {name: value.clone() for name, value in ours.collect().items()}
            ours = BucketOptimizers(OptimizerConfig(), some)
            ours.load(state)
    assert all(torch.equal(one, other) for one, other in zip(some.parameters(), whole.parameters(), strict=True))
    theirs = expected.collect()
    assert theirs.keys() == ours.collect().keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.collect().items())


class Recording(BucketOptimizers):
    """Notes what is updated."""

    def step_of(self, gradients: Mapping[str, torch.Tensor], scale: float) -> None:
        super().step_of(gradients, scale)
        seen.extend(gradients)


seen = list[str]()


def test_what_the_forward_pass_begins_with_is_updated_first_however_late_it_comes() -> None:
    seen.clear()
    network, root, may_begin = model(), nn.Identity(), Event()
    updates, of_step = BucketUpdates(Recording(OptimizerConfig(), network), root, network), gradients(network, 0)
    updates.lane.put(lambda: may_begin.wait() and None)
    names = [f"model.{name}.weight" for name in ("reasoning.8.moe_norm", "reasoning.2.moe_norm", "embed_tokens")]
    before = network.get_parameter(names[2]).clone()
    for name in names:
        updates.start([network.get_parameter(name)], [of_step[name]])
    may_begin.set()
    root(None)
    assert seen[0] == names[2]
    assert not torch.equal(network.get_parameter(names[2]), before)
    updates.settle()
    assert seen == names[::-1]
    assert updates.names == set(names)
    updates.close()


def test_a_layer_waits_for_its_own_update_and_for_no_other() -> None:
    network, may_begin, passed = model(), Event(), list[int]()
    updates = BucketUpdates(BucketOptimizers(OptimizerConfig(), network), nn.Identity(), network)
    hooks = [one for layer in network.model.reasoning for one in layer._forward_pre_hooks.values()]
    updates.lane.put(lambda: may_begin.wait() and None)
    name = "model.reasoning.2.moe_norm.weight"
    updates.start([network.get_parameter(name)], [gradients(network, 0)[name]])
    hooks[1](None, None)
    has_come = Event()

    def pass_through() -> None:
        has_come.set()
        hooks[2](None, None)
        passed.append(2)

    waiting = Thread(target=pass_through)
    waiting.start()
    assert has_come.wait(GUARD_SECONDS)
    waiting.join(0.2)
    assert not passed
    may_begin.set()
    waiting.join(GUARD_SECONDS)
    assert passed == [2]
    updates.close()
    assert not any(layer._forward_pre_hooks for layer in network.model.reasoning)
