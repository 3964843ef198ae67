"""Pre-tokenizers for byte-level BPE: those that llama.cpp has names for, in the notation of `tokenizer.json`.

A GGUF file stores only the name. An export finds the name by what a tokenizer does, not by how it is written.
"""

from __future__ import annotations

import json
from typing import Any

import tokenizers

State = dict[str, Any]
_GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"
_WORDS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
_REST = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"


def _splits(*patterns: str) -> list[State]:
    return [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        for pattern in patterns
    ]


def _bytes(use_regex: bool = False) -> State:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def _sequence(*parts: State) -> State:
    return {"type": "Sequence", "pretokenizers": list(parts)}


PRE_TOKENIZERS: dict[str, tuple[State, State | None, bool]] = {
    "gpt-2": (_bytes(use_regex=True), None, False),
    "smollm": (_sequence({"type": "Digits", "individual_digits": True}, _bytes(use_regex=True)), None, False),
    "qwen2": (_sequence(*_splits(f"{_WORDS}\\p{{N}}{_REST}"), _bytes()), {"type": "NFC"}, False),
    "llama-bpe": (_sequence(*_splits(f"{_WORDS}\\p{{N}}{{1,3}}{_REST}"), _bytes()), None, True),
    "default": (
        _sequence(*_splits("[\\p{P}\\$\\+<=>\\^~\\|]+", _GPT2, "\\p{N}+", "[0-9][0-9][0-9]"), _bytes()),
        None,
        False,
    ),
}
"""By llama.cpp's name: the pre-tokenizer, the normalizer of the models' own tokenizers, and whether an entry that is a
whole piece is used without merging."""
ALIASES = {
    **dict.fromkeys(("mpt", "olmo", "jais", "phi-2", "gigachat"), "gpt-2"),
    **dict.fromkeys(("starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"), "smollm"),
    **dict.fromkeys(("deepseek-r1-qwen", "stablelm2"), "qwen2"),
    **dict.fromkeys(("llama3", "llama-v3", "falcon3", "smaug-bpe", "dbrx"), "llama-bpe"),
}
"""Other names for the same pre-tokenizers."""
TRIAL_TEXTS = (
    "Don't stop: we'll pay $12,345.67 (or 100%) by 2026-11-28, they've said.",
    "DON'T  STOP   \n\n\n  at\tall \r\n  x=1;y_2 = x**3 != 4567890123",
    "naïve cafe\u0301 – été «ça» 你好，世界！三加四等于七。１２３ ½ Ⅻ здравствуй мир",
    "def f(x):\n\treturn [x + 1] // 22 'll 's ' s\n\n\n\n#### <b>🙂🙂</b> a.b.c ...!!!??? \u00a0\u3000end ",
    "    indented 1 22 333 4444 55555\n    again\n",
)
"""Texts that every pre-tokenizer splits differently."""


def find_pre_tokenizer(state: State) -> str | None:
    """llama.cpp's name for the pre-tokenizer in a byte-level `tokenizer.json`; None if it has no name for it."""
    wanted = _cuts(state)
    for name, (pre_tokenizer, normalizer, whole) in PRE_TOKENIZERS.items():
        known = {**state, "pre_tokenizer": pre_tokenizer, "normalizer": normalizer}
        if bool(state["model"].get("ignore_merges")) == whole and _cuts(known) == wanted:
            return name
    return None


def _cuts(state: State) -> list[list[str]]:
    """The pieces of the trial texts, in the letters that represent bytes."""
    empty = {"type": "BPE", "vocab": {}, "merges": []}
    tokenizer = tokenizers.Tokenizer.from_str(
        json.dumps({**state, "model": empty, "added_tokens": [], "post_processor": None, "decoder": None})
    )
    normalized = [tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text for text in TRIAL_TEXTS]
    if tokenizer.pre_tokenizer is None:
        return [[text] for text in normalized]
    return [[piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)] for text in normalized]
