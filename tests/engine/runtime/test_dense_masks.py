"""Grammars with imported models: exits, looked-up and verified drafts choose what plain decoding chooses."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.engine.runtime.dense import EXITS, asked, dense_folder, dense_scheduler, opened, prompts, run
from tests.grammars.schemas import random_schema
from tuili.engine import Sampling
from tuili.engine.request import Depth
from tuili.engine.sequence import Sequence, StopReason
from tuili.grammars import Grammar, GrammarCompiler

SCHEMAS = [random_schema(seed) for seed in range(8)]


@pytest.fixture(scope="module", params=[(), EXITS], ids=["full depth alone", "exits"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dense_folder(tmp_path_factory.mktemp("dense"), "llama", request.param)


def decoded(
    folder: Path, runner: str, depth: Depth, slots: int = 4, count: int = 8, temperature: float = 0.0
) -> list[Sequence]:
    """Twice the same texts, so that the later ones find drafts in the earlier ones."""
    compiler, sampling = GrammarCompiler(opened(folder).tokenizer), Sampling(temperature=temperature, seed=2)
    sequences = list[Sequence]()
    for prompt, schema in zip(prompts(8)[:count] * 2, SCHEMAS[:count] * 2, strict=True):
        grammar = compiler.compile(Grammar.of_json(schema), prompt)
        sequences += asked([prompt], 150, depth=depth, grammar=grammar, sampling=sampling, exit_threshold=0.5)
    return run(dense_scheduler(runner, folder, slots), sequences)


@pytest.mark.parametrize(("runner", "count"), [("native", 8), ("torch", 3)])
def test_drafts_with_grammars_are_verified_as_without(folder: Path, runner: str, count: int) -> None:
    plain, drafted = (decoded(folder, runner, depth, count=count) for depth in (6, "exact"))
    assert [each.tokens for each in drafted] == [each.tokens for each in plain]
    assert [each.stop for each in drafted] == [each.stop for each in plain]


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_what_is_decoded_beside_a_text_changes_nothing(folder: Path, temperature: float) -> None:
    together, alone = (decoded(folder, "native", "auto", slots, temperature=temperature) for slots in (5, 1))
    assert [(each.tokens, each.depths) for each in together] == [(each.tokens, each.depths) for each in alone]


@pytest.mark.parametrize("depth", ["auto", "exact"])
def test_whole_answers_fit_their_schemas(folder: Path, depth: Depth) -> None:
    tokenizer, sequences = opened(folder).tokenizer, decoded(folder, "native", depth)
    ended = [(each, schema) for each, schema in zip(sequences, SCHEMAS * 2, strict=True) if each.stop is StopReason.END]
    assert len(ended) > 4
    for sequence, schema in ended:
        text = tokenizer.decode(sequence.tokens, skip_special_tokens=True)
        jsonschema.Draft202012Validator(schema).validate(json.loads(text))
    assert {each.stop for each in sequences} <= {StopReason.END, StopReason.LENGTH}
