"""The cuts of texts that GGUF names: each is told from the others, and cuts as its pattern says."""

from __future__ import annotations

import json
from typing import Any

import pytest
import tokenizers
from tokenizers import Regex, pre_tokenizers

from tests.store.dense_folders import dense_tokenizer
from tuili.exchange.pre_tokenizers import ALIASES, PRE_TOKENIZERS, TRIAL_TEXTS, find_pre_tokenizer


def state_of(name: str) -> dict[str, Any]:
    pre_tokenizer, normalizer, whole = PRE_TOKENIZERS[name]
    state = json.loads(dense_tokenizer().backend_tokenizer.to_str())
    state |= {"pre_tokenizer": pre_tokenizer, "normalizer": normalizer}
    state["model"]["ignore_merges"] = whole
    return state


def cuts(name: str, text: str) -> list[str]:
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(state_of(name)))
    return [text[begin:end] for _, (begin, end) in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_each_is_found_by_what_it_does(name: str) -> None:
    assert find_pre_tokenizer(state_of(name)) == name


def test_one_written_in_another_way_is_found_too() -> None:
    """As the tokenizers of Llama 3 and of Qwen2 on the hub write theirs."""
    rest = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    words = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|"
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(state_of("llama-bpe")))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words + r"\p{N}{1,3}" + rest), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    state = json.loads(tokenizer.to_str())
    assert find_pre_tokenizer(state) == "llama-bpe"
    state["model"]["ignore_merges"] = False
    assert find_pre_tokenizer(state) is None
    smollm = tokenizers.Tokenizer.from_str(json.dumps(state_of("smollm")))
    smollm.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\p{N}"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    assert find_pre_tokenizer(json.loads(smollm.to_str())) == "smollm"


def test_what_llama_cpp_has_no_name_for_is_not_found() -> None:
    state = state_of("gpt-2")
    assert find_pre_tokenizer(state | {"pre_tokenizer": None}) is None
    assert find_pre_tokenizer(state | {"normalizer": {"type": "Lowercase"}}) is None
    assert find_pre_tokenizer(state | {"pre_tokenizer": {"type": "Whitespace"}}) is None


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("gpt-2", ["a", "\n", "\n", "1234", "'ll", " ", " x", "=!"]),
        ("smollm", ["a", "\n\n", "1", "2", "3", "4", "'ll", " ", " x", "=!"]),
        ("qwen2", ["a", "\n\n", "1", "2", "3", "4", "'ll", " ", " x", "=!"]),
        ("llama-bpe", ["a", "\n\n", "123", "4", "'ll", " ", " x", "=!"]),
        ("default", ["a", "\n", "\n", "123", "4", "'", "ll", " ", " x", "=!"]),
    ],
)
def test_cuts_are_those_of_llama_cpp(name: str, wanted: list[str]) -> None:
    """By its patterns in src/llama-vocab.cpp."""
    assert cuts(name, "a\n\n1234'll  x=!") == wanted


def test_other_names_lead_to_these() -> None:
    assert set(ALIASES.values()) <= PRE_TOKENIZERS.keys()
    assert ALIASES.keys().isdisjoint(PRE_TOKENIZERS)
    assert len(TRIAL_TEXTS) > 3
