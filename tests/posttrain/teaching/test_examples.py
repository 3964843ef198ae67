"""Records as documents: the response behind the template's prompt, without the prefix; results can be masked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.data import Record
from tuili.data.records import RecordMessage
from tuili.errors import InputError
from tuili.posttrain.teaching.examples import ExampleEncoder
from tuili.store import ForeignTokenizer


def test_a_document_is_the_prompt_of_the_template_and_the_response(tokenizer: ForeignTokenizer) -> None:
    record = Record(input="How many are 12 and 3?", output="15", steps=("12 + 3 = 15",))
    encode = ExampleEncoder(tokenizer, masks_results=False)
    document = encode(record)
    prompt = tokenizer.encode_chat([{"role": "user", "content": record.input}])
    assert [*encode.prefix, *document.tokens[: document.prompt_length]] == prompt
    assert document.tokens[-1] == tokenizer.end_id
    assert tokenizer.decode(document.tokens[document.prompt_length : -1]) == "<think>\n12 + 3 = 15\n</think>15"
    assert document.unlearnt == ()


def test_earlier_turns_stand_before_the_question(tokenizer: ForeignTokenizer) -> None:
    said = ("user", "How many are 2 and 3?"), ("assistant", "5")
    messages = tuple(RecordMessage(role=role, content=content) for role, content in said)  # type: ignore[arg-type]
    record = Record(input="And 4 more?", output="9", messages=messages)
    encode = ExampleEncoder(tokenizer, masks_results=False)
    document = encode(record)
    chat = [{"role": role, "content": content} for role, content in (*said, ("user", "And 4 more?"))]
    assert [*encode.prefix, *document.tokens[: document.prompt_length]] == tokenizer.encode_chat(chat)
    instructed = record.model_copy(update={"messages": (RecordMessage(role="system", content="Be brief."), *messages)})
    with pytest.raises(InputError, match="leave system messages out"):
        encode(instructed)


def test_prose_is_the_whole_response(tokenizer: ForeignTokenizer) -> None:
    record = Record(input="How many?", output="12 + 3 = 15 in all. #### 15")
    document = ExampleEncoder(tokenizer, masks_results=True, prose=True)(record)
    assert tokenizer.decode(document.tokens[document.prompt_length : -1]) == record.output
    assert document.unlearnt == ()


def masked(tokenizer: ForeignTokenizer, steps: tuple[str, ...], answer: str = "7") -> list[str]:
    """What is masked, line by line."""
    document = ExampleEncoder(tokenizer, masks_results=True)(Record(input="How?", output=answer, steps=steps))
    texts = [
        tokenizer.token_bytes(token).decode(errors="replace") if place in document.unlearnt else "|"
        for place, token in enumerate(document.tokens)
    ]
    return [text.strip() for text in "".join(texts).split("|") if text]


def test_values_behind_calculations_are_masked_and_nothing_else(tokenizer: ForeignTokenizer) -> None:
    assert masked(tokenizer, ("12 + 3 = 15", "15 * 2.5 = 37.5")) == ["15", "37.5"]
    assert masked(tokenizer, ("x = 5", "x + 3 = 8", "2 = 2", "p -> q", "(2 + 3) * 4 = 20")) == ["20"]
    assert masked(tokenizer, ("7 / 3 = 7/3", "-3 - 4 = -7")) == ["7/3", "-7"]


@given(
    st.lists(st.tuples(st.integers(0, 999), st.integers(1, 999)), min_size=1, max_size=4), st.text("aé東 ", max_size=6)
)
def test_each_result_is_masked_whole_wherever_it_stands(
    tokenizer: ForeignTokenizer, sums: list[tuple[int, int]], answer: str
) -> None:
    steps = tuple(f"{a} + {b} = {a + b}" for a, b in sums)
    assert masked(tokenizer, steps, f"x{answer}x") == [str(a + b) for a, b in sums]
