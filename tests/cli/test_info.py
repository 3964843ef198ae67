import json
from pathlib import Path

import pytest

from benchmarks.harness.tiny import save_tiny, tiny_model
from tuili.cli.app import main
from tuili.cli.lineage import settings_line
from tuili.native import Library, Unavailable, load
from tuili.store import model_hash


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


def test_a_real_run_s_lineage_is_readable_on_80_columns(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model / "tuili" / "lineage.json"
    (entry,) = json.loads(path.read_text())
    exits = {f"accuracy_{depth}": 0.98 + depth / 1000 for depth in (3, 6, 9, 12)}
    others = {"cross_entropy": 0.026, "domain_loss": 0.003, "gradient_norm": 0.13, "tokens_per_second": 9006.7}
    figures = {"accuracy": 0.9918985, "loss": 0.0267299, **exits, **others}
    path.write_text(json.dumps([entry | {"figures": figures, "tokens": 46_812_345, "date": "2026-11-25T10:00:00"}]))
    assert main(["info", str(model)]) == 0
    out, _, promised = capsys.readouterr().out.partition("\nnothing is promised: ")
    assert promised.startswith("it has not been calibrated")
    shown = out.partition("\n\nlineage\n")[2].splitlines()
    assert [line.strip() for line in shown] == [
        "● train  2026-11-25, 46,812,345 tokens in 0.50 hours, seeds: train 1",
        "steps 5, length 96",
        "loss 0.02673, accuracy 0.9919, by exit 0.983 / 0.986 / 0.989 / 0.992",
        f"hash {model_hash(model)[:8]}, parent –",
    ]
    assert max(map(len, shown)) <= 80


def test_a_step_tells_its_settings_and_how_long_it_learnt() -> None:
    pruned = {"prune": {"share": 0.3, "by": "magnitude", "experts": None, "healing": {"steps": 100, "seed": 1}}}
    assert settings_line("prune", pruned | {"data": {"files": {}}}) == "share 0.3, by magnitude, steps 100"
    student = {
        "to": {"preset": None, "overrides": {"num_groups": 2}},
        "by": "data",
        "mask": True,
        "writing": {"rounds": 8},
    }
    assert settings_line("distil", {"distil": student}) == "num_groups 2, by data, mask true"
    assert settings_line("cast to bfloat16", {}) == ""
    assert settings_line("import", {"dtype": "bfloat16", "files": {}}) == "dtype bfloat16"
    for foreign in (None, 5, {"to": {"overrides": 5}}, {"healing": None}):
        assert settings_line("distil", {"distil": foreign}) == ""


def test_weights_that_were_changed_afterwards_are_noticed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = model / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert main(["info", str(model)]) == 0
    assert "changed since it was recorded" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["tokenizer.json", "tuili/lineage.json"])
def test_what_else_was_changed_afterwards_is_told_by_name(
    name: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] is None
    (model / name).write_text((model / name).read_text().replace(" 1", " 2", 1))
    assert main(["info", str(model), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["as_recorded"] is False
    assert f"{model / name}" in facts["changed"]
    assert "was changed" in facts["changed"]
    assert main(["info", str(model)]) == 0
    out = capsys.readouterr().out
    assert "changed since it was recorded" in out
    assert "lineage\n● train" in out, "the chain is drawn"


def test_names_are_shown_as_they_are(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lineage = model / "tuili" / "lineage.json"
    lineage.write_text(lineage.read_text().replace('"train"', '"[/red]"', 1))
    assert main(["info", str(model)]) == 0
    assert "[/red]" in capsys.readouterr().out


def test_an_unsafe_folder_is_refused(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (model / "extra.pkl").write_bytes(b"")
    assert main(["info", str(model)]) == 2
    assert "may hold a pickle" in capsys.readouterr().err


def test_the_machine_is_told_with_its_native_library(capsys: pytest.CaptureFixture[str]) -> None:
    library = load()
    assert isinstance(library, Library)
    assert main(["info", "--machine", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [facts[name] for name in ("runner", "numbers", "cache")] == ["native", "int8", "bf16"]
    assert facts["native"]["file"] == str(library.path)
    assert facts["native"]["instruction_set"] in facts["native"]["instruction_sets"]
    assert main(["info", "--machine"]) == 0
    out = capsys.readouterr().out
    assert f"native library   {library.origin}" in out
    assert f"{library.instruction_set} (can run" in out
    assert "the native runner, numbers int8, cache bf16" in out


def test_the_machine_is_told_without_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "nano", "--machine"]) == 2
    assert "--machine is about no model: leave nano out" in capsys.readouterr().err


def test_a_machine_without_the_library_is_told_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in ("tuili.native.load", "tuili.engine.runtime.native.load.load"):
        monkeypatch.setattr(place, lambda: Unavailable("no C++ compiler was found"))
    assert main(["info", "--machine"]) == 0
    out = capsys.readouterr().out
    assert "none: no C++ compiler was found" in out
    assert "the torch runner, numbers fp32, cache fp32" in out
