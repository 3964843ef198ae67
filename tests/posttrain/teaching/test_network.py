"""The loss on packed rows behind one prefix is that of each document alone, as transformers computes it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from tests.store.dense_folders import dense_model
from tuili.data.packing import Document, pack
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.document_groups import HIDDEN, PackedDocuments
from tuili.posttrain.packed_attention import attend
from tuili.posttrain.packed_rows import seen_bias
from tuili.posttrain.teaching.network import TaughtNetwork

PREFIX = (5, 9, 2)
DOCUMENTS = [
    Document((30, 31, 32, 33, 34, 35), 3),
    Document((40, 41, 42, 43), 2, unlearnt=(2,)),
    Document((50, 51, 52, 53, 54, 55, 56), 4),
]
VOCABULARY = 400


def network(first_layer: int, rank: int | None, family: str = "llama") -> TaughtNetwork:
    backbone = Backbone(dense_model(family, tie_word_embeddings=True).requires_grad_(False))
    return TaughtNetwork(backbone, first_layer, rank, PREFIX, range(VOCABULARY), seed=1)


def loss_of(taught: TaughtNetwork, rows: list[list[Document]]) -> torch.Tensor:
    loss, _ = taught.loss(pack(rows, 20, pad_id=0), 1, torch.Generator().manual_seed(0))
    return loss


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_packed_documents_have_the_loss_that_they_have_alone(family: str) -> None:
    taught, alone_model = network(2, 4, family), dense_model(family, tie_word_embeddings=True)
    losses = []
    for document in DOCUMENTS:
        ids = torch.tensor([[*PREFIX, *document.tokens]])
        logits = alone_model(ids).logits[0]
        for place in range(document.prompt_length, len(document)):
            if place not in document.unlearnt:
                at = len(PREFIX) + place
                losses.append(functional.cross_entropy(logits[at - 1], ids[0, at]))
    alone = torch.stack(losses).mean()
    torch.testing.assert_close(loss_of(taught, [DOCUMENTS[:2], DOCUMENTS[2:]]), alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("first_layer", "rank"), [(2, 4), (2, None), (0, None)])
def test_what_learns_is_what_changes(first_layer: int, rank: int | None) -> None:
    taught = network(first_layer, rank)
    before = {name: weight.clone() for name, weight in taught.backbone.model.named_parameters()}
    optimizer = torch.optim.AdamW(taught.parameters.values(), 0.01, weight_decay=0.0)
    losses = []
    for _ in range(8):
        loss = loss_of(taught, [DOCUMENTS])
        taught.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        taught.follow()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    after = dict(taught.backbone.model.named_parameters())
    below = [f"model.layers.{number}." for number in range(first_layer)]
    below += ["model.embed_tokens"] if first_layer else []
    for name, weight in before.items():
        if name.startswith(tuple(below)):
            assert torch.equal(after[name], weight)
    changes = taught.changes()
    assert changes
    assert all(change.abs().max() > 0 for change in changes.values())
    assert not any(name.startswith(tuple(below)) for name in changes if below)


def test_what_is_drawn_at_random_is_told_apart_too() -> None:
    backbone = Backbone(dense_model("llama", tie_word_embeddings=True).requires_grad_(False))
    few = TaughtNetwork(backbone, 3, 2, PREFIX, [33, 34], seed=1)
    block, generator = pack([DOCUMENTS], 20, pad_id=0), torch.Generator().manual_seed(0)
    with torch.no_grad():
        narrow, wide = (few.loss(block, extra, generator)[0].item() for extra in (1, 5000))
    full = TaughtNetwork(backbone, 3, 2, PREFIX, range(VOCABULARY), seed=1).loss(block, 1, generator)[0].item()
    assert narrow < wide == pytest.approx(full, abs=1e-4)


def test_attention_is_that_of_torch_with_its_gradients() -> None:
    torch.manual_seed(1)
    query, key, value = (torch.randn(2, heads, 7, 8, requires_grad=True) for heads in (6, 3, 3))
    sees_BTT = torch.rand(2, 7, 7) < 0.5
    sees_BTT |= torch.eye(7, dtype=torch.bool)
    bias_BTT = torch.where(sees_BTT, 0.0, HIDDEN)
    ours, _ = attend(torch.nn.Module(), query, key, value, bias_BTT, 0.3)
    theirs = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=sees_BTT[:, None], scale=0.3, enable_gqa=True
    ).transpose(1, 2)
    torch.testing.assert_close(ours, theirs)
    weight = torch.randn(ours.shape)
    gradients = [torch.autograd.grad((out * weight).sum(), [query, key, value]) for out in (ours, theirs)]
    torch.testing.assert_close(*gradients)


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=5), min_size=1, max_size=3), st.integers(0, 3))
def test_attention_of_documents_is_that_of_rows(lengths: list[list[int]], prefix: int) -> None:
    """With its gradients; what is behind the last document of a row is padding."""
    longest = max(map(sum, lengths))
    documents_BT = torch.full((len(lengths), longest), -1)
    for row, counts in enumerate(lengths):
        numbers = [number for number, count in enumerate(counts) for _ in range(count)]
        documents_BT[row, : len(numbers)] = torch.tensor(numbers)
    generator = torch.Generator().manual_seed(1)
    query, key, value, weight = (
        torch.randn(len(lengths), prefix + longest, heads, 4, generator=generator).transpose(1, 2).requires_grad_()
        for heads in (6, 3, 3, 6)
    )
    ways = seen_bias(documents_BT, prefix, torch.float32), PackedDocuments.of(documents_BT, prefix, torch.float32)
    by_row, by_document = (attend(torch.nn.Module(), query, key, value, seen, 0.5)[0] for seen in ways)
    torch.testing.assert_close(by_document, by_row)
    gradients = [
        torch.autograd.grad((out * weight.transpose(1, 2)).sum(), [query, key, value]) for out in (by_document, by_row)
    ]
    torch.testing.assert_close(*gradients)


def test_a_row_may_have_no_prefix() -> None:
    """Texts of a model without a chat template begin each with its own tokens."""
    backbone = Backbone(dense_model("llama", tie_word_embeddings=True).requires_grad_(False))
    (document, *_) = DOCUMENTS
    alone = TaughtNetwork(backbone, 2, 4, (), range(VOCABULARY), seed=1)
    whole = Document((*PREFIX, *document.tokens), len(PREFIX) + document.prompt_length)
    torch.testing.assert_close(loss_of(alone, [[whole]]), loss_of(network(2, 4), [[document]]), rtol=1e-5, atol=1e-5)
