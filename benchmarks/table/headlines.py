"""The headline results of the README. All the others stand in `results`."""

from __future__ import annotations

from benchmarks.table.answer_rows import points, with_interval
from benchmarks.table.familiarity_rows import share
from benchmarks.table.rows import (
    NANO_REPORT,
    Row,
    Value,
    at_depth,
    difference,
    figure,
    joined,
    layers_over_full_depth,
    mean_accuracy,
    middle,
    results,
    text,
)

COLUMNS = ("measured", "Tuili", "beside it", "ratio or difference", "record")
NONE = text("–")


def headline(what: str, name: str, tuili: Value, other: Value = NONE, compared: Value = NONE) -> Row:
    """A row from a benchmark's record: Tuili's value, the other side's, and both compared."""
    return Row(what, results(name), (tuili, other, compared))


HEADLINES = (
    Row(
        "`nano`: share of right answers to unseen problems of 16 domains, English and Chinese, level 1",
        NANO_REPORT,
        (mean_accuracy("1"), NONE, NONE),
    ),
    Row(
        "`nano`: mean layers that a token runs, levels 1 to 3",
        NANO_REPORT,
        (
            joined(
                "{}; share right {}",
                at_depth("auto", "mean_depth", "{:.2f}"),
                at_depth("auto", "accuracy", "{:.3f}"),
            ),
            joined(
                "full depth: {}; share right {}",
                at_depth("12", "mean_depth", "{:.0f}"),
                at_depth("12", "accuracy", "{:.3f}"),
            ),
            layers_over_full_depth,
        ),
    ),
    headline(
        "`pico`, a student of `nano` in 4 bits: megabytes of weights, and share of right answers, English, level 1",
        "stacked",
        joined("{} MB; {}", middle("pico_weights", "{:.2f}"), middle("pico_level_1", "{:.3f}")),
        joined("`nano`: {} MB; {}", middle("parent_weights", "{:.1f}"), middle("parent_level_1", "{:.3f}")),
        joined("{} of its right answers", middle("pico_level_1_kept", "{:.2f}")),
    ),
    headline(
        "`nano`: share of right answers in wordings that no training uses, English, level 1",
        "understanding",
        with_interval("unseen_en_level1"),
        joined("Chinese: {}", with_interval("unseen_zh_level1")),
        joined("points: {}", points("unseen_zh_over_en_level1")),
    ),
    headline(
        "Mutated proofs that the checker accepts and sympy refutes",
        "proofs",
        joined("{} of {}", middle("accepted_wrongly", "{:.0f}"), middle("chains", "{:,.0f}")),
    ),
    headline(
        "`smollm2-math`, the checker calculates: share of right answers to ASDiv-A's 1,217 questions, of which nothing "
        "was learnt",
        "imported_taught",
        joined(
            "{}; without questions of training {}",
            middle("long_asdiv_a_forced", "{:.3f}"),
            middle("long_asdiv_a_forced_unmatched", "{:.3f}"),
        ),
        joined(
            "SmolLM2-135M-Instruct: {}; taught in prose: {}",
            middle("base_asdiv_a", "{:.3f}"),
            middle("prose_asdiv_a", "{:.3f}"),
        ),
    ),
    headline(
        "SmolLM2-135M-Instruct in 8 bits, every layer, 1 prompt at a time: tokens a second of processor time",
        "imported_speed",
        middle("1_ours_int8_full_writing_1x96_tokens_per_cpu_second", "{:,.0f}"),
        joined(
            "llama.cpp, the same weights in 8 bits (q8_0): {}",
            middle("1_llama_cpp_q8_0_writing_1x96_tokens_per_cpu_second", "{:,.0f}"),
        ),
        figure("1_ours_int8_full_writing_1x96_tokens_per_cpu_second_over_llama_cpp_q8_0", "{:.2f}"),
    ),
    headline(
        "`tuili serve nano` in 8 bits, 8 clients: answers a second",
        "serving",
        middle("ours_int8_8_answers_per_second", "{:.0f}"),
        joined(
            "llama.cpp's server, a Llama in 8 bits (q8_0): {}", middle("llama_cpp_q8_0_8_answers_per_second", "{:.0f}")
        ),
        figure("ours_int8_8_answers_per_second_over_llama_cpp_q8_0", "{:.2f}"),
    ),
    headline(
        "`nano`: share of right answers with up to 4 attempts, and tokens a problem, levels 1 to 3",
        "budgets",
        joined("{}; {} tokens", middle("steps_4_accuracy", "{:.3f}"), middle("steps_4_tokens", "{:,.0f}")),
        joined(
            "a vote of 40 samples: {}; {} tokens",
            middle("votes_40_accuracy", "{:.3f}"),
            middle("votes_40_tokens", "{:,.0f}"),
        ),
        joined("points: {}", difference("steps_4_over_votes_40", "{:+.1f}")),
    ),
    headline(
        "Promises “at most 5% of the answers are wrong” that did not hold, as a share of 1,000 calibrations",
        "guarantee",
        middle("steps4_error0.05_broken", "{:.3f}"),
        joined("empirical threshold: {}", middle("steps4_error0.05_uncertified_broken", "{:.3f}")),
        NONE,
    ),
    headline(
        "`nano`: share of foreign prompts, such as mail and code, answered under a promise of at most 5% wrong answers",
        "familiarity",
        share("error0.05_foreign_promised", "foreign"),
        joined("own prompts: {}", share("error0.05_own_promised", "own", "seen")),
    ),
    headline(
        "`nano`, 8 bits, offered twice what the machine can answer: whole answers in time, a second",
        "overload",
        middle("ours_2x_goodput", "{:.1f}"),
        joined("the same engine, first come, first served: {}", middle("fcfs_2x_goodput", "{:.1f}")),
        figure("2x_goodput_ratio", "{:.1f}"),
    ),
)
