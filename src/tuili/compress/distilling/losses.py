"""How a student learns if not from its teacher's predictions on given texts.

Dimensions: N learnt tokens, V vocabulary.
"""

from __future__ import annotations

from torch.nn import functional

from tuili.compress.healing import Student
from tuili.data import Block


class TextStudent(Student):
    """A student that learns only the next token of texts, without a teacher."""

    def learn(self, block: Block, step: int) -> dict[str, float]:
        """See `LearningNetwork`. Figures: `loss`, the cross-entropy in nats per token; `accuracy`, the share of tokens
        that it predicts correctly."""
        states = self._student.read(block, step)
        logits_NV = states.logits(states.hidden_NM)
        loss = functional.cross_entropy(logits_NV, states.target_N)
        (loss + states.penalty).backward()
        self._student.take_gradients()
        right_N = logits_NV.detach().argmax(-1) == states.target_N
        return {"loss": loss.item(), "accuracy": right_N.float().mean().item()}
