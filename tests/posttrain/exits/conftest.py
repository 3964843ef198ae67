"""A tiny imported model, and questions with answers for it."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
import torch

from tests.store.dense_folders import dense_model, save_dense
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.exits.adapters import Head
from tuili.posttrain.exits.network import Exits
from tuili.posttrain.exits.texts import Text

NAMES = ["".join(pair) for pair in product("abcdefgh", repeat=2)]
"""They make each question one of a kind."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dense(tmp_path_factory.mktemp("dense") / "model", tie_word_embeddings=True)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "sums.jsonl"
    items = [
        {
            "question": f"{NAMES[a]}: What is {a} + {a + 3}?",
            "answer": f"{a} + {a + 3} = <<{a}+{a + 3}={2 * a + 3}>>{2 * a + 3}",
        }
        for a in range(60)
    ]
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


@pytest.fixture
def backbone() -> Backbone:
    """A model of four layers, hidden size 64."""
    return Backbone(dense_model("llama", tie_word_embeddings=True).requires_grad_(False))


@pytest.fixture
def head(backbone: Backbone) -> Head:
    return Head(backbone.model.model.norm.weight, backbone.head_VM, backbone.eps)


@pytest.fixture
def exits() -> Exits:
    """Exits behind the first and the third layer, with random numbers."""
    torch.manual_seed(5)
    network = Exits((1, 3), 64, 8, 16, 1e-6, torch.arange(2, 300, 3))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network


@pytest.fixture
def texts() -> list[Text]:
    generator = torch.Generator().manual_seed(5)
    lengths = [9, 14, 12, 20, 7, 16]
    return [Text(tuple(torch.randint(3, 300, (length,), generator=generator).tolist()), 4) for length in lengths]
