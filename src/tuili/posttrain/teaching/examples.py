"""Records as texts of an imported model: the question by its chat template, the response behind it as token ids.

All questions of a template begin alike, with what it says before them. These tokens, the prefix, are left out of the
documents: `network` puts them once in front of a row. Which records are read is left to `data`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile

from tuili.data import Document, Record
from tuili.errors import InputError
from tuili.store import ForeignTokenizer

_CALCULATION = re.compile(r"^(?=[^=]*[-+*/^%])[-+*/^%(). 0-9]+ = (\S+)$", re.MULTILINE)
"""A line whose left side is made of numbers alone: a calculator can write its right side."""


class ExampleEncoder:
    """Makes documents of records.

    Args:
        masks_results: whether what a calculator can write is not learnt.
        prose: whether the output of a record is the whole response, in words.
    """

    def __init__(self, tokenizer: ForeignTokenizer, masks_results: bool, prose: bool = False) -> None:
        self._tokenizer, self._masks_results, self._prose = tokenizer, masks_results and not prose, prose
        pairs = zip(
            self._prompt(Record(input="How?", output="7")), self._prompt(Record(input="Who?", output="7")), strict=False
        )
        self.prefix = tuple(one for one, other in takewhile(lambda pair: pair[0] == pair[1], pairs))
        """The tokens that all questions begin with."""

    def __call__(self, record: Record) -> Document:
        """The document of a record, without the prefix. Raises `InputError` where the template begins otherwise."""
        prompt, response = self._prompt(record), record.output if self._prose else record.response
        behind = len(self.prefix)
        if tuple(prompt[:behind]) != self.prefix:  # for a system message, or for what the question says
            raise InputError(
                f"{record.id}: the chat template begins otherwise than for other questions: leave system messages out"
            )
        ids = self._tokenizer.encode_text(response)
        masked = [*self._results(response, ids)] if self._masks_results else []
        start = len(prompt) - behind
        tokens = (*prompt[behind:], *ids, self._tokenizer.end_id)
        return Document(tokens, start, unlearnt=tuple(start + place for place in masked))

    def _prompt(self, record: Record) -> list[int]:
        before = [{"role": one.role, "content": one.content} for one in record.messages]
        return self._tokenizer.encode_chat([*before, {"role": "user", "content": record.input}])

    def _results(self, response: str, ids: list[int]) -> Iterator[int]:
        """The places of tokens that results of calculations are in. One may begin with the space before it."""
        spans = [(found.start(1), found.end(1)) for found in _CALCULATION.finditer(response)]
        spans = [(len(response[:begin].encode()), len(response[:end].encode())) for begin, end in spans]
        begin = 0
        for place, token in enumerate(ids):
            end = begin + len(self._tokenizer.token_bytes(token))
            if any(begin < last and first < end for first, last in spans):
                yield place
            begin = end
