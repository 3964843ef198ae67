import json
from pathlib import Path

import pytest

from tests.tiny import save_tiny, tiny_model
from tuili.cli.app import main
from tuili.model.lineage import model_hash


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_tiny(tmp_path / "model")


def test_the_json_holds_size_hash_configuration_and_lineage(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(model), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["hash"] == model_hash(model)
    assert facts["as_recorded"] is True
    assert facts["exit_layers"] == [1, 2, 3, 4]
    network, _ = tiny_model()
    assert facts["parameters"]["total"] == sum(parameter.numel() for parameter in network.parameters())
    assert [entry["step"] for entry in facts["lineage"]] == ["train"]
    assert facts["figures"] is None


def test_the_text_tells_the_same(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (model / "tuili" / "eval.json").write_text('{"mean": {"1": 0.5}, "mean_depth": 3.25, "date": "2026-01-02T00:00"}')
    assert main(["info", str(model)]) == 0
    out = capsys.readouterr().out
    for shown in (
        model_hash(model)[:16],
        "as recorded",
        "propositional, knights",
        "loss 2.5",
        "0.500",
        "3.25 layers",
    ):
        assert shown in out


def test_weights_that_were_changed_afterwards_are_noticed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = model / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert main(["info", str(model)]) == 0
    assert "changed since it was recorded" in capsys.readouterr().out


def test_an_unsafe_folder_is_refused(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (model / "extra.pkl").write_bytes(b"")
    assert main(["info", str(model)]) == 2
    assert "may hold a pickle" in capsys.readouterr().err
