"""Results of distilled students: what they answer, and what they learnt from."""

from __future__ import annotations

from benchmarks.table.compressed_rows import NONE, Parent, columns, interval, kept_rows, points, table_rows, with_small
from benchmarks.table.rows import Value, middle

RECORD = "distilled"
WAYS = {
    "masked": "its teacher's probabilities on its teacher's chains, then on its own up to the first refuted step",
    "unmasked": "the same, but its own chains whole",
    "chains": "its teacher's probabilities on its teacher's chains alone",
    "texts": "its teacher's probabilities on texts alone",
    "texts_longer": "its teacher's probabilities on texts, with four times the compute",
    "sequence": "its teacher's chains, without probabilities",
    "untaught": "texts without a teacher, with its layers to begin with",
    "untaught_longer": "texts without a teacher, with its layers to begin with, with four times the compute",
    "new": "texts without a teacher, with new layers",
}
TAUGHT = ("masked", "texts", "texts_longer", "untaught", "untaught_longer")
"""Those that the goal of nine tenths is of: all that have something of their teacher's."""
COLUMNS = columns("what it learns from", ["steps", "hours"], ["points over its teacher, all levels"])
PAIRS = (  # the goal of 3 points is over both students without a teacher: with its layers, and with none
    ("masked", "new", "own chains up to the first refuted step", "no teacher at all", "3"),
    ("masked", "untaught", "own chains up to the first refuted step", "no teacher but its layers", "3"),
    ("masked", "unmasked", "own chains up to the first refuted step", "whole ones", "above 0, point estimate"),
    ("masked", "chains", "own chains up to the first refuted step", "its teacher's alone", "none"),
    ("masked", "texts", "own chains up to the first refuted step", "texts, by its teacher's probabilities", "none"),
    ("texts", "new", "its teacher's probabilities on texts", "no teacher at all", "3"),
    ("texts", "untaught", "its teacher's probabilities on texts", "no teacher but its layers", "3"),
    ("texts_longer", "untaught_longer", "the same, four times as long", "no teacher but its layers", "3"),
    ("untaught", "new", "texts with its teacher's layers", "no teacher at all", "3"),
    ("chains", "texts", "its teacher's chains", "texts", "none"),
    ("chains", "sequence", "its teacher's probabilities on its chains", "the chains alone", "none"),
    ("sequence", "untaught", "its teacher's chains", "no teacher but its layers", "none"),
)


def _steps(way: str) -> Value:
    return lambda record: f"{record['config']['steps'][way]:,}"


DISTILLED = with_small(
    table_rows(
        RECORD,
        Parent("nothing: the teacher", [NONE, NONE], "parent_depth"),
        WAYS,
        before=lambda way: [_steps(way), middle(f"{way}_hours", "{:.2f}")],
        behind=lambda way: [interval(f"{way}_over_parent", "{:+.2f}")],
    )
)

_STUDENTS = (
    *kept_rows(
        RECORD,
        "Distilled from {}: share of its teacher's right answers",
        WAYS,
        lambda way, level: "0.9" if way in TAUGHT and level < 3 else "none",
    ),
    *(
        points(
            f"Distilled at equal compute: points of right answers, {first} over {second}",
            RECORD,
            f"{one}_over_{other}",
            goal,
        )
        for one, other, first, second, goal in PAIRS
    ),
)
STUDENTS = with_small(_STUDENTS)
