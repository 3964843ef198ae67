"""Results of the model, of the shipped model, of training, and of the checker and verifier."""

from __future__ import annotations

from benchmarks.table.rows import (
    NANO_REPORT,
    Record,
    Row,
    Value,
    at_depth,
    bench,
    figure,
    joined,
    lowest_accuracy,
    mean_accuracy,
    middle,
    points_below_full_depth,
    results,
    text,
)


def shipped(what: str, value: Value, goal: str = "none") -> Row:
    """A row from the evaluation of the shipped model."""
    return Row(what, NANO_REPORT, (value, text(goal)))


def over_mixtral(what: str, size: str, key: str, goal: str) -> Row:
    """A row of our training speed over Mixtral's, with the number formats of both sides."""

    def formats(record: Record) -> str:
        chosen = record["config"]["chosen"][size]
        return f"{chosen['precision']}, Mixtral in {chosen['mixtral'].split('_')[1]}"

    value = joined("{}; Tuili in {}", figure(f"{size}_{key}", "{:.2f}"), formats)
    return Row(what, results("training"), (value, text(goal)))


SHIPPED_MODEL = (
    *(
        shipped(
            f"Both languages, wordings that training uses, level {level}: share of right answers",
            mean_accuracy(level),
            goal,
        )
        for level, goal in (("1", "0.94"), ("2", "0.85"), ("3", "0.65"))
    ),
    shipped("Both languages: accuracy of the domain with the lowest one at level 1", lowest_accuracy, "0.75"),
    shipped(
        "Mean layers of a token that chooses its depth, of 12",
        at_depth("auto", "mean_depth", "{:.2f}"),
        "4.5",
    ),
    shipped("Points of accuracy lost by choosing the depth, against all 12 layers", points_below_full_depth, "0.5"),
    shipped(
        "Domains in which the mean depth of a token rises with the level",
        lambda report: f"{report['depth']['rising']} of {len(report['depth']['trends'])}",
        "14 of 16",
    ),
    shipped(
        "Share of first choices of an expert that go to the domain's own, mean over the domains",
        lambda report: f"{report['experts']['mean_purity']:.2f}",
        "0.70",
    ),
    shipped(
        "Largest load of an expert over the mean load, less 1, where all domains weigh the same",
        lambda report: f"{max(report['experts']['max_violation']):.2f}",
        "0.3",
    ),
    shipped(
        "Largest load of an expert over the mean load, less 1, over the tokens as they came",
        lambda report: f"{max(report['experts']['max_violation_tokens']):.2f}",
        "0.3",
    ),
    shipped(
        "Points of accuracy that a domain loses with 2 of the 16 experts, mean over the domains",
        lambda report: f"{100 * report['experts']['mean_retention_loss']:.1f}",
        "3",
    ),
    shipped(
        "Points of accuracy that a domain loses with 2 of the 16 experts, in the worst domain",
        lambda report: f"{100 * report['experts']['worst_retention_loss']['points']:.1f}",
        "3",
    ),
)

MODEL = (
    bench(
        "Keys that layered attention reads for a token at the end of 2,048, as a share of dense attention's",
        "attention_reads",
        "tasks_touched_mean",
        "{:.2f}",
        "0.25",
    ),
    bench(
        "Points of accuracy of layered over dense attention on texts so short that it reads them whole, by seed",
        "layered_accuracy",
        "layered_difference",
        "{:+.2f}",
        "-0.5",
    ),
    bench(
        "Points of accuracy of layered over dense attention with a window of 8 tokens and 2 units, by seed",
        "layered_accuracy",
        "tight_difference",
        "{:+.2f}",
        "-0.5",
    ),
    bench(
        "Keys that layered attention with a window of 8 tokens and 2 units reads, as a share of dense attention's",
        "layered_accuracy",
        "tight_reads",
        "{:.2f}",
    ),
    bench(
        "`nano` in fp32: speed of reading a prompt of 1,024 tokens with the trunk, over reading it with all layers",
        "depth",
        "prefill_1024_speedup",
        "{:.1f}",
        "2.5",
    ),
    bench(
        "`nano` in fp32, 1 prompt at a time: speed of writing with chosen depth over full depth, not compiled",
        "depth",
        "decode_1_speedup",
        "{:.2f}",
    ),
    bench(
        "`micro`, fp32: time of an expert block over a dense block of equal active size, forward and backward",
        "experts",
        "micro_fp32_4096_ours_over_dense",
        "{:.2f}",
        "1.15",
    ),
    *(
        bench(
            f"`{size}`, bf16, {tokens:,} tokens: time of an expert block over a dense one of equal active size",
            "experts",
            f"{size}_bf16_{tokens}_ours_over_dense",
            "{:.2f}",
            "1.15",
        )
        for size in ("nano", "micro")
        for tokens in (1024, 4096)
    ),
)

TRAINING = (
    Row(
        "`make quickstart`: lowest accuracy of its four domains, and seconds",
        results("quickstart"),
        (
            joined("{} in {} s", middle("lowest_accuracy", "{:.2f}"), middle("seconds", "{:.0f}")),
            text("0.90 in 360 s"),
        ),
    ),
    bench("Training `nano`: tokens a second", "training", "nano_ours_tokens", "{:,.0f}"),
    *(
        bench(
            f"Training `{size}`: tokens a second over the last commit without native kernels of training",
            "training",
            f"{size}_tokens_over_before",
            "{:.2f}",
            goal,
        )
        for size, goal in (("nano", "2"), ("micro", "none"))
    ),
    over_mixtral(
        "Training `nano`: tokens a second over a Mixtral of equal size under the Hugging Face Trainer",
        "nano",
        "tokens_over_mixtral",
        "3.2",
    ),
    over_mixtral(
        "Training `nano`: tokens a second over a Mixtral of equal size, if every token of Tuili ran all layers",
        "nano",
        "equal_model_tokens_over_mixtral",
        "none",
    ),
    over_mixtral(
        "Training `micro`: tokens a second over a Mixtral of equal size under the Hugging Face Trainer",
        "micro",
        "tokens_over_mixtral",
        "none",
    ),
    bench(
        "Training `micro`, bf16: share of the operations a second that large matrix products reach, bf16",
        "training",
        "micro_share_of_matmul",
        "{:.2f}",
        "0.4, better 0.5",
    ),
    *(
        bench(
            f"Training, {numbers}, {texts} texts: largest distance of a loss by native kernels from torch's, 200 steps",
            "training_equality",
            f"{numbers}_{texts}_at_once_most",
            "{:.1e}",
            "1e-3",
        )
        for numbers in ("fp32", "bf16")
        for texts in ("short", "long")
    ),
    *(
        bench(
            f"Attention of training, size `micro`, {length} tokens a row: speed by native kernels over compiled ones",
            "attention_training",
            f"{length}_native_over_joint",
            "{:.1f}",
        )
        for length in (288, 1024)
    ),
)

CHECKER = (
    bench(
        "Prompts and lines on which the reader of facts was compared with an independent one",
        "facts",
        "pairs",
        "{:,.0f}",
        "200,000",
    ),
    bench("Lines among these that were valid and should not be", "facts", "false_valid", "{:.0f}", "0"),
    bench("Lines among these that were invalid and should not be", "facts", "false_invalid", "{:.0f}", "0.1%"),
    bench("Mutated proofs that were judged by sympy and by evaluation, too", "proofs", "chains", "{:,.0f}", "100,000"),
    bench("Proofs among these that were accepted and should not be", "proofs", "accepted_wrongly", "{:.0f}", "0"),
    bench(
        "Fuzzed programs and specifications whose values and verdicts were compared with CPython's",
        "programs",
        "programs",
        "{:,.0f}",
        "10,000",
    ),
    bench("Values, exceptions and verdicts among these that differed", "programs", "differences", "{:.0f}", "0"),
    bench(
        "Longest verdict on a program that is meant to take long, 1,000 inputs, milliseconds",
        "programs",
        "slowest_hostile_verdict",
        "{:.0f}",
    ),
    bench(
        "Arithmetic lines that the checker decides a second, one core", "checker", "lines_a_second", "{:,.0f}", "5,000"
    ),
    bench(
        "Generated chains whose every number comes from the prompt, an earlier step or a stated constant",
        "sources",
        "traced",
        "{:.4f}",
        "0.999",
    ),
    bench("Chains with a misread number that tracing finds", "sources", "found_copied_number", "{:.3f}"),
    bench("Chains with a dropped step that tracing finds", "sources", "found_dropped_step", "{:.3f}"),
    bench(
        "Verifier: F1 of finding the first error, kinds of errors that it never saw in training",
        "verifier",
        "rounds_f1_held_out",
        "{:.3f}",
        "0.90",
    ),
    bench(
        "Verifier: calibration error of the probability that an answer is right",
        "verifier",
        "rounds_answer_ece",
        "{:.3f}",
        "0.03",
    ),
)
