"""`tuili ask`: one question, answered step by step. The answering is left to `tuili.engine.answer`."""

from __future__ import annotations

from typing import Annotated

import typer

from tuili.cli.options import DepthOption, JsonFlag, ModelOption, parse_depth


def run(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The question, in one string.")],
    model: ModelOption = "nano",
    depth: DepthOption = "auto",
    max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens to write.")] = 400,
    as_json: JsonFlag = False,
) -> None:
    """Answer a question and check every step of the answer.

    Each step is shown with the checker's mark (✓ holds, ✗ does not, with the right value, · cannot be
    decided) and the mean number of layers that its tokens used.
    """
    layers = parse_depth(depth)
    import json

    from rich.console import Console

    from tuili.cli.show import show_answer
    from tuili.engine.answer import ask
    from tuili.engine.decode import Decoder
    from tuili.model.folder import load_model

    loaded = load_model(model)
    answer = ask(Decoder(loaded.model, loaded.tokenizer, depth=layers, max_new_tokens=max_tokens), prompt)
    if as_json:
        print(json.dumps(answer.as_json(), ensure_ascii=False, indent=2))
    else:
        show_answer(Console(highlight=False), answer)
