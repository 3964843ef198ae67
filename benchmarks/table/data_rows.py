"""What multiplying real data gives: how much can be multiplied, and what an independent program finds wrong."""

from __future__ import annotations

from benchmarks.table.rows import bench

_NAMES = {"mawps": "MAWPS's training set", "gsm8k": "GSM8K's training set"}

MULTIPLIED = tuple(
    row
    for key, name in _NAMES.items()
    for row in (
        bench(f"Questions of {name} that can be multiplied", "multiplied_data", f"{key}_can_be_multiplied", "{:.0%}"),
        bench(f"Records made of {name}, ten of each", "multiplied_data", f"{key}_written", "{:,.0f}"),
        bench(
            "Of 500 of these, recomputed by a program of its own, those that are wrong",
            "multiplied_data",
            f"{key}_wrong",
            "{:.0f}",
            "0",
        ),
        bench(
            "Records among all of these that are a question held back but for numbers",
            "multiplied_data",
            f"{key}_like_one_held_back",
            "{:.0f}",
            "0",
        ),
        bench(
            f"Seconds of one core for {name}, ten of each", "multiplied_data", f"{key}_core_seconds", "{:.0f}", "150"
        ),
    )
)
