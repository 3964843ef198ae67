"""Results of distilled students: what they answer, and what they learnt from."""

from __future__ import annotations

from benchmarks.table.compressed_rows import NONE, Parent, columns, kept_rows, table_rows
from benchmarks.table.rows import Value, bench, figure, middle

RECORD = "distilled"
WAYS = {
    "masked": "its teacher's probabilities, and its own chains up to the first refuted step",
    "unmasked": "its teacher's probabilities, and its own chains whole",
    "texts": "its teacher's probabilities on texts alone",
    "sequence": "chains of its teacher",
    "untaught": "texts without a teacher, with its layers to begin with",
    "new": "texts without a teacher, with new layers",
}
COLUMNS = columns("what it learns from", ["steps", "hours"], ["points over its teacher, all levels"])
PAIRS = (
    ("masked", "new", "own chains up to the first refuted step", "no teacher at all", "3"),
    ("masked", "untaught", "own chains up to the first refuted step", "no teacher but its layers", "none"),
    ("masked", "unmasked", "own chains up to the first refuted step", "whole ones", "above 0"),
    ("masked", "texts", "own chains up to the first refuted step", "texts alone", "none"),
    ("texts", "sequence", "its teacher's probabilities on texts", "its teacher's chains", "none"),
    ("sequence", "untaught", "its teacher's chains", "no teacher but its layers", "none"),
)


def _steps(way: str) -> Value:
    return lambda record: f"{record['config']['steps'][way]:,}"


DISTILLED = table_rows(
    RECORD,
    Parent("nothing: the teacher", [NONE, NONE], "parent_depth"),
    WAYS,
    before=lambda way: [_steps(way), middle(f"{way}_hours", "{:.2f}")],
    behind=lambda way: [figure(f"{way}_over_parent", "{:+.2f}")],
)

STUDENTS = (
    *kept_rows(
        RECORD,
        "Distilled from {}: share of its teacher's right answers",
        WAYS,
        lambda way, level: "0.9" if way == "masked" and level < 3 else "none",
    ),
    *(
        bench(
            f"Distilled at equal compute: points of right answers, {first} over {second}",
            RECORD,
            f"{one}_over_{other}",
            "{:+.2f}",
            goal=goal,
        )
        for one, other, first, second, goal in PAIRS
    ),
)
