"""What is measured: the work of each model size and number of threads, and the ratios that are aimed at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from benchmarks.harness.record import Figure

NEW = 64
"""Tokens that follow each prompt, where writing is measured."""


@dataclass(frozen=True)
class Shape:
    """A kind of work: `batch` prompts of `prompt` tokens, each continued by `new` tokens.

    for_all: whether slow contenders do it too.
    """

    batch: int
    prompt: int
    new: int = NEW
    for_all: bool = False

    def __str__(self) -> str:
        return f"{self.batch}x{self.prompt}" if self.new > 1 else f"reading_{self.batch}x{self.prompt}"

    @property
    def counted(self) -> int:
        """Tokens that its speed counts: the new ones, or those of the prompts where just one follows."""
        return self.batch * (self.new if self.new > 1 else self.prompt)


READING, SHORT_READING = Shape(1, 512, 1), Shape(1, 32, 1)
FOUR = (Shape(1, 32), Shape(16, 32), Shape(1, 512), Shape(16, 512))
PLAN: Mapping[tuple[str, int], tuple[Shape, ...]] = {
    ("nano", 1): (Shape(1, 32, for_all=True), Shape(16, 32, for_all=True), *FOUR[2:], READING),
    ("nano", 2): FOUR,
    ("24m", 1): (Shape(1, 32, for_all=True), Shape(16, 32, for_all=True), *FOUR[2:], READING),
    ("24m", 2): FOUR,
    ("135m", 1): (Shape(1, 32, for_all=True), *FOUR[1:3], READING, SHORT_READING),
    ("135m", 2): (*FOUR[:2], FOUR[3], SHORT_READING),
}
"""The shapes by model size and threads: what fits into half an hour."""

GOALS = {
    "nano_1_ours_int8_full_1x32_tokens_per_cpu_second_over_llama_cpp_q8_0": 2.0,
    "24m_1_ours_int8_full_1x32_tokens_per_cpu_second_over_llama_cpp_q8_0": 1.25,
    "135m_1_ours_int8_full_1x32_tokens_per_cpu_second_over_llama_cpp_q8_0": 1.4,
    "135m_1_ours_int4_full_1x32_tokens_per_cpu_second_over_llama_cpp_q4_0": 1.5,
    "nano_1_ours_full_16x32_tokens_per_cpu_second_over_openvino": 1.3,
    "24m_1_ours_full_16x32_tokens_per_cpu_second_over_openvino": 1.0,
    "nano_1_ours_int8_exits_1x32_tokens_per_cpu_second_over_llama_cpp_q8_0": 3.5,
    "24m_1_ours_int8_exits_1x32_tokens_per_cpu_second_over_llama_cpp_q8_0": 6.0,
    "nano_1_ours_int8_exits_16x32_tokens_per_cpu_second_over_openvino": 2.0,
    "24m_1_ours_int8_exits_16x32_tokens_per_cpu_second_over_openvino": 2.0,
    "nano_1_ours_int8_full_reading_1x512_tokens_per_cpu_second_over_llama_cpp_q8_0": 1.0,
    "24m_1_ours_int8_full_reading_1x512_tokens_per_cpu_second_over_llama_cpp_q8_0": 1.0,
    "135m_1_ours_int8_full_reading_1x512_tokens_per_cpu_second_over_llama_cpp_q8_0": 1.0,
    "135m_1_ours_int8_weights_over_memory": 0.9,
}
"""The least median of each ratio. `over_openvino`: over the fastest of its formats; `ours_full`: our fastest format."""


def reached(figures: Mapping[str, Figure], goals: Mapping[str, float]) -> dict[str, dict[str, float | bool]]:
    """Each goal whose figure was measured: the goal, the median, and whether it is reached."""
    medians = {key: median(figures[key].runs) for key in goals if key in figures}
    return {
        key: {"goal": goals[key], "median": value, "reached": value >= goals[key]} for key, value in medians.items()
    }
