"""The rate of a stage behind the first one rises anew, because its optimizer is a new one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from tuili.data import Block, Document, StreamState, pack
from tuili.posttrain import LearningConfig, LearningSession
from tuili.train import PreparedBlocks, ScheduleConfig, rate_scale

BLOCK = pack([[Document((5, 6, 7), 1)]], 4, 0)


class Recording:
    """A network that keeps the rates that it learns at."""

    def __init__(self) -> None:
        self.parameters: Mapping[str, nn.Parameter] = {"one": nn.Parameter(torch.zeros(2))}
        self.scales = list[float]()

    def learn(self, block: Block, step: int) -> dict[str, float]:
        self.parameters["one"].grad = torch.ones(2)
        return {"loss": 1.0}

    def follow(self, scale: float) -> None:
        self.scales.append(scale)

    def tensors(self) -> Mapping[str, Tensor]:
        return {name: weight.detach() for name, weight in self.parameters.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        raise AssertionError("nothing is gone on with")


def opened(state: StreamState) -> nullcontext[PreparedBlocks]:
    def blocks() -> Iterator[tuple[Block, StreamState]]:
        step = state.blocks
        while True:
            step += 1
            yield BLOCK, StreamState(step)

    return nullcontext(blocks())


def test_a_later_stage_warms_up_anew(tmp_path: Path) -> None:
    schedule = ScheduleConfig(warmup=4, floor=0.1)
    config, network = LearningConfig(schedule=schedule), Recording()
    with LearningSession(config, 60, tmp_path, Console(quiet=True), print) as session:
        assert session.learn(network, opened, 0, 20)
        assert session.learn(network, opened, 20, 60)
    whole = [rate_scale(schedule, step, 60) for step in range(60)]
    assert network.scales[:20] == pytest.approx(whole[:20])
    assert network.scales[20:24] == pytest.approx([whole[20 + step] * (step + 1) / 5 for step in range(4)])
    assert network.scales[24:] == pytest.approx(whole[24:])
