"""A byte that was changed in weights or in a verifier, in a copy of nano, is noticed when they are loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tuili.errors import ModelFolderError
from tuili.model import load_model
from tuili.store import model_hash, read_verifier_file, resolve_model, verifier_hash

LINEAGE = Path("tuili") / "lineage.json"


@pytest.fixture
def nano(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resolve_model("nano"), tmp_path / "nano"))


def flip(file: Path, place: float) -> None:
    """Change one bit of a file, at this share of its length."""
    with file.open("r+b") as opened:
        opened.seek(int(file.stat().st_size * place))
        (byte,) = opened.read(1)
        opened.seek(-1, 1)
        opened.write(bytes([byte ^ 1]))


def test_weights_are_those_that_the_lineage_records(nano: Path) -> None:
    recorded = model_hash(nano)
    flip(nano / "model.safetensors", 0.7)
    with pytest.raises(ModelFolderError) as caught:
        load_model(nano)
    named = ("nano: model.safetensors or config.json", str(LINEAGE), recorded, model_hash(nano))
    assert all(name in str(caught.value) for name in named)
    with pytest.raises(ModelFolderError, match=r"model\.safetensors or config\.json is damaged"):
        read_verifier_file(nano)  # the verifier is not at fault
    (nano / LINEAGE).unlink()  # says that the change is meant
    assert load_model(nano).path == nano


def test_a_configuration_is_the_one_that_the_lineage_records(nano: Path) -> None:
    config = nano / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"exit_threshold": 0.5}))
    with pytest.raises(ModelFolderError, match=r"config\.json is damaged or was changed"):
        load_model(nano)


def test_a_verifier_is_the_one_that_the_lineage_records(nano: Path) -> None:
    verifier, recorded = nano / "tuili" / "verifier.safetensors", verifier_hash(nano)
    assert read_verifier_file(nano) is not None
    flip(verifier, 0.7)
    with pytest.raises(ModelFolderError) as caught:
        read_verifier_file(nano)
    assert all(name in str(caught.value) for name in (str(verifier), str(recorded), str(verifier_hash(nano))))
    entries = [entry | {"verifier": None} for entry in json.loads((nano / LINEAGE).read_text())]
    (nano / LINEAGE).write_text(json.dumps(entries))  # as lineages were before verifiers stood in them
    assert read_verifier_file(nano) is not None
