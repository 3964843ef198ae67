"""Results of distilled students: what they answer, and what they learnt from."""

from __future__ import annotations

from benchmarks.table.rows import Row, Value, bench, figure, middle, results, text

RECORD = "distilled"
WAYS = {
    "masked": "its teacher's probabilities, and its own chains up to the first refuted step",
    "unmasked": "its teacher's probabilities, and its own chains whole",
    "texts": "its teacher's probabilities on texts alone",
    "sequence": "chains of its teacher",
    "untaught": "texts without a teacher, with its layers to begin with",
    "new": "texts without a teacher, with new layers",
}
LEVELS = (1, 2, 3)
COLUMNS = (
    "what it learns from",
    "steps",
    "hours",
    *(f"level {level}" for level in LEVELS),
    "layers a token",
    "points over its teacher, all levels",
)
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


DISTILLED = (
    Row(
        "nothing: the teacher",
        results(RECORD),
        (
            text("–"),
            text("–"),
            *(middle(f"parent_level_{level}", "{:.3f}") for level in LEVELS),
            middle("parent_depth", "{:.2f}"),
            text("–"),
        ),
        linked=False,
    ),
    *(
        Row(
            what,
            results(RECORD),
            (
                _steps(way),
                middle(f"{way}_hours", "{:.2f}"),
                *(figure(f"{way}_level_{level}", "{:.3f}") for level in LEVELS),
                middle(f"{way}_depth", "{:.2f}"),
                figure(f"{way}_over_parent", "{:+.2f}"),
            ),
            linked=False,
        )
        for way, what in WAYS.items()
    ),
)
"""A row for the teacher, and one for each way of learning."""

STUDENTS = (
    *(
        bench(
            f"Distilled from {what}: share of its teacher's right answers at level {level}",
            RECORD,
            f"{way}_level_{level}_kept",
            "{:.3f}",
            goal="0.9" if way == "masked" and level < 3 else "none",
        )
        for way, what in WAYS.items()
        for level in LEVELS
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
