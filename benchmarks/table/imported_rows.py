"""Results of imported models: speed beside other engines with the same weights, exactness, depth, and serving."""

from __future__ import annotations

from benchmarks.imported.source import REAL
from benchmarks.table.rows import Record, Row, bench, joined, middle, results, text

MODEL = "SmolLM2-135M-Instruct"
FULL = "8 bits, full depth"
Q8, Q4, F16 = "llama.cpp in 8 bits (q8_0)", "llama.cpp in 4 bits (q4_0)", "llama.cpp in f16"
OPENVINO = {numbers: f"OpenVINO GenAI in {bits}" for numbers, bits in (("int8", "8 bits"), ("int4", "4 bits"))}
WORK = {
    "writing_1x96": "Writing, 1 prompt at a time",
    "writing_16x96": "Writing, 16 prompts at a time",
    "1x96": "Reading a prompt of 96 tokens and writing 64",
    "16x96": "Reading 16 prompts of 96 tokens and writing 64 behind each",
    "reading_1x512": "Reading a prompt of 512 tokens",
}
"""By the shape, what is done."""


def speed(shape: str, tuili: str, how: str, other: str, other_how: str, goal: str = "none") -> Row:
    """A row of our speed over another one, in tokens per second of processor time of one thread."""
    key = f"1_ours_{tuili}_{shape}_tokens_per_cpu_second_over_{other}"
    return bench(f"{MODEL}. {WORK[shape]}: Tuili in {how}, over {other_how}", "imported_speed", key, "{:.2f}", goal)


def on_two_threads(shape: str, tuili: str, how: str, other: str, other_how: str) -> Row:
    """The same on two threads, in tokens per second."""
    key = f"2_ours_{tuili}_{shape}_tokens_per_second_over_{other}"
    what = f"{MODEL}. {WORK[shape]}, on two threads: Tuili in {how}, over {other_how}"
    return bench(what, "imported_speed", key, "{:.2f}", "none")


def quality(what: str, key: str, form: str, goal: str = "none") -> Row:
    """A row for one figure of `imported_quality`."""
    return bench(f"{MODEL}: {what}", "imported_quality", key, form, goal)


def equal(what: str, part: str) -> Row:
    """A row for how many of the prompts of a part are continued alike."""
    counts = (middle(f"{part}_{key}", "{:,.0f}") for key in ("equal", "prompts"))
    return Row(f"{MODEL}: {what}", results("imported_quality"), (joined("{} of {}", *counts), text("all")))


def overran(record: Record) -> str:
    """Overruns of any budget, out of all requests, and how many of these were let in."""
    figures = {key: figure["median"] for key, figure in record["figures"].items() if key.startswith("budgets_")}
    overruns = sum(count for key, count in figures.items() if key.startswith("budgets_overran_"))
    offered, admitted = (f"{figures[f'budgets_{what}']:,.0f}" for what in ("offered", "admitted"))
    return f"{overruns:.0f} of {offered} ({admitted} were let in)"


SPEED = (
    speed("writing_1x96", "int8_full", FULL, "llama_cpp_q8_0", Q8, "1.4"),
    speed("writing_1x96", "int4_full", "4 bits, full depth", "llama_cpp_q4_0", Q4),
    speed("writing_1x96", "bf16_full", "bf16, full depth", "llama_cpp_f16", F16),
    speed("writing_1x96", "int8_full", FULL, "openvino_int8", OPENVINO["int8"]),
    speed("writing_16x96", "int8_full", FULL, "openvino_int8", OPENVINO["int8"], "1"),
    speed("16x96", "int8_full", FULL, "openvino_int8", OPENVINO["int8"]),
    speed("writing_16x96", "int8_full", FULL, "llama_cpp_q8_0", Q8),
    speed("reading_1x512", "int8_full", FULL, "llama_cpp", "llama.cpp in its fastest format", "1"),
    speed("reading_1x512", "int8_full", FULL, "openvino", "OpenVINO GenAI in its fastest format"),
    on_two_threads("writing_1x96", "int8_full", FULL, "llama_cpp_q8_0", Q8),
    on_two_threads("writing_1x96", "int4_full", "4 bits, full depth", "llama_cpp_q4_0", Q4),
    on_two_threads("writing_16x96", "int8_full", FULL, "openvino_int8", OPENVINO["int8"]),
)

QUALITY = (
    quality("largest distance of a logit in fp32 from transformers', 50 texts", "logits_most_apart", "{:.1e}", "1e-4"),
    quality(
        "largest distance of a logit of transformers in fp32 from its own in fp64, 50 texts",
        "logits_of_transformers_most_apart",
        "{:.1e}",
    ),
    equal("prompts that Tuili in fp32 continues as transformers' `generate` does", "generate"),
    quality("perplexity of an unseen text by transformers in fp32", "perplexity_transformers", "{:.2f}"),
    *(
        quality(
            f"perplexity of an unseen text by {who} over transformers', %", f"perplexity_{key}_over_fp32", "{:+.2f}"
        )
        for who, key in (
            *((f"Tuili in {numbers}", f"ours_{numbers}") for numbers in ("bf16", "int8", "int4")),
            (Q8, "llama_cpp_q8_0"),
            (Q4, "llama_cpp_q4_0"),
        )
    ),
    *(
        Row(
            f"{MODEL}: files of the imported folder that are the same after export to {form} and another import",
            results("imported_quality"),
            (
                joined("{} of {}", *(middle(f"back_{key}_{what}", "{:.0f}") for what in ("same", "files"))),
                text("all"),
            ),
        )
        for form, key in (("a Hugging Face folder", "hf"), ("GGUF", "gguf"))
    ),
    equal("prompts that llama.cpp, with the GGUF file that Tuili exports, continues as Tuili in fp32", "gguf"),
    *(
        row
        for bits, key in (("8 bits", "int8_1"), ("bf16", "bf16_1"))
        for row in (
            equal(f"prompts that verified drafts in {bits} continue as full depth does", f"drafts_{key}"),
            quality(
                f"writing with verified drafts in {bits} over full depth, 1 prompt at a time, parts of 16 prompts",
                f"drafts_{key}_over_full",
                "{:.2f}",
                "1.5",
            ),
        )
    ),
    quality(
        "writing with verified drafts in 8 bits over full depth, 16 prompts at a time",
        "drafts_int8_16_over_full",
        "{:.2f}",
        "1",
    ),
    Row(
        f"{MODEL}: requests with random budgets that overran one, in simulated time",
        results("imported_quality"),
        (overran, text("0")),
    ),
)

MEMORY = "resident memory after 64 answers, 16 at a time, MB"
SERVED = tuple(
    bench(f"`tuili serve {REAL}` in {how}: {what}", "imported_serving", f"{numbers}_{key}", form, goal)
    for numbers, how, most in (("bf16", "bf16", "700"), ("int8", "8 bits", "450"))
    for what, key, form, goal in (
        (MEMORY, "answered", "{:.0f}", most),
        ("seconds from start to ready", "ready", "{:.1f}", "3"),
    )
)

WAYS = {"joint": "exits trained with the layers (`--way joint`)", "frozen": "exits beside the layers (`--way frozen`)"}
BEFORE = "the model as it came"
OF_A_WAY = (
    ("hours of training on two cores", "hours", "{:.1f}", "at most 2"),
    ("accuracy at full depth", "full_accuracy", "{:.3f}", "none"),
    ("share of the layers that run at the threshold chosen for half a point", "auto_layers", "{:.2f}", "at most 0.65"),
    ("points over its full depth there", "auto_points_over_full", "{:+.2f}", "-0.5"),
    ("writing there over full depth, 1 prompt at a time", "auto_1_over_full", "{:.2f}", "none"),
    ("points over its full depth where 0.65 of the layers run", "at_goal_points_over_full", "{:+.2f}", "-0.5"),
    (f"points over {BEFORE} where 0.65 of the layers run", "at_goal_points_over_before", "{:+.2f}", "-0.5"),
    (f"share of the layers with which it predicts as well as {BEFORE}", "as_before_layers", "{:.2f}", "at most 0.65"),
    ("writing there over full depth, 1 prompt at a time", "as_before_1_over_full", "{:.2f}", "none"),
    ("writing there over full depth, 16 prompts at a time", "as_before_16_over_full", "{:.2f}", "none"),
)
"""What is told of each way of training: the words, the figure, its form and the goal."""


def depth(what: str, key: str, form: str, goal: str = "none") -> Row:
    """A row for one figure of `imported_depth`."""
    return bench(f"{MODEL}: {what}", "imported_depth", key, form, goal)


DEPTH = (
    depth(f"next-token accuracy of {BEFORE}, in 8 bits, answers of GSM8K and MAWPS", "before_accuracy", "{:.3f}"),
    *(
        depth(f"{how}: {what}", f"{way}_{key}", form, goal)
        for way, how in WAYS.items()
        for what, key, form, goal in OF_A_WAY
    ),
)

IMPORTED = (*SPEED, *QUALITY, *DEPTH, *SERVED)
