"""`docs/wordings.md`: its table counts the forms that there are."""

from __future__ import annotations

from pathlib import Path

from tuili.tasks import Language, Wording
from tuili.tasks.registry import BUILT_IN_DOMAINS
from tuili.tasks.wordings.forms import forms_of

PAGE = (Path(__file__).parents[3] / "docs" / "wordings.md").read_text(encoding="utf-8")
COLUMNS = [(language, wording) for language in Language for wording in (Wording.SEEN, Wording.UNSEEN)]


def test_the_table_counts_the_forms() -> None:
    rows = [[name, *(str(len(forms_of(name, *column))) for column in COLUMNS)] for name in BUILT_IN_DOMAINS]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    assert table in PAGE, f"the table should be:\n{table}"
