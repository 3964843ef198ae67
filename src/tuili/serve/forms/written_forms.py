"""Forms that a model of prose writes itself: JSON of an arbitrary schema, and function calls. A grammar enforces them.

`structured` handles the one value that a model of steps writes. `calls` defines the format of calls, and `chats` adds
the instructions about the form to the messages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuili.grammars import Grammar, SchemaFault, json_rule, quoted
from tuili.serve.errors import HttpError
from tuili.serve.forms.calls import CallFormat, ChosenCalls
from tuili.serve.schemas.formats import ChatSchema, ItemSchema, JsonObject, Text
from tuili.serve.schemas.tools import ChatTool, ChatToolChoice, Function, ItemTool, ItemToolChoice, ToolMode

MAX_CALLS = 8
"""The maximum number of calls in one answer."""
Tools = Sequence[ChatTool | ItemTool]
ToolChoice = ToolMode | ChatToolChoice | ItemToolChoice | None
Format = Text | JsonObject | ChatSchema | ItemSchema | None


@dataclass(frozen=True)
class WrittenForm:
    """The form of what a model writes. instruction: what the system message says about the form. tools: the functions
    that its chat template receives. call: how calls are read; None if there are none.
    """

    grammar: Grammar
    instruction: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    call: ChosenCalls | None = None


@dataclass(frozen=True)
class _Offered:
    """The functions that may be called, each with the place of its parameters in the request."""

    functions: tuple[tuple[Function, str], ...]
    forced: bool = False
    named: bool = False
    told: tuple[dict[str, Any], ...] = field(default_factory=tuple)
    """All functions of the request, in the format of chat templates."""


def written_form(
    tools: Tools | None, choice: ToolChoice, parallel: bool | None, format: Format, template: str
) -> WrittenForm | None:
    """The form that a request asks for; None for text. template: the chat template of the model.

    Raises `HttpError` for a schema that cannot be enforced, and for a choice of functions that are not offered.
    """
    offered = _offered(tools, choice)
    try:
        answer, instruction = _json_answer(format)
        if offered is None:
            return None if answer is None else WrittenForm(Grammar(f"body: {answer}"), instruction)
        calls = CallFormat.of_template(template)
        several = parallel is not False and not offered.named
        rules = _call_rules(offered, answer, calls, several)
    except SchemaFault as error:
        raise HttpError(400, str(error), "invalid_json_schema", error.place) from error
    knows = re.search(r"\btools\b", template) is not None
    instructions = [] if knows else [_explanation(offered, calls)]
    instructions += [] if offered.forced or not instruction else [instruction]
    return WrittenForm(
        Grammar("\n".join(rules)),
        "\n\n".join(instructions),
        offered.told if knows else (),
        ChosenCalls(calls, offered.named),
    )


def _json_answer(format: Format) -> tuple[str | None, str]:
    """The grammar rule of an answer in JSON, and what the model is told about it; None and "" for text."""
    if isinstance(format, ChatSchema):
        schema, place = format.json_schema.body, "response_format.json_schema.schema"
    elif isinstance(format, ItemSchema):
        schema, place = format.body, "text.format.schema"
    else:
        return (json_rule({"type": "object"}), "") if isinstance(format, JsonObject) else (None, "")
    return json_rule(schema, place), f"Answer in JSON that fits this schema:\n{json.dumps(schema, ensure_ascii=False)}"


def _offered(tools: Tools | None, choice: ToolChoice) -> _Offered | None:
    """The functions that may be called; None if none may be."""
    if not tools:
        if isinstance(choice, str | None) and choice != "required":
            return None
        raise HttpError(400, "tool_choice: tools has no function that could be called", "invalid_value", "tool_choice")
    if choice == "none":
        return None
    functions = tuple(
        (tool.function, f"tools.{number}.function.parameters")
        if isinstance(tool, ChatTool)
        else (tool, f"tools.{number}.parameters")
        for number, tool in enumerate(tools)
    )
    told = tuple(map(_told, (function for function, _ in functions)))
    if isinstance(choice, str | None):
        return _Offered(functions, choice == "required", False, told)
    name = choice.function.name if isinstance(choice, ChatToolChoice) else choice.name
    named = tuple(one for one in functions if one[0].name == name)
    if not named:
        raise HttpError(400, f"tool_choice: tools has no function {name}", "invalid_value", "tool_choice")
    return _Offered(named[:1], True, True, told)


def _told(function: Function) -> dict[str, Any]:
    """A function in the format of chat templates."""
    parameters = function.parameters or {"type": "object", "properties": {}}
    told = {"name": function.name, "description": function.description or "", "parameters": parameters}
    return {"type": "function", "function": told}


def _call_rules(offered: _Offered, answer: str | None, calls: CallFormat, several: bool) -> list[str]:
    """The grammar rules for calls and, if none is forced, for an answer before or instead of them."""
    more = f" ({quoted(chr(10))} call){{0,{MAX_CALLS - 1}}}" if several and calls.opening else ""
    rest = f"{_literal(calls.before)}function{_literal(calls.closing)}"
    rules = [f"call: {_literal(calls.opening)}{rest}"]
    if offered.forced:
        rules.insert(0, f"body: call{more}")
    elif answer is not None:
        rules.insert(0, f"body: answer | call{more}")
        rules.append(f"answer: {answer}")
    elif calls.opening:
        rules.insert(0, f"body: TEXT | before {rest}{more}")
        rules += [f"before[lazy]: /(.|\\n)*{re.escape(calls.opening)}/", "TEXT: /(.|\\n)*/"]
    else:
        rules.insert(0, "body: TEXT | call")
        rules.append(r"TEXT: /([^\{\s](.|\n)*)?/")
    names = [f"function_{number}" for number in range(len(offered.functions))]
    rules.append(f"function: {' | '.join(names)}")
    for name, (function, place) in zip(names, offered.functions, strict=True):
        parameters = json_rule(_arguments(function.parameters, place), place)
        rules.append(f"{name}: {quoted(calls.head(function.name))} {parameters} {quoted('}')}")
    return rules


def _literal(text: str) -> str:
    """A text as part of a rule; "" if it is empty."""
    return f" {quoted(text)} " if text else ""


def _arguments(parameters: Mapping[str, Any] | None, place: str) -> Mapping[str, Any]:
    """The schema of a function's arguments. Raises `SchemaFault` if it is not that of an object."""
    if not parameters:
        return {"type": "object", "additionalProperties": False}
    if parameters.get("type", "object") != "object":
        raise SchemaFault(f"{place}.type", "the arguments of a function are an object")
    return {**parameters, "type": "object"}


def _explanation(offered: _Offered, calls: CallFormat) -> str:
    """The description of functions for a model whose template does not support them."""
    functions = "\n".join(json.dumps(one["function"], ensure_ascii=False) for one in offered.told)
    example = f'{calls.opening}{calls.before}{{"name": NAME, "{calls.key}": ARGUMENTS}}{calls.closing}'
    return (
        f"You can call functions. Here they are, with the JSON schemas of their arguments:\n<tools>\n{functions}\n"
        f"</tools>\nTo call one, write nothing behind this, once for each call:\n{example}"
    )
