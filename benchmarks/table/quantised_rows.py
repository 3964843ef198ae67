"""Results of models in whole numbers: what they cost in answers of their parent, and their speed."""

from __future__ import annotations

from benchmarks.table.compressed_rows import NONE, Parent, columns, interval, points, table_rows, with_small
from benchmarks.table.rows import bench, middle

RECORD = "quantised"
WAYS = {
    "int8": "int8",
    "int8_cache": "int8, keys and values too",
    "w4a8": "w4a8",
    "w4a8_longer": "w4a8, learnt four times as long",
}
ROUNDED = {
    "int8": ("ptq", "qat"),
    "int8_cache": ("ptq", "qat"),
    "w4a8": ("ptq", "compensated", "qat"),
    "w4a8_longer": ("qat",),
}
"""What is measured of each way: rounded to the nearest, compensated, and learnt."""
HOW = {"ptq": "rounded to the nearest", "compensated": "compensated", "qat": "learnt"}
POINTS = dict.fromkeys(("w4a8", "w4a8_longer"), "-0.5, point estimate") | {"int8": "-0.2, point estimate"}
"""The least points over the parent that are aimed at. Intervals over 9,600 problems are about as wide as these."""
COLUMNS = columns("numbers", ["MB"], ["points, rounded to the nearest", "points, compensated", "points, learnt"])
ENGINES = {
    "torch_fp16": "the torch step in fp16",
    "fp32": "the native step in fp32",
    "bf16": "the native step in bf16",
    "int8": "the native step in int8",
    "w4a8": "the native step in w4a8",
}
GOALS = {
    ("int8", "writing", "torch_fp16"): "3",
    ("int8", "writing", "fp32"): "3",
    ("int8", "writing", "bf16"): "1.75",
    ("int8", "reading", "fp32"): "3",
    ("int8", "reading", "bf16"): "1.8",
    ("w4a8", "writing", "bf16"): "2.5",
}
"""The least quotients of speeds, as the benchmark has them."""

QUANTISED = with_small(
    table_rows(
        RECORD,
        Parent("those of the parent", [NONE], "int8_depth_before"),
        WAYS,
        before=lambda way: [middle(f"{way}_weights", "{:.1f}")],
        behind=lambda way: [
            interval(f"{way}_{how}_over_parent", "{:+.2f}") if how in ROUNDED.get(way, ()) else NONE for how in HOW
        ],
        right="_qat",
    )
)

_OF_ANSWERS = (
    bench(
        "Whole numbers, w4a8: share of the weights of matrices that have 4 bits; others have 8",
        RECORD,
        "w4a8_four_bits",
        "{:.2f}",
    ),
    *(
        points(
            f"Whole numbers: points of right answers over the parent in {what}, {HOW[how]}",
            RECORD,
            f"{way}_{how}_over_parent",
            POINTS.get(way, "none") if how == "qat" else "none",
        )
        for way, what in WAYS.items()
        for how in ROUNDED[way]
    ),
)
_RECOVERED = tuple(
    points(
        f"Whole numbers: points of right answers in {what}, learnt over rounded to the nearest",
        RECORD,
        f"{way}_qat_over_ptq",
    )
    for way, what in WAYS.items()
    if "ptq" in ROUNDED[way]
)
WHOLE_NUMBERS = (
    *with_small((*_OF_ANSWERS, *_RECOVERED)),
    *(
        bench(
            f"Whole numbers, more than 100M parameters: {work} by {ENGINES[one]} over {ENGINES[other]}",
            RECORD,
            f"{one}_{what}_over_{other}",
            "{:.2f}",
            goal=goal,
        )
        for (one, what, other), goal in GOALS.items()
        for work in ("writing at batch 1" if what == "writing" else "reading 256 tokens",)
    ),
)
