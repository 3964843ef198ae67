"""A document of a packed block, decoded: each token with its text, whether it is learnt, and the step it is part of.

Like the loss, this reads from the block's targets whether a token is learnt. Dimensions: L tokens of a document.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from torch import Tensor

from tuili.data.packing import IGNORE_INDEX, Document
from tuili.data.records import Record
from tuili.data.showing.visible import visible
from tuili.steps import THINK, Context, Status, Verdict, check_chain, read_turns, split_response
from tuili.store import AnyTokenizer


class ShownToken(NamedTuple):
    """A token of a document.

    text: what the token decodes to; empty for a part of a character that a later token completes. step: the number of
    the last step that the token is part of, counted from 0. control: whether it is a control token, which encoding text
    never produces.
    """

    id: int
    text: str
    learnt: bool = False
    step: int | None = None
    control: bool = False


class JudgedStep(NamedTuple):
    """A step with the checker's verdict, which takes the prompt and the earlier steps into account."""

    text: str
    verdict: Verdict

    @property
    def remark(self) -> str:
        """What would be right, and what is wrong or why the step was not decided; empty for a valid step."""
        if self.verdict.status is Status.VALID:
            return ""
        right = f"right: {self.verdict.expected}" if self.verdict.expected else ""
        return visible("; ".join(filter(None, (right, self.verdict.reason))))


@dataclass(frozen=True)
class ShownDocument:
    """A record as it is trained on.

    tokens: prompt and response; the first `prompt_length` tokens are the prompt. capacity: the tokens of a row.
    left_out: why the training leaves the record out, so that nothing is learnt; empty if it does not. controls: the
    control tokens whose text appears in the record, which other tokens may imitate.
    """

    record: Record
    tokens: tuple[ShownToken, ...]
    prompt_length: int
    steps: tuple[JudgedStep, ...]
    capacity: int
    left_out: str = ""
    controls: tuple[str, ...] = ()

    @cached_property
    def learnt(self) -> int:
        """The number of tokens that are learnt."""
        return sum(token.learnt for token in self.tokens)

    @property
    def masked(self) -> int:
        """The number of response tokens that are not learnt, while others of the response are."""
        return 0 if self.left_out else len(self.tokens) - self.prompt_length - self.learnt

    @property
    def statuses(self) -> Counter[Status]:
        """The number of steps for each verdict."""
        return Counter(step.verdict.status for step in self.steps)


def show_document(
    tokenizer: AnyTokenizer, record: Record, document: Document, targets_L: Tensor, capacity: int, left_out: str = ""
) -> ShownDocument:
    """Decode a document. targets_L: the part of a block's targets at its positions."""
    targets = targets_L.tolist()
    learnt = [False, *(target != IGNORE_INDEX for target in targets[: len(document) - 1])]
    assert all(target in (IGNORE_INDEX, token) for target, token in zip(targets, document.tokens[1:], strict=False)), (
        "the targets are of another document"
    )
    steps = _judged(record)
    start = document.prompt_length
    of_step = _step_numbers(tokenizer, document, [step.text for step in steps])
    texts, added = token_texts(tokenizer, document.tokens), tokenizer.backend.get_added_tokens_decoder()
    tokens = tuple(map(ShownToken, document.tokens, texts, learnt, of_step, map(added.__contains__, document.tokens)))
    text = "".join(texts)
    controls = tuple(entry.content for entry in added.values() if entry.content in text)
    return ShownDocument(record, tokens, start, steps, capacity, left_out, controls)


def token_texts(tokenizer: AnyTokenizer, tokens: Iterable[int]) -> list[str]:
    """The text of each token. If a character spans several tokens, the last of them has it as text."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    texts = [decoder.decode(tokenizer.token_bytes(token)) for token in tokens]
    if texts:
        texts[-1] += decoder.decode(b"", final=True)
    return texts


def _judged(record: Record) -> tuple[JudgedStep, ...]:
    steps = split_response(record.response).steps
    verdicts = check_chain(steps, Context.from_prompt(*read_turns(*record.turns))) if steps else []
    return tuple(map(JudgedStep, steps, verdicts))


def _step_numbers(tokenizer: AnyTokenizer, document: Document, steps: Sequence[str]) -> list[int | None]:
    """The last step that each token overlaps. If a tokenizer changes the text of a step, no token overlaps it."""
    pieces = [tokenizer.token_bytes(token) for token in document.tokens[document.prompt_length :]]
    response = b"".join(pieces)
    spans, behind = list[tuple[int, int]](), len(THINK) if response.startswith(THINK.encode()) else 0
    for step in map(str.encode, steps):
        found = response.find(step, behind)
        spans.append((found, found + len(step)) if found >= 0 else (-1, -1))
        behind = max(behind, spans[-1][1])
    numbers: list[int | None] = [None] * document.prompt_length
    place = start = 0
    for piece in pieces:
        end = start + len(piece)
        while place < len(spans) and spans[place][1] <= start:
            place += 1
        last = place
        while last + 1 < len(spans) and start <= spans[last + 1][0] < end:
            last += 1
        numbers.append(last if place < len(spans) and spans[place][0] < end else None)
        start = end
    return numbers
