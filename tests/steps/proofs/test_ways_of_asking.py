"""`read_claim` on many ways of asking for a proof, on prompts near to them, and on prompts made from their parts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.steps.proofs import asking, asking_at_length, asking_in_textbooks, near_misses
from tuili.steps import Context, parse, read_as, read_claim

ASKED = [
    (prompt, claim)
    for table in (asking.ENGLISH, asking.CHINESE, asking_at_length.PROMPTS, asking_in_textbooks.PROMPTS)
    for claim, prompts in table.items()
    for prompt in prompts.strip().splitlines()
]
ABOUT_ALL = [(prompt, claim) for prompt, claim in ASKED if claim.startswith("for all")]


def claimed(prompt: str) -> str | None:
    text = read_as(prompt).text
    return read_claim(text, Context.from_prompt(text))


def test_there_are_as_many_ways_in_both_languages() -> None:
    english, chinese = (
        sum(len(block.split("\n")) - 2 for block in t.values()) for t in (asking.ENGLISH, asking.CHINESE)
    )
    assert english >= 60 and chinese >= 60 and len(near_misses.ENGLISH) + len(near_misses.CHINESE) >= 150


@pytest.mark.parametrize(("prompt", "claim"), ASKED)
def test_ways_of_asking(prompt: str, claim: str) -> None:
    read = claimed(prompt)
    assert read is not None
    assert parse(read) == parse(claim)


@pytest.mark.parametrize("prompt", near_misses.ENGLISH + near_misses.CHINESE)
def test_near_misses_are_not_read(prompt: str) -> None:
    assert claimed(prompt) is None


OTHER_KINDS = [
    ("integers", "odd integers"),
    ("integer", "prime"),
    ("integer", "even integer"),
    ("reals", "rationals"),
    ("real", "irrational"),
    ("real", "negative real"),
    ("real", "nonzero real"),
    ("整数", "奇数"),
    ("整数", "自然数"),
    ("实数", "有理数"),
    ("实数", "正实数"),
    ("实数", "不为零的实数"),
]


@pytest.mark.parametrize(("kind", "other"), OTHER_KINDS)
def test_nothing_is_claimed_for_all_numbers_where_the_kind_is_another(kind: str, other: str) -> None:
    changed = [re.sub(rf"(?<![A-Za-z]){kind}(?![A-Za-z])", other, prompt) for prompt, _ in ABOUT_ALL if kind in prompt]
    assert not [prompt for prompt in changed if other in prompt and (claimed(prompt) or "").startswith("for all")]


MORE = ["This is wrong.", "Prove that pigs fly.", "We only consider even numbers.", "Here x and n are at most 9."]
MORE_ZH = ["这是错的。", "再证明猪会飞。", "这里只考虑偶数。", "其中 x 和 n 大于 9。"]


@pytest.mark.parametrize("more", MORE + MORE_ZH)
def test_nothing_is_read_where_a_sentence_denies_restricts_or_adds(more: str) -> None:
    assert not [prompt for prompt, _ in ABOUT_ALL if (claimed(f"{prompt}\n{more}") or "").startswith("for all")]


ASKS = st.sampled_from(["Prove that", "Show that", "Can you verify that", "Explain why", "Please justify that"])
KINDS = st.sampled_from([("real number", "real numbers", "for all "), ("integer", "integers", "for all integers ")])
BEHIND = st.sampled_from(
    [
        "for every {one} {v}",
        "for all {many} {v}",
        "whenever {v} is a {one}",
        "no matter which {one} {v} is",
        "where {v} is any {one}",
    ]
)
HOLDS = st.sampled_from(["", " holds", " is true", " always holds"])
ENDS = st.sampled_from(["", ", please", ", and write down each step", " or give a counterexample"])


@given(ASKS, KINDS, BEHIND, HOLDS, ENDS, st.sampled_from("xnmt"), st.integers(0, 9), st.sampled_from([">=", "=", "!="]))
def test_verbs_quantifiers_and_ends_go_together(
    ask: str, kind: tuple[str, str, str], behind: str, holds: str, end: str, name: str, number: int, relation: str
) -> None:
    one, many, lead = kind
    formula = f"{name}^2 + {number} {relation} 2 * {name}"
    scope = behind.format(one=one, many=many, v=name).replace("a integer", "an integer")
    expected = f"{lead}{name}: {formula}"
    assert claimed(f"{ask} {formula}{holds} {scope}{end}. Give a proof.") == expected
    assert claimed(f"{ask} {scope.replace('where', 'if')}, {formula}{end}. Give a proof.") == expected


ASKS_ZH = st.sampled_from(["求证：", "证明：", "请证明", "试说明：", "为什么"])
KINDS_ZH = st.sampled_from([("实数", "for all "), ("整数", "for all integers ")])
LEADS_ZH = st.sampled_from(
    [
        "对任意{k} {v}，都有 {r}",
        "无论{k} {v} 取何值，{r} 恒成立",
        "对一切{k} {v}，{r} 都成立",
        "设 {v} 为{k}，则 {r}",
        "{r} 对所有{k} {v} 成立",
    ]
)
ENDS_ZH = st.sampled_from(["。请写出完整过程。", "，请给出证明。", "？请证明或举反例。", "。"])


@given(ASKS_ZH, KINDS_ZH, LEADS_ZH, ENDS_ZH, st.sampled_from("xnmt"), st.integers(0, 9))
def test_verbs_quantifiers_and_ends_go_together_in_chinese(
    ask: str, kind: tuple[str, str], lead: str, end: str, name: str, number: int
) -> None:
    word, start = kind
    formula = f"{name}^2 + {number} >= 2 * {name}"
    assert claimed(f"{ask}{lead.format(k=word, v=name, r=formula)}{end}") == f"{start}{name}: {formula}"


NUMBERS = st.integers(1, 12)


@given(
    st.sampled_from("nmk"),
    NUMBERS,
    st.sampled_from(["{t} is divisible by {d}", "{d} divides {t}", "{t} is a multiple of {d}"]),
)
def test_divisibility_in_words_is_that_of_remainders(name: str, divisor: int, words: str) -> None:
    stated = words.format(t=f"{name}^3 - {name}", d=divisor)
    expected = f"for all integers {name}: ({name}^3 - {name}) mod {divisor} = 0"
    assert claimed(f"Prove that {stated} for every integer {name}.") == expected


@pytest.mark.parametrize(
    "text",
    [
        "let n be an integer. prove that the " * 100,
        "for all real " + "a, " * 1200,
        "都恒总必" * 900,
        "对任意实数 x, 都" * 350,
        "prove that x = 1 is is is is is for all real " * 39,
        "n is even " * 300,
    ],
)
def test_long_prompts_of_parts_of_phrases_are_read_or_not(text: str) -> None:
    assert claimed(f"{text} prove x = 1 for all real x") in (None, "for all x: x = 1")
