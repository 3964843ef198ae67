"""Converts a byte-level BPE vocabulary between GGUF metadata and the tokenizer files of a Hugging Face folder.

`gguf_templates` handles chat templates.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tokenizers

from tuili.errors import InputError
from tuili.exchange.gguf_config import EOS_IDS, Metadata
from tuili.exchange.gguf_header import GgufHeader
from tuili.exchange.pre_tokenizers import ALIASES, PRE_TOKENIZERS, State, find_pre_tokenizer
from tuili.store import ImportedModel

if TYPE_CHECKING:
    from gguf import GGUFWriter

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""Types of entries, as numbered by ggml; only sentencepiece has unknown and byte entries."""
KEY = "tokenizer.ggml"
NAMED = {"bos_token": "bos", "eos_token": "eos", "pad_token": "padding", "unk_token": "unknown"}
_VERY_LONG = 10**30


def read_vocabulary(path: Path, header: GgufHeader) -> dict[str, str]:
    """The tokenizer files, by name, for the model in a GGUF file, without chat templates.

    Raises `InputError` if the vocabulary is missing, of another kind, or damaged.
    """
    meta = Metadata(path, header.metadata)
    kind = meta.get(f"{KEY}.model", str, "no_vocab")
    if kind == "no_vocab":
        raise InputError(f"{path} has no tokenizer: give a GGUF file with its vocabulary")
    if kind != "gpt2":
        name = "sentencepiece's" if kind == "llama" else repr(kind[:40])
        raise InputError(
            f"{path}: its tokenizer is {name}, only byte-level BPE can be read: import the Hugging Face folder"
        )
    pre = meta.get(f"{KEY}.pre", str, "default")
    if (pre := ALIASES.get(pre, pre)) not in PRE_TOKENIZERS:
        known = ", ".join((*PRE_TOKENIZERS, *ALIASES))
        raise InputError(f"{path}: its tokenizer cuts texts as {pre[:40]!r}, which is not known: use one of {known}")
    tokens, merges = _texts(meta, f"{KEY}.tokens"), _texts(meta, f"{KEY}.merges")
    types = meta.get(f"{KEY}.token_type", list, [NORMAL] * len(tokens))
    if len(types) != len(tokens):
        raise InputError(f"{path} is damaged: it has {len(tokens)} tokens and {len(types)} types of tokens")
    rows = header.tensors["token_embd.weight"].shape[0] if "token_embd.weight" in header.tensors else len(tokens)
    if len(tokens) > rows:
        raise InputError(f"{path}: its vocabulary has {len(tokens)} tokens, and its embedding {rows} rows")
    state = _state(path, pre, tokens, types, merges)
    named = {name: _token(meta, f"{KEY}.{key}_token_id", tokens) for name, key in NAMED.items()}
    bos = named["bos_token"] if meta.get(f"{KEY}.add_bos_token", bool, pre == "llama-bpe") else None
    eos = named["eos_token"] if meta.get(f"{KEY}.add_eos_token", bool, False) else None
    if bos or eos:
        state["post_processor"] = _template(bos, eos, {text: number for number, text in enumerate(tokens)})
    _check(path, state)
    config = {
        **{name: text for name, text in named.items() if text is not None},
        "clean_up_tokenization_spaces": False,
        "model_max_length": _VERY_LONG,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    return {
        "tokenizer.json": json.dumps(state, ensure_ascii=False),
        "tokenizer_config.json": json.dumps(config, indent=2),
    }


def _texts(meta: Metadata, key: str) -> list[str]:
    values = meta.get(key, list)
    if not all(isinstance(value, str) for value in values):
        raise InputError(f"{meta.path}: {key!r} in its metadata must be a list of texts")
    return list(values)


def _token(meta: Metadata, key: str, tokens: list[str]) -> str | None:
    if key not in meta:
        return None
    number: int = meta.get(key, int)
    if not 0 <= number < len(tokens):
        raise InputError(f"{meta.path}: {key} is {number}: the vocabulary goes from 0 to {len(tokens) - 1}")
    return tokens[number]


def _state(path: Path, pre: str, tokens: list[str], types: list[Any], merges: list[str]) -> State:
    """The content of `tokenizer.json`. Added tokens are also in the vocabulary, so that each keeps its id."""
    pre_tokenizer, normalizer, whole = PRE_TOKENIZERS[pre]
    vocabulary = dict[str, int]()
    for number, (text, kind) in enumerate(zip(tokens, types, strict=True)):
        if kind == UNUSED:
            continue
        if text in vocabulary:
            raise InputError(f"{path} is damaged: its tokens {vocabulary[text]} and {number} are the same text")
        vocabulary[text] = number
    pairs = [merge.split(" ") for merge in merges]
    for number, pair in enumerate(pairs):
        if len(pair) != 2 or not {*pair, "".join(pair)} <= vocabulary.keys():
            raise InputError(f"{path} is damaged: merge {number}, {merges[number][:40]!r}, makes no token of two")
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": text, **plain, "special": kind == CONTROL}
            for number, (text, kind) in enumerate(zip(tokens, types, strict=True))
            if kind in (CONTROL, USER_DEFINED)
        ],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": whole,
            "vocab": vocabulary,
            "merges": pairs,
        },
    }


def _template(bos: str | None, eos: str | None, ids: dict[str, int]) -> State:
    """The post-processor that puts these tokens around a text."""

    def around(*parts: State) -> list[State]:
        first = [{"SpecialToken": {"id": bos, "type_id": 0}}] if bos else []
        last = [{"SpecialToken": {"id": eos, "type_id": 0}}] if eos else []
        return [*first, *parts, *last]

    a, b = ({"Sequence": {"id": name, "type_id": number}} for number, name in enumerate("AB"))
    special = {text: {"id": text, "ids": [ids[text]], "tokens": [text]} for text in (bos, eos) if text}
    return {"type": "TemplateProcessing", "single": around(a), "pair": around(a, b), "special_tokens": special}


def _check(path: Path, state: State) -> None:
    try:
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(state))
    except Exception as error:  # the Rust library raises a plain Exception
        raise InputError(f"{path} has a vocabulary that cannot be used: {str(error).splitlines()[0]}") from error
    for token in state["added_tokens"]:
        assert tokenizer.token_to_id(token["content"]) == token["id"]


def add_vocabulary(writer: GGUFWriter, model: ImportedModel) -> None:
    """Write the vocabulary of a folder into a file's metadata.

    Raises `InputError` for a tokenizer that is not byte-level BPE, or whose pre-tokenizer llama.cpp does not have.
    """
    file, shape = model.path / "tokenizer.json", model.shape
    state: State = json.loads(model.tokenizer.files["tokenizer.json"])
    if state["model"].get("type") != "BPE" or '"ByteLevel"' not in json.dumps(state["pre_tokenizer"]):
        raise InputError(f"{file} is no byte-level BPE: GGUF files are written for such alone; export it to hf")
    if (pre := find_pre_tokenizer(state)) is None:
        raise InputError(f"{file} cuts texts in a way that llama.cpp has no name for: export it to hf")
    tokens = {number: (text, NORMAL) for text, number in state["model"]["vocab"].items()}
    for place, token in model.tokenizer.backend.get_added_tokens_decoder().items():
        tokens[place] = (token.content, CONTROL if token.special else USER_DEFINED)
    entries = [tokens.get(number, (f"[PAD{number}]", UNUSED)) for number in range(shape.vocab_size)]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in state["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([text for text, _ in entries])
    writer.add_token_types([kind for _, kind in entries])
    writer.add_token_merges(merges)
    ends = model.tokenizer.end_ids
    writer.add_eos_token_id(ends[0])
    if len(ends) > 1:
        writer.add_array(EOS_IDS, list(ends))
    bos = _number(model, "bos_token", shape.bos_token_id)
    others = {"bos": bos, "padding": _number(model, "pad_token", shape.pad_token_id)}
    for name, number in (others | {"unknown": _number(model, "unk_token", None)}).items():
        if number is not None:
            writer.add_uint32(f"{KEY}.{name}_token_id", number)
    around = model.tokenizer.backend.encode("a", add_special_tokens=True)
    writer.add_add_bos_token(around.ids[0] == bos and bool(around.special_tokens_mask[0]))
    writer.add_add_eos_token(around.ids[-1] == ends[0] and bool(around.special_tokens_mask[-1]))
    writer.add_add_space_prefix(False)


def _number(model: ImportedModel, name: str, number: int | None) -> int | None:
    """The id of a special token: the one given (from config.json), or else the one named in tokenizer_config.json."""
    if number is not None:
        return number
    named = json.loads(model.tokenizer.files.get("tokenizer_config.json", b"{}")).get(name)
    text = named.get("content") if isinstance(named, dict) else named
    return model.tokenizer.backend.token_to_id(text) if isinstance(text, str) else None
