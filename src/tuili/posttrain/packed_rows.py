"""Runs packed rows through a dense transformers decoder: several documents that share one prefix in a row.

Each document sees only the prefix and itself, as if it stood alone after the prefix.

Dimensions: B rows, T tokens of a row with the prefix, P tokens of the prefix, M hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuili.data import Block
from tuili.posttrain import packed_attention
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.document_groups import HIDDEN, PackedDocuments


def pack_attention(backbone: Backbone) -> None:
    """Make the layers of a model attend as `packed_states` needs."""
    backbone.model.set_attn_implementation(packed_attention.NAME)


def packed_states(backbone: Backbone, prefix_P: Tensor, block: Block, first_layer: int = 0) -> Tensor:
    """The states [B, T, M] after the last layer, including those of the prefix. See `pack_attention`.

    All tensors are on the model's device. first_layer: layers below it learn nothing.
    """
    rows, prefix = len(block.tokens_BT), len(prefix_P)
    ids_BT = torch.cat([prefix_P.expand(rows, -1), block.tokens_BT], dim=1)
    position_BT = torch.cat(
        [torch.arange(prefix, device=ids_BT.device).expand(rows, -1), block.positions_BT + prefix], dim=1
    )
    seeing = PackedDocuments.of if ids_BT.device.type == "cpu" else seen_bias
    seen = seeing(block.documents_BT, prefix, backbone.head_VM.dtype)
    model = backbone.model.model
    hidden_BTM = model.embed_tokens(ids_BT)
    turns = model.rotary_emb(hidden_BTM, position_ids=position_BT)
    learns = torch.is_grad_enabled()
    with torch.set_grad_enabled(learns and hidden_BTM.requires_grad):
        for layer in backbone.layers[:first_layer]:
            hidden_BTM = layer(hidden_BTM, attention_mask=seen, position_embeddings=turns)
    for layer in backbone.layers[first_layer:]:
        hidden_BTM = layer(hidden_BTM, attention_mask=seen, position_embeddings=turns)
    return hidden_BTM  # type: ignore[no-any-return]  # a layer of transformers


def seen_bias(documents_BT: Tensor, prefix: int, dtype: torch.dtype) -> Tensor:
    """The bias for scores, [B, T, T], if whole rows attend: see `PackedDocuments.of`."""
    device = documents_BT.device
    shared = torch.full((len(documents_BT), prefix), -2, device=device)
    owner_BT = torch.cat([shared, documents_BT], dim=1)
    sees_BTT = (owner_BT[:, :, None] == owner_BT[:, None, :]) | (owner_BT[:, None, :] == -2)
    length = owner_BT.shape[1]
    sees_BTT = sees_BTT & torch.ones(length, length, dtype=torch.bool, device=device).tril()
    return torch.where(sees_BTT, 0.0, HIDDEN).to(dtype)
