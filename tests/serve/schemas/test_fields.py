"""Every field of OpenAI's API is decided: it has an effect, or it is accepted with values that change nothing, or it is
refused by its name. The tables of docs/serving.md say the same as the request classes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsBase as ChatParams
from openai.types.completion_create_params import CompletionCreateParamsBase as TextParams
from openai.types.responses.response_create_params import ResponseCreateParamsBase as ItemParams
from pydantic import ValidationError

from tuili.serve.errors import from_validation_errors
from tuili.serve.schemas.requests import ChatRequest, CompletionRequest, GenerationRequest, ResponsesRequest

DOCUMENT = Path(__file__).parents[3] / "docs" / "serving.md"
ROUTES: dict[str, tuple[type[GenerationRequest], Any, dict[str, Any]]] = {
    "chats": (ChatRequest, ChatParams, {"messages": [{"role": "user", "content": "2 + 2?"}]}),
    "completions": (CompletionRequest, TextParams, {"prompt": "2 + 2?"}),
    "responses": (ResponsesRequest, ItemParams, {"input": "2 + 2?"}),
}
NEEDED = {"model", "messages", "prompt", "input"}
OF_EVERY_KIND = (True, 3, 0.5, "odd", ["odd"], {"odd": 1})


def rows(title: str) -> list[tuple[str, str]]:
    """The rows of the table under this head in the section about fields."""
    section = DOCUMENT.read_text(encoding="utf-8").partition("\n## Fields\n")[2].partition("\n## ")[0]
    table = section.partition(f"| {title} |\n|---|---|\n")[2].partition("\n\n")[0]
    return [(row[0], row[1]) for row in (line.strip("| ").split(" | ") for line in table.splitlines())]


def fields(cell: str) -> Iterator[tuple[str, str]]:
    """The fields in a cell, each with the routes it is about; without a name of routes it is about all that have it."""
    for part in re.split(r", (?![^(]*\))", cell):
        routes = re.search(r"\((\w+)\)", part)
        yield from ((name, routes[1] if routes else "") for name in re.findall(r"`(\w+)`", part))


def decided() -> dict[tuple[str, str], str | list[Any]]:
    """What the tables say of each field of each route: the words of the first one, or the values of the second."""
    told: list[tuple[str, str, str | list[Any]]] = []
    for accepted, cell in rows("accepted | fields"):
        told += [(name, route, accepted.replace("`", "")) for name, route in fields(cell)]
    for cell, values in rows("field | values"):
        told += [
            (name, route, [json.loads(value) for value in re.findall("`(.*?)`", values)])
            for name, route in fields(cell)
        ]
    found: dict[tuple[str, str], str | list[Any]] = {}
    for name, only, words in sorted(told, key=lambda entry: entry[1]):  # those about one route come last
        for route, (request, _, _) in ROUTES.items():
            if name in request.model_fields and only in ("", route):
                found[route, name] = words
    return found


def refusal(route: str, **more: Any) -> str:
    """The field that a request of this route is refused for; "" where it is accepted."""
    request, _, asked = ROUTES[route]
    body = {"model": "nano", **asked, **more}
    try:
        request.model_validate(body)
    except ValidationError as error:
        told = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        return from_validation_errors(told, body).param or "?"
    return ""


def test_the_tables_have_every_field_of_the_api() -> None:
    told = decided()
    for route, (_, params, _) in ROUTES.items():
        of_openai = {*params.__annotations__, "stream"}
        assert of_openai <= {name for where, name in told if where == route}
    documented = {name for _, name in told}
    everywhere = {name for _, params, _ in ROUTES.values() for name in params.__annotations__}
    assert documented == everywhere | {"stream"}, "and no other"


@pytest.mark.parametrize("route", ROUTES)
def test_a_field_takes_what_the_tables_say(route: str) -> None:
    for (where, name), accepted in decided().items():
        if where != route:
            continue
        if name not in NEEDED or accepted == "null alone":
            assert refusal(route, **{name: None}) == ""
        if accepted == "null alone":
            for value in (*OF_EVERY_KIND, [], {}):
                assert refusal(route, **{name: value}).startswith(name)
        elif isinstance(accepted, list):
            for value in accepted:
                assert refusal(route, **{name: value}) == "", f"{name}: {value!r}"
            for value in OF_EVERY_KIND:
                assert value in accepted or refusal(route, **{name: value}).startswith(name), f"{name}: {value!r}"


def test_what_stands_in_other_fields_and_changes_nothing() -> None:
    assert refusal("chats", stream=True, stream_options={"include_usage": None, "include_obfuscation": False}) == ""
    assert refusal("responses", stream=True, stream_options={"include_obfuscation": False}) == ""
    assert refusal("responses", stream_options={}) == "stream_options"
    whole = {"effort": "low", "summary": None, "generate_summary": None, "context": "auto", "mode": "standard"}
    assert refusal("responses", reasoning=whole, text={"format": {"type": "text"}, "verbosity": "medium"}) == ""
    assert refusal("responses", reasoning={"summary": "auto"}) == "reasoning.summary"
    assert refusal("responses", text={"verbosity": "high"}) == "text.verbosity"
