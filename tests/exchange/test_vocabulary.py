"""Vocabularies of other kinds go through a GGUF file and read texts as before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import pytest

from tests.exchange.gguf_files import rewrite, save_gguf
from tests.exchange.test_pre_tokenizers import state_of
from tests.store.dense_folders import save_dense
from tuili.errors import InputError
from tuili.exchange import import_model
from tuili.exchange.pre_tokenizers import PRE_TOKENIZERS, TRIAL_TEXTS
from tuili.store import ForeignTokenizer

BEGINS = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}},
}
TOOL = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}


def with_tokenizer(folder: Path, name: str, **changes: Any) -> ForeignTokenizer:
    """Make a folder `model` whose tokenizer cuts texts in a way; return that tokenizer."""
    save_dense(folder / "model", num_hidden_layers=1)
    state = state_of(name) | changes
    state["added_tokens"].append({"id": 390, "content": "<tool>", **TOOL})
    (folder / "model" / "tokenizer.json").write_text(json.dumps(state))
    return ForeignTokenizer.load(folder / "model", (2,))


@pytest.mark.parametrize("begins", [False, True])
@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_texts_have_the_same_ids(name: str, begins: bool, tmp_path: Path) -> None:
    original = with_tokenizer(tmp_path, name, post_processor=BEGINS if begins else None)
    assert original.backend.token_to_id("<tool>") == 384  # not 390: the library counts on
    read = import_model(str(save_gguf(tmp_path)), tmp_path / "in").tokenizer
    for text in (*TRIAL_TEXTS, "a<tool>b<|im_end|>", ""):
        for special in (False, True):
            wanted = original.backend.encode(text, add_special_tokens=special).ids
            assert read.backend.encode(text, add_special_tokens=special).ids == wanted
        assert read.encode_text(text) == original.encode_text(text)
        assert read.encode_beginning(text) == original.encode_beginning(text)
    assert read.size == original.size == 385


def test_what_a_file_says_of_ends_and_of_beginnings(tmp_path: Path) -> None:
    with_tokenizer(tmp_path, "gpt-2")
    (tmp_path / "model" / "generation_config.json").write_text('{"eos_token_id": [2, 0]}')
    file = save_gguf(tmp_path)
    metadata = {name: field.contents() for name, field in gguf.GGUFReader(file).fields.items()}
    assert (metadata["tokenizer.ggml.model"], metadata["tokenizer.ggml.pre"]) == ("gpt2", "gpt-2")
    assert (metadata["tokenizer.ggml.eos_token_id"], metadata["tuili.eos_token_ids"]) == (2, [2, 0])
    assert (metadata["tokenizer.ggml.bos_token_id"], metadata["tokenizer.ggml.add_bos_token"]) == (1, False)
    types = metadata["tokenizer.ggml.token_type"]
    assert [types[number] for number in (0, 1, 2, 3, 384, 399)] == [3, 3, 3, 1, 4, 5]
    assert metadata["tokenizer.ggml.tokens"][399] == "[PAD399]"
    assert import_model(str(file), tmp_path / "in").tokenizer.end_ids == (2, 0)
    of_others = {"tuili.eos_token_ids": None, "tokenizer.ggml.eot_token_id": 1, "tokenizer.ggml.add_eos_token": True}
    other = import_model(str(rewrite(file, of_others)), tmp_path / "other").tokenizer
    assert other.end_ids == (2, 1)
    assert other.backend.encode("12", add_special_tokens=True).ids[-1] == 2


def test_llama_3_begins_texts_unless_its_file_says_otherwise(tmp_path: Path) -> None:
    with_tokenizer(tmp_path, "llama-bpe")
    file = save_gguf(tmp_path)
    assert import_model(str(file), tmp_path / "in").tokenizer.encode_beginning("12")[0] != 1
    rewrite(file, {"tokenizer.ggml.add_bos_token": None})
    assert import_model(str(file), tmp_path / "in").tokenizer.encode_beginning("12")[0] == 1


def test_a_name_that_llama_cpp_treats_alike_is_read_alike(tmp_path: Path) -> None:
    original = with_tokenizer(tmp_path, "smollm")
    file = rewrite(save_gguf(tmp_path), {"tokenizer.ggml.pre": "starcoder"})
    read = import_model(str(file), tmp_path / "in").tokenizer
    assert all(read.encode_text(text) == original.encode_text(text) for text in TRIAL_TEXTS)


def test_tokenizers_that_llama_cpp_cannot_follow_are_not_written(tmp_path: Path) -> None:
    with_tokenizer(tmp_path, "gpt-2", normalizer={"type": "Lowercase"})
    with pytest.raises(InputError, match=r"cuts texts in a way that llama\.cpp has no name for: export it to hf"):
        save_gguf(tmp_path)
    spaces = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    changes = {"pre_tokenizer": spaces, "decoder": spaces}
    file = tmp_path / "model" / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes | {"normalizer": None}))
    with pytest.raises(InputError, match="is no byte-level BPE: GGUF files are written for such alone"):
        save_gguf(tmp_path)
