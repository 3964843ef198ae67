"""A question in DSPy's marked fields is asked without them, and answered in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.serve.conftest import Running
from tuili.engine import Ignored
from tuili.serve.engine_requests import read_conversation
from tuili.serve.forms.marked_fields import MarkedQuestion, read_marked_fields
from tuili.serve.schemas.messages import Message

QUESTION = "What is 48 + 27 - 3?"
EXPLAINED = "Inputs will have the following structure:\n\n[[ ## question ## ]]\n{question}"
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True).filter(lambda name: name != "completed")
QUESTIONS = st.text(min_size=1).map(str.strip).filter(lambda text: text and "[[ ## " not in text)


def framed(question: str, fields: list[str], name: str = "question", kind: str = "") -> str:
    """The user's message of DSPy's `ChatAdapter`."""
    wanted = ", then ".join(f"`[[ ## {field} ## ]]`{kind}" for field in fields)
    return (
        f"[[ ## {name} ## ]]\n{question}\n\nRespond with the corresponding output fields, starting with the field "
        f"{wanted}, and then ending with the marker for `[[ ## completed ## ]]`."
    )


def framed_json(question: str, fields: list[str], kind: str = "") -> str:
    """That of its `JSONAdapter`."""
    wanted = ", then ".join(f"`{field}`{kind}" for field in fields)
    return f"[[ ## question ## ]]\n{question}\n\nRespond with a JSON object in the following order of fields: {wanted}."


@given(QUESTIONS, NAMES, st.sampled_from(["answer", "result_2"]), st.booleans(), st.booleans())
def test_the_question_is_what_stands_in_the_field(q: str, name: str, answer: str, steps: bool, in_json: bool) -> None:
    fields = ["reasoning", answer] if steps else [answer]
    kind = " (must be formatted as a valid Python int)"
    text = framed_json(q, fields, kind) if in_json else framed(q, fields, name, kind)
    read = MarkedQuestion.read(text)
    assert read is not None
    assert (read.question, read.fields, read.in_json) == (q, tuple(fields), in_json)
    assert text.endswith(read.instruction)


@pytest.mark.parametrize(
    "text",
    [
        QUESTION,
        framed(QUESTION, ["answer", "confidence"]),
        framed(QUESTION, ["reasoning"]),
        framed(QUESTION, ["reasoning", "thoughts", "answer"]),
        framed(f"{QUESTION}\n\n[[ ## context ## ]]\nNone.", ["answer"]),
        framed(" ", ["answer"]),
        f"Please.\n{framed(QUESTION, ['answer'])}",
        f"[[ ## question ## ]]\n{QUESTION}",
        f"[[ ## question ## ]]\n{QUESTION}\n\nRespond with care.",
        f"{QUESTION}\n\nRespond with the corresponding output fields, starting with the field `[[ ## answer ## ]]`.",
    ],
)
def test_any_other_text_is_left_as_it_is(text: str) -> None:
    assert MarkedQuestion.read(text) is None


@pytest.mark.parametrize("content", [framed(QUESTION, ["answer"]), framed_json(QUESTION, ["answer"])])
def test_a_model_of_conversations_is_not_given_what_the_server_carries_out(content: str) -> None:
    roles = (("system", EXPLAINED), ("system", "Answer briefly."), ("user", content))
    messages, _ = read_marked_fields([Message(role=role, content=text) for role, text in roles], None)
    asked = read_conversation(messages, "multi")
    assert (asked.prompt, asked.earlier) == (f"Answer briefly.\n\n{QUESTION}", ())
    assert asked.ignored == Ignored(system=2)


def asked(server: Running, content: str, **more: Any) -> Any:
    messages: Any = [{"role": "system", "content": EXPLAINED}, {"role": "user", "content": content}]
    return server.client().chat.completions.create(model="nano", messages=messages, **more).choices[0]


def test_the_reply_has_the_fields_and_the_receipt_says_what_was_left_out(server: Running) -> None:
    choice = asked(server, framed(QUESTION, ["reasoning", "answer"]))
    steps = "48 + 27 = 75\n75 - 3 = 72"
    reply = f"[[ ## reasoning ## ]]\n{steps}\n\n[[ ## answer ## ]]\n72\n\n[[ ## completed ## ]]"
    assert choice.message.content == reply
    assert choice.receipt["ignored"] == {"system": 2, "earlier": 0}, "the system's message, and the marks"


def test_a_reply_in_json_has_the_fields(server: Running) -> None:
    content = framed_json(QUESTION, ["explanation", "total"])
    choice = asked(server, content, response_format={"type": "json_object"})
    assert json.loads(choice.message.content) == {"explanation": "48 + 27 = 75\n75 - 3 = 72", "total": "72"}


def test_a_schema_goes_before_marks(server: Running) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    form = {"type": "json_schema", "json_schema": {"name": "sum", "schema": schema}}
    assert json.loads(asked(server, framed_json(QUESTION, ["answer"]), response_format=form).message.content) == {
        "answer": 72
    }


def test_the_responses_api_knows_the_fields_too(server: Running) -> None:
    response = server.client().responses.create(model="nano", input=framed(QUESTION, ["answer"]))
    assert response.output_text == "[[ ## answer ## ]]\n72\n\n[[ ## completed ## ]]"


def test_a_refusal_stays_one(server: Running) -> None:
    choice = asked(server, framed("zzz zz zzzz zz", ["answer"]), max_tokens=3)
    assert (choice.message.content, choice.finish_reason) == ("", "length")
