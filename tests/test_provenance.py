from __future__ import annotations

import platform
from pathlib import Path

from tuili import provenance
from tuili.provenance import MODEL_PACKAGES, code_hash, current_versions, installed_versions


def test_a_package_that_is_missing_is_left_out_or_named_so(monkeypatch) -> None:
    assert installed_versions(["pytest", "no-such-package"]).keys() == {"python", "pytest"}
    monkeypatch.setattr(provenance, "MODEL_PACKAGES", ("no-such-package", "torch"))
    versions = current_versions()
    assert list(versions) == ["python", "no-such-package", "torch"]
    assert versions["python"] == platform.python_version()
    assert versions["no-such-package"] == "not installed"
    assert versions["torch"] != "not installed"
    assert "tuili" in MODEL_PACKAGES


def test_the_hash_follows_names_and_contents_of_modules(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    module = tmp_path / "room" / "module.py"
    module.write_text("x = 1\n")
    first = code_hash(tmp_path)
    assert len(first) == 12
    (tmp_path / "note.txt").write_text("no module")
    assert code_hash(tmp_path) == first
    module.write_text("x = 2\n")
    second = code_hash(tmp_path)
    module.rename(tmp_path / "module.py")
    assert len({first, second, code_hash(tmp_path), code_hash()}) == 4
