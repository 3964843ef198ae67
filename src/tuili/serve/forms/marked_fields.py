"""Questions in marked fields, as the client DSPy sends them: `[[ ## question ## ]]`, the question, and then the fields
that the reply should have, under such marks or in a JSON object.

A model of steps does not know the marks, so its question is the text of the field. The server itself carries out the
instruction after it, and system messages that contain marks: it puts the answer and the steps into the requested
fields. Any other message is left unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeGuard

from tuili.engine import Answer, Outcome
from tuili.serve.forms.json_schemas import STEPS_NAMES, AnswerNode, Node, ObjectNode, StepsNode, plain_name
from tuili.serve.forms.json_values import ValueType
from tuili.serve.forms.structured import AnswerForm, ForcedCall, Form
from tuili.serve.schemas.messages import CarriedOut, Message, ReasoningInput
from tuili.steps import INSTRUCTING_ROLES

INPUT = re.compile(r"\[\[ ## \w+ ## \]\]\n")
MARK = re.compile(r"\[\[ ## \w+ ## \]\]")
MARKED, IN_JSON = (
    "the corresponding output fields, starting with the field ",
    "a JSON object in the following order of fields: ",
)
WANTED = {MARKED: re.compile(r"`\[\[ ## (\w+) ## \]\]`"), IN_JSON: re.compile(r"`(\w+)`")}
COMPLETED = "completed"
"""The mark after the last field of a reply."""


@dataclass(frozen=True)
class MarkedQuestion:
    """A question in a marked field. instruction: the text after it. fields: the fields of the reply in order, one for
    the answer and at most one for the steps. in_json: whether the reply is to be a JSON object.
    """

    question: str
    instruction: str
    fields: tuple[str, ...]
    in_json: bool = False

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read the question of a text in this format; None for any other text."""
        given, respond, wanted = text.strip().rpartition("\n\nRespond with ")
        mark = INPUT.match(given)
        kind = next((kind for kind in WANTED if wanted.startswith(kind)), None)
        if mark is None or kind is None or INPUT.search(given, mark.end()):
            return None
        fields = WANTED[kind].findall(wanted.partition("\n")[0])
        if kind == MARKED and fields[-1:] == [COMPLETED]:
            fields.pop()
        steps = sum(map(_takes_steps, fields))
        question = given[mark.end() :].strip()
        if not question or steps > 1 or len(fields) - steps != 1:
            return None
        return cls(question, (respond + wanted).strip(), tuple(fields), kind == IN_JSON)

    def form_beside(self, form: Form | None) -> Form | None:
        """The form of the reply, given the `form` that the request asks for: a schema takes precedence over marks."""
        if not self.in_json:
            return form or MarkedForm(self.fields)
        if form != AnswerForm():
            return form
        nodes: dict[str, Node] = {
            name: StepsNode(as_text=True) if _takes_steps(name) else AnswerNode((ValueType("string"),))
            for name in self.fields
        }
        return AnswerForm(ObjectNode(nodes))


@dataclass(frozen=True)
class MarkedForm:
    """The form of a reply in marked fields."""

    fields: tuple[str, ...]
    call: ForcedCall | None = None

    def fill(self, answer: Answer) -> Answer:
        """The same answer, with its text and its steps put into their fields; a refusal is left unchanged."""
        if answer.receipt.outcome not in (Outcome.ANSWERED, Outcome.BEST_EFFORT):
            return answer
        steps = "\n".join(step.text for step in answer.steps)
        parts = [f"[[ ## {name} ## ]]\n{steps if _takes_steps(name) else answer.answer}" for name in self.fields]
        return replace(answer, answer="\n\n".join([*parts, f"[[ ## {COMPLETED} ## ]]"]))


def read_marked_fields(
    messages: Sequence[Message | ReasoningInput], form: Form | None
) -> tuple[Sequence[Message | ReasoningInput], Form | None]:
    """The messages and the form of the reply; both are unchanged if the last message has no marks."""
    place = max((place for place, message in enumerate(messages) if isinstance(message, Message)), default=None)
    last = None if place is None else messages[place]
    marked = MarkedQuestion.read(last.text) if isinstance(last, Message) and last.role == "user" else None
    if marked is None:
        return messages, form
    before = [_carried_out(message.text) if _explains_marks(message) else message for message in messages[:place]]
    instruction, question = _carried_out(marked.instruction), Message(role="user", content=marked.question)
    return [*before, instruction, question], marked.form_beside(form)


def _explains_marks(message: Message | ReasoningInput) -> TypeGuard[Message]:
    return isinstance(message, Message) and message.role in INSTRUCTING_ROLES and MARK.search(message.text) is not None


def _carried_out(instruction: str) -> CarriedOut:
    return CarriedOut(role="developer", content=instruction)


def _takes_steps(name: str) -> bool:
    return plain_name(name) in STEPS_NAMES
