"""Write the tables into their pages, and the pictures into `docs/img`."""

from __future__ import annotations

from benchmarks.table.pages import TABLES, filled
from benchmarks.table.pictures import PICTURES, drawn

if __name__ == "__main__":
    for page in TABLES:
        page.write_text(filled(page, page.read_text()))
    PICTURES.mkdir(exist_ok=True)
    for name, svg in drawn().items():
        (PICTURES / f"{name}.svg").write_text(svg)
