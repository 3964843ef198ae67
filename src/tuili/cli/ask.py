"""`tuili ask`: one question, answered step by step within a budget. The answering is left to `tuili.engine`."""

from __future__ import annotations

from typing import Annotated

import typer

from tuili.cli.options import DepthOption, JsonFlag, ModelOption, parse_depth


def run(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The question, in one string.")],
    model: ModelOption = "nano",
    depth: DepthOption = "auto",
    max_steps: Annotated[
        int | None, typer.Option(help="Most attempts: a further one puts right what was wrong. 1 by default.")
    ] = None,
    max_attempts: Annotated[int | None, typer.Option(help="Another name of --max-steps.")] = None,
    error_tolerance: Annotated[
        float | None, typer.Option(help="Largest share of wrong answers; abstain rather than exceed it.")
    ] = None,
    deadline_ms: Annotated[float | None, typer.Option(help="Most milliseconds.")] = None,
    max_tokens: Annotated[int, typer.Option(help="Most tokens to write, in all attempts.")] = 400,
    max_layer_steps: Annotated[int | None, typer.Option(help="Most layers times tokens, in all attempts.")] = None,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token, more draws at random.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of what is drawn at random.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Answer a question within a budget, and check every step of the answer.

    Each step is shown with the checker's mark (✓ holds, ✗ does not, with the right value, · cannot be
    decided) and the mean number of layers that its tokens used.
    """
    layers = parse_depth(depth)
    import json

    from rich.console import Console

    from tuili.cli.show import show_answer
    from tuili.engine import Budget, Request, Sampling, load_engine, parse_settings

    limits = {
        "max_steps": max_steps,
        "max_attempts": max_attempts,
        "error_tolerance": error_tolerance,
        "deadline_ms": deadline_ms,
        "max_tokens": max_tokens,
        "max_layer_steps": max_layer_steps,
    }
    given = {name: value for name, value in limits.items() if value is not None}
    budget = parse_settings(Budget, given, _option)
    sampling = parse_settings(Sampling, {"temperature": temperature, "seed": seed}, _option)
    engine = load_engine(model, slots=1)
    (answer,) = engine.answer([Request(prompt, budget, sampling, layers)])
    if as_json:
        print(json.dumps(answer.as_json(), ensure_ascii=False, indent=2))
    else:
        show_answer(Console(highlight=False), answer)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
