"""Masks: a token is allowed exactly if the text can go on with it, and what a grammar accepts fits its schema."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema
import numpy as np
import pytest

from benchmarks.harness.tiny import tiny_model
from tests.engine.reciting_prose import foreign
from tests.grammars.schemas import random_schema
from tuili.errors import InputError
from tuili.grammars import CompiledGrammar, Grammar, GrammarCompiler, json_rule
from tuili.store import Tokenizer

MOST = 300
"""Tokens of a text."""


@cache
def tokenizer() -> Tokenizer:
    return tiny_model()[1]


@cache
def compiler() -> GrammarCompiler:
    return GrammarCompiler(tokenizer())


def closed() -> list[int]:
    """A prompt behind which nothing is thought."""
    return [*tokenizer().encode_prompt("?"), tokenizer().token_id("</think>")]


def of_schema(schema: Any, prompt: list[int] | None = None) -> CompiledGrammar:
    return compiler().compile(Grammar.of_json(schema), closed() if prompt is None else prompt)


def drawn(grammar: CompiledGrammar, seed: int) -> list[int]:
    """A text, each token of which is drawn among those that are allowed; the one that ends it last."""
    state, written, rng = grammar.begin(), list[int](), np.random.default_rng(seed)
    while len(written) < MOST and tokenizer().end_id not in written:
        written.append(int(rng.choice(np.flatnonzero(state.allowed(written)))))
    return written


def allowed_by_trying(grammar: CompiledGrammar, written: list[int]) -> set[int]:
    """The slow twin of a mask: every token is tried."""
    begun = grammar.matcher.deep_copy()
    assert begun.consume_tokens(written)
    ends = {tokenizer().end_id} if begun.is_accepting() else set()
    return ends | {token for token in range(tokenizer().size) if begun.validate_tokens([token]) == 1}


@pytest.mark.parametrize("seed", range(40))
def test_what_is_accepted_fits_the_schema(seed: int) -> None:
    schema = random_schema(seed)
    grammar, whole = of_schema(schema), 0
    for number in range(5):
        written = drawn(grammar, number)
        text = tokenizer().decode(written, skip_special_tokens=True)
        assert grammar.accepts(written) == (written[-1] == tokenizer().end_id)
        if written[-1] == tokenizer().end_id:
            whole += 1
            jsonschema.Draft202012Validator(schema).validate(json.loads(text))
    assert whole


@pytest.mark.parametrize("seed", range(8))
def test_a_mask_is_what_trying_every_token_finds(seed: int) -> None:
    grammar = of_schema(random_schema(seed))
    written = drawn(grammar, seed)
    state = grammar.begin()
    for length in range(0, min(len(written), 60), 3):
        found = set(np.flatnonzero(state.allowed(written[:length])).tolist())
        assert found == allowed_by_trying(grammar, written[:length])


def test_tokens_are_taken_back_in_any_order() -> None:
    grammar, other = of_schema(random_schema(3)), of_schema(random_schema(3))
    texts = [drawn(grammar, seed) for seed in range(4)]
    state, rng = grammar.begin(), np.random.default_rng(5)
    for _ in range(200):
        text = texts[rng.integers(len(texts))]
        part = text[: rng.integers(len(text) + 1)]
        assert (state.allowed(part) == other.begin().allowed(part)).all()


def test_a_token_that_is_not_allowed_does_no_harm() -> None:
    """Drafts that are looked up may have some."""
    grammar = of_schema(random_schema(3))
    text, end = drawn(grammar, 1), tokenizer().end_id
    state = grammar.begin()
    for place in range(0, len(text), 3):
        wrong = next(token for token, allowed in enumerate(state.allowed(text[:place])) if not allowed)
        for behind in ([wrong], [wrong, *text[place:]]):
            assert np.flatnonzero(state.allowed([*text[:place], *behind])).tolist() == [end]
        assert (state.allowed(text[:place]) == grammar.begin().allowed(text[:place])).all()


def test_behind_the_end_nothing_comes_but_ends() -> None:
    grammar, end = of_schema({"const": 1}), tokenizer().end_id
    state, text = grammar.begin(), tokenizer().encode_text("1")
    assert np.flatnonzero(state.allowed(text)).tolist() == [end]
    assert np.flatnonzero(state.allowed([*text, end, end])).tolist() == [end]
    assert np.flatnonzero(state.allowed([])).tolist() == [tokenizer().encode_text("1")[0]]
    assert grammar.accepts([*text, end])
    assert not grammar.accepts([end])
    assert not grammar.accepts(text)


def test_a_model_may_think_first_and_must_where_the_prompt_has_begun_it() -> None:
    opening, closing = (tokenizer().token_id(mark) for mark in ("<think>", "</think>"))
    first = tokenizer().encode_text("t")[0]
    asked = tokenizer().encode_prompt("?")
    possible, begun, over = (
        of_schema({"const": True}, prompt) for prompt in (asked, [*asked, opening], [*asked, opening, closing])
    )
    assert np.flatnonzero(possible.begin().allowed([])).tolist() == sorted([opening, first])
    assert np.flatnonzero(over.begin().allowed([])).tolist() == [first]
    free = begun.begin().allowed([])
    assert free[closing]
    assert not free[[opening, tokenizer().end_id]].any()
    assert free.sum() > tokenizer().size / 2
    thought = tokenizer().encode_text("\n1 + 1 = 2; </think> is text\n")
    answer = [*tokenizer().encode_text("\n\ntrue"), tokenizer().end_id]
    assert begun.accepts([*thought, closing, *answer])
    assert possible.accepts([opening, *thought, closing, *answer])
    assert not possible.accepts([opening, *thought, *answer])


@pytest.mark.parametrize(("thinks", "may_think"), [(True, True), (False, False)])
def test_a_template_that_closes_the_thinking_leaves_the_answer_alone(thinks: bool, may_think: bool) -> None:
    """As Qwen3's does, where no thinking is wanted."""
    foreign_one = foreign("thinking")
    prompt = foreign_one.encode_chat([{"role": "user", "content": "Say <think> yes."}], thinking=thinks)
    grammar = GrammarCompiler(foreign_one).compile(Grammar.of_json({"const": True}), prompt)
    allowed = grammar.begin().allowed([])
    assert allowed[foreign_one.backend.token_to_id("<think>")] == may_think
    thought = foreign_one.backend.encode("<think>\nIt is.\n</think>\n\n", add_special_tokens=False).ids
    answer = [*foreign_one.encode_text("true"), foreign_one.end_id]
    assert grammar.accepts([*thought, *answer]) == may_think
    assert grammar.accepts(answer)


def test_grammars_are_compiled_once_for_each_way_to_think() -> None:
    one = of_schema({"type": "object", "properties": {"a": {"type": "null"}}})
    assert of_schema({"type": "object", "properties": {"a": {"type": "null"}}}) is one
    assert of_schema({"type": "object", "properties": {"a": {"type": "null"}}}, [5]) is not one


def test_a_grammar_that_no_text_fits_is_refused() -> None:
    definitions = {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}
    with pytest.raises(InputError, match="the form of the answer cannot be kept: no text fits it"):
        of_schema({"$ref": "#/$defs/A", "$defs": definitions})


def test_schemas_that_are_large_together_are_refused() -> None:
    parts = [json_rule({"enum": [f"{number} {word} of many" for word in range(3000)]}) for number in range(8)]
    with pytest.raises(InputError, match=r"^the form of the answer is too large: [^\n]{,200}$"):
        compiler().compile(Grammar("body: " + " | ".join(parts)), closed())


def test_a_text_whose_masks_take_too_much_work_ends_and_is_not_accepted() -> None:
    inner = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"]}
    grammar = of_schema({"$ref": "#/$defs/A", "$defs": {"A": {**inner, "additionalProperties": False}}})
    written = drawn(grammar, 0)
    assert written[-1] == tokenizer().end_id
    assert not grammar.accepts(written)
