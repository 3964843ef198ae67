"""Keys and values are kept in the format that was asked for, and the runtime names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.tiny import save_tiny
from tests.native.calling import library
from tuili.engine import CacheNumbers, Numbers, load_decoder, load_runner
from tuili.engine.runtime.choice import Choice
from tuili.engine.runtime.native.load import native_step
from tuili.engine.runtime.token_rows import TokenRow
from tuili.errors import InputError
from tuili.store import open_model
from tuili.tasks import domain_names, unseen_problems


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny") / "model", head_dim=16)


@pytest.mark.parametrize(
    ("numbers", "cache", "named"),
    [
        ("fp32", "auto", "native, fp32"),
        ("int8", "auto", "native, int8, cache bf16"),
        ("int8", "int8", "native, int8"),
        ("bf16", "int8", "native, bf16, cache int8"),
        ("int4", "fp32", "native, int4, cache fp32"),
    ],
)
def test_the_native_runner_has_every_cache(folder: Path, numbers: Numbers, cache: CacheNumbers, named: str) -> None:
    library()
    assert str(load_runner(folder, numbers=numbers, cache=cache).runtime) == named


def test_torch_keeps_keys_and_values_as_it_keeps_weights(folder: Path) -> None:
    for numbers, cache in (("fp32", "fp32"), ("bf16", "bf16"), ("int8", "fp32")):
        assert str(load_runner(folder, runner="torch", numbers=numbers, cache=cache).runtime) == f"torch, {numbers}"
    with pytest.raises(InputError, match=r"cache fp32 is asked for, .* in torch\.bfloat16 \(the torch runner was"):
        load_runner(folder, runner="torch", numbers="bf16", cache="fp32")


def test_a_slot_takes_as_many_bytes_as_its_format_says(folder: Path) -> None:
    library()
    model, tokens, bytes_of = open_model(folder), 48, dict[CacheNumbers, int]()
    row, shape = TokenRow(model.shape), model.shape
    for token in range(tokens):
        row.append(token)
    numbers_a_token = (shape.trunk_layers + 1) * 2 * shape.num_key_value_heads * shape.head_dim
    for cache in ("fp32", "bf16", "int8"):
        step = native_step(model, Choice("native", "int8", cache), 1, 1, verifies=False)
        step.reserve(0, tokens, row.unit_count)
        bytes_of[cache] = step.save(0, tokens, row.unit_count).nbytes
    assert bytes_of["fp32"] - bytes_of["bf16"] == 2 * tokens * numbers_a_token
    scales = tokens * 4 * numbers_a_token // shape.head_dim
    assert bytes_of["bf16"] - bytes_of["int8"] == tokens * numbers_a_token - scales


def test_texts_are_nearly_the_same_with_a_cache_of_8_bits() -> None:
    library()
    questions = [problem.prompt for problem in unseen_problems(domain_names(), [1], per_cell=2, seed=4)]

    def written(cache: CacheNumbers) -> list[list[int]]:
        decoder = load_decoder("nano", 12, max_new_tokens=40, numbers="fp32", cache=cache)
        return [generation.tokens for generation in decoder.generate(questions)]

    pairs = [pair for texts in zip(written("bf16"), written("int8"), strict=True) for pair in zip(*texts, strict=False)]
    assert sum(first == second for first, second in pairs) >= 0.95 * len(pairs) > 500


def test_with_8_bits_copied_prompts_and_batches_change_no_text() -> None:
    library()
    questions = [problem.prompt for problem in unseen_problems(domain_names(), [1], per_cell=1, seed=6)]
    alone, together = (load_decoder("nano", 12, max_new_tokens=30, cache="int8", batch_size=size) for size in (1, 8))
    expected = [generation.tokens for generation in alone.generate(questions)]
    for _ in range(2):  # the second time, prompts are copies of what was read the first time
        assert [generation.tokens for generation in together.generate(questions)] == expected
