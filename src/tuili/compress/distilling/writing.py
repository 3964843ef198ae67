"""Chains that a model writes for training problems: the student's own, or its teacher's.

`rounds` decides which of them are learnt, and when.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Listed
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean

from tuili.compress.distilling.mask import refuted_end
from tuili.compress.distilling.student import new_student
from tuili.compress.trial import Part
from tuili.compress.watch import Watch
from tuili.data import Document, Record, encode_record
from tuili.engine import Sampling, Scheduler, SequenceLimits, StopReason, load_scheduler
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
"""Questions asked before checking whether they are enough."""
TRIED_CHAINS = SLOTS
"""Chains written, all at once, to estimate how long all chains of a round take."""
LEAST_TOKENS = 32
"""A problem whose prompt leaves fewer tokens in a row is left out."""
MOST_CHAINS = 1 << 20
"""The most chains of a round; the next round starts this many questions further on in each source."""
_SEEDS = 3
"""The offset of the problems' seed from the seed of the texts. It makes generated problems differ from those that are
learnt, from samples, and from those by which models are compared in the end."""


@dataclass(frozen=True)
class Written:
    """A chain as a document, possibly cut; whether a step was refuted, and whether the chain ended by itself."""

    document: Document
    refuted: bool
    ended: bool


@dataclass(frozen=True)
class Round:
    """What is to be written. number: from 0. chains: how many; None for as many as have `tokens` with their prompts.

    masks: whether a chain ends after the first step that the checker refutes.
    """

    number: int
    chains: int | None
    tokens: int
    temperature: float
    masks: bool


def questions(stream: StreamConfig, number: int) -> Iterator[Record]:
    """An endless stream of problems of a round, from the sources of a run. Sources are drawn with the final shares of
    the curriculum. The questions of a file come in the order of its epochs, and repeat once all have been asked."""
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
    """What a model writes in a round at full depth, always the same for the same weights; None if it was stopped.

    loaded_from: a folder, and the tokenizer. Raises `NotMakeable` if no prompt leaves room in a row.
    """
    tokenizer, depth = loaded_from[1], model.config.exit_layers[-1]
    waiting = BATCH if wanted.chains is None else min(BATCH, wanted.chains)
    scheduler = _scheduler(model, loaded_from, waiting)
    asked, written, begun, tokens = _asked(stream, tokenizer, wanted.number), list[Written](), 0, 0
    aim, unit = (wanted.tokens, "tokens") if wanted.chains is None else (wanted.chains, "chains")
    work = watch.work("writing", aim, unit)
    while (done := tokens if wanted.chains is None else begun) < aim:
        batch = list(islice(asked, waiting if wanted.chains is None else min(waiting, aim - begun)))
        sequences = list[Decoded]()
        for place, (_, document) in enumerate(batch, start=begun):
            most = stream.length - document.prompt_length
            sequences.append(_begun(document, most, wanted, stream.seed, place, depth))
            scheduler.submit(sequences[-1])
        while scheduler.busy:
            if stopped():
                return None
            ended = [sequence for sequence in sequences if sequence.stop is not None]
            work.at(done + (len(ended) if wanted.chains else sum(len(one.prompt) + len(one.tokens) for one in ended)))
            scheduler.step()
        pairs = zip(batch, sequences, strict=True)
        found = [_written(tokenizer, *one, sequence, wanted.masks) for one, sequence in pairs if sequence.tokens]
        written += found
        begun += len(batch)
        tokens += sum(len(one.prompt) for one in sequences) + sum(one.document.response_length for one in found)
    return written


def writing_part(
    model: TuiliForCausalLM, loaded_from: tuple[Path, Tokenizer], stream: StreamConfig, wanted: Round, rounds: int
) -> Part:
    """The time trial for some rounds like this one. It writes a few chains, each at most as long as the text of its
    question: a model that has learnt the text writes that much, and a limit stops one that would write on and on."""
    tokenizer, depth = loaded_from[1], model.config.exit_layers[-1]
    count = min(TRIED_CHAINS, wanted.chains or TRIED_CHAINS)
    scheduler = _scheduler(model, loaded_from, count)
    batch = list(islice(_asked(stream, tokenizer, wanted.number), count))

    def attempt() -> float:
        sequences = list[Decoded]()
        for place, (_, document) in enumerate(batch):
            most = max(1, min(document.response_length, stream.length - document.prompt_length))
            sequences.append(_begun(document, most, wanted, stream.seed, place, depth))
            scheduler.submit(sequences[-1])
        while scheduler.busy:
            scheduler.step()
        for one, sequence in zip(batch, sequences, strict=True):
            _written(tokenizer, *one, sequence, wanted.masks)
        return rounds * _chains(wanted, [document for _, document in batch]) / count

    return Part("writing", attempt)


def _chains(wanted: Round, texts: Listed[Document]) -> int:
    """How many chains of the length of these texts a round has."""
    if wanted.chains is not None:
        return wanted.chains
    return BATCH * math.ceil(wanted.tokens / fmean(len(text) for text in texts) / BATCH)


def _scheduler(model: TuiliForCausalLM, loaded_from: tuple[Path, Tokenizer], waiting: int) -> Scheduler:
    """The engine with a copy of a model."""
    folder, tokenizer = loaded_from
    copied = new_student(model.config, 0)  # the engine needs weights that do not change
    copied.load_state_dict(model.state_dict())
    copied.train(False)
    loaded = LoadedModel(copied, tokenizer, folder)
    return load_scheduler(loaded, numbers="fp32", slots=min(SLOTS, waiting), waiting=waiting)


def _begun(document: Document, most: int, wanted: Round, seed: int, place: int, depth: int) -> Decoded:
    """A chain of at most `most` tokens. seed: of the run. place: of the chain in its round."""
    prompt = list(document.tokens[: document.prompt_length])
    drawn = (seed * 1000 + wanted.number) * MOST_CHAINS + place
    return Decoded(prompt, SequenceLimits(most), Sampling(temperature=wanted.temperature, seed=drawn), depth)


def _asked(stream: StreamConfig, tokenizer: Tokenizer, number: int) -> Iterator[tuple[Record, Document]]:
    """An endless stream of questions with their documents, except those whose prompts are too long."""
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
