"""The README's table of measured results from the records, and the pictures of the shipped model from its evaluation:
`python -m benchmarks.table`.

A row without a record is left out, so that the table never says more than was measured. A test holds that the README
has the table of the records that are committed.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness.record import RESULTS, ROOT
from tuili.eval import EVAL_FILE, cost_curves, depth_lines, goodput_lines, heat_map
from tuili.model.folder import SHIPPED

README = ROOT / "README.md"
PICTURES = ROOT / "docs" / "img"
BUDGETS = RESULTS / "budgets.json"
OVERLOAD = RESULTS / "overload.json"
SHIPPED_REPORT = SHIPPED / "nano" / EVAL_FILE
SECTION = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, its value as read from a record, the goal, and how to repeat it."""

    what: str
    record: Path
    value: Callable[[dict[str, Any]], str]
    goal: str
    command: str

    def line(self) -> str | None:
        """The line in Markdown; None where the record is missing or has no such figure."""
        if not self.record.is_file():
            return None
        try:
            value = self.value(json.loads(self.record.read_bytes()))
        except (LookupError, ValueError):  # a record of another size or an evaluation without this part
            return None
        return f"| {self.what} | {value} | {self.goal} | `{self.command}` |"


def figure(key: str, form: str) -> Callable[[dict[str, Any]], str]:
    """The median of a figure, then its range where it was measured more than once."""

    def value(record: dict[str, Any]) -> str:
        own = record["figures"][key]
        text = form.format(own["median"])
        low, high = form.format(own["min"]), form.format(own["max"])
        return text if low == high else f"{text} ({low} to {high}, n = {own['n']})"

    return value


def bench(what: str, name: str, key: str, form: str, goal: str) -> Row:
    """A row for one figure of a benchmark."""
    return Row(what, RESULTS / f"{name}.json", figure(key, form), goal, f"make bench NAMES={name}")


def engine(what: str, ours: str, peer: str, shape: str, goal: str) -> Row:
    """A row for one way of ours over a peer, in tokens per second of processor time of one thread, 24M parameters."""

    def value(record: dict[str, Any]) -> str:
        one, other = (record["figures"][f"24m_1_{name}_{shape}_tokens_per_cpu_second"]["runs"] for name in (ours, peer))
        ratios = sorted(a / b for a, b in zip(one, other, strict=True))
        return f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}, n = {len(ratios)})"

    return Row(what, RESULTS / "engine.json", value, goal, "make bench NAMES=engine")


def serving(what: str, key: str, form: str) -> Row:
    """A row of the servers under load, which have no goals of their own."""
    return bench(what, "serving", key, form, "none")


def budgets(what: str, key: str, form: str, goal: str) -> Row:
    """A row for one figure of `budgets`, with the 95% interval where there is one, and the number of problems."""

    def value(record: dict[str, Any]) -> str:
        figures, n = record["figures"], record["config"]["problems"]["n"]
        bounds = [
            form.format(figures[f"{key}_{end}"]["median"]) for end in ("low95", "high95") if f"{key}_low95" in figures
        ]
        interval = f"{' to '.join(bounds)}, " if bounds else ""
        return f"{form.format(figures[key]['median'])} ({interval}n = {n:,})"

    return Row(what, BUDGETS, value, goal, "make bench NAMES=budgets")


def shipped(what: str, value: Callable[[dict[str, Any]], str], goal: str, full: bool = False) -> Row:
    """A row from the evaluation of the shipped model."""
    return Row(what, SHIPPED_REPORT, value, goal, f"tuili eval nano --levels 1,2,3{' --full' if full else ''}")


def _at_depth(depth: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def point(report: dict[str, Any]) -> dict[str, Any]:
        (found,) = (point for point in report["depth"]["points"] if point["depth"] == depth)
        return dict(found)

    return point


def _loss_of_auto(report: dict[str, Any]) -> str:
    auto, full = _at_depth("auto")(report), _at_depth("12")(report)
    points = 100 * (full["accuracy"] - auto["accuracy"])
    return f"{auto['mean_depth']:.2f} of 12 layers, {points:.1f} points below full depth"


def _lowest(report: dict[str, Any]) -> str:
    cell = min((cell for cell in report["cells"] if cell["level"] == 1), key=lambda cell: cell["accuracy"])
    return f"{cell['accuracy']:.3f} ({cell['domain']}, n = {cell['n']})"


def _mean(level: str) -> Callable[[dict[str, Any]], str]:
    """The mean accuracy over the domains at a level, and over how many problems."""

    def value(report: dict[str, Any]) -> str:
        n = sum(cell["n"] for cell in report["cells"] if str(cell["level"]) == level)
        return f"{report['mean'][level]:.3f} (n = {n:,})"

    return value


ROWS = (
    Row(
        "quickstart: lowest accuracy of its four domains, in seconds",
        RESULTS / "quickstart.json",
        lambda record: (
            f"{record['figures']['lowest_accuracy']['median']:.2f} in {record['figures']['seconds']['median']:.0f} s"
        ),
        "0.90 in 720 s",
        "make quickstart",
    ),
    shipped("`nano`, 16 domains, level 1: mean accuracy", _mean("1"), "0.90"),
    shipped("lowest domain at level 1", _lowest, "0.60"),
    shipped("level 2: mean", _mean("2"), "0.75"),
    shipped("level 3: mean", _mean("3"), "none"),
    shipped("layers a token where depth is chosen", _loss_of_auto, "4.5, 0.5 points", full=True),
    shipped(
        "domains in which depth rises with level",
        lambda r: f"{r['depth']['rising']} of {len(r['depth']['trends'])}",
        "12 of 16",
    ),
    shipped(
        "first choices that go to the domain's own expert",
        lambda r: f"{100 * r['experts']['mean_purity']:.0f}%",
        "70%",
        full=True,
    ),
    shipped(
        "largest load of an expert over the mean, less 1: domains weighing the same, tokens as they came",
        lambda r: f"{max(r['experts']['max_violation']):.2f}, {max(r['experts']['max_violation_tokens']):.2f}",
        "0.3",
        full=True,
    ),
    shipped(
        "points a domain loses with 2 of the 16 experts: mean, worst",
        lambda r: (
            f"{100 * r['experts']['mean_retention_loss']:.1f}, "
            f"{100 * r['experts']['worst_retention_loss']['points']:.1f}"
        ),
        "3",
        full=True,
    ),
    bench("keys read a decoded token of 2,048, over dense", "attention_reads", "tasks_touched_mean", "{:.2f}", "0.25"),
    bench(
        "layered attention on short texts, which it reads whole: points against dense, by seed",
        "layered_accuracy",
        "layered_difference",
        "{:+.2f}",
        "-0.5",
    ),
    bench("the same, a window of 8 and 2 units", "layered_accuracy", "tight_difference", "{:+.2f}", "-0.5"),
    bench("share of dense's keys that the latter reads", "layered_accuracy", "tight_reads", "{:.2f}", "none"),
    bench("reading a prompt of 1,024: times as fast as all layers", "depth", "prefill_1024_speedup", "{:.1f}", "2.5"),
    bench("writing, depth chosen: times as fast as full depth", "depth", "decode_1_speedup", "{:.2f}", "none"),
    bench(
        "responses of verified drafts that are those of full depth",
        "exact",
        "batch_16_eager_identical",
        "{:,.0f}",
        "1,008",
    ),
    bench(
        "their speed over full depth, 16 at a time",
        "exact",
        "batch_16_eager_exact_tokens_per_second_over_full",
        "{:.2f}",
        "1.3",
    ),
    bench(
        "depth chosen over full depth, compiled, one at a time",
        "exact",
        "batch_1_compiled_auto_tokens_per_second_over_full",
        "{:.2f}",
        "2.3",
    ),
    bench(
        "the same, 16 at a time",
        "exact",
        "batch_16_compiled_auto_tokens_per_second_over_full",
        "{:.2f}",
        "1.3",
    ),
    engine(
        "equal active size, 8 bits: full depth over transformers",
        "ours_int8_compiled_full",
        "transformers",
        "1x32",
        "3",
    ),
    engine("the same, depth chosen, over llama.cpp's q8_0", "ours_int8_compiled_exits", "llama_cpp_q8_0", "1x32", "1"),
    engine("the same 16 at a time, over OpenVINO GenAI", "ours_int8_compiled_exits", "openvino", "16x32", "1"),
    budgets("up to 4 attempts over one: points", "steps_4_over_steps_1", "{:+.1f}", "above 0"),
    budgets("the same over votes of equal tokens", "steps_4_over_votes_of_equal_tokens", "{:+.1f}", "above 0"),
    budgets("the same over votes of 40 samples", "steps_4_over_votes_40", "{:+.1f}", "-0.1"),
    budgets("tokens of these over those of 4 attempts", "votes_40_tokens_over_steps_4", "{:.1f}", "8"),
    bench("promises of ε = 0.05 that did not hold, of 1,000", "guarantee", "steps4_error0.05_broken", "{:.3f}", "0.05"),
    bench(
        "the same with the empirical threshold", "guarantee", "steps4_error0.05_uncertified_broken", "{:.3f}", "none"
    ),
    bench(
        "requests answered with that promise, over an oracle's threshold",
        "guarantee",
        "steps4_error0.05_coverage_of_oracle",
        "{:.2f}",
        "0.9",
    ),
    bench("verifier: F1 of the first error, kinds it never saw", "verifier", "rounds_f1_held_out", "{:.3f}", "0.90"),
    bench("verifier: calibration error of answers", "verifier", "rounds_answer_ece", "{:.3f}", "0.03"),
    bench(
        "whole answers in time at twice the load, over first come, first served",
        "overload",
        "2x_goodput_ratio",
        "{:.1f}",
        "2.5",
    ),
    bench("of those let in then, share in time", "overload", "ours_2x_in_time", "{:.4f}", "0.999"),
    bench("fuzzed requests that overran a deadline", "fuzz", "overran_deadline_ms", "{:.0f}", "0"),
    serving("`tuili serve nano`, 8 clients: answers a second", "ours_8_answers_per_second", "{:.1f}"),
    serving("the same: first token, 99 of 100 within ms", "ours_8_first_p99", "{:.0f}"),
    serving(
        "`transformers serve`, a Llama of equal active size: answers a second",
        "transformers_8_answers_per_second",
        "{:.1f}",
    ),
    serving("llama.cpp's server, the same Llama: answers a second", "llama_cpp_q8_0_8_answers_per_second", "{:.1f}"),
    bench(
        "`tuili bench serve` over guidellm: answers a second, 8 clients",
        "load_tool",
        "answers_per_second_over_guidellm",
        "{:.2f}",
        "1",
    ),
    bench("start to ready, `nano`: seconds", "startup", "ready", "{:.1f}", "5"),
    bench("memory when idle: MB", "startup", "idle_after_an_answer", "{:.0f}", "600"),
    bench("in flight at 100 restarts under load: requests", "restarts", "in_flight", "{:,.0f}", "10,000"),
    bench("of these lost", "restarts", "lost", "{:.0f}", "0"),
    bench("requests amid faults and disconnects that had no end or two", "faults", "without_one_end", "{:.0f}", "0"),
    bench("an hour at 2 requests a second: growth of memory, MB an hour", "soak", "memory_slope", "{:+.1f}", "flat"),
    bench("requests lost in that hour", "soak", "lost", "{:.0f}", "0"),
    bench("throughput that metrics cost: %", "metrics_cost", "lost", "{:.1f}", "2"),
    bench("training `nano`: tokens a second", "training", "nano_ours_tokens", "{:,.0f}", "none"),
    bench("over Mixtral under the Trainer", "training", "nano_tokens_over_mixtral", "{:.2f}", "2"),
    bench(
        "the same if every token ran all layers", "training", "nano_equal_model_tokens_over_mixtral", "{:.2f}", "none"
    ),
    bench("training `micro`: share of the matrix rate", "training", "micro_share_of_matmul", "{:.2f}", "0.5"),
    bench(
        "experts over equal-active dense, `micro`, fp32", "experts", "micro_fp32_4096_ours_over_dense", "{:.2f}", "1.15"
    ),
    bench("the same, `nano`, bf16", "experts", "nano_bf16_4096_ours_over_dense", "{:.2f}", "1.15"),
)


def table() -> str:
    """The table in Markdown."""
    lines = [line for row in ROWS if (line := row.line())]
    return "\n".join(["| measured | result | goal | repeat with |", "|---|---|---|---|", *lines]) + "\n"


def filled(text: str) -> str:
    """A page with the present table in place of the one that stands in it."""
    assert SECTION.search(text), "the page has no place for the table"
    return SECTION.sub(lambda found: found[1] + table() + found[2], text)


WAYS = {
    "steps": "attempts, put right",
    "votes": "votes of samples",
    "checked_votes": "votes, checked",
    "thinking": "reasoning cut",
    "likely": "depth chosen",
    "depth": "fixed depth",
    "calm_softmax": "CALM, softmax",
    "calm_saturation": "CALM, saturation",
}
"""What the picture calls the ways of the benchmark `budgets`."""


def pictures(report: dict[str, Any]) -> dict[str, str]:
    """SVG by name: depth against level, the domains' experts, and what each domain loses without each expert."""
    drawn = {"depth": depth_lines({trend["domain"]: trend["by_level"] for trend in report["depth"]["trends"]})}
    if experts := report.get("experts"):
        names = experts["domains"], experts["expert_names"]
        drawn["experts"] = heat_map(experts["first_share"], *names)
        drawn["knock-out"] = heat_map(experts["knock_out"], *names, diverging=True)
    return {name: on_white(uri, f'data-model="{report["model_hash"]}" ') for name, uri in drawn.items()}


def on_white(uri: str, more: str = "") -> str:
    """The SVG of a data URI with a white background: a page may be dark, and the lines are made for white."""
    svg = b64decode(uri.partition(",")[2]).decode()
    return svg.replace("<svg ", f'<svg style="background: #ffffff" {more}', 1)


def budget_curves(record: dict[str, Any]) -> str:
    """Accuracy over tokens, and over layers times tokens, of the ways that the benchmark `budgets` compares."""

    def curve(way: str, cost: str) -> list[tuple[float, float]]:
        found = [re.fullmatch(rf"{way}_([0-9.]+)_accuracy", key) for key in record["figures"]]
        keys = [match[0].removesuffix("_accuracy") for match in found if match]
        return [
            (record["figures"][f"{key}_{cost}"]["median"], record["figures"][f"{key}_accuracy"]["median"])
            for key in keys
        ]

    ways = {
        "tokens": ("tokens", ("steps", "votes", "checked_votes", "thinking")),
        "layers x tokens": ("layer_steps", ("likely", "depth", "calm_softmax", "calm_saturation")),
    }
    panels = {label: {WAYS[way]: curve(way, cost) for way in own} for label, (cost, own) in ways.items()}
    return on_white(cost_curves(panels))


def overload_picture(record: dict[str, Any]) -> str:
    """SVG of what each policy answers at each load, from the record `overload`."""
    loads, figures = record["config"]["loads"], record["figures"]
    named = {"ours": "admitting what can be answered in time", "fcfs": "first come, first served"}
    lines = {name: [figures[f"{key}_{load:g}x_goodput"] for load in loads] for key, name in named.items()}
    return on_white(goodput_lines(loads, lines))


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
    if OVERLOAD.is_file():
        (PICTURES / "overload.svg").write_text(overload_picture(json.loads(OVERLOAD.read_bytes())))
    if SHIPPED_REPORT.is_file():
        PICTURES.mkdir(exist_ok=True)
        for name, svg in pictures(json.loads(SHIPPED_REPORT.read_bytes())).items():
            (PICTURES / f"{name}.svg").write_text(svg)
    if BUDGETS.is_file():
        (PICTURES / "budgets.svg").write_text(budget_curves(json.loads(BUDGETS.read_bytes())))
