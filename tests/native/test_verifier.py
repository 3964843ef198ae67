"""The native verifier equals the verifier in torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.native.models import Texts, ids, native_model, torch_model
from tuili.model import Verifier
from tuili.model.verifier import features_of
from tuili.native.verifier import NativeVerifier
from tuili.store import VerifierConfig


@pytest.mark.parametrize(("channels", "heads", "tokens"), [(16, 2, 40), (20, 1, 17), (12, 3, 1)])
@torch.inference_mode()
def test_it_judges_as_torch_does(channels: int, heads: int, tokens: int) -> None:
    model = torch_model()
    config = VerifierConfig(model.config.hidden_size, channels, layers=2, heads=heads)
    verifier, generator = Verifier(config).eval(), torch.Generator().manual_seed(0)
    for name, parameter in verifier.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.copy_(1 + 0.3 * noise if "norm" in name else noise * 0.5)
    text, prompt = ids(1, 20 + tokens), 20

    native = native_model(model)
    texts = Texts(native, model.config.shape, 1)
    texts.read([(0, text)])
    full_TM = texts.batch.hidden[prompt - 1 : len(text)].copy()
    texts.cut(0, 0)
    texts.read([(0, text)], depth=0)
    trunk_TM = texts.batch.hidden[prompt - 1 : len(text)].copy()
    tensors = {name: tensor.numpy() for name, tensor in verifier.state_dict().items()}
    got_Q = NativeVerifier(native, channels, heads, 2, tensors).logits(trunk_TM, full_TM, text[prompt:])
    expected_Q = verifier(features_of(model, [(text, prompt)]))[0].numpy()
    assert np.abs(got_Q - expected_Q).max() <= 1e-4 * max(1, np.abs(expected_Q).max())
