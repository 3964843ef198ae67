"""Further attempts are measured in both ways, and the verifier that weighs votes is trained once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.harness.cells import Cells
from benchmarks.imported import attempts
from benchmarks.imported.taught import solving
from benchmarks.imported.taught.data import taught_data
from tests.engine.runtime.dense import dense_folder
from tests.engine.runtime.test_dense_verifier import verifier
from tuili.config import load_recipe
from tuili.model import write_verifier
from tuili.posttrain import VerifierRecipe
from tuili.store import LineageEntry, model_hash, write_lineage


def test_attempts_are_measured_in_both_ways(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, lines, engines = dense_folder(tmp_path / "dense", "llama"), list[tuple[str, ...]](), list[object]()
    solve = solving.solve

    def solved(model: Path, *how: object) -> object:
        engines.append((model.parent.name, how[2], how[4:]))
        return solve(model, *how)  # type: ignore[arg-type]

    def train(folder: Path, is_of: Callable[[LineageEntry], bool], *line: str) -> Path:
        model = Path(shutil.copytree(base, folder / "model"))
        write_verifier(model, verifier())
        digest = model_hash(model)
        for seed, known in ((2, False), (1, True)):
            recipe = load_recipe(line[1], [*line[2:], f"verifier.seed={seed}"], VerifierRecipe)
            recorded = {"verifier": recipe.verifier.model_dump(mode="json")}
            entry = LineageEntry("verifier", recorded, {"answer_auroc": 0.75}, parent=digest, hash=digest)
            assert is_of(entry) is known, "of the recipe with its own seed alone"
        write_lineage(model, [entry])
        lines.append(line)
        return model

    monkeypatch.setattr(attempts, "taught_data", lambda folder, data: taught_data(folder, data, 5, 3))
    monkeypatch.setattr(attempts, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr(attempts, "solve", solved)
    monkeypatch.setattr(attempts, "made", train)
    monkeypatch.setattr(solving, "TOKENS", 12)
    how = {"attempts": 3, "numbers": "fp32", "folder": str(tmp_path), "data": str(sources)}
    told, figures = attempts.measure(str(base), **how)
    assert told["model"] == "given"
    (line,) = lines
    assert line[:2] == ("train", "verifier-imported")
    assert all(name in line[3] for name in ("mawps-train.jsonl", "gsm8k-learnt.jsonl"))
    assert engines[::3] == [(base.parent.name, "off", (3, False)), ("judged", "forced", (3, True))]
    assert figures["verifier_answer_auroc"].median == 0.75
    for way in ("corrected", "judged"):
        for test, count in (("mawps_dev", 4), ("asdiv_a", 3), ("gsm8k", 5)):
            assert figures[f"{way}_{test}_problems"].median == count
            assert {f"{way}_{test}_after_{made}" for made in (1, 2, 3)} <= {*figures}
    monkeypatch.setattr(attempts, "made", lambda *_: tmp_path / "judged" / "model")
    monkeypatch.setattr(attempts, "solve", lambda *_: pytest.fail("measured again"))
    assert attempts.measure(str(base), **how)[1] == figures
