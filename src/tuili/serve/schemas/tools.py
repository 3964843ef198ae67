"""Functions that clients offer as tools. A model of steps never chooses to call one. But forcing a function is another
way to request an answer as JSON: the answer and its steps fill its parameters, as they fill a schema. Calls that models
of prose write are handled in `tuili.serve.forms.written_forms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from tuili.serve.errors import HttpError
from tuili.serve.forms.structured import AnswerForm, ForcedCall
from tuili.serve.schemas.fields import JsonSchema, StrictModel

MAX_TOOLS = 128
FunctionName = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]


class Function(StrictModel):
    """A function with the JSON schema of its parameters."""

    name: FunctionName
    description: str | None = None
    parameters: JsonSchema | None = None
    strict: bool | None = None


class ChatTool(StrictModel):
    """A function among the tools of a chat."""

    type: Literal["function"]
    function: Function


class ItemTool(Function):
    """The same for `/v1/responses`, without a nested object."""

    type: Literal["function"]


class NamedFunction(StrictModel):
    """The name of a function."""

    name: FunctionName


class ChatToolChoice(StrictModel):
    """The function to call."""

    type: Literal["function"]
    function: NamedFunction


class ItemToolChoice(NamedFunction):
    """The same for `/v1/responses`."""

    type: Literal["function"]


ToolMode = Literal["none", "auto", "required"]
ChatTools = Annotated[list[ChatTool], Field(max_length=MAX_TOOLS)] | None
ItemTools = Annotated[list[ItemTool], Field(max_length=MAX_TOOLS)] | None


def forced_form(
    tools: Sequence[ChatTool | ItemTool] | None, choice: ToolMode | ChatToolChoice | ItemToolChoice | None
) -> AnswerForm | None:
    """The form of the forced call; None if no function may be called.

    Raises `HttpError` if a model would have to choose, and for parameters that an answer cannot fill.
    """
    if not tools:
        if isinstance(choice, str | None) and choice != "required":
            return None
        raise HttpError(400, "tool_choice: tools has no function that could be called", "invalid_value", "tool_choice")
    if choice == "none":
        return None
    if choice is None or choice == "auto":
        message = "no model here chooses to call a function: force one by tool_choice, or send tool_choice none"
        raise HttpError(400, f"tools: {message}", "unsupported_parameter", "tools")
    functions = [tool.function if isinstance(tool, ChatTool) else tool for tool in tools]
    if isinstance(choice, str):
        if len(functions) > 1:
            raise HttpError(400, "tool_choice: name one of the functions", "unsupported_parameter", "tool_choice")
        number, named = 0, False
    else:
        name = choice.function.name if isinstance(choice, ChatToolChoice) else choice.name
        number, named = next((at for at, function in enumerate(functions) if function.name == name), -1), True
        if number < 0:
            raise HttpError(400, f"tool_choice: tools has no function {name}", "invalid_value", "tool_choice")
    place = (
        f"tools.{number}.function.parameters" if isinstance(tools[number], ChatTool) else f"tools.{number}.parameters"
    )
    call = ForcedCall(functions[number].name, named)
    return AnswerForm.from_schema(functions[number].parameters or {}, place, call)
