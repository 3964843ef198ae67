"""The native step equals the model in torch, whatever texts stand side by side and whatever happened to their slots."""

from __future__ import annotations

import numpy as np
import pytest

from tests.native.models import SHAPES, Texts, ids, native_model, torch_logits, torch_model

NEAR = 1e-4
"""By so much may a logit in fp32 differ from torch's."""


@pytest.mark.parametrize("name", SHAPES)
def test_a_prompt_and_decoding_equal_torch(name: str) -> None:
    model = torch_model(**SHAPES[name])
    texts = Texts(native_model(model), model.config.shape, 1)
    text = ids(1, 60)
    parts = [texts.read([(0, text[:33])]), *(texts.read([(0, [token])]) for token in text[33:])]
    assert np.abs(np.concatenate(parts, axis=1) - torch_logits(model, text)).max() <= NEAR
