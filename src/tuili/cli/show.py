"""How results look in a terminal: an answer with its steps and receipt, and a table of accuracies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuili.cli.options import MAX_COLUMNS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tuili.engine import Answer, Calibration, CheckedStep

STYLES = {"valid": "green", "invalid": "red", "unsupported": "dim", "timeout": "dim"}

PROOF_STYLES = {"proven": "green", "refuted": "green", "open": "yellow", "unread": "yellow"}
CALCULATED = "*"
"""Marks a step whose value the checker wrote."""
TRIAL_STYLES = {"agrees": "green", "contradicts": "red", "open": "yellow"}


def show_answer(console: Console, answer: Answer) -> None:
    """Print the steps, the answer and the receipt; in plain text without a terminal or if NO_COLOR is set."""
    from rich.text import Text

    if answer.receipt.read_as is not None:
        console.print(Text(f"read as: {answer.receipt.read_as}", "dim"), soft_wrap=True)
    width = max((len(step.text) for step in answer.steps), default=0)
    for step in answer.steps:
        status = step.verdict.status
        line = Text.assemble("  ", (status.mark, STYLES[status]), f" {step.text:<{width}}  ", (_origin(step), "dim"))
        if remark := _remark(step):
            line.append(f"  {remark}", "yellow" if step.from_nowhere else "red")
        console.print(line, soft_wrap=True)
    if any(step.written_by == "checker" and not step.corrected for step in answer.steps):
        console.print(Text(f"  {CALCULATED} the checker wrote the value", "dim"), soft_wrap=True)
    prose = bool(answer.answer) and not answer.steps
    console.print(Text(answer.answer or "no answer", "" if prose else "bold"), soft_wrap=True)
    if answer.receipt.reason:
        outcome = str(answer.receipt.outcome).replace("_", " ")
        console.print(Text(f"{outcome}: {answer.receipt.reason}", "yellow"), soft_wrap=True)
    if answer.receipt.familiar is not None and answer.receipt.familiar.reason:
        console.print(Text(f"unfamiliar question: {answer.receipt.familiar.reason}", "yellow"), soft_wrap=True)
    if proof := answer.receipt.proof:
        claim = "" if proof.claim is None else f": {proof.claim}"
        console.print(Text(f"claim {proof.verdict}{claim}", PROOF_STYLES[proof.verdict]), soft_wrap=True)
    if trial := answer.receipt.trial:
        examples = f"{trial.examples} example{'' if trial.examples == 1 else 's'} of {trial.function}"
        console.print(Text(f"program {trial.verdict}: {examples}", TRIAL_STYLES[trial.verdict]), soft_wrap=True)
    if answer.receipt.unused:
        console.print(Text(f"not used: {', '.join(answer.receipt.unused)}", "dim"), soft_wrap=True)
    console.print(Text(receipt_line(answer), "dim"), soft_wrap=True)
    promise = answer.receipt.promise
    if promise.error_tolerance is not None:
        what = f"promised: at most {promise.error_tolerance:g} of answers to such requests are wrong"
        evidence = f"{promise.wrong} of {promise.n} in calibration, with probability {1 - (promise.delta or 0):g}"
        console.print(Text(promise.why or f"{what} ({evidence})", "yellow" if promise.why else "dim"), soft_wrap=True)


def receipt_line(answer: Answer) -> str:
    """What the answer cost, in one line."""
    receipt = answer.receipt
    spent = receipt.milliseconds
    parts = [
        *([f"{receipt.attempts} attempts"] if receipt.attempts > 1 else []),
        f"{receipt.tokens['generated']} tokens",
        f"{receipt.mean_depth:.1f} layers each",
        f"{receipt.checked.get('valid', 0)} of {len(answer.steps)} steps valid"
        if answer.steps
        else "supported steps 0",
        f"{spent['total']:.0f} ms (prefill {spent['prefill']:.0f}, decode {spent['decode']:.0f})",
    ]
    if receipt.confidence is not None:
        parts.append(f"confidence {receipt.confidence:.2f}")
    if receipt.familiar is not None:
        parts.append(f"familiarity {receipt.familiar.p:.2f}")
    if receipt.stop == "length":
        parts.append("cut off at the token limit")
    return " · ".join(parts)


def show_calibration(console: Console, calibration: Calibration) -> None:
    """Print what may be promised: one row for each limit on attempts and tokens, one column for each tolerance."""
    from rich.table import Table

    sample = calibration.sample
    tolerances = sorted({entry.error_tolerance for entry in calibration.entries})
    table = Table(box=None, pad_edge=False)
    for heading in ("attempts", "tokens", *[f"error ≤ {tolerance:g}" for tolerance in tolerances]):
        table.add_column(heading, no_wrap=True)
    for curve in calibration.curves:
        entries = {
            entry.error_tolerance: entry
            for entry in calibration.entries
            if (entry.max_steps, entry.max_tokens) == (curve.max_steps, curve.max_tokens)
        }
        cells = [
            f"{entries[tolerance].coverage:.0%} ({entries[tolerance].wrong} of {entries[tolerance].n} wrong)"
            if entries[tolerance].threshold is not None
            else "cannot be promised"
            for tolerance in tolerances
        ]
        table.add_row(str(curve.max_steps), str(curve.max_tokens), *cells)
    console.print(f"Share answered, each promise with probability {1 - calibration.delta:g}", soft_wrap=True)
    console.print(table, soft_wrap=True)
    console.print(
        f"{sample.n} problems tested, {sample.fitted} others fitted the confidence (calibration error "
        f"{sample.calibration_error:.3f}); without withholding {sample.accuracy:.1%} are right after one attempt",
        soft_wrap=True,
    )


def show_cells(console: Console, report: Mapping[str, Any]) -> None:
    """Print the accuracy of each domain and level, and the means; with 95% intervals if the lines have room."""
    from rich.measure import Measurement

    table = _cells_table(report, intervals=True)
    wanted = Measurement.get(console, console.options.update(max_width=MAX_COLUMNS), table).maximum
    console.print(table if wanted <= console.width else _cells_table(report, intervals=False))


def show_scores(console: Console, report: Mapping[str, Any]) -> None:
    """Print the share of right answers to a file's questions, how they were compared, and how many steps hold."""
    lines = [f"{_share(report)} right: {report['compared']}"]
    if len(report["sources"]) > 1:
        lines += [f"{_share(of)} right of {of['problems']} of {source}" for source, of in report["sources"].items()]
    if new := report.get("unmatched"):
        files = ", ".join(file["file"] for file in report["settings"]["seen"])
        what = f"{new['problems']} questions that {files} {'has' if ',' not in files else 'have'} not, numbers aside"
        lines.append(
            f"{_share(new)} right of the {what}" if new["problems"] else f"none of the questions is new: {what}"
        )
    if (other := report.get("unlike")) and other["problems"]:
        lines.append(
            f"{_share(other)} right of the {other['problems']} of which no question there has four fifths of the words"
        )
    if shares := report.get("by_attempts"):
        most = "" if report["settings"]["all_attempts"] else "at most "
        after = ", ".join(f"{most}{made}: {share:.1%}" for made, share in shares.items())
        lines.append(f"right after attempts: {after}")
    lines.append(f"{_share(report, 'lenient')} right by the last number")
    steps = ", ".join(f"{count} {status}" for status, count in sorted(report["steps"].items())) or "none"
    by_checker = report["written_by"].get("checker", 0)
    lines.append(f"steps: {steps}" + (f"; the checker wrote the values of {by_checker}" if by_checker else ""))
    lines.append(f"{report['unparseable']} of {report['problems']} responses without an answer")
    for line in lines:
        console.print(line, soft_wrap=True)


def _share(report: Mapping[str, Any], name: str = "accuracy") -> str:
    """A share with its 95% interval."""
    low, high = report["ci95" if name == "accuracy" else "lenient_ci95"]
    return f"{report[name]:.1%} (95%: {low:.1%} – {high:.1%})"


def show_conversations(console: Console, section: Mapping[str, Any]) -> None:
    """Print the accuracy in conversations, next to that of the same questions asked alone."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("in a conversation", "n", "right", "alone", "difference"):
        table.add_column(heading, no_wrap=True)
    for row in section["ingredients"]:
        low, high = (100 * points for points in row["difference_ci95"])
        difference = f"{100 * row['difference']:+.1f} points ({low:+.1f} to {high:+.1f})"
        shown = (f"{row['accuracy']:.3f}", f"{row['alone']:.3f}", difference)
        table.add_row(row["ingredient"].replace("_", " "), str(row["n"]), *shown)
    console.print(table)
    if section["left_out"]:
        console.print(f"{section['left_out']} conversations did not fit the model's context", soft_wrap=True)
    if section["reads"] == "single":
        console.print("the model learnt single questions: a server gives it the last one alone", soft_wrap=True)


def _cells_table(report: Mapping[str, Any], intervals: bool) -> Table:
    from rich.table import Table

    from tuili.eval import cells_by_domain

    def shown(cell: Mapping[str, Any] | None) -> str:
        if cell is None:  # a user's file may have a level in only some domains
            return "–"
        low, high = cell["ci95"]
        return f"{cell['accuracy']:.3f}" + (f"  ({low:.2f} – {high:.2f})" if intervals else "")

    levels = list(report["mean"])
    table = Table(box=None, pad_edge=False)
    for heading in ("domain", *[f"level {level}" for level in levels], "layers"):
        table.add_column(heading, no_wrap=True)
    for domain, row in cells_by_domain(report["cells"]).items():
        depths = (" / " if intervals else "/").join(
            f"{row[level]['mean_depth']:.1f}" if level in row else "–" for level in levels
        )
        table.add_row(domain, *[shown(row.get(level)) for level in levels], depths)
    table.add_row("mean", *[f"{report['mean'][level]:.3f}" for level in levels], f"{report['mean_depth']:.2f}")
    return table


def _origin(step: CheckedStep) -> str:
    """How many layers a step's tokens used on average, and whether the checker wrote the value; or that the checker
    corrected the step.
    """
    if step.corrected:
        return " put right by the checker"
    return f"{step.depth:4.1f} layers{f' {CALCULATED}' if step.written_by == 'checker' else ''}"


def _remark(step: CheckedStep) -> str:
    if step.from_nowhere:
        return f"from nowhere: {', '.join(step.sources.from_nowhere)}"
    if step.verdict.status != "invalid":
        return ""
    return f"right: {step.verdict.expected}" if step.verdict.expected else step.verdict.reason
