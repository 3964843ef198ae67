"""Some texts as one batch, with what is learnt from them. `texts` chooses the texts.

Dimensions: B texts, T tokens, N tokens without those of a text's padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuili.posttrain.exits.texts import Text


@dataclass(frozen=True)
class TextBatch:
    """Texts of similar length, padded after their ends, where a causal model does not see the padding.

    position_N: the places in B×T of the tokens that predict another one. response_N: whether the predicted token
    belongs to a response. next_N: the token that follows in the text.
    """

    ids_BT: Tensor
    position_N: Tensor
    response_N: Tensor
    next_N: Tensor

    @classmethod
    def of(cls, texts: Sequence[Text]) -> TextBatch:
        """The batch of some texts."""
        longest = max(len(text.ids) for text in texts)
        ids_BT = torch.zeros((len(texts), longest), dtype=torch.long)
        response_BT, inside_BT = torch.zeros_like(ids_BT, dtype=torch.bool), torch.zeros_like(ids_BT, dtype=torch.bool)
        for row, text in enumerate(texts):
            ids_BT[row, : len(text.ids)] = torch.tensor(text.ids)
            inside_BT[row, : len(text.ids) - 1] = True
            response_BT[row, text.start - 1 : len(text.ids) - 1] = True
        position_N = inside_BT.flatten().nonzero()[:, 0]
        return cls(ids_BT, position_N, response_BT.flatten()[position_N], ids_BT.flatten()[position_N + 1])

    @property
    def leaving_BT(self) -> Tensor:
        """Where a token may leave early: at the last token of a prompt, and in the response after it."""
        leaving = torch.zeros(self.ids_BT.numel(), dtype=torch.bool)
        leaving[self.position_N[self.response_N]] = True
        return leaving.view(self.ids_BT.shape)
