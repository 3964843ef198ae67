"""Forms that an imported model writes itself: JSON of any schema and calls of functions, for the official client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import jsonschema
import openai
import pytest
from pydantic import BaseModel, Field

from tests.grammars.schemas import random_schema
from tests.serve.closing_model import save_closing
from tests.serve.conftest import Running, running
from tuili.serve.models import engine_factory

ASKED: Any = [{"role": "user", "content": "Say something."}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"$ref": "#/$defs/City"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
    "required": ["city", "days"],
    "$defs": {"City": {"type": "object", "properties": {"name": {"enum": ["Oslo", "Rome"]}}, "required": ["name"]}},
}
TOOLS: Any = [
    {"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "now"}},
]
NAMED: Any = {"type": "function", "function": {"name": "now"}}
ITEM_TOOLS: Any = [
    {"type": "function", "name": "weather", "parameters": WEATHER, "strict": False},
    {"type": "function", "name": "now", "parameters": None, "strict": None},
]


class Part(BaseModel):
    kind: Literal["x", "y"]
    number: int = Field(ge=0, le=9)


class Whole(BaseModel):
    name: str
    parts: list[Part]
    best: Part | None
    score: float


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`closing` has no template for functions, `calling` has one and likes to call."""
    folder = tmp_path_factory.mktemp("models")
    folders = (str(save_closing(folder / "closing")), str(save_closing(folder / "calling", calls=True)))
    yield from running(folders=folders, make_engine=engine_factory(slots=4, waiting=64, numbers="fp32"))


def called(message: Any) -> list[tuple[str, Any]]:
    return [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or []]


@pytest.mark.parametrize("model", ["closing", "calling"])
def test_answers_are_parsed_into_classes_by_both_routes(served: Running, model: str) -> None:
    client = served.client()
    completion = client.chat.completions.parse(model=model, messages=ASKED, response_format=Whole)
    assert isinstance(completion.choices[0].message.parsed, Whole)
    assert completion.choices[0].finish_reason == "stop"
    response = client.responses.parse(model=model, input="Say something.", text_format=Whole)
    assert isinstance(response.output_parsed, Whole)
    free = client.chat.completions.create(model=model, messages=ASKED, response_format={"type": "json_object"})
    assert isinstance(json.loads(free.choices[0].message.content or ""), dict)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("strict", [True, False])
def test_answers_fit_schemas_of_any_shape(served: Running, seed: int, strict: bool) -> None:
    schema = random_schema(seed)
    form: Any = {"type": "json_schema", "json_schema": {"name": "any", "schema": schema, "strict": strict}}
    asked: Any = {"model": "closing", "messages": ASKED, "response_format": form, "temperature": 0.5, "seed": seed}
    whole = served.client().chat.completions.create(**asked)
    content = whole.choices[0].message.content
    assert whole.choices[0].finish_reason == "stop"
    jsonschema.Draft202012Validator(schema).validate(json.loads(content))
    stream = served.client().chat.completions.create(**asked, stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices[0].delta.content]
    assert "".join(pieces) == content
    assert len(pieces) > 1


def test_several_choices_and_several_clients_keep_their_own_forms(served: Running) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "any", "schema": WEATHER}}
    several = served.client().chat.completions.create(
        model="closing", messages=ASKED, response_format=form, n=4, temperature=1.5, seed=5
    )
    answers = [json.loads(choice.message.content or "") for choice in several.choices]
    assert len({json.dumps(answer) for answer in answers}) > 1
    for answer in answers:
        jsonschema.validate(answer, WEATHER)


@pytest.mark.parametrize(
    ("model", "choice", "functions", "reason"),
    [
        ("closing", "auto", [], "stop"),
        ("closing", "required", None, "tool_calls"),
        ("closing", NAMED, ["now"], "stop"),
        ("closing", "none", [], "stop"),
        ("calling", "auto", None, "tool_calls"),
        ("calling", "required", None, "tool_calls"),
        ("calling", NAMED, ["now"], "stop"),
        ("calling", "none", [], "stop"),
    ],
)
def test_functions_are_called_as_the_choice_says(
    served: Running, model: str, choice: Any, functions: list[str] | None, reason: str
) -> None:
    client = served.client().chat.completions
    asked: Any = {"model": model, "messages": ASKED, "tools": TOOLS, "tool_choice": choice}
    (whole,) = client.create(**asked).choices
    calls = called(whole.message)
    assert whole.finish_reason == reason
    if functions is None:
        assert calls
    else:
        assert [name for name, _ in calls] == functions
    for name, arguments in calls:
        jsonschema.validate(arguments, WEATHER if name == "weather" else {"maxProperties": 0})
    assert (whole.message.content is None) == bool(calls)
    told = client.create(**asked, stream=True)
    heard, content, last = list[Any](), "", None
    for chunk in told:
        delta, last = chunk.choices[0].delta, chunk.choices[0].finish_reason or last
        content += delta.content or ""
        for call in delta.tool_calls or []:
            if call.id:
                assert call.index == len(heard)
                heard.append([call.function.name, ""])
            heard[call.index][1] += call.function.arguments
    assert [(name, json.loads(arguments)) for name, arguments in heard] == calls
    assert content == (whole.message.content or "")
    assert last == reason


def test_one_call_at_a_time_where_several_are_not_wanted(served: Running) -> None:
    client = served.client().chat.completions
    for seed in range(4):
        asked: Any = {"model": "calling", "messages": ASKED, "tools": TOOLS, "temperature": 1.9, "seed": seed}
        one = client.create(**asked, tool_choice="required", parallel_tool_calls=False)
        assert len(one.choices[0].message.tool_calls or []) == 1


@pytest.mark.parametrize("model", ["closing", "calling"])
def test_calls_and_replies_to_them_come_back(served: Running, model: str) -> None:
    """Also to the model whose template does not know of them."""
    client = served.client().chat.completions
    asked: Any = {"model": model, "tools": TOOLS}
    message = client.create(messages=ASKED, tool_choice="required", **asked).choices[0].message
    replies: Any = [
        {"role": "tool", "tool_call_id": call.id, "content": '{"sun": true}'} for call in message.tool_calls or []
    ]
    after = client.create(messages=[*ASKED, message, *replies], **asked).choices[0]
    assert (after.message.content, after.message.tool_calls, after.finish_reason) == ('"', None, "stop")


@pytest.mark.parametrize(("model", "choice"), [("closing", "auto"), ("closing", "required"), ("calling", "auto")])
def test_responses_call_functions_by_items(served: Running, model: str, choice: Any) -> None:
    client = served.client().responses
    asked: Any = {"model": model, "input": "Hi", "tools": ITEM_TOOLS, "tool_choice": choice}
    whole = client.create(**asked)
    items = whole.output[1:]
    assert {item.type for item in items} == {"message" if (model, choice) == ("closing", "auto") else "function_call"}
    assert whole.parallel_tool_calls
    events = list(client.create(**asked, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    done = [event for event in events if event.type == "response.output_item.done"]
    assert [event.output_index for event in done] == list(range(len(items) + 1))
    last: Any = events[-1]
    assert [event.item for event in done] == last.response.output
    for told, item in zip(last.response.output[1:], items, strict=True):
        if item.type == "function_call":
            jsonschema.validate(json.loads(item.arguments), WEATHER if item.name == "weather" else {})
            assert (told.name, told.arguments) == (item.name, item.arguments)
            pieces = [
                event.delta for event in events if getattr(event, "item_id", "") == told.id and "delta" in event.type
            ]
            assert "".join(pieces) == item.arguments
            assert len(pieces) > 1
    if choice == "auto" and model == "calling":
        replies: Any = [{"type": "function_call_output", "call_id": item.call_id, "output": "sun"} for item in items]
        after = client.create(**asked | {"input": [{"role": "user", "content": "Hi"}, *items, *replies]})
        assert after.output_text == '"'


def test_an_answer_in_a_form_or_calls(served: Running) -> None:
    """As agents with tools and a type of output ask."""
    form: Any = {"format": {"type": "json_schema", "name": "whole", "schema": WEATHER, "strict": False}}
    called_it, wrote_it = (
        served.client().responses.create(model=model, input="Hi", tools=ITEM_TOOLS, text=form)
        for model in ("calling", "closing")
    )
    assert called_it.output[-1].type == "function_call"
    jsonschema.validate(json.loads(wrote_it.output_text), WEATHER)


def test_a_cut_says_so_as_openai_does(served: Running) -> None:
    client = served.client().chat.completions
    with pytest.raises(openai.LengthFinishReasonError):
        client.parse(model="closing", messages=ASKED, response_format=Whole, max_tokens=10)
    (cut,) = client.create(model="closing", messages=ASKED, tools=TOOLS, tool_choice="required", max_tokens=70).choices
    assert cut.finish_reason == "length"
    (response,) = [
        served.client().responses.create(
            model="closing", input="Hi", tools=ITEM_TOOLS, tool_choice="required", max_output_tokens=70
        )
    ]
    assert (response.status, response.output[-1].status) == ("incomplete", "incomplete")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "not": {}}}}]},
         "tools.0.function.parameters.not"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]},
         "tools.0.function.parameters.type"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"properties": {"a": {
            "type": "array", "uniqueItems": True}}}}}},
         "response_format.json_schema.schema.properties.a.uniqueItems"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_with_its_place(served: Running, fields: Any, place: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        served.client().chat.completions.create(model="closing", messages=ASKED, **fields)
    assert refused.value.param == place
    assert "\n" not in refused.value.message


def test_the_model_is_told_of_schemas_and_functions(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    read = dict[str, list[str]]()
    for name in ("closing", "calling"):
        engine = served.app.state.models.find(name).engine

        def note(request: Any, engine: Any = engine, prepare: Any = engine.prepare, name: str = name) -> Any:
            prepared = prepare(request)
            read.setdefault(name, []).append(engine.scheduler._text_ends._tokenizer.decode(prepared.ids))
            return prepared

        monkeypatch.setattr(engine, "prepare", note)
        client = served.client().chat.completions
        system: Any = [{"role": "system", "content": "Be brief."}, *ASKED]
        client.create(model=name, messages=system, tools=TOOLS)
        form: Any = {"type": "json_schema", "json_schema": {"name": "any", "schema": WEATHER}}
        client.create(model=name, messages=ASKED, response_format=form)
    closing, calling = read["closing"], read["calling"]
    assert closing[0].startswith("<|im_start|>system\nBe brief.\n\nYou can call functions.")
    assert '"name": "weather"' in closing[0]
    assert calling[0].startswith('<|im_start|>system\n# Tools\n{"type": "function", "function": {"name": "weather"')
    assert "You can call functions" not in calling[0]
    for told in (closing[1], calling[1]):
        assert told.startswith("<|im_start|>system\nAnswer in JSON that fits this schema:\n{")
