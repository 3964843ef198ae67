"""Chains that a model writes for training problems: the student's own, or its teacher's.

Which of them are learnt, and when, is left to `rounds`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tuili.compress.distilling.mask import refuted_end
from tuili.compress.distilling.student import new_student
from tuili.compress.watch import Watch
from tuili.data import Document, Record, encode_record
from tuili.engine import Sampling, SequenceLimits, StopReason, load_scheduler
from tuili.engine import Sequence as Decoded
from tuili.errors import NotMakeable
from tuili.model import LoadedModel, TuiliForCausalLM
from tuili.steps import Context, read_turns
from tuili.store import Tokenizer
from tuili.tasks import SEEDS_PER_SPLIT
from tuili.train import StreamConfig, build_curriculum, build_sources

SLOTS = 64
"""Responses that are written at once."""
BATCH = 512
"""Questions that are asked before it is seen whether they are enough."""
LEAST_TOKENS = 32
"""A problem whose prompt leaves fewer tokens of a row is left out."""
MOST_CHAINS = 1 << 20
"""Of a round; those of the next one begin behind so many questions of each source."""
_SEEDS = 2
"""The seed of the problems is so far from that of the texts, so that generated ones are others."""


@dataclass(frozen=True)
class Written:
    """A chain as a document, where it was cut, if a step was refuted, and whether it ended by itself."""

    document: Document
    refuted: bool
    ended: bool


@dataclass(frozen=True)
class Round:
    """What is to be written. number: from 0 on. chains: how many; None for as many as have `tokens` with their prompts.

    masks: whether a chain ends behind the first step that the checker refutes.
    """

    number: int
    chains: int | None
    tokens: int
    temperature: float
    masks: bool


def questions(stream: StreamConfig, number: int) -> Iterator[Record]:
    """Problems of a round, without end, from the sources of a run. Each is of a source by the share that the curriculum
    ends with. The questions of a file come in the order of its epochs, again once all have been asked."""
    seed = (stream.seed + _SEEDS) % SEEDS_PER_SPLIT
    sources = {source.name: source for source in build_sources(stream.data, seed, stream.part)}
    weights = build_curriculum(stream).weights(1.0)
    names = [name for name in sources if weights.get(name, 0.0) > 0]
    places = dict.fromkeys(names, number * MOST_CHAINS)
    rng = random.Random(f"questions/{seed}/{number}")
    while True:
        (name,) = rng.choices(names, [weights[name] for name in names])
        yield sources[name].record(places[name])
        places[name] += 1


def write_chains(
    model: TuiliForCausalLM,
    loaded_from: tuple[Path, Tokenizer],
    stream: StreamConfig,
    wanted: Round,
    stopped: Callable[[], bool],
    watch: Watch,
) -> list[Written] | None:
    """What a model writes in a round at full depth, always the same for the same weights; None where it was stopped.

    loaded_from: a folder, and the tokenizer. Raises `NotMakeable` where no prompt leaves room in a row.
    """
    folder, tokenizer = loaded_from
    copied = new_student(model.config, 0)  # for the engine, whose weights must not change
    copied.load_state_dict(model.state_dict())
    copied.train(False)
    loaded, depth = LoadedModel(copied, tokenizer, folder), model.config.exit_layers[-1]
    waiting = BATCH if wanted.chains is None else min(BATCH, wanted.chains)
    scheduler = load_scheduler(loaded, numbers="fp32", slots=min(SLOTS, waiting), waiting=waiting)
    asked, written, begun, tokens = _asked(stream, tokenizer, wanted.number), list[Written](), 0, 0
    aim, unit = (wanted.tokens, "tokens") if wanted.chains is None else (wanted.chains, "chains")
    work = watch.work("writing", aim, unit)
    while (done := tokens if wanted.chains is None else begun) < aim:
        work.at(done)
        batch = list(islice(asked, waiting if wanted.chains is None else min(waiting, aim - begun)))
        sequences = list[Decoded]()
        for place, (_, document) in enumerate(batch, start=begun):
            prompt = list(document.tokens[: document.prompt_length])
            seed = (stream.seed * 1000 + wanted.number) * MOST_CHAINS + place
            sampling = Sampling(temperature=wanted.temperature, seed=seed)
            sequences.append(Decoded(prompt, SequenceLimits(stream.length - len(prompt)), sampling, depth))
            scheduler.submit(sequences[-1])
        while scheduler.busy:
            if stopped():
                return None
            scheduler.step()
        pairs = zip(batch, sequences, strict=True)
        found = [_written(tokenizer, *one, sequence, wanted.masks) for one, sequence in pairs if sequence.tokens]
        written += found
        begun += len(batch)
        tokens += sum(len(one.prompt) for one in sequences) + sum(one.document.response_length for one in found)
    return written


def _asked(stream: StreamConfig, tokenizer: Tokenizer, number: int) -> Iterator[tuple[Record, Document]]:
    """Questions with the documents that they are, without end, but for those whose prompts are too long."""
    passed_over = 0
    for record in questions(stream, number):
        document = encode_record(tokenizer, record, stream.experts)
        if document.prompt_length + LEAST_TOKENS <= stream.length:
            passed_over = 0
            yield record, document
        elif (passed_over := passed_over + 1) == BATCH:
            raise NotMakeable(
                f"distil.healing.length = {stream.length}: no question leaves {LEAST_TOKENS} tokens of a row: raise it"
            )


def _written(tokenizer: Tokenizer, record: Record, document: Document, sequence: Decoded, masks: bool) -> Written:
    context = Context.from_prompt(*read_turns(*record.turns))
    end = refuted_end(tokenizer, sequence.tokens, context)
    kept = sequence.tokens[:end] if masks else sequence.tokens
    whole = Document((*sequence.prompt, *kept), len(sequence.prompt), document.expert)
    return Written(whole, end is not None, sequence.stop is StopReason.END)
