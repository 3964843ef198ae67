"""Every way in which a model folder can be damaged, through the real command line: one line and exit code 2."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.refusals import refusal


def cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])


def header(replacement: bytes) -> Callable[[Path], None]:
    """Puts something in place of the header of the weights."""

    def damage(folder: Path) -> None:
        weights = folder / "model.safetensors"
        data = weights.read_bytes()
        length = int.from_bytes(data[:8], "little")
        weights.write_bytes(len(replacement).to_bytes(8, "little") + replacement + data[8 + length :])

    return damage


def noise(folder: Path) -> None:
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[12] ^= 255
    weights.write_bytes(data)


def config(**changes: object) -> Callable[[Path], None]:
    """Changes fields of config.json; None removes one."""

    def damage(folder: Path) -> None:
        path = folder / "config.json"
        fields = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({name: value for name, value in fields.items() if value is not None}))

    return damage


def written(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: [None, (folder / name).write_bytes(data)][0]


def removed(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


MODELS: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "truncated weights": (cut, ["model.safetensors", "truncated"]),
    "empty weights": (written("model.safetensors", b""), ["model.safetensors", "damaged"]),
    "weights without a header": (header(b"{"), ["model.safetensors", "damaged"]),
    "a header of another kind": (header(b"[]"), ["model.safetensors", "damaged"]),
    "a header with noise": (noise, ["model.safetensors"]),
    "a header of wrong offsets": (
        header(b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": ["a", "b"]}}'),
        ["model.safetensors", "damaged"],
    ),
    "a pickle beside the weights": (written("pytorch_model.bin", pickle.dumps(0)), ["pytorch_model.bin", "pickle"]),
    "a pickle as weights": (written("model.safetensors", pickle.dumps(0)), ["model.safetensors", "pickle"]),
    "no weights": (removed("model.safetensors"), ["no weights"]),
    "no configuration": (removed("config.json"), ["config.json"]),
    "a configuration that is not JSON": (written("config.json", b"{"), ["config.json", "JSON"]),
    "a configuration that is a list": (written("config.json", b"[]"), ["config.json", "JSON object"]),
    "a configuration in another encoding": (written("config.json", b"\xff\xfe"), ["config.json"]),
    "a configuration nested too deep": (written("config.json", b'{"a":' * 100_000), ["config.json"]),
    "another kind of model": (config(model_type="bert"), ["config.json", "bert"]),
    "a size of the wrong type": (config(hidden_size="wide"), ["config.json", "hidden_size"]),
    "a negative size": (config(hidden_size=-16), ["config.json", "hidden_size"]),
    "a huge size": (config(hidden_size=10**9), ["hidden_size"]),
    "a huge vocabulary": (config(vocab_size=10**12), ["vocab_size"]),
    "a huge depth": (config(num_groups=10**9, num_hidden_layers=None, layer_types=None), ["num_groups"]),
    "no depth": (config(group_layers=0, num_hidden_layers=None, layer_types=None), ["group_layers"]),
    "an exit threshold that is no probability": (config(exit_threshold=7.0), ["exit_threshold"]),
    "weights of another size": (config(hidden_size=32), ["mismatched tensor"]),
    "no tokenizer": (removed("tokenizer.json"), ["tokenizer.json"]),
    "a damaged tokenizer": (written("tokenizer.json", b"{"), ["tokenizer"]),
    "an empty tokenizer": (written("tokenizer.json", b"{}"), ["tokenizer"]),
}


@pytest.mark.parametrize(("damage", "named"), MODELS.values(), ids=MODELS)
def test_a_bad_model_folder(
    damage: Callable[[Path], None],
    named: list[str],
    sound: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = shutil.copytree(sound, tmp_path / "model")
    damage(folder)
    line = refusal(capsys, "ask", "1 + 1", "--model", str(folder))
    assert all(name in line for name in [str(folder), *named]), line


FIELDS: dict[str, dict[str, object]] = {
    "attention from the hub": {"attn_implementation": "someone/kernel"},
    "attention of a library": {"attn_implementation": "flash_attention_2"},
    "attention by a private name": {"_attn_implementation": "someone/kernel"},
    "experts of no kind": {"experts_implementation": "nonsense"},
    "weights of another name": {"transformers_weights": "sub/model.safetensors.index.json"},
    "another configuration": {"configuration_files": ["config.5.0.0.json"]},
    "a token beyond the vocabulary": {"pad_token_id": 99999},
    "a separator below the vocabulary": {"separator_token_ids": [-1]},
    "an infinite base": {"rope_theta": float("inf")},
    "a rate that is no number": {"router_bias_rate": float("nan")},
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_a_bad_field_of_a_model_is_refused_by_ask_and_info(
    fields: dict[str, object], sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(sound, tmp_path / "model")
    config(**fields)(folder)
    for command in (["ask", "1 + 1", "--model"], ["info"]):
        line = refusal(capsys, *command, str(folder))
        assert all(name in line for name in [str(folder / "config.json"), *fields]), line


def test_a_model_that_no_machine_can_hold_is_refused_by_ask_and_info(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = dict.fromkeys(("num_experts", "hidden_size", "moe_intermediate_size"), 2**24)
    for changes, reason in ((sizes | {"domains": None}, "no network"), ({"hidden_size": 2**16}, "parameters")):
        folder = shutil.copytree(sound, tmp_path / reason)
        config(**changes)(folder)
        for command in (["ask", "1 + 1", "--model"], ["info"]):
            line = refusal(capsys, *command, str(folder))
            assert str(folder) in line and reason in line


def test_a_damaged_record_of_a_model_is_refused_by_info(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = json.loads((sound / "tuili" / "lineage.json").read_text())[0]
    for name, text in (
        ("lineage.json", "{"),
        ("lineage.json", "{}"),
        ("lineage.json", "[3]"),
        ("lineage.json", json.dumps([entry | {"tokens": "many"}])),
        ("eval.json", "{"),
        ("eval.json", "{}"),
        ("eval.json", "[" * 100_000),
        ("eval.json", '{"mean": [0.5], "mean_depth": 3.0, "date": "2026-01-02"}'),
        ("eval.json", '{"mean": {"1": "half"}, "mean_depth": 3.0, "date": "2026-01-02"}'),
        ("eval.json", '{"mean": {"1": 0.5}, "mean_depth": null, "date": "2026-01-02"}'),
        ("eval.json", '{"mean": {"1": 0.5}, "mean_depth": 3.0, "date": 2026}'),
    ):
        folder = shutil.copytree(sound, tmp_path / f"{len(list(tmp_path.iterdir()))}")
        (folder / "tuili" / name).write_text(text)
        assert f"tuili/{name}" in refusal(capsys, "info", str(folder))
