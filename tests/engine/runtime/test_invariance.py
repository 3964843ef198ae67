"""With the native step a text and its numbers are the same to the bit: whatever is written beside it, however its
prompt is cut into pieces, and wherever a kept prompt ends that it begins like.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.native.calling import library
from tuili.engine import Depth, Numbers, Sampling, Sequence, SequenceLimits, load_scheduler
from tuili.model import LoadedModel

CONTEXT, COUNT = 96, 40
LENGTHS = (1, 2, 15, 16, 17, 18, 20, CONTEXT // 2, CONTEXT - 1)
WAYS: tuple[dict[str, int], ...] = (
    {"slots": 1, "chunk": 7, "threads": 1},
    {"slots": 5, "chunk": 256, "threads": 1},
    {"slots": 16, "chunk": 33, "threads": 3, "prefix_cache_bytes": 30_000},
    {"slots": 3, "chunk": 1, "threads": 1},
)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    """Units end within what texts share, and a query reads some of them alone."""
    model, tokenizer = tiny_model(top_units=2, window=4, max_unit=4, max_position_embeddings=CONTEXT)
    return LoadedModel(randomize_weights(model).train(False), tokenizer, Path())


def sequences(loaded: LoadedModel, seed: int) -> list[Sequence]:
    """Texts that begin like one of two, of every length and kind."""
    random, made, vocabulary = Random(seed), list[Sequence](), loaded.tokenizer.size
    openings = [random.choices(range(7, vocabulary), k=CONTEXT - 1) for _ in range(2)]
    for number in range(COUNT):
        ids = random.choice(openings)[: random.choice((*LENGTHS, random.randrange(1, CONTEXT)))]
        if random.random() < 0.4:
            ids = [*ids[:-2], *random.choices(range(7, vocabulary), k=2)]
        limits = SequenceLimits(random.randrange(1, 30), random.choice((None, None, 200, 60)))
        depth: Depth = random.choice(("auto", "auto", "exact", 2, 4))
        sampling, read = Sampling(logprobs=2), dict[str, Any]()
        if random.random() < 0.2 and len(ids) > 2:
            limits, sampling = SequenceLimits(), Sampling(prompt_logprobs=2)
            read["score_from"] = random.randrange(1, len(ids))
        elif random.random() < 0.3 and depth != "exact":
            sampling = Sampling(temperature=1.0, seed=number, logprobs=1)
        made.append(Sequence(ids, limits, sampling, depth, 0.5, **read))
    return made


def run(loaded: LoadedModel, texts: list[Sequence], order: list[int], numbers: Numbers, **ways: int) -> int:
    """Write all. Returns how many tokens of prompts were reused."""
    scheduler = load_scheduler(loaded, runner="native", numbers=numbers, **ways)  # type: ignore[arg-type]
    for number in order:
        scheduler.submit(texts[number])
    while scheduler.busy:
        scheduler.step()
        scheduler.check()
    return scheduler.stats.cached_tokens


def told(sequence: Sequence) -> tuple[Any, ...]:
    return sequence.tokens, sequence.depths, sequence.top_probs, sequence.logprobs, sequence.stop


@pytest.mark.parametrize("numbers", ["fp32", "int8", "int4"])
def test_a_text_is_the_same_to_the_bit_however_it_is_run(loaded: LoadedModel, numbers: Numbers) -> None:
    library()
    alone = sequences(loaded, seed=1)
    assert run(loaded, alone, list(range(COUNT)), numbers, slots=1, prefix_cache_bytes=0, threads=1) == 0
    for way in WAYS:
        order = Random(way["slots"]).sample(range(COUNT), COUNT)
        others = sequences(loaded, seed=1)
        assert run(loaded, others, order, numbers, **way) > 100
        assert list(map(told, others)) == list(map(told, alone))
