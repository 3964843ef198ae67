"""An engine without a model's weights, which recites the responses that a test gives it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.tiny import tiny_model
from tests.engine.scripted import ScriptedRunner
from tuili.engine import Answer, Budget, Engine, Promises, Request, Scheduler, Sequence
from tuili.model import LoadedModel
from tuili.store import Tokenizer


def speechless() -> LoadedModel:
    """A small model of random weights, of which a recital needs the tokenizer alone."""
    model, tokenizer = tiny_model()
    return LoadedModel(model.eval(), tokenizer, Path())


class Recital:
    """A script that recites one text of a list for each sequence."""

    def __init__(self, tokenizer: Tokenizer, texts: tuple[str, ...]) -> None:
        self._tokenizer, self._texts = tokenizer, iter(texts)
        self._ids: dict[Sequence, list[int]] = {}

    def __call__(self, sequence: Sequence) -> int:
        if sequence not in self._ids:
            self._ids[sequence] = self._encode(next(self._texts))
        return self._ids[sequence][len(sequence.tokens)]

    def _encode(self, text: str) -> list[int]:
        if text.startswith("<think>"):
            ids, prompt = self._tokenizer.encode_example("", text)
            return ids[prompt:]
        ids, prompt = self._tokenizer.encode_example("", "<think>\n" + text)
        return ids[prompt + 2 :]


def reciting(
    loaded: LoadedModel, *texts: str, context: int = 512, promises: Promises | None = None
) -> tuple[Engine, list[Sequence]]:
    """An engine whose model decodes these texts one after the other, and the list of sequences that it has started."""
    tokenizer = loaded.tokenizer
    runner = ScriptedRunner(Recital(tokenizer, texts), tokenizer.end_id, context=context)
    scheduler = Scheduler.of(runner, tokenizer)
    return Engine(scheduler, tokenizer, promises or Promises(None, "it has not been calibrated")), runner.started


def recited(loaded: LoadedModel, prompt: str, *responses: str, attempts: int = 2) -> Answer:
    """The answer to a prompt where these are the responses of the attempts."""
    engine, _ = reciting(loaded, *responses)
    return engine.answer([Request(prompt, Budget(max_steps=attempts))])[0]
