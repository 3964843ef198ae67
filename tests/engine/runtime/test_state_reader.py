"""States and logits of texts that are read one after the other are those of transformers, and of either step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.engine.runtime.dense import EXITS, dense_folder, prompts
from tuili.engine import load_state_reader


@pytest.mark.parametrize("runner", ["native", "torch"])
@pytest.mark.parametrize("exits", [(), EXITS])
def test_they_are_those_of_transformers_whatever_was_read_before(
    tmp_path: Path, runner: str, exits: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuili.engine.runtime.state_reader.READ_ROWS", 16)
    folder = dense_folder(tmp_path / "model", "llama, tied", exits)
    reader = load_state_reader(folder, runner, "fp32")  # type: ignore[arg-type]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    states: list[torch.Tensor] = []
    model.model.norm.register_forward_pre_hook(lambda _, inputs: states.append(inputs[0][0]))
    first, other = prompts(2, 60)[:2]
    longer = [*first, *other, *first]
    texts = [first, [*first, 7, 8], [*first[:-1], 9], other, other[:2], longer, longer, first, [first[0], 5]]
    for ids in texts:
        for start in (len(ids) - 1, 1):
            read = reader.read(ids, start)
            with torch.inference_mode():
                logit_TV = model(torch.tensor([ids])).logits[0, start:].numpy()
            state_TM = np.concatenate([np.asarray(part) for part in read.state_TM])
            np.testing.assert_allclose(state_TM, states.pop()[start:].numpy(), atol=2e-3, rtol=2e-3)
            np.testing.assert_allclose(np.concatenate(read.logit_TV), logit_TV, atol=2e-3, rtol=2e-3)
