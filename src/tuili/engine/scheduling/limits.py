"""What a sequence may ask for, and when its text or its limits end it. `deadlines` handles deadlines."""

from __future__ import annotations

from tuili.engine.runtime.runner import ModelRunner
from tuili.engine.sequence import Sequence, StopReason
from tuili.engine.text.stop_texts import StopTextFinder
from tuili.errors import InputError
from tuili.store import AnyTokenizer


def check_sequence(sequence: Sequence, runner: ModelRunner, vocabulary: int) -> None:
    """Raise `InputError` for a sequence that the runner can never run within its limits.

    Args:
        vocabulary: the number of tokens in the vocabulary.
    """
    for token, _ in sequence.sampling.logit_bias:
        if token >= vocabulary:
            raise InputError(f"logit_bias: there is no token {token}: ids go from 0 to {vocabulary - 1}")
    if not sequence.prompt or len(sequence.prompt) >= runner.context:
        raise InputError(f"the prompt has {len(sequence.prompt)} tokens: from 1 to {runner.context - 1} can be read")
    start = sequence.verify_from
    if start is not None and (not runner.verifies or not 0 < start < len(sequence.prompt)):
        raise InputError("there is no verifier, or no response behind a prompt, to be read")
    if sequence.score_from is not None:
        _check_scored(sequence, sequence.score_from)
    if sequence.depth == "exact" and sequence.sampling.temperature > 0:
        raise InputError("depth exact verifies the likeliest token: use it with temperature 0")
    if sequence.depth == "exact" and sequence.limits.deadline is not None:
        raise InputError("depth exact writes several tokens at once and keeps no deadline: use auto with one")
    if sequence.depth not in ("auto", "exact", *runner.exits):
        raise InputError(f"depth {sequence.depth} is no exit of this model: use one of {runner.exits}")
    least = sequence.min_layers(runner.exits)
    if sequence.limits.layer_steps is not None and sequence.limits.layer_steps < least:
        raise InputError(f"max_layer_steps = {sequence.limits.layer_steps}: one token takes {least}")


def _check_scored(sequence: Sequence, start: int) -> None:
    if not 0 < start < len(sequence.prompt):
        raise InputError(f"there is no token {start} behind the first, of {len(sequence.prompt)}, to be scored")
    for name, limit in (("deadline_ms", sequence.limits.deadline), ("max_layer_steps", sequence.limits.layer_steps)):
        if limit is not None:
            raise InputError(f"{name}: log-probabilities of a prompt are read at full depth, without this limit")


class TextEnds:
    """Determines why the last token of a sequence ends it, by its text and its length."""

    def __init__(self, runner: ModelRunner, tokenizer: AnyTokenizer) -> None:
        self._end_ids, self._context, self._tokenizer = frozenset(tokenizer.end_ids), runner.context, tokenizer
        self._finders: dict[Sequence, StopTextFinder] = {}
        """The finders of sequences that have stop texts and have begun."""

    def reason(self, sequence: Sequence) -> StopReason | None:
        """Why the last token ends a sequence; None if it does not. Must be called for every token, in order."""
        token = sequence.tokens[-1]
        if token in self._end_ids:
            whole = sequence.grammar is None or sequence.grammar.accepts(sequence.tokens)
            return StopReason.END if whole else StopReason.GRAMMAR
        if sequence.sampling.stop and self._finder(sequence).add(token):
            return StopReason.STOP
        full = len(sequence.prompt) + len(sequence.tokens) >= self._context
        if full or sequence.written >= sequence.limits.tokens:
            return StopReason.LENGTH
        return None

    def rewind(self, sequence: Sequence) -> None:
        """Record that the last tokens of a sequence have been taken back."""
        if self._finders.pop(sequence, None) is not None:
            for token in sequence.tokens:
                self._finder(sequence).add(token)

    def forget(self, sequence: Sequence) -> None:
        """Record that a sequence has ended."""
        self._finders.pop(sequence, None)

    def _finder(self, sequence: Sequence) -> StopTextFinder:
        if sequence not in self._finders:
            self._finders[sequence] = StopTextFinder(self._tokenizer, sequence.sampling.stop)
        return self._finders[sequence]
