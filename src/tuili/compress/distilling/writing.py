"""Chains that a model writes for training problems: the student's own, or its teacher's.

Which of them are learnt, and when, is left to `rounds`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuili.compress.distilling.mask import refuted_end
from tuili.compress.distilling.recipe import WritingConfig
from tuili.compress.distilling.student import new_student
from tuili.data import Document, Record, encode_record
from tuili.engine import Sampling, SequenceLimits, StopReason, load_scheduler
from tuili.engine import Sequence as Decoded
from tuili.model import LoadedModel, TuiliForCausalLM
from tuili.steps import Context, read_turns
from tuili.store import Tokenizer
from tuili.tasks import SEEDS_PER_SPLIT
from tuili.train import StreamConfig, build_curriculum, build_sources

SLOTS = 64
"""Responses that are written at once."""
LEAST_TOKENS = 32
"""A problem whose prompt leaves fewer tokens of a row is left out."""
_SEEDS = 2
"""The seed of the problems is so far from that of the texts: none comes twice."""


@dataclass(frozen=True)
class Written:
    """A chain as a document, where it was cut, if a step was refuted, and whether it ended by itself."""

    document: Document
    refuted: bool
    ended: bool


def questions(stream: StreamConfig, number: int) -> Iterator[Record]:
    """Problems of a round, without end, from the sources of a run in the shares that its curriculum ends with."""
    seed = (stream.seed + _SEEDS) % SEEDS_PER_SPLIT
    sources = {source.name: source for source in build_sources(stream.data, seed)}
    weights = build_curriculum(stream).weights(1.0)
    names = [name for name in sources if weights.get(name, 0.0) > 0]
    rng = random.Random(f"questions/{seed}/{number}")
    while True:
        (name,) = rng.choices(names, [weights[name] for name in names])
        yield sources[name].record(rng.randrange(10**8))


def write_chains(
    model: TuiliForCausalLM,
    loaded_from: tuple[Path, Tokenizer],
    stream: StreamConfig,
    config: WritingConfig,
    number: int,
    masks: bool,
    stopped: Callable[[], bool],
) -> list[Written] | None:
    """What a model writes in a round at full depth, always the same for the same weights; None where it was stopped.

    loaded_from: a folder, and the tokenizer. number: of the round. masks: whether a chain ends behind the first step
    that the checker refutes.
    """
    folder, tokenizer = loaded_from
    asked = _asked(stream, tokenizer, config.chains, number)
    copied = new_student(model.config, 0)  # for the engine, whose weights must not change
    copied.load_state_dict(model.state_dict())
    copied.train(False)
    loaded = LoadedModel(copied, tokenizer, folder)
    scheduler = load_scheduler(loaded, numbers="fp32", slots=min(SLOTS, len(asked)), waiting=len(asked))
    depth, sequences = model.config.exit_layers[-1], list[Decoded]()
    for place, (_, document) in enumerate(asked):
        prompt = list(document.tokens[: document.prompt_length])
        sampling = Sampling(temperature=config.temperature, seed=(stream.seed * 1000 + number) * len(asked) + place)
        sequences.append(Decoded(prompt, SequenceLimits(stream.length - len(prompt)), sampling, depth))
        scheduler.submit(sequences[-1])
    while scheduler.busy:
        if stopped():
            return None
        scheduler.step()
    pairs = zip(asked, sequences, strict=True)
    return [_written(tokenizer, *one, sequence, masks) for one, sequence in pairs if sequence.tokens]


def _asked(stream: StreamConfig, tokenizer: Tokenizer, count: int, number: int) -> Sequence[tuple[Record, Document]]:
    found = list[tuple[Record, Document]]()
    for record in questions(stream, number):
        document = encode_record(tokenizer, record, stream.experts)
        if document.prompt_length + LEAST_TOKENS <= stream.length:
            found.append((record, document))
        if len(found) == count:
            break
    return found


def _written(tokenizer: Tokenizer, record: Record, document: Document, sequence: Decoded, masks: bool) -> Written:
    context = Context.from_prompt(*read_turns(*record.turns))
    end = refuted_end(tokenizer, sequence.tokens, context)
    kept = sequence.tokens[:end] if masks else sequence.tokens
    whole = Document((*sequence.prompt, *kept), len(sequence.prompt), document.expert)
    return Written(whole, end is not None, sequence.stop is StopReason.END)
