"""Whether the words before a label only say that something is given: `Premises:`, `Here is what we know about Ann:`.

`sentences` decides what a whole sentence says; `prompt` decides which words come before a label.
"""

from __future__ import annotations

import re

from tuili.steps.sentences import LEADING, may_doubt

MAX_HEADING = 200
"""The maximum length in characters of a heading with a topic."""

_PUNCTUATION = frozenset(",:-*•–—·")
_LEADING_PHRASE = re.compile(
    r"\b(?:(?:(?:here|this) is |here's )?(?:what|all|everything)(?: that)? "
    r"(?:is (?:known|given)|(?:we|you) know)(?: so far)?"
    r"|(?:is|are) (?:known|given)|(?:you|we|here|these) (?:are|have))\b",
    re.IGNORECASE,
)
_LEADING_ZH = re.compile(
    "(?:已知|给定|所有|我们知道|前提|条件|事实|线索|规则|陈述|方程组?|如下|以下|下列|下面|这些|成立|都|有|的|是|为|和|且)+"
)
_ABOUT = re.compile(r"\s*(?P<lead>[^:]*?[A-Za-z])\s+(?i:about|concerning|regarding) (?P<topic>[^:]+?) ?:[\s*•–—·-]*")
_NAME = "[A-Z][A-Za-z'’-]*"
_NOUN = r"(?:the|our|this|that|these|those|his|her|their) [a-z]+"
_TOPIC = re.compile(
    rf"{_NAME}(?:, {_NAME})*(?:,? and {_NAME})?|{_NOUN}(?: (?:at|in|of|on|from|for) {_NOUN}){{0,2}}(?: last night)?"
)
"""Names, or a noun with an article and possibly a place: `Ann, Bob and Cid`, `the people at the party`."""
_NO_TOPIC = re.compile(
    r"\b(?:claims?|rumou?rs?|myths?|lies?|liars?|falsehoods?|guess(?:es)?|beliefs?|opinions?|theor(?:y|ies)|hypothes[ie]s|"
    r"conjectures?|stor(?:y|ies)|dreams?|plans?|wish(?:es)?|hopes?|future|cases?|scenarios?|situations?|worlds?|options?|"
    r"statements?|sentences?|propositions?|premises?|conclusions?|goals?|reports?|accounts?|versions?|words?|letters?|"
    r"testimon(?:y|ies)|possibilit(?:y|ies)|alternatives?|contrary|reverse|unknown|questions?)\b"
)
"""Nouns for things that may not be so."""


def is_lead(text: str) -> bool:
    """Whether the words before a label say only that something is given, possibly about a plain topic.

    A topic occurs in a heading that ends in a colon: `Facts about the people at the party:`.
    """
    if len(text) <= MAX_HEADING and (about := _ABOUT.fullmatch(text)):
        topic = about["topic"]
        is_plain = _TOPIC.fullmatch(topic) and not _NO_TOPIC.search(topic) and not may_doubt(topic)
        return bool(is_plain) and _says_given(about["lead"])
    return _says_given(text)


def _says_given(text: str) -> bool:
    pieces = re.findall(r"\w+|[^\w\s]", _LEADING_PHRASE.sub("", text))
    return all(piece.lower() in LEADING or piece in _PUNCTUATION or _LEADING_ZH.fullmatch(piece) for piece in pieces)
