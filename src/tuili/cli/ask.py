"""`tuili ask`: one question, answered step by step within a budget. The answering is left to `tuili.engine`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from tuili.cli.app import EXIT_FAILURE
from tuili.cli.options import (
    CacheOption,
    CalculatorOption,
    DepthOption,
    DeviceOption,
    EffortOption,
    JsonFlag,
    ModelOption,
    NumbersOption,
    RunnerOption,
    ThreadsOption,
    check_model,
    parse_depth,
    result_console,
)
from tuili.errors import InputError, PromptError

if TYPE_CHECKING:
    from tuili.engine import Engine, Request

EXIT_NO_ANSWER = 3
"""Exit code if there is no answer within the budget, or none confident enough for the error tolerance."""
STANDARD_INPUT = "-"
MAX_INPUT_BYTES = 1_000_000
"""Longer questions on standard input are refused; no model's context could hold them."""


def run(
    prompt: Annotated[
        str,
        typer.Argument(
            metavar="[PROMPT]", help="The question, in one string; without it, or as -, standard input is read."
        ),
    ] = STANDARD_INPUT,
    model: ModelOption = "nano",
    system: Annotated[str | None, typer.Option(help="Instructions that stand before the question.")] = None,
    depth: DepthOption = "auto",
    reasoning_effort: EffortOption = None,
    max_steps: Annotated[
        int | None, typer.Option(help="Most attempts: a further one puts right what was wrong. 1 by default.")
    ] = None,
    max_attempts: Annotated[int | None, typer.Option(help="Another name of --max-steps.")] = None,
    error_tolerance: Annotated[
        float | None, typer.Option(help="Largest share of wrong answers; abstain rather than exceed it.")
    ] = None,
    deadline_ms: Annotated[float | None, typer.Option(help="Most milliseconds.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Most tokens to write, in all attempts. 400 by default.")
    ] = None,
    max_layer_steps: Annotated[int | None, typer.Option(help="Most layers times tokens, in all attempts.")] = None,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token, more draws at random.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of what is drawn at random.")] = 0,
    calculator: CalculatorOption = None,
    runner: RunnerOption = "auto",
    device: DeviceOption = "cpu",
    numbers: NumbersOption = "auto",
    cache: CacheOption = "auto",
    threads: ThreadsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Answer a question within a budget, and check every step of the answer. An imported model answers in prose.

    Each step is shown with the checker's mark (✓ holds, ✗ does not, with the right value, · cannot be
    decided) and the mean number of layers that its tokens used. Exit code 3 if there is no answer.
    """
    layers = parse_depth(depth)
    question = _question(prompt)
    check_model(model)
    import json

    from tuili.cli.show import show_answer
    from tuili.engine import Budget, Outcome, Sampling, load_engine, parse_settings

    limits = {
        "max_steps": max_steps,
        "max_attempts": max_attempts,
        "error_tolerance": error_tolerance,
        "deadline_ms": deadline_ms,
        "max_tokens": max_tokens,
        "max_layer_steps": max_layer_steps,
    }
    if reasoning_effort is not None:
        from tuili.serve import effort_limits

        limits = effort_limits(reasoning_effort, limits)
    given = {name: value for name, value in limits.items() if value is not None}
    budget = parse_settings(Budget, given, _option)
    sampling = parse_settings(Sampling, {"temperature": temperature, "seed": seed}, _option)
    engine = load_engine(model, runner=runner, device=device, numbers=numbers, cache=cache, threads=threads, slots=1)
    thinks = reasoning_effort != "none" or not engine.prose
    request = replace(
        _request(question, system, engine),
        budget=budget,
        sampling=sampling,
        depth=layers,
        thinks=thinks,
        calculator=calculator,
    )
    (answer,) = engine.answer([request])
    if as_json:
        print(json.dumps(answer.as_json(), ensure_ascii=False, indent=2))
    else:
        show_answer(result_console(), answer)
    if answer.receipt.outcome is Outcome.FAILED:
        raise typer.Exit(EXIT_FAILURE)
    if not answer.answer:
        raise typer.Exit(EXIT_NO_ANSWER)


def _request(question: str, system: str | None, engine: Engine) -> Request:
    """The question, after any instructions, as the model reads it.

    Raises `InputError` for empty instructions, and for a model that reads none.
    """
    from tuili.engine import Request
    from tuili.steps import turns_of

    if system is None:
        return Request(question)
    if not system.strip():
        raise InputError("--system is empty: give instructions, or leave the option out")
    messages = (("system", system), ("user", question))
    if engine.prose:
        return Request(question, messages=tuple({"role": role, "content": text} for role, text in messages))
    if engine.conversation == "single":
        raise InputError("--system: this model was trained on single questions alone, and reads no instructions")
    return Request(turns_of(messages).prompt)


def _question(prompt: str) -> str:
    """The prompt, or all of standard input as one question. Raises `InputError` if it is empty or a model's name."""
    question = _standard_input() if prompt == STANDARD_INPUT else prompt
    if not question.strip():
        raise PromptError("the prompt is empty: write a question")
    from tuili.store import adapter_names, shipped_names

    if question in (*shipped_names(), *adapter_names()):
        raise PromptError(f"the prompt {question!r} is the name of a model: write --model {question}")
    return question


def _standard_input() -> str:
    try:
        data = b"" if sys.stdin.isatty() else sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
    except (OSError, ValueError, AttributeError):  # it is closed, or there is none
        data = b""
    if not data:
        raise InputError("PROMPT is missing: give a question, or send one to standard input")
    if len(data) > MAX_INPUT_BYTES:
        raise PromptError(f"the prompt on standard input is longer than {MAX_INPUT_BYTES:,} bytes: ask one question")
    return data.decode("utf-8-sig", errors="surrogateescape").rstrip()


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
