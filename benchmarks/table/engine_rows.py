"""Results of the engine, of other engines beside it, and of the server."""

from __future__ import annotations

from benchmarks.table.rows import (
    Row,
    bench,
    difference,
    joined,
    middle,
    ratio,
    results,
    text,
)


def budgets(what: str, key: str, form: str, goal: str) -> Row:
    """A row for one figure of `budgets`."""
    return Row(what, results("budgets"), (difference(key, form), text(goal)))


def engine(prompts: str, tuili: str, tuili_how: str, other: str, other_how: str, goal: str = "1") -> Row:
    """A row of our speed over another engine's, in tokens per second of processor time of one thread."""
    over, under = (f"24m_1_{key}_{prompts}x32_tokens_per_cpu_second" for key in (tuili, other))
    number = "1 prompt" if prompts == "1" else f"{prompts} prompts"
    what = f"Speed of writing, {number} at a time: Tuili in {tuili_how}, over {other_how}"
    return Row(what, results("engine"), (ratio(over, under), text(goal)))


ENGINE = (
    Row(
        "`nano`, fp32, 16 prompts at a time: answers of verified drafts that are those of full depth, token for token",
        results("exact"),
        (
            joined(
                "{} of {}",
                middle("batch_16_eager_identical", "{:,.0f}"),
                middle("batch_16_prompts", "{:,.0f}"),
            ),
            text("all"),
        ),
    ),
    bench(
        "`nano`, fp32, 16 prompts at a time: speed of verified drafts over full depth, not compiled",
        "exact",
        "batch_16_eager_exact_tokens_per_second_over_full",
        "{:.2f}",
        "1.3",
    ),
    bench(
        "`nano`, fp32, 1 prompt at a time: speed of chosen depth over full depth, compiled",
        "exact",
        "batch_1_compiled_auto_tokens_per_second_over_full",
        "{:.2f}",
        "2.3",
    ),
    bench(
        "`nano`, fp32, 16 prompts at a time: speed of chosen depth over full depth, compiled",
        "exact",
        "batch_16_compiled_auto_tokens_per_second_over_full",
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

FP32, BF16, INT8 = "ours_fp32_eager_full", "ours_bf16_compiled", "ours_int8_compiled"
OTHER_ENGINES = (
    engine("1", FP32, "fp32, full depth", "transformers", "transformers `generate` in fp32"),
    engine("16", FP32, "fp32, full depth", "transformers", "transformers `generate` in fp32"),
    engine("1", f"{BF16}_full", "bf16, full depth", "openvino", "OpenVINO GenAI in bf16"),
    engine("1", f"{BF16}_exits", "bf16, depth chosen", "openvino", "OpenVINO GenAI in bf16"),
    engine("16", f"{BF16}_full", "bf16, full depth", "openvino", "OpenVINO GenAI in bf16"),
    engine("16", f"{BF16}_exits", "bf16, depth chosen", "openvino", "OpenVINO GenAI in bf16"),
    engine("1", f"{INT8}_full", "8 bits, full depth", "llama_cpp_q8_0", "llama.cpp in 8 bits (q8_0)"),
    engine("1", f"{INT8}_exits", "8 bits, depth chosen", "llama_cpp_q8_0", "llama.cpp in 8 bits (q8_0)"),
    engine("16", f"{INT8}_full", "8 bits, full depth", "llama_cpp_q8_0", "llama.cpp in 8 bits (q8_0)"),
    engine("16", f"{INT8}_exits", "8 bits, depth chosen", "llama_cpp_q8_0", "llama.cpp in 8 bits (q8_0)"),
)

SERVING = (
    bench(
        "`tuili serve nano` in fp32, 8 clients: answers a second",
        "serving",
        "ours_8_answers_per_second",
        "{:.1f}",
    ),
    bench(
        "`transformers serve` in fp32, a Llama of equal active size, 8 clients: answers a second",
        "serving",
        "transformers_8_answers_per_second",
        "{:.1f}",
    ),
    Row(
        "`tuili serve nano` in fp32 over `transformers serve` in fp32, 8 clients: answers a second",
        results("serving"),
        (ratio("ours_8_answers_per_second", "transformers_8_answers_per_second", "{:.1f}"), text("none")),
    ),
    bench(
        "llama.cpp's server in fp16, a Llama of equal active size, 8 clients: answers a second",
        "serving",
        "llama_cpp_f16_8_answers_per_second",
        "{:.1f}",
    ),
    bench(
        "llama.cpp's server in 8 bits (q8_0), a Llama of equal active size, 8 clients: answers a second",
        "serving",
        "llama_cpp_q8_0_8_answers_per_second",
        "{:.1f}",
    ),
    bench(
        "`tuili serve nano` in fp32, 8 clients: milliseconds within which 99 of 100 clients read the first token",
        "serving",
        "ours_8_first_p99",
        "{:.0f}",
    ),
    bench(
        "Answers a second of `nano`, 8 clients, as `tuili bench serve` sees it, over guidellm",
        "load_tool",
        "answers_per_second_over_guidellm",
        "{:.2f}",
        "1",
    ),
    bench("`tuili serve nano`: seconds from start to ready", "startup", "ready", "{:.1f}", "5"),
    bench(
        "`tuili serve nano`: resident memory when idle after an answer, MB",
        "startup",
        "idle_after_an_answer",
        "{:.0f}",
        "600",
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
)
