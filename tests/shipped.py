"""What the weights that come with the package were trained on, for tests that ask them."""

from __future__ import annotations

import pytest

from tuili.store import read_lineage, resolve_model

TRAINING = next(entry for entry in read_lineage(resolve_model("nano")) if entry.step == "train")
reads_all_forms = pytest.mark.skipif(
    "languages" not in TRAINING.recipe["data"], reason="the shipped weights are older than the forms of today"
)
