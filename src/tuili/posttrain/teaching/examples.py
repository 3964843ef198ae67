"""Records as texts of an imported model: the question in its chat template, followed by the response, as token ids.

All questions of a template begin with the same text from the template. Its tokens, the prefix, are left out of the
documents: `network` puts them once before each row. `data` decides which records are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tuili.data import Document, Record
from tuili.errors import InputError, PromptError
from tuili.steps import END_THINK
from tuili.store import ForeignTokenizer

CALCULATION = re.compile(r"^(?=[^=]* [-+*/^%] )[-+*/^%(). 0-9]+ = (\S+)$", re.MULTILINE)
"""A line of the thinking whose right side a calculator can write: its left side only combines numbers."""


class ExampleEncoder:
    """Makes documents from records.

    Args:
        masks_results: whether to exclude from learning what a calculator can write.
        prose: whether the output of a record is the whole response, in words.
    """

    def __init__(self, tokenizer: ForeignTokenizer, masks_results: bool, prose: bool = False) -> None:
        self._tokenizer, self._masks_results, self._prose = tokenizer, masks_results and not prose, prose
        self.prefix = tokenizer.question_prefix

    def __call__(self, record: Record) -> Document:
        """The document of a record, without the prefix.

        Raises `InputError` if the template begins differently or refuses the record, and for a control token in it.
        """
        before = [{"role": one.role, "content": one.content} for one in record.messages]
        try:
            prompt = self._tokenizer.encode_chat([*before, {"role": "user", "content": record.input}])
            response = record.output if self._prose else record.response
            ids = self._tokenizer.encode_response(prompt, response)
        except PromptError as error:
            raise InputError(f"{record.id}: {error}") from error
        behind = len(self.prefix)
        if tuple(prompt[:behind]) != self.prefix:  # because of a system message, or of the question's text
            raise InputError(
                f"{record.id}: the chat template begins otherwise than for other questions: leave system messages out"
            )
        masked = [*self._results(response, ids)] if self._masks_results else []
        start = len(prompt) - behind
        tokens = (*prompt[behind:], *ids, self._tokenizer.end_id)
        return Document(tokens, start, unlearnt=tuple(start + place for place in masked))

    def _results(self, response: str, ids: list[int]) -> Iterator[int]:
        """The places of tokens that contain results of calculations. A token may begin with the space before it."""
        thinking = response.partition(END_THINK)[0]
        spans = [
            (len(thinking[: found.start(1)].encode()), len(thinking[: found.end(1)].encode()))
            for found in CALCULATION.finditer(thinking)
        ]
        sizes = [len(self._tokenizer.token_bytes(token)) for token in ids]
        begin = len(response.encode()) - sum(sizes)  # not 0 if the prompt has its tag, or a space precedes it
        for place, size in enumerate(sizes):
            if any(begin < last and first < begin + size for first, last in spans):
                yield place
            begin += size
