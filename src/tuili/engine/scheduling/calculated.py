"""What the checker writes into running sequences: its tokens are not decoded, but they count, and the model reads them.

The tokens enter the text at once. The next step reads all of them together before it decodes after the last one. If
they end a sequence, it reads none of them. `text.value_writer` decides which tokens they are.
"""

from __future__ import annotations

from tuili.engine.runtime.runner import ModelRunner
from tuili.engine.scheduling.limits import TextEnds
from tuili.engine.sequence import Sequence, StopReason, TokenLogprobs
from tuili.engine.text.value_writer import Writing

CERTAIN = TokenLogprobs(0.0, ())
"""The log-probabilities of a token that was not sampled."""


def write_value(
    sequence: Sequence, writing: Writing, dropped: int, runner: ModelRunner, text_ends: TextEnds
) -> StopReason | None:
    """Append what the checker writes to the tokens of a sequence, or replace its last ones with it.

    Args:
        dropped: tokens after those of the sequence that the runner has decoded and that are discarded.
    Returns why the sequence cannot continue after that: its text, its number of tokens, or its layer-steps.
    """
    layers = runner.read_depth
    before = [layers] if dropped else list[int]()  # the depth of the token before, if that has been read
    if writing.back:
        before = [sequence.depths[-writing.back]]
        _take_back(sequence, writing.back)
        text_ends.rewind(sequence)
    if before:
        runner.rewind(sequence)
    first, reason = len(sequence.tokens), None
    for token in writing.ids:
        sequence.tokens.append(token)
        reason = text_ends.reason(sequence)
        if sequence.calculator is not None:
            sequence.calculator.add(token)
        if reason is not None:
            break
    count = len(sequence.tokens) - first
    unread, limit = count - len(before), sequence.limits.layer_steps
    needed = sequence.layer_steps + unread * layers + sequence.min_layers(runner.exits)
    if reason is None and limit is not None and limit < needed:
        reason = StopReason.LAYERS
    if reason is None:
        sequence.unread, sequence.layer_steps = unread, sequence.layer_steps + unread * layers
    sequence.calculated += range(first, len(sequence.tokens))
    sequence.depths += [0] * count if reason is not None else before + [layers] * unread
    sequence.top_probs += [1.0] * count
    if sequence.sampling.logprobs is not None:
        sequence.logprobs += [CERTAIN] * count
    return reason


def never_read(sequence: Sequence, layers: int) -> None:
    """Record that a sequence ends before it has read what the checker wrote.

    Args:
        layers: layers run to read a token.
    """
    if sequence.unread:
        sequence.layer_steps -= sequence.unread * layers
        sequence.depths[-sequence.unread :] = [0] * sequence.unread
        sequence.unread = 0


def _take_back(sequence: Sequence, tokens: int) -> None:
    left = len(sequence.tokens) - tokens
    for values in (sequence.tokens, sequence.depths, sequence.top_probs, sequence.logprobs):
        del values[left:]
    sequence.calculated = [place for place in sequence.calculated if place < left]
    sequence.taken_back += tokens
