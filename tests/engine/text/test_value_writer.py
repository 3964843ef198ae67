"""The checker's values as tokens: those of the whole line, written once, and behind what stays of a wrong line."""

from __future__ import annotations

from functools import cache

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, trainers

from tests.engine.reciting_prose import foreign
from tests.store.foreign_folders import KINDS
from tuili.engine.text.judging import JudgedChain
from tuili.engine.text.prose import ProseReader
from tuili.engine.text.step_reader import StepReader
from tuili.engine.text.value_writer import ValueWriter, Writing, ids_behind
from tuili.steps import CalculatorMode, Context, calculate
from tuili.store import AnyTokenizer, ForeignTokenizer, open_own_model

DIGITS = "digits"
"""A small one of SmolLM2's kind: each digit is a token, and a space behind a sign is one of its own."""
TOKENIZERS = ("nano", DIGITS, *KINDS)
LINES = st.tuples(st.integers(0, 999), st.sampled_from("+-*/"), st.integers(1, 99)).map("{0[0]} {0[1]} {0[2]}".format)
VALUES = st.integers(-9999, 99999).map(str) | st.decimals(0, 99, places=2).map(str) | st.just("3/4")


@cache
def digits() -> ForeignTokenizer:
    backend = tokenizers.Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, special_tokens=["<|end|>"])
    backend.train_from_iterator(["48 / 2 = 24\n\n3 - x => 5 == 7 <= 9 != -3\n</think>"] * 9, trainer)
    return ForeignTokenizer(backend, (0,))


@cache
def tokenizer_of(kind: str) -> AnyTokenizer:
    if kind == DIGITS:
        return digits()
    return open_own_model("nano").tokenizer if kind == "nano" else foreign(kind)


def writer(kind: str, mode: CalculatorMode, inside: bool = True) -> ValueWriter:
    tokenizer, judged = tokenizer_of(kind), JudgedChain(Context.from_prompt("Let x = 3."))
    reader = StepReader(inside) if kind == "nano" else ProseReader(inside)
    return ValueWriter(mode, tokenizer, reader, judged, decimals=kind != "nano")


def written(calculator: ValueWriter, tokenizer: AnyTokenizer, *texts: str) -> str:
    """The response where a model writes these texts, each up to where the checker writes something."""
    ids, held = list[int](), 0
    for text in texts:
        for token in tokenizer.encode_text(text):
            ids.append(token)
            writing = calculator.add(token)
            held = calculator.held
            if writing is not None:
                del ids[len(ids) - writing.back :]
                for other in writing.ids:
                    assert calculator.add(other) is None
                ids += writing.ids
                break
    assert 0 <= held <= len(ids)
    return tokenizer.decode(ids)


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(line=LINES, value=VALUES)
def test_the_tokens_are_those_of_the_whole_line(kind: str, line: str, value: str) -> None:
    """Whatever of the line stands there already, as the tokens of the whole line have it."""
    tokenizer = tokenizer_of(kind)
    whole = tokenizer.encode_text(f"{line} = {value}\n")
    places = [place for place in range(1, len(whole)) if tokenizer.decode(whole[:place]).strip() == f"{line} ="]
    for place in places:
        before = tokenizer.decode(whole[:place]).lstrip()
        ids = ids_behind(tokenizer, before, value if before.endswith(" ") else f" {value}")
        if ids is not None:
            assert whole[: place + len(ids)] == [*whole[:place], *ids]
            assert tokenizer.decode([*whole[:place], *ids]).strip() == f"{line} = {value}"
    assert not places or ids is not None


def test_a_border_amid_a_token_is_none() -> None:
    tokenizer = tokenizer_of("nano")
    assert len(tokenizer.encode_text(" = ")) == 1
    assert ids_behind(tokenizer, "3 + 4 =", " 7") is None
    assert ids_behind(tokenizer, "3 + 4 = ", "7") == tokenizer.encode_text("7")


@given(line=LINES, decimals=st.booleans())
@pytest.mark.parametrize("kind", ["nano", DIGITS])
def test_what_is_written_is_how_the_whole_line_begins(kind: str, line: str, decimals: bool) -> None:
    tokenizer, context = tokenizer_of(kind), Context()
    if (value := calculate(f"{line} =", context, decimals)) is None:
        return
    whole, ids = tokenizer.encode_text(f"{line} = {value}\n"), list[int]()
    reader = StepReader(True) if kind == "nano" else ProseReader(True)
    calculator = ValueWriter("forced", tokenizer, reader, JudgedChain(context), decimals)
    for token in whole:
        ids.append(token)
        if (writing := calculator.add(token)) is not None:
            break
    assert writing is not None
    assert [*ids, *writing.ids] == whole[:-1]


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_forced_values_stand_behind_their_signs(kind: str) -> None:
    tokenizer = tokenizer_of(kind)
    texts = ("3 * 14 = 41\n", "\n42 - x = 41\n", "\n39 / 2 = 41\n")
    expected = f"3 * 14 = 42\n42 - x = 39\n39 / 2 = {'39/2' if kind == 'nano' else '19.5'}"
    if kind != "nano":
        texts = texts[:1]
        expected = "3 * 14 = 42"
    assert written(writer(kind, "forced"), tokenizer, *texts).strip() == expected


def test_the_checker_writes_into_a_line_once() -> None:
    tokenizer, calculator = tokenizer_of("nano"), writer("nano", "forced")
    assert written(calculator, tokenizer, "3 * 14 = 41\n", " = 42 = 9\n") == "3 * 14 = 42 = 42 = 9\n"


@pytest.mark.parametrize(
    "text", ["y + 1 = 4\n", "3 / 0 = 1\n", "x = 3 => x + 1 = 5\n", "3 <= 4\n", "3 + 4 != 8\n", "7 = 7 * 1\n"]
)
def test_the_model_goes_on_where_there_is_no_value(text: str) -> None:
    assert written(writer("nano", "forced"), tokenizer_of("nano"), text) == text


def test_nothing_is_written_outside_of_the_steps() -> None:
    tokenizer = tokenizer_of("nano")
    assert written(writer("nano", "forced", inside=False), tokenizer, "3 * 14 = 41\n") == "3 * 14 = 41\n"
    calculator = writer("thinking", "forced", inside=False)
    assert written(calculator, tokenizer_of("thinking"), "It is 3 * 14 = 41\n") == "It is 3 * 14 = 41\n"


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_wrong_value_is_repaired_when_its_line_is_whole(kind: str) -> None:
    tokenizer, calculator = tokenizer_of(kind), writer(kind, "repair")
    found = written(calculator, tokenizer, "2 + 2 = 4\n3 * 14 = 41\n", "\n42 - x = 40\n", "\n1 + 1 = 2\n")
    lines = [line.strip() for line in found.splitlines()]  # sentencepiece puts a space before each text
    assert lines == ["2 + 2 = 4", "3 * 14 = 42", "42 - x = 39", "1 + 1 = 2"]


@pytest.mark.parametrize(
    "text",
    [
        "y + 1 = 4\n",
        "3 / 0 = 1\n",
        "2 * 3 + 4 = 7 + 4 = 11\n",  # wrong before its last value
        "3 < 2\n",
        "3 + 4 <= 5\n",
        "3 + 4 >= 8\n",
        "3 + 4 != 7\n",
        "so it is 5\n",
        "x = 3 => x = 4\n",
    ],
)
def test_what_is_wrong_in_other_ways_stays(text: str) -> None:
    assert written(writer("nano", "repair"), tokenizer_of("nano"), text) == text


def test_a_wrong_quotient_is_repaired_as_it_would_have_been_written() -> None:
    for kind, value in (("nano", "5/2"), (DIGITS, "2.5")):
        assert written(writer(kind, "repair"), tokenizer_of(kind), "10 / 4 = 3\n").strip() == f"10 / 4 = {value}"


def test_the_last_value_of_a_chain_is_repaired() -> None:
    calculator = writer("nano", "repair")
    found = written(calculator, tokenizer_of("nano"), "2 * 3 + 4 = 6 + 4 = 11\n")
    assert found == "2 * 3 + 4 = 6 + 4 = 10"


def test_a_line_is_repaired_once() -> None:
    found = written(writer("nano", "repair"), tokenizer_of("nano"), "2 + 2 = 5\n", " + 1\n7 + 7 = 15\n")
    assert found == "2 + 2 = 4 + 1\n7 + 7 = 14"


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("mode", ["forced", "repair"])
@pytest.mark.parametrize("behind", ["0", "!", "/3", ".5", "x", "\n", " apples", "</think>"])
def test_a_value_stays_what_it_is(kind: str, mode: CalculatorMode, behind: str) -> None:
    """Where the model would make another one of it, the line ends."""
    tokenizer, calculator = tokenizer_of(kind), writer(kind, mode)
    assert written(calculator, tokenizer, "2 + 2 = 5\n").strip() == "2 + 2 = 4"
    first, *others = tokenizer.encode_text(behind)  # sentencepiece puts a space before each text
    token = others[0] if others and not behind.startswith(" ") and not tokenizer.decode([first]).strip(" ") else first
    writing = calculator.add(token)
    if behind in ("\n", " apples", "</think>"):
        assert writing is None
    else:
        assert writing == Writing(1, tokenizer.encode_text("\n")[-1:])
        assert calculator.add(writing.ids[0]) is None
        again = [calculator.add(other) for other in tokenizer.encode_text("7 + 7 = 15\n")]
        assert any(again), "the next line is calculated again"


def test_tokens_behind_a_sign_may_be_taken_back_until_their_line_is_whole() -> None:
    tokenizer, calculator = tokenizer_of("nano"), writer("nano", "repair")
    held = []
    for token in tokenizer.encode_text("12 + 2 = 14\n3"):
        assert calculator.add(token) is None
        held.append(calculator.held)
    assert held == [0, 0, 0, 0, 1, 2, 3, 0, 0]
    for token in tokenizer.encode_text(" + 3 = 7"):
        calculator.add(token)
    assert calculator.add(tokenizer.encode_text("\n")[0]) == Writing(2, tokenizer.encode_text("6"))
    assert calculator.held == 0


@given(
    st.lists(st.sampled_from(["3", "14", " + ", " * ", " = ", "=", "\n", "x", "<think>", "</think>", " ", "é", "/"]))
)
def test_whatever_is_written_what_is_taken_back_was_held(parts: list[str]) -> None:
    """A listener that was told only of what is not held never has to forget anything."""
    tokenizer = tokenizer_of("nano")
    for mode in ("forced", "repair"):
        calculator, ids, told = writer("nano", mode, inside=False), list[int](), list[int]()
        for token in [token for part in ("<think>", *parts) for token in tokenizer.backend.encode(part).ids]:
            ids.append(token)
            if (writing := calculator.add(token)) is not None:
                assert writing.ids
                del ids[len(ids) - writing.back :]
                for other in writing.ids:
                    ids.append(other)
                    assert calculator.add(other) is None
            settled = ids[: len(ids) - calculator.held]
            assert settled[: len(told)] == told
            told = settled
