"""The engine decodes as training measures: what it writes at depth auto is what reading its text at once predicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.runtime.dense import EXITS, LAYERS, THRESHOLD, asked, dense_folder, dense_scheduler, prompts, run
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.exits.network import Exits
from tuili.posttrain.exits.policy import read
from tuili.posttrain.exits.text_batch import TextBatch
from tuili.posttrain.exits.texts import Text
from tuili.store import read_exits_file


@pytest.mark.parametrize("runner", ["native", "torch"])
@pytest.mark.parametrize("kind", ["llama, tied", "qwen3"])
def test_depths_and_tokens_are_those_that_were_measured(runner: str, kind: str, tmp_path: Path) -> None:
    common = np.arange(1, 400, 3, dtype=np.int32)
    folder = dense_folder(tmp_path, kind, EXITS, common)
    stored = read_exits_file(folder, LAYERS, 64, 400)
    assert stored is not None
    exits = Exits(EXITS[:-1], 64, stored.settings.rank, stored.settings.channels, 1e-6, torch.from_numpy(common))
    exits.load_arrays(stored.tensors)
    backbone, depths = Backbone.load(folder, torch.float32), set[int]()
    for written in run(dense_scheduler(runner, folder), asked(prompts(6), 24, exit_threshold=THRESHOLD)):
        text = Text((*written.prompt, *written.tokens), len(written.prompt))
        reading = read(backbone, exits, [TextBatch.of([text])], THRESHOLD)
        assert reading.token_N.tolist() == list(written.tokens)
        assert reading.depth_N.tolist() == list(written.depths)
        depths |= set(written.depths)
    assert len(depths & {*EXITS}) >= 3
