"""Results of the engine, of other engines beside it, and of the server."""

from __future__ import annotations

from benchmarks.table.rows import (
    Row,
    bench,
    difference,
    joined,
    middle,
    results,
    text,
)


def budgets(what: str, key: str, form: str, goal: str) -> Row:
    """A row for one figure of `budgets`."""
    return Row(what, results("budgets"), (difference(key, form), text(goal)))


def engine(size: str, shape: str, tuili: str, how: str, other: str, other_how: str, goal: str) -> Row:
    """A row of our speed over another engine's, in tokens per second of processor time of one thread."""
    key = f"{size}_1_{tuili}_{shape}_tokens_per_cpu_second_over_{other}"
    done = "Reading a prompt of 512 tokens" if shape.startswith("reading") else f"Writing, {PROMPTS[shape]} at a time"
    return bench(f"{done}, {SIZES[size]}: Tuili in {how}, over {other_how}", "engine", key, "{:.2f}", goal)


SIZES = {"nano": "the size of nano", "24m": "24M active parameters", "135m": "135M active parameters"}
PROMPTS = {"1x32": "1 prompt", "16x32": "16 prompts"}
AT_ONE = {"nano": "2", "24m": "1.25", "135m": "1.4"}
"""The goals of 8 bits at full depth over llama.cpp's, 1 prompt at a time, by size."""


ENGINE = (
    Row(
        "`nano`, fp32, 16 prompts at a time: answers of verified drafts that are those of full depth, token for token",
        results("exact"),
        (
            joined(
                "{} of {}",
                middle("batch_16_fp32_identical", "{:,.0f}"),
                middle("batch_16_prompts", "{:,.0f}"),
            ),
            text("all"),
        ),
    ),
    bench(
        "`nano`, fp32, 16 prompts at a time: speed of verified drafts over full depth",
        "exact",
        "batch_16_fp32_exact_tokens_per_second_over_full",
        "{:.2f}",
        "1.3",
    ),
    bench(
        "`nano`, 8 bits, 1 prompt at a time: speed of chosen depth over full depth",
        "exact",
        "batch_1_int8_auto_tokens_per_second_over_full",
        "{:.2f}",
        "2.3",
    ),
    bench(
        "`nano`, 8 bits, 16 prompts at a time: speed of chosen depth over full depth",
        "exact",
        "batch_16_int8_auto_tokens_per_second_over_full",
        "{:.2f}",
        "1.3",
    ),
    *(
        bench(
            f"`nano`: share of the torch step's tokens in fp32 that the native step in {numbers} takes for likeliest",
            "formats",
            f"{numbers}_equal_tokens",
            "{:.4f}",
            goal,
        )
        for numbers, goal in (("bf16", "0.999"), ("int8", "0.995"), ("int4", "none"))
    ),
    Row(
        "`nano`, native step in fp32: answers under random budgets that are those of the torch step",
        results("formats"),
        (
            joined("{} of {}", middle("budgeted_equal_texts", "{:,.0f}"), middle("budgeted_prompts", "{:,.0f}")),
            text("all"),
        ),
    ),
    bench(
        "`nano`, native step in 8 bits: points of accuracy over the torch step in fp32, 9,600 problems",
        "formats",
        "int8_over_torch",
        "{:+.2f}",
        "within 0.2",
    ),
    *(
        bench(
            f"Processor time of the layers above the runner, {rows} a step, streamed through the service: us a token",
            "layers",
            f"service_rows_{number}_streamed",
            "{:.1f}",
            "30",
        )
        for number, rows in ((1, "1 response"), (16, "16 responses"))
    ),
    budgets(
        "Points of accuracy of up to 4 attempts over 1 attempt",
        "steps_4_over_steps_1",
        "{:+.1f}",
        "above 0",
    ),
    budgets(
        "Points of accuracy of up to 4 attempts over a vote of samples that takes as many tokens",
        "steps_4_over_votes_of_equal_tokens",
        "{:+.1f}",
        "above 0",
    ),
    budgets(
        "Points of accuracy of up to 4 attempts over a vote of 40 samples",
        "steps_4_over_votes_40",
        "{:+.1f}",
        "-0.1",
    ),
    budgets(
        "Tokens that a vote of 40 samples writes over those that up to 4 attempts write",
        "votes_40_tokens_over_steps_4",
        "{:.1f}",
        "8",
    ),
    bench(
        "Share of 1,000 calibrations whose promise of at most 5% wrong answers does not hold",
        "guarantee",
        "steps4_error0.05_broken",
        "{:.3f}",
        "0.05",
    ),
    bench(
        "Share of 1,000 calibrations whose empirical threshold, which has no certificate, exceeds 5% wrong answers",
        "guarantee",
        "steps4_error0.05_uncertified_broken",
        "{:.3f}",
    ),
    bench(
        "Requests answered with a promise of at most 5% wrong answers, over those that the best threshold would answer",
        "guarantee",
        "steps4_error0.05_coverage_of_oracle",
        "{:.2f}",
        "0.9",
    ),
    bench(
        "Share of 1,000 calibrations whose promise of at most 5% wrong answers does not hold, by a confidence without "
        "tracing and familiarity",
        "guarantee",
        "steps4_error0.05_first_features_broken",
        "{:.3f}",
        "0.05",
    ),
    bench(
        "Requests answered with a promise of at most 5% wrong answers, by a confidence without tracing and "
        "familiarity, over those that the best threshold would answer",
        "guarantee",
        "steps4_error0.05_first_features_coverage_of_oracle",
        "{:.2f}",
    ),
    bench(
        "Whole answers in time at twice the load that the machine can bear, over first come, first served",
        "overload",
        "2x_goodput_ratio",
        "{:.1f}",
        "2.5",
    ),
    bench(
        "Share of the admitted requests that end in time at twice the load that the machine can bear",
        "overload",
        "ours_2x_in_time",
        "{:.4f}",
        "0.999",
    ),
    Row(
        "Requests with random budgets that overran their deadline",
        results("fuzz"),
        (joined("{} of {}", middle("overran_deadline_ms", "{:.0f}"), middle("offered", "{:,.0f}")), text("0")),
    ),
)

FULL, EXITS = "8 bits, full depth", "8 bits, depth chosen"
Q8, Q4, OPENVINO = "llama.cpp in 8 bits (q8_0)", "llama.cpp in 4 bits (q4_0)", "OpenVINO GenAI in its fastest format"
OTHER_ENGINES = (
    *(engine(size, "1x32", "ours_int8_full", FULL, "llama_cpp_q8_0", Q8, goal) for size, goal in AT_ONE.items()),
    engine("135m", "1x32", "ours_int4_full", "4 bits, full depth", "llama_cpp_q4_0", Q4, "1.5"),
    engine("nano", "1x32", "ours_int8_exits", EXITS, "llama_cpp_q8_0", Q8, "3.5"),
    engine("24m", "1x32", "ours_int8_exits", EXITS, "llama_cpp_q8_0", Q8, "6"),
    engine("nano", "16x32", "ours_full", "its fastest format, full depth", "openvino", OPENVINO, "1.3"),
    engine("24m", "16x32", "ours_full", "its fastest format, full depth", "openvino", OPENVINO, "1"),
    engine("135m", "1x32", "ours_full", "its fastest format, full depth", "openvino", OPENVINO, "none"),
    engine("nano", "16x32", "ours_int8_exits", EXITS, "openvino", OPENVINO, "2"),
    engine("24m", "16x32", "ours_int8_exits", EXITS, "openvino", OPENVINO, "2"),
    *(engine(size, "reading_1x512", "ours_int8_full", FULL, "llama_cpp_q8_0", Q8, "1") for size in SIZES),
    bench(
        "Bytes of weights that Tuili reads a second in 8 bits, 1 prompt at a time, 135M active parameters, over those "
        "that a plain sweep reads",
        "engine",
        "135m_1_ours_int8_weights_over_memory",
        "{:.2f}",
        "0.9",
    ),
)

CLIENTS = {1: "1 client", 8: "8 clients", 64: "64 clients"}
SERVING = (
    *(
        bench(
            f"`tuili serve nano` in 8 bits, {clients}: answers a second",
            "serving",
            f"ours_int8_{number}_answers_per_second",
            "{:.1f}",
        )
        for number, clients in CLIENTS.items()
    ),
    *(
        bench(
            f"`tuili serve nano` in 8 bits over llama.cpp's server in 8 bits (q8_0), {clients}: answers a second",
            "serving",
            f"ours_int8_{number}_answers_per_second_over_llama_cpp_q8_0",
            "{:.2f}",
            "1.5",
        )
        for number, clients in CLIENTS.items()
    ),
    *(
        bench(
            f"`tuili serve nano` in 8 bits over llama.cpp's server in 8 bits (q8_0), {clients}: milliseconds within "
            "which 99 of 100 clients read the first token",
            "serving",
            f"ours_int8_{number}_first_p99_over_llama_cpp_q8_0",
            "{:.2f}",
            "at most 1",
        )
        for number, clients in CLIENTS.items()
    ),
    bench(
        "`transformers serve` in fp32, a Llama of equal active size, 8 clients: answers a second",
        "serving",
        "transformers_8_answers_per_second",
        "{:.1f}",
    ),
    bench(
        "Milliseconds within which half of the clients of `nano` have an answer, 8 questions a second, as `tuili bench "
        "serve` sees it, over guidellm",
        "load_tool",
        "whole_p50_over_guidellm",
        "{:.2f}",
        "1",
    ),
    bench("`tuili serve nano`: seconds from start to ready", "startup", "ready", "{:.1f}", "1.5"),
    bench("`tuili ask`: seconds from the start of its process to its end", "startup", "ask", "{:.1f}", "1.2"),
    bench(
        "`tuili serve nano`: resident memory when idle after an answer, MB",
        "startup",
        "idle_after_an_answer",
        "{:.0f}",
        "250",
    ),
    bench("Requests in flight at 100 restarts under load", "restarts", "in_flight", "{:,.0f}", "10,000"),
    bench("Requests lost of those in flight at 100 restarts under load", "restarts", "lost", "{:.0f}", "0"),
    bench(
        "Requests amid faults and disconnects that had no end, or two",
        "faults",
        "without_one_end",
        "{:.0f}",
        "0",
    ),
    bench(
        "Growth of resident memory in an hour at 2 requests a second, MB an hour",
        "soak",
        "memory_slope",
        "{:+.1f}",
        "flat",
    ),
    bench("Requests lost in an hour at 2 requests a second", "soak", "lost", "{:.0f}", "0"),
    bench(
        "Share of the answers per second of processor time that counting and scraping metrics cost, %",
        "metrics_cost",
        "lost",
        "{:.1f}",
        "2",
    ),
    bench(
        "Processor time that telling familiarity, tracing numbers and reading claims add to a request, %",
        "request_cost",
        "over",
        "{:.1f}",
    ),
)
