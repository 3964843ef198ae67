"""Answers as JSON: puts an answer, which is one value, and its steps into the properties that a schema has for them.

A model of steps answers with a number, a word or a name, and writes no JSON itself. So only the form is promised here:
an answer that does not fit the schema is refused, not made to fit. A schema that requires more than one value is
refused before anything is written (`json_schemas`); the error names the place that cannot be filled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tuili.engine import Answer, Outcome
from tuili.errors import InputError
from tuili.serve.forms.calls import Call, Calling, Said
from tuili.serve.forms.json_schemas import AnswerNode, ConstantNode, Node, ObjectNode, StepsNode, read_schema
from tuili.serve.forms.json_values import ValueType
from tuili.serve.schemas.formats import ChatSchema, ItemSchema, JsonObject, Text


class Form(Protocol):
    """The form of a reply."""

    @property
    def call(self) -> Calling | None:
        """How a reply in this form calls a function."""

    def fill(self, answer: Answer) -> Answer:
        """The same answer in this form, or a refusal."""


STEPS_AND_ANSWER = ObjectNode({"steps": StepsNode(), "answer": AnswerNode((ValueType("string"),))})


def form_for(format: Text | JsonObject | ChatSchema | ItemSchema | None) -> AnswerForm | None:
    """The form of JSON that a request asks for; None for text. Raises `HttpError`; see `AnswerForm.from_schema`."""
    if isinstance(format, ChatSchema):
        return AnswerForm.from_schema(format.json_schema.body, "response_format.json_schema.schema")
    if isinstance(format, ItemSchema):
        return AnswerForm.from_schema(format.body, "text.format.schema")
    return AnswerForm() if isinstance(format, JsonObject) else None


def fill_form(answer: Answer, form: Form | None) -> Answer:
    """The answer in the requested form; unchanged if that is None."""
    return answer if form is None else form.fill(answer)


@dataclass(frozen=True)
class ForcedCall:
    """The function that is called with the JSON. named: whether the request names it, rather than forcing any."""

    function: str
    named: bool

    def read(self, text: str) -> Said:
        """The call with an answer as its arguments."""
        return Said(None, (Call(self.function, text),))


@dataclass(frozen=True)
class AnswerForm:
    """The form of a JSON object that an answer and its steps fill. call: the function that takes it as arguments."""

    node: ObjectNode = STEPS_AND_ANSWER
    call: ForcedCall | None = None

    @classmethod
    def from_schema(cls, schema: Mapping[str, Any], place: str, call: ForcedCall | None = None) -> AnswerForm:
        """The form that a schema requires. place: where the schema stands in the request, for errors.

        Raises `HttpError` for a schema that one value and its steps cannot fill.
        """
        return cls(read_schema(schema, place), call)

    def fill(self, answer: Answer) -> Answer:
        """The same answer as JSON. If its value does not fit, it becomes a refusal. A refusal is left unchanged."""
        if answer.receipt.outcome not in (Outcome.ANSWERED, Outcome.BEST_EFFORT):
            return answer
        try:
            filled = _fill(self.node, answer.answer, [step.text for step in answer.steps])
        except _DoesNotFit as error:
            receipt = replace(answer.receipt, outcome=Outcome.ABSTAINED, reason=str(error))
            return replace(answer, answer="", receipt=receipt)
        return replace(answer, answer=json.dumps(filled, ensure_ascii=False))


class _DoesNotFit(InputError):
    """An answer does not fit the schema."""


def _fill(node: Node, answer: str, steps: Sequence[str]) -> Any:
    """The JSON value of a node. Raises `_DoesNotFit`."""
    if isinstance(node, ObjectNode):
        return {name: _fill(part, answer, steps) for name, part in node.properties.items()}
    if isinstance(node, ConstantNode):
        return node.value
    if isinstance(node, StepsNode):
        return "\n".join(steps) if node.as_text else list(steps)
    for value_type in node.types:
        if (value := value_type.read(answer)) is not None:
            return value
    raise _DoesNotFit(f"{answer!r} is not {', or '.join(map(str, node.types))}")
