"""The words around a claim: whether any of them may change the claim, or claim something more."""

from __future__ import annotations

import re
from collections.abc import Collection

from tuili.steps.language.characters import CJK
from tuili.steps.proofs.formulas import VARIABLE
from tuili.steps.proofs.phrases import BOUND, CLAIM, RELATION, ends_with, kinds, tail_words, words

_UNREAD = re.compile(f"[<>={RELATION}{BOUND}\u2190-\u22ff]")
"""A sign of a relation that was not read."""
_ARROW_TO_AN_ANSWER = re.compile(r"[)\"] -> \"")
_QUOTES = '"”“」』’)】]'
_SENTENCE_ENDS = re.compile(r"[.?!\n]")
_TAIL_ENDS = re.compile(rf"[.?!;\n{re.escape(_QUOTES)}]")
_NOUN = (
    r"(?:statement|claim|proposition|relation|identity|inequality|equality|equation|formula|assertion|result|property"
    r"|bound|estimate)s?"
)
_ANOTHER = r"of|about|on|between|by|has|have|had|can|cannot|never|does|do|due|is (?!true|correct|right|valid)"
_THE_CLAIM = (
    r"(?:(?:following|above|given|stated|algebraic|simple|general|well-known) )*"
    rf"{_NOUN}\b(?! (?:{_ANOTHER})\b)|following ?[:.\n]|(?:[A-Za-z']+ ){{0,2}}theorem"
)
"""What the claim is called; nothing after it says that another claim is meant."""
_LEAD = rf"(?:then|there are|we|one|have|has|it|always|holds|the|following|number|expression|{_NOUN}),? "
_ZH_NOUN = "(?:不等式|恒等式|等式|关系式|式子|命题|结论)"
_ZH_THE_CLAIM = (
    rf"[{CJK}]{{1,8}}定理|下列|下面|以下|如下|上述|{_ZH_NOUN}(?:[:：,， “]*{CLAIM}|成立|[.。\s]|\Z)"
    rf"|(?:[:：] ?)?(?:[{CLAIM}就并一题的这过加它或成要以和也后完再写了算请你我吗吧呢呀啊给如时步末最中此该其之用补]"
    r"|[,.;?!“”()\s]|不[了出]|思路|方法|还是|\Z)"
)
_SECOND = re.compile(
    r"\b(?:prove|show|verify|derive|deduce|establish|demonstrate|explain|conclude|argue|justify|confirm) that "
    rf"(?!(?:{_LEAD})*[\"“]?{CLAIM}|and\b|it\b|this\b)"
    r"|\b(?:prove|disprove|refute|derive|deduce|establish|demonstrate|justify) (?:an?|the|every|some) "
    rf"(?!{_THE_CLAIM})"
    r"|\b(?:prove|disprove|refute|derive|deduce|establish|demonstrate|justify) "
    r"(?-i:(?!Claim|Lemma|Pythag|Proposition|Statement|Theorem|Identity|Inequality)[A-Z][a-z]+)"
    rf"|\b(?:prove|show|proof)\b[^?!\n]*\b(?:so|hence|thus|therefore|and that),? ?{CLAIM}"
    rf"|(?:求证(?!明)|证明)(?!{_ZH_THE_CLAIM})",
    re.IGNORECASE,
)
"""Where another claim may occur."""
_WORD_ENDS = re.compile(rf"[A-Za-z0-9_{CJK}]\Z")
_NAME = re.compile(rf"(?<![A-Za-z0-9_']){VARIABLE}(?![A-Za-z0-9_])")
_BEGINS_CLAUSE = re.compile(r"(?:\A|[.:;!?,()（）【】“”\"\n])\s*\Z")
_BELONGS_TO = re.compile(r"[中里内的]\s*\Z")
_ATTRIBUTE = re.compile(r" (?:of|given|from|among|that|which|in (?:the|this|that|our|my|your) (?!end\b))\b")
"""Directly before or after a claim these may say which numbers are meant: `for all integers n of the table`."""
_PREDICATE = re.compile(r"[\"”]? (?:has|have|had|gives?|means|helps?)\b")
"""After a claim these begin a statement about it."""
_ARTICLE = re.compile(r"a (?!(?:is|be|and|or|in|are|was|to)\b)[a-z]{2,}")
_NUMBERING = re.compile(r"\([a-z]\) ")
_ENGLISH_WORD = re.compile(r"[A-Za-z']+")
_NOT_A_WORD_OF_A_TAIL = re.compile(f"[0-9{CJK}]")
_CLAUSE_ENDS = re.compile(r"[.?!;\n]")
_FIRST_OF_SEVERAL = re.compile(r"(?:\A|[\s(:])(?:1|a|A|i)[.):]\s*\Z")
_NEXT_OF_SEVERAL = re.compile(rf"(?:\A|[\s(])(?:2|b|B|ii)[.):](?=[ {CJK}])")
_ASKS = re.compile(r" ?(?:吗|么|\?)")
_ASKED = re.compile(r"\b(?:prove|show|verify|demonstrate) that \Z|(?:证明|求证)[:： ]*\Z", re.IGNORECASE)
"""Everything after this in the sentence is to be shown."""
_ASKED_ALONE = re.compile(r"\b(?:prove|show|deduce|verify) that\b.*,\Z", re.IGNORECASE)


def leave_all_numbers(before: str, claim: str, after: str, variables: Collection[str]) -> bool:
    """Whether the words around a claim about all numbers of a kind leave the claim as it is.

    They must mention none of its variables and no other numbers, and the kind must not be part of a longer name.
    """
    rest = _without_harmless(before, after)
    if words("restricting").search(rest) or not _leave_claim(before, after, rest):
        return False
    if claim[0] in (RELATION, BOUND) and not _begins(before):
        return False
    if words("existing").match(claim) and not ends_with("asking").search(before.rstrip()) and not _ASKS.match(after):
        return False
    if kinds().match(claim) and re.search(r"\w ?\Z", before) and not ends_with("before_kind").search(before.rstrip()):
        return False
    if _NAME.match(claim) and not _BEGINS_CLAUSE.search(before):
        return False
    if _BELONGS_TO.search(before) or _ATTRIBUTE.match(after):
        return False
    return not any(
        name[0] in variables
        and not _ARTICLE.match(rest, name.start())
        and not _NUMBERING.match(rest, max(0, name.start() - 1))
        for name in _NAME.finditer(rest)
    )


def ask_to_prove(before: str, after: str) -> bool:
    """Whether the words around a relation ask to prove exactly this relation."""
    sentence = _SENTENCE_ENDS.split(before)[-1]
    lead = before.rstrip(' :：“"【】」「\n')
    begins_line = not sentence.strip() and words("behind_claim").match(after.lstrip(" ,"))
    led = ends_with("before_claim").search(lead.removesuffix(".").removesuffix(",")) or _ASKED_ALONE.search(lead)
    return bool(led or begins_line) and _leave_claim(before, after, _without_harmless(before, after))


def _begins(before: str) -> bool:
    """Whether a relation begins where this text ends: `ln x = x` is not a relation between `x` and `x`."""
    lead = before.rstrip()
    return not lead or not _WORD_ENDS.search(lead) or bool(ends_with("before_relation").search(lead))


def _without_harmless(before: str, after: str) -> str:
    """The text with the claim marked, without words that are known to be harmless."""
    return words("harmless").sub(" ", f"{before}{CLAIM}{after}")


def _leave_claim(before: str, after: str, rest: str) -> bool:
    """Whether the words around a claim contain no other claim, no hypothesis and no denial."""
    if _UNREAD.search(_ARROW_TO_AN_ANSWER.sub(" ", rest)) or words("adding").search(rest) or _SECOND.search(rest):
        return False
    if words("elsewhere").search(rest) or words("denied_behind").match(after.lstrip(_QUOTES + " ,")):
        return False
    if _FIRST_OF_SEVERAL.search(before) and _NEXT_OF_SEVERAL.search(after):
        return False
    if _PREDICATE.match(after):
        return False
    before_it, _, behind_it = rest.partition(CLAIM)
    others = (*_CLAUSE_ENDS.split(before_it)[:-1], *_CLAUSE_ENDS.split(behind_it))
    if any(words("denied").search(other) and not words("unsure").search(other) for other in others):
        return False
    sentence = _SENTENCE_ENDS.split(before_it)[-1]
    return not words("conditional").search(sentence) and _ends_there(before, after)


def _ends_there(before: str, after: str) -> bool:
    """Whether the text after a claim says nothing more about it up to the end of its sentence."""
    if not after or after[0] in _QUOTES:
        return not words("goes_on").match(after.lstrip(_QUOTES + " ,"))
    tail = _TAIL_ENDS.split(after.replace(";", ",") if _ASKED.search(before) else after, maxsplit=1)[0]
    tail = words("harmless").sub(" ", tail)
    if words("denied_in_tail").search(tail) and not words("unsure").search(tail):
        return False
    if not all(word.lower() in tail_words() for word in _ENGLISH_WORD.findall(tail)):
        return False
    return not _NOT_A_WORD_OF_A_TAIL.search(words("tail_zh").sub("", tail))
