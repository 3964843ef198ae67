"""An engine of an imported model without its weights, which recites the texts that a test gives it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.engine.scripted import ScriptedRunner
from tests.store.foreign_folders import save_tokenizer
from tuili.engine import Engine, Promises, Scheduler, Sequence
from tuili.store import ForeignTokenizer


@cache
def foreign(kind: str) -> ForeignTokenizer:
    """A tokenizer of one of the kinds of `foreign_folders`."""
    with TemporaryDirectory() as folder:
        return ForeignTokenizer.load(save_tokenizer(Path(folder), kind))


class ProseRecital:
    """A script that recites one text of a list for each sequence, and then ends it. `<think>` is the token."""

    def __init__(self, tokenizer: ForeignTokenizer, texts: Iterator[str]) -> None:
        self._tokenizer, self._texts = tokenizer, texts
        self._ids: dict[Sequence, list[int]] = {}

    def __call__(self, sequence: Sequence) -> int:
        if sequence not in self._ids:
            written = self._tokenizer.backend.encode(next(self._texts), add_special_tokens=False).ids
            self._ids[sequence] = [*written, self._tokenizer.end_id]
        return self._ids[sequence][len(sequence.tokens)]


def reciting_prose(*texts: str, kind: str = "thinking", context: int = 512) -> tuple[Engine, list[Sequence]]:
    """An engine whose model writes these texts one after the other, and the list of sequences that it has started."""
    tokenizer = foreign(kind)
    runner = ScriptedRunner(ProseRecital(tokenizer, iter(texts)), tokenizer.end_id, context=context)
    engine = Engine(
        Scheduler.of(runner, tokenizer), tokenizer, Promises(None, "it has not been calibrated"), conversation="multi"
    )
    return engine, runner.started
