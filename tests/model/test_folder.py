import errno
import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.harness.tiny import save_tiny, tiny_model
from tuili.data import train_tokenizer
from tuili.errors import InputError, ModelFolderError
from tuili.model import folder as folder_module
from tuili.model.folder import load_model, save_model
from tuili.model.size import count_parameters
from tuili.model.tokenizer import transformers_tokenizer
from tuili.store import LineageEntry, model_hash, read_lineage

WEIGHTS = "model.safetensors"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_tiny(tmp_path / "model")


def refusal(path: Path) -> str:
    with pytest.raises(ModelFolderError) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_saved_model_loads_as_the_same_model_in_evaluation_mode(saved: Path) -> None:
    model, tokenizer = tiny_model()
    loaded = load_model(saved)
    assert not loaded.model.training
    assert loaded.path == saved
    expected = model.state_dict()
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    assert loaded.tokenizer.encode_example("1 + 2?", "<think></think>3") == tokenizer.encode_example(
        "1 + 2?", "<think></think>3"
    )


def test_weights_load_in_the_dtype_asked_for(saved: Path) -> None:
    half = load_model(saved, dtype=torch.bfloat16).model
    assert half.dtype is torch.bfloat16
    assert {tensor.dtype for router in half.routers() for tensor in router.state_dict().values()} == {torch.float32}


def test_the_last_lineage_entry_carries_the_hash_of_the_folder(saved: Path) -> None:
    (entry,) = read_lineage(saved)
    assert entry.hash == model_hash(saved)
    save_model(saved, *tiny_model(), [entry, replace(LineageEntry("prune"), parent=entry.hash)])
    first, second = read_lineage(saved)
    assert first == entry
    assert second.parent == first.hash


def test_saving_leaves_nothing_beside_the_folder_and_no_pickle_in_it(saved: Path) -> None:
    assert [path.name for path in saved.parent.iterdir()] == ["model"]
    assert {path.suffix for path in saved.rglob("*") if path.is_file()} <= {".json", ".safetensors", ".jinja"}


def test_whoever_may_read_the_configuration_may_read_the_weights(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        folder = save_tiny(tmp_path / "model")
    finally:
        os.umask(before)
    assert {oct(path.stat().st_mode & 0o777) for path in folder.rglob("*") if path.is_file()} == {oct(0o640)}


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_file_that_may_not_be_read_is_one_line(saved: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    real = Path.open

    def closed(path: Path, *args: Any, **named: Any) -> Any:
        if path.name == name:  # permissions do not stop the superuser, who may run the tests
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *args, **named)

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(ModelFolderError, match=rf"^\S+/{name} cannot be read: Permission denied; check its perm"):
        load_model(saved)


def test_a_crash_while_saving_leaves_the_old_folder_whole(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = model_hash(saved)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(folder_module, "write_lineage", fail)
    model, tokenizer = tiny_model()
    with torch.no_grad():
        model.model.norm.weight += 1
    with pytest.raises(InputError, match="disk full"):
        save_model(saved, model, tokenizer, [LineageEntry("train")])
    assert model_hash(saved) == before
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_a_missing_folder_says_what_would_be_right(tmp_path: Path) -> None:
    assert "give a folder, a hub name (owner/name) or a shipped name" in refusal(tmp_path / "nowhere")


def test_a_file_is_not_a_folder(saved: Path) -> None:
    assert "is a file" in refusal(saved / WEIGHTS)


def test_a_folder_without_configuration_is_refused(saved: Path) -> None:
    (saved / "config.json").unlink()
    assert "no config.json" in refusal(saved)


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_broken_configuration_is_refused(saved: Path, text: str) -> None:
    (saved / "config.json").write_text(text)
    assert "config.json is not a JSON object" in refusal(saved)


def test_another_model_type_is_refused(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))
    assert "model_type is 'llama', it must be 'tuili'" in refusal(saved)


def test_a_wrong_value_in_the_configuration_is_refused(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 99}))
    assert "not a usable configuration" in refusal(saved)


def test_a_configuration_that_no_network_can_have_is_refused(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    for wrong in (-1, "large"):
        (saved / "config.json").write_text(json.dumps(config | {"hidden_size": wrong}))
        assert "not a usable configuration" in refusal(saved)


def test_a_tokenizer_that_does_not_belong_to_the_model_is_refused(saved: Path) -> None:
    path = saved / "tokenizer.json"
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    assert "tokenizer.json is damaged" in refusal(saved)
    larger = train_tokenizer(["What is 1 + 1 = 2?", "abc abd abe abf " * 9], vocabulary=400)
    transformers_tokenizer(larger).save_pretrained(saved)
    assert "do not belong together" in refusal(saved)
    for file in (path, saved / "tokenizer_config.json"):
        file.write_text(file.read_text().replace("<|assistant|>", "<|other|>"))
    assert "lacks <|assistant|>" in refusal(saved)


def test_missing_weights_and_tokenizer_are_refused(saved: Path) -> None:
    (saved / "tokenizer.json").rename(saved / "kept.json")
    assert "no tokenizer.json" in refusal(saved)
    (saved / "kept.json").rename(saved / "tokenizer.json")
    (saved / WEIGHTS).unlink()
    assert "no weights" in refusal(saved)


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights_are_refused(saved: Path, kept: float) -> None:
    content = (saved / WEIGHTS).read_bytes()
    (saved / WEIGHTS).write_bytes(content[: int(kept * len(content))])
    message = refusal(saved)
    assert WEIGHTS in message
    assert "truncated" in message or "damaged" in message


def test_weights_with_bytes_behind_the_end_are_refused(saved: Path) -> None:
    with (saved / WEIGHTS).open("ab") as file:
        file.write(b"more")
    assert "damaged" in refusal(saved)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "old.pt", "optimizer.PTH", "tuili/cache.pkl", "last.ckpt"])
def test_any_file_that_may_hold_a_pickle_is_refused(saved: Path, name: str) -> None:
    (saved / name).write_bytes(b"anything")
    assert "may hold a pickle" in refusal(saved)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle was opened",))


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_behind_a_safetensors_name_is_refused_unopened(saved: Path, protocol: int) -> None:
    (saved / WEIGHTS).write_bytes(pickle.dumps(Trap(), protocol))
    message = refusal(saved)
    assert WEIGHTS in message
    if protocol >= 2:
        assert "pickle" in message


def test_a_torch_archive_behind_a_safetensors_name_is_refused(saved: Path) -> None:
    torch.save({"a": torch.zeros(1)}, saved / WEIGHTS)
    assert "pickle or zip" in refusal(saved)


def move_weights(folder: Path, named: str) -> None:
    """Rename the weights, and write an index that names a file for all tensors."""
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).rename(folder / "other.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(tensors, named)}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))


def test_an_index_of_the_weights_is_followed(saved: Path) -> None:
    before = load_model(saved).model.state_dict()
    move_weights(saved, "other.safetensors")
    (saved / "tuili" / "lineage.json").unlink()  # it records the names of the files, too
    after = load_model(saved).model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_an_index_opens_nothing_but_weight_files_of_the_folder(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shutil.copytree(saved, saved.with_name("whole"))
    torch.save(load_file(saved / WEIGHTS), saved / "weights.dat")
    move_weights(saved, "weights.dat")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("a pickle was opened"))
    index = saved / f"{WEIGHTS}.index.json"
    stored = json.loads(index.read_text())
    for file in ("weights.dat", "../whole/model.safetensors", str(whole / WEIGHTS), "./other.safetensors", 7, ["a"]):
        index.write_text(json.dumps(stored | {"weight_map": dict.fromkeys(stored["weight_map"], file)}))
        assert f"{index} names {file!r}" in refusal(saved)
    for text in ("{", "[]", "{}", '{"weight_map": ["weights.dat"]}'):
        index.write_text(text)
        assert str(index) in refusal(saved)


def test_missing_unexpected_and_misshapen_tensors_are_refused(saved: Path) -> None:
    tensors = load_file(saved / WEIGHTS)
    metadata = {"format": "pt"}
    save_file(
        {name: tensor for name, tensor in tensors.items() if name != "model.norm.weight"},
        saved / WEIGHTS,
        metadata,
    )
    assert "missing tensor model.norm.weight" in refusal(saved)
    save_file(tensors | {"extra.weight": torch.zeros(1)}, saved / WEIGHTS, metadata)
    assert "unexpected tensor extra.weight" in refusal(saved)
    save_file(tensors | {"model.norm.weight": torch.zeros(3)}, saved / WEIGHTS, metadata)
    assert "mismatched tensor model.norm.weight" in refusal(saved)


def test_parameters_are_counted_by_what_a_token_uses() -> None:
    model, _ = tiny_model()
    counted = count_parameters(model.config)
    assert counted.total == sum(parameter.numel() for parameter in model.parameters())
    one_expert = sum(p[0].numel() for name, p in model.named_parameters() if ".experts." in name)
    assert counted.total - counted.active == one_expert * (4 - 2)
    assert counted.active_trunk == counted.total - sum(p.numel() for p in model.model.reasoning.parameters())
