"""Wrong inputs of `tuili import`: one line that names what is wrong, exit code 2, and nothing is left behind."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.cli.refusals import refusal
from tests.exchange.gguf_files import Tensor, patch, place_of, rewrite, save_gguf
from tuili.exchange import NAMED_SOURCES

GGUF, MODEL = "model.gguf", "model"
Damage = Callable[[Path], object]


def cut(share: float) -> Damage:
    def damage(folder: Path) -> None:
        data = (folder / GGUF).read_bytes()
        (folder / GGUF).write_bytes(data[: int(len(data) * share)])

    return damage


def metadata(**changes: Any) -> Damage:
    """Other entries in the header; dots are written as two underscores, None removes one."""
    return lambda folder: rewrite(folder / GGUF, {key.replace("__", "."): value for key, value in changes.items()})


def patched(place: int, layout: str, value: int) -> Damage:
    return lambda folder: patch(folder / GGUF, place, layout, value)


def claims_a_gigabyte(folder: Path) -> None:
    """A header whose first key is said to be 1 GB long, in a file that has as many bytes, all of them a hole."""
    (folder / GGUF).write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + struct.pack("<Q", 1 << 30))
    with (folder / GGUF).open("r+b") as file:
        file.truncate((1 << 30) + 1000)


def long_list(folder: Path) -> None:
    patch(folder / GGUF, place_of(folder / GGUF, "tokenizer.ggml.tokens") + 8, "<Q", 1 << 40)


def overlapping(folder: Path) -> None:
    """The second tensor begins where the first does."""
    file = folder / GGUF
    patch(file, place_of(file, "output_norm.weight") + 4 + 8 + 4, "<Q", 0)


def unaligned(folder: Path) -> None:
    patch(folder / GGUF, place_of(folder / GGUF, "output_norm.weight") + 4 + 8 + 4, "<Q", 33)


def tensors(change: Callable[[dict[str, Tensor]], object]) -> Damage:
    return lambda folder: rewrite(folder / GGUF, tensors=change)


def other_shape(data: dict[str, Tensor]) -> None:
    data["blk.1.attn_k.weight"] = (np.zeros((16, 64), np.float32), gguf.GGMLQuantizationType.F32)


def no_numbers(data: dict[str, Tensor]) -> None:
    data["blk.1.attn_k.weight"] = (np.zeros((32, 64), np.int32), gguf.GGMLQuantizationType.I32)


def config(**fields: Any) -> Damage:
    def damage(folder: Path) -> None:
        file = folder / MODEL / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | fields))

    return damage


def written(name: str, data: bytes) -> Damage:
    return lambda folder: (folder / MODEL / name).write_bytes(data)


def weights(change: Callable[[dict[str, np.ndarray[Any, Any]]], object]) -> Damage:
    def damage(folder: Path) -> None:
        file = folder / MODEL / "model.safetensors"
        found = load_file(file)
        change(found)
        save_file(found, file, {"format": "pt"})

    return damage


def no_bytes(folder: Path) -> None:
    """A tokenizer of words."""
    file = folder / MODEL / "tokenizer.json"
    state = json.loads(file.read_text())
    file.write_text(json.dumps(state | {"pre_tokenizer": {"type": "Whitespace"}, "decoder": None}))


def lineage_of_others(folder: Path) -> None:
    (folder / MODEL / "tuili").mkdir()
    entry = {"step": "import", "hash": "0" * 64, "date": "2026-01-01", "versions": {}}
    (folder / MODEL / "tuili" / "lineage.json").write_text(json.dumps([entry]))


TOKENS = ["a", "b"]
WRONG: dict[str, tuple[str, Damage, str]] = {
    # GGUF: the bytes of the file
    "cut in its first bytes": (GGUF, cut(0.0), "is no GGUF file"),
    "cut in its metadata": (GGUF, cut(0.02), "is damaged or truncated: its header goes on beyond the file's end"),
    "cut in its tensors": (GGUF, cut(0.5), "is truncated: tensor"),
    "cut in its last tensor": (GGUF, cut(0.999), "is truncated: tensor"),
    "magic": (GGUF, patched(0, "<I", 0x46464747), "is no GGUF file: give a GGUF file, a model folder or a hub name"),
    "version 1": (GGUF, patched(4, "<I", 1), "has version 1 of GGUF: only 2 and 3 can be read"),
    "big-endian": (GGUF, patched(4, ">I", 3), "is a big-endian GGUF file: use the little-endian one"),
    "many tensors": (GGUF, patched(8, "<Q", 1 << 60), "its header claims 1,152,921,504,606,846,976 tensors"),
    "many entries": (GGUF, patched(16, "<Q", 1 << 20), "and 1,048,576 entries"),
    "a header of 1 GB": (GGUF, claims_a_gigabyte, "its header claims more than 268,435,456 bytes"),
    "a list longer than the file": (GGUF, long_list, "its header goes on beyond the file's end"),
    "overlapping tensors": (GGUF, overlapping, "stand in the same bytes"),
    "an unaligned tensor": (GGUF, unaligned, "begins at no multiple of 32 bytes"),
    "a pickle": (GGUF, lambda f: (f / GGUF).write_bytes(pickle.dumps([1])), "is a pickle or zip, which can hold code"),
    "a zip": (GGUF, lambda f: (f / GGUF).write_bytes(b"PK\x03\x04" * 9), "is a pickle or zip, which can hold code"),
    # GGUF: what it says
    "another architecture": (
        GGUF,
        metadata(general__architecture="gemma2"),
        "architecture is 'gemma2', which is not",
    ),
    "experts": (GGUF, metadata(llama__expert_count=8), "the model uses experts (llama.expert_count)"),
    "sliding window of a file": (
        GGUF,
        metadata(llama__attention__sliding_window=4096),
        "uses a sliding window",
    ),
    "longrope of a file": (GGUF, metadata(llama__rope__scaling__type="longrope"), "stretched by 'longrope' are not"),
    "part of a file": (GGUF, metadata(split__count=3), "is one part of several: join them first"),
    "no size": (GGUF, metadata(llama__block_count=None), "lacks 'llama.block_count' in its metadata"),
    "a text as a size": (GGUF, metadata(llama__block_count="two"), "'llama.block_count' in its metadata is 'two'"),
    "other heads": (GGUF, metadata(llama__attention__head_count=0), "num_attention_heads is 0: it must be from 1"),
    "more layers": (GGUF, metadata(llama__block_count=3), "lacks tensor blk.2."),
    "fewer layers": (GGUF, metadata(llama__block_count=1), "has tensor blk.1."),
    "a missing tensor": (GGUF, tensors(lambda data: data.pop("blk.1.ffn_up.weight")), "lacks tensor blk.1.ffn_up"),
    "another shape": (GGUF, tensors(other_shape), "has the shape [16, 64], its metadata asks for [32, 64]"),
    "integers": (GGUF, tensors(no_numbers), "blk.1.attn_k.weight has the number format I32, which cannot be read"),
    "no tokenizer": (GGUF, metadata(tokenizer__ggml__model=None), "has no tokenizer: give a GGUF file with its"),
    "sentencepiece": (GGUF, metadata(tokenizer__ggml__model="llama"), "its tokenizer is sentencepiece's"),
    "unknown cuts": (GGUF, metadata(tokenizer__ggml__pre="viking"), "cuts texts as 'viking', which is not known"),
    "fewer tokens": (GGUF, metadata(tokenizer__ggml__tokens=TOKENS), "it has 2 tokens and 400 types of tokens"),
    "merges of nothing": (GGUF, metadata(tokenizer__ggml__merges=["q zz"]), "merge 0, 'q zz', makes no token of two"),
    "end out of vocabulary": (GGUF, metadata(tokenizer__ggml__eos_token_id=400), "eos_token_id is 400: the vocabulary"),
    "no template": (GGUF, metadata(tokenizer__chat_template="{% for"), "the chat template cannot be read"),
    # Folders
    "foreign architecture": (MODEL, config(model_type="mamba"), "model_type is 'mamba', it must be 'tuili' or 'llama'"),
    "custom code": (MODEL, config(auto_map={"AutoModel": "x.Y"}), "auto_map asks for custom code, which is never run"),
    "quantised": (MODEL, config(quantization_config={"bits": 4}), "quantization_config says that the weights are"),
    "sliding window": (MODEL, config(use_sliding_window=True), "uses a sliding window, which is not supported"),
    "end of a text": (MODEL, written("generation_config.json", b'{"eos_token_id": [2, 400]}'), "eos_token_id is 400"),
    "bad json": (MODEL, written("config.json", b"{"), "config.json is not a JSON object: Expecting property name"),
    "pickled weights": (MODEL, written("pytorch_model.bin", b"x"), "may hold a pickle, which can run code"),
    "an index of others": (MODEL, written("model.safetensors.index.json", b"[]"), "is not a JSON object"),
    "weights cut": (MODEL, lambda f: cut_weights(f), "is truncated: its header describes"),
    "weights missing": (MODEL, lambda f: (f / MODEL / "model.safetensors").unlink(), "has no weights"),
    "a tensor missing": (MODEL, weights(lambda w: w.pop("model.norm.weight")), "missing tensor model.norm.weight"),
    "a tensor more": (MODEL, weights(lambda w: w.update(x=np.zeros(2, np.float32))), "unexpected tensor x"),
    "another shape in a folder": (
        MODEL,
        weights(lambda w: w.update({"model.norm.weight": np.zeros(63, np.float32)})),
        "mismatched tensor model.norm.weight",
    ),
    "tokenizer missing": (MODEL, lambda f: (f / MODEL / "tokenizer.json").unlink(), "has no tokenizer.json"),
    "tokenizer damaged": (MODEL, written("tokenizer.json", b'{"model": 3}'), "tokenizer.json is damaged"),
    "tokenizer of words": (MODEL, no_bytes, "its entries stand for no bytes"),
    "another's lineage": (MODEL, lineage_of_others, "records the hash 000"),
    "nothing": ("missing", lambda folder: None, "missing' not found: give a folder, a hub name"),
    "weights alone": (
        f"{MODEL}/model.safetensors",
        lambda folder: None,
        "is no GGUF file: give a GGUF file",
    ),
    "Tuili's own": ("nano", lambda folder: None, "nano is Tuili's own model already: it needs no import"),
}


def cut_weights(folder: Path) -> None:
    file = folder / MODEL / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


@pytest.fixture(scope="module")
def sound_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound model, as a folder and as a file."""
    folder = tmp_path_factory.mktemp("sound")
    save_gguf(folder)
    return folder


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_input_is_one_line_and_leaves_nothing(
    sound_source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    source, damage, reason = WRONG[name]
    shutil.copytree(sound_source, tmp_path / "given")
    damage(tmp_path / "given")
    (tmp_path / "written").mkdir()
    path = source if source == "nano" else str(tmp_path / "given" / source)
    line = refusal(capsys, "import", path, "--out", str(tmp_path / "written" / "out"))
    assert reason in line
    assert list((tmp_path / "written").iterdir()) == []
    assert "scratch" not in line


def test_the_source_is_sound_without_damage(sound_source: Path, tmp_path: Path) -> None:
    from tuili.cli.app import main

    for source in (GGUF, MODEL):
        assert main(["import", str(sound_source / source), "--out", str(tmp_path / source)]) == 0


@pytest.mark.parametrize("name", NAMED_SOURCES)
def test_a_model_that_is_not_here_yet_is_told_with_the_way_to_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refusal(capsys, "info", name)
    assert f"model {name} not found: `tuili import {name} --out {name}` gets it" in line


def test_a_place_that_takes_nothing_is_one_line(sound_source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb, out in (("import", "/proc/model"), ("export", "/proc/model.gguf")):
        to = ["--to", "gguf"] if verb == "export" else []
        line = refusal(capsys, verb, str(sound_source / MODEL), *to, "--out", out)
        assert f"{out} cannot be written" in line
        assert "choose another place" in line
