"""From a recipe to a verifier in its model's folder; a run that was interrupted goes on to the same weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from benchmarks.harness.tiny import save_tiny
from tuili.cli.app import main
from tuili.config import load_recipe, shipped_recipes
from tuili.errors import ConfigError, InputError
from tuili.model import load_model, read_verifier
from tuili.posttrain.verifier import own as own_module
from tuili.posttrain.verifier.fit import predict_logits
from tuili.posttrain.verifier.recipe import VerifierRecipe, VerifierTrainingConfig
from tuili.posttrain.verifier.run import VerifierRun
from tuili.posttrain.verifier.training import REPORT_FILE, train_verifier
from tuili.store import VERIFIER_FILE, model_hash, read_lineage
from tuili.train import RunFolder

COUNTS = {"problems": 2, "mutants": 2, "written": 1}
SMALL = [
    "verifier.levels=[1]",
    "verifier.rounds=1",
    *(f"verifier.{name}={COUNTS}" for name in ("first", "attack", "validation", "test")),
    "verifier.size={channels: 16, layers: 1, heads: 2}",
    "verifier.fit.steps=4",
    "verifier.fit.rows=4",
]


def plan(*overrides: str) -> VerifierTrainingConfig:
    return load_recipe("verifier", [*SMALL, *overrides], VerifierRecipe).verifier


@pytest.fixture(autouse=True)
def two_domains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_module, "trained_domains", lambda experts: ("arithmetic", "tracing"))


def test_the_shipped_recipe_shows_every_key_with_its_default() -> None:
    assert load_recipe("verifier", [], VerifierRecipe) == VerifierRecipe()

    def keys(tree: object) -> object:
        return {key: keys(value) for key, value in tree.items()} if isinstance(tree, dict) else None

    written = yaml.safe_load(shipped_recipes()["verifier"].read_text())
    assert keys(written) == keys(VerifierRecipe().model_dump())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("verifier.held_out=[typo]", "unknown kind of error 'typo': use some of wrong_digit, "),
        ("verifier.levels=[7]", "level 7 does not exist: use 1 to 5"),
        ("verifier.size={channels: 20, heads: 4}", "channels 20 must be divisible by twice the 4 heads"),
        ("verifier.fit.step=3", "unknown key; did you mean verifier.fit.steps?"),
    ],
)
def test_a_wrong_recipe_is_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        plan(override)
    assert message in str(refusal.value)


def test_the_command_trains_a_verifier_and_a_run_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "verifier", *SMALL]) == 0
    output = capsys.readouterr().out
    assert output.startswith("runs/verifier/model: ")
    assert "first errors of wrong_digit, carried_error: F1 " in output
    folder = Path("runs/verifier/model")
    verifier = read_verifier(folder)
    assert verifier is not None
    nano, digest = load_model("nano").path, model_hash(folder)
    assert digest == model_hash(nano)
    *before, entry = read_lineage(folder)
    assert tuple(before) == tuple(entry for entry in read_lineage(nano) if entry.step != "verifier")
    assert (entry.step, entry.parent, entry.hash) == ("verifier", digest, digest)
    report = json.loads((folder / REPORT_FILE).read_text())
    assert report["figures"] == verifier.figures == entry.figures
    assert report["without_rounds"].keys() <= report["figures"].keys()

    assert main(["train", "verifier", *SMALL]) == 2
    assert "runs/verifier already holds a run: add --resume" in capsys.readouterr().err
    weights = (folder / VERIFIER_FILE).read_bytes()
    for lost in ("pool-1.safetensors", "verifier-0.safetensors", "verifier-1.safetensors", "test.safetensors"):
        Path("runs/verifier", lost).unlink()
    assert main(["train", "verifier", *SMALL, "--resume"]) == 0
    assert (folder / VERIFIER_FILE).read_bytes() == weights
    assert len(read_lineage(folder)) == len(before) + 1
    with pytest.raises(InputError, match="began with another recipe or model"):
        train_verifier(plan("verifier.seed=2"), Path("runs/verifier"), resume=True, tell=lambda *_: None)
    elsewhere = plan("verifier.model=runs/verifier/model")
    with pytest.raises(InputError, match="is where this run writes its own model"):
        train_verifier(elsewhere, Path("runs/verifier"), resume=True, tell=lambda *_: None)


def test_a_round_adds_the_chains_that_the_verifier_was_wrong_about(tmp_path: Path) -> None:
    run = VerifierRun(plan(), tmp_path / "run", False, lambda *_: None)
    first = run.first_examples()
    verifier = run.verifier_after(0, first)
    fooling = run.fooling_examples(1, verifier)
    pool = run.fooling_examples(1, lambda feature_ATF: torch.zeros(feature_ATF.shape[:2]))  # type: ignore[arg-type]
    assert len(pool) == 0, "nothing is believed or doubted"
    assert len(fooling) > 0
    chance_E, label_E = predict_logits(verifier, fooling)[fooling.end_E].sigmoid(), fooling.label_N[fooling.end_E]
    wrong_E = (label_E >= 0) & ((chance_E - label_E).abs() > 0.5)
    assert set(fooling.chain_E[wrong_E].tolist()) == set(range(len(fooling)))
    held_out = first.from_sources("wrong_digit", "carried_error")
    assert not held_out.any()
    assert not run.validation_examples().from_sources("wrong_digit", "carried_error").any()


def test_a_model_that_ends_no_answer_is_refused(tmp_path: Path) -> None:
    untrained = save_tiny(tmp_path / "tiny")
    with pytest.raises(InputError, match="ended none of its answers"):
        train_verifier(plan(f"verifier.model={untrained}"), tmp_path / "run", resume=False, tell=lambda *_: None)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b"3", b"[3]"])
def test_a_damaged_run_and_a_folder_in_use_are_refused_in_one_line(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "run.json").write_bytes(text)
    with pytest.raises(InputError, match=r"run.json is damaged: choose another --out$"):
        train_verifier(plan(), tmp_path, resume=True, tell=lambda *_: None)
    with RunFolder(tmp_path).locked(), pytest.raises(InputError, match="is being trained by another process"):
        train_verifier(plan(), tmp_path, resume=True, tell=lambda *_: None)
