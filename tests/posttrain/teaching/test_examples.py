"""Records as documents: the response behind the template's prompt, without the prefix; results can be masked."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.foreign_folders import save_tokenizer
from tuili.data import Record
from tuili.data.records import RecordMessage
from tuili.errors import InputError
from tuili.posttrain.teaching.examples import CALCULATION, ExampleEncoder
from tuili.steps import Context, calculate
from tuili.store import ForeignTokenizer
from tuili.tasks import domain_names, generate


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


def test_what_the_calculator_does_not_write_is_learnt(tokenizer: ForeignTokenizer) -> None:
    """It works out no literals, and nothing behind the thinking."""
    assert masked(tokenizer, ("1/2 = 0.5", "-3 = -3", "2 + 2 = 4")) == ["4"]
    assert masked(tokenizer, ("2 + 2 = 4",), "in all\n3 + 4 = 7") == ["4"]


@pytest.mark.parametrize("domain", domain_names())
def test_the_calculator_writes_whatever_is_masked(domain: str) -> None:
    steps = [step for level in (1, 2, 3) for number in range(8) for step in generate(domain, 0, number, level).steps]
    for step in filter(CALCULATION.match, steps):
        assert calculate(step.rpartition(" ")[0], Context(), decimals=True) is not None, step


@pytest.mark.parametrize("kind", ["sentencepiece", "legacy sentencepiece", "thinking", "headers", "no template"])
def test_results_are_masked_whole_by_tokenizers_of_all_kinds(kind: str, tmp_path: Path) -> None:
    tokenizer = ForeignTokenizer.load(save_tokenizer(tmp_path, kind))
    document = ExampleEncoder(tokenizer, masks_results=True)(Record(input="How?", output="42", steps=("12 + 30 = 42",)))
    texts = [tokenizer.token_bytes(token).decode() for token in document.tokens]
    assert "".join(texts[place] for place in document.unlearnt).strip() == "42"
    assert "".join(texts[: document.unlearnt[0]]).rstrip().endswith("12 + 30 =")


def test_tags_are_the_tokens_of_a_model_that_thinks(tmp_path: Path) -> None:
    tokenizer = ForeignTokenizer.load(save_tokenizer(tmp_path, "thinking"))
    document = ExampleEncoder(tokenizer, masks_results=True)(Record(input="How?", output="42", steps=("12 + 30 = 42",)))
    response = document.tokens[document.prompt_length : -1]
    opening, closing = map(tokenizer.backend.token_to_id, ("<think>", "</think>"))
    assert response[0] == opening
    assert response.count(closing) == 1
    assert tokenizer.decode(response) == "<think>\n12 + 30 = 42\n</think>42"


def test_thinking_that_the_template_has_opened_is_not_opened_again(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, "thinking")
    template = "{{ '<|im_start|>' + messages[0]['content'] + '<|im_end|><think>\n' }}"
    (tmp_path / "chat_template.jinja").write_text(template)
    tokenizer = ForeignTokenizer.load(tmp_path)
    encode = ExampleEncoder(tokenizer, masks_results=True)
    document = encode(Record(input="How?", output="42", steps=("12 + 30 = 42",)))
    shown = tokenizer.decode([*encode.prefix, *document.tokens])
    assert shown == "<|im_start|>How?<|im_end|><think>\n12 + 30 = 42\n</think>42<|im_end|>"
    assert tokenizer.decode([document.tokens[place] for place in document.unlearnt]).strip() == "42"


def test_what_a_template_refuses_is_told_with_the_record(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, "sentencepiece")
    instructed = Record(
        input="How?", output="7", id="mine/3", messages=(RecordMessage(role="system", content="Be brief."),)
    )
    with pytest.raises(InputError, match=r"mine/3: .*no system message is known here"):
        ExampleEncoder(ForeignTokenizer.load(tmp_path), masks_results=False)(instructed)


@given(
    st.lists(st.tuples(st.integers(0, 999), st.integers(1, 999)), min_size=1, max_size=4), st.text("aé東 ", max_size=6)
)
def test_each_result_is_masked_whole_wherever_it_stands(
    tokenizer: ForeignTokenizer, sums: list[tuple[int, int]], answer: str
) -> None:
    steps = tuple(f"{a} + {b} = {a + b}" for a, b in sums)
    assert masked(tokenizer, steps, f"x{answer}x") == [str(a + b) for a, b in sums]
