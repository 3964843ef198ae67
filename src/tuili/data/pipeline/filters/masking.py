"""Masks personal data: e-mail addresses, telephone numbers, and keys to services.

Masking goes by form alone: names and postal addresses stay, and no document is dropped. Text that may as well be
arithmetic or code stays, too: numbers next to operators, round ones, and matrices multiplied by `@` before a bracket.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Literal

import msgspec
import numpy as np
from pydantic import Field

from tuili.data.pipeline.block import Block, BlockSettings
from tuili.data.pipeline.characters import Class
from tuili.data.pipeline.document import Document

What = Literal["mail", "phone", "key"]

_WORD = r"A-Za-z0-9_\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02AF\u0370-\u058F"
"""Letters of scripts with spaces between words. Chinese has none, so a number may directly follow its letters."""
_MAIL = re.compile(
    rf"(?<![{_WORD}.+-])[{_WORD}][{_WORD}.+-]{{0,63}}@(?:[{_WORD}-]{{1,63}}\.){{1,8}}[a-zA-Z]{{2,24}}(?![{_WORD}(-])"
)
_PHONE = re.compile(
    rf"""(?<![{_WORD}\d.+/$€£¥-])(?:
        \+[1-9]\d{{0,2}}[ .-]?(?:\(\d{{1,4}}\)[ .-]?)?\d{{1,4}}(?:[ .-]?\d{{2,4}}){{2,4}}   # +44 20 7946 0958
      | \(\d{{3}}\)[ ]?\d{{3}}[ .-]\d{{4}}                                                  # (212) 555-0123
      | \d{{3}}[-.]\d{{3}}[-.]\d{{4}}                                                       # 212-555-0123
      | 1[3-9]\d{{9}} | 1[3-9]\d[ -]\d{{4}}[ -]\d{{4}}                                      # a Chinese mobile number
      | 0\d{{2,3}}-\d{{7,8}}                                                                # a Chinese landline
    )(?![{_WORD}\d/-]|\.\d)""",
    re.VERBOSE,
)
_CUE = re.compile(
    r"电话|手机|热线|传真|联系|致电|微信|\b(?:tel|phone|telephone|mobile|cell|call|fax|text|dial|whatsapp)\b", re.I
)
_CUED = re.compile(
    r"""(?:(?:电话|手机|热线|传真)(?:号码?)?[ ]?[:：]?
      |\b(?:tel|phone|telephone|fax)(?:[.:]|[ ](?:number|no\.?):?))[ ]{0,3}
    (\+?\(?[0-9]{2,5}\)?(?:[ .-]?[0-9]{2,5}){1,4}(?![0-9]))""",
    re.IGNORECASE | re.VERBOSE,
)
"""A number of any form directly after a cue such as `电话` or `phone:`."""
_FEWEST_DIGITS = 7
_OPERATOR = re.compile(r"[=^*×÷<>%]|\s[/+−-]\s")
_BEFORE, _AROUND = 40, 24
"""The characters before a number that are searched for a cue, and on each side of it for operators."""
_PEM = re.compile(r"-----(BEGIN|END) [A-Z ]{0,30}PRIVATE KEY-----")
_LONGEST_PEM = 10_000
_KEY = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:
          (?:AKIA|ASIA)[A-Z0-9]{16}
        | gh[pousr]_[A-Za-z0-9]{36,255} | github_pat_[A-Za-z0-9_]{22,255} | glpat-[A-Za-z0-9_-]{20,64}
        | sk-[A-Za-z0-9_-]{20,200} | xox[abprs]-[A-Za-z0-9-]{10,200} | AIza[A-Za-z0-9_-]{35} | hf_[A-Za-z0-9]{30,64}
        | eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}
        | [rs]k_(?:live|test)_[A-Za-z0-9]{16,200}
      )(?![A-Za-z0-9_-])""",
    re.VERBOSE,
)
_VALUE = "[A-Za-z0-9_+/.!@#$%^&*~-]"
_NAMED = re.compile(
    rf"""(?<![a-z])(?:
        (?:api|access|secret|auth|private)[ _-]?(?:key|token)["']?[ ]{{0,2}}[:=][ ]{{0,2}}["']?(?={_VALUE}{{16}})
      | (?:passw(?:or)?d|passphrase|secret)["']?(?:[ ]{{0,2}}[:=][ ]{{0,2}}["']|=)(?={_VALUE}{{8}})
    )(?!/)((?={_VALUE}*[0-9])(?={_VALUE}*[a-z]){_VALUE}{{8,200}}+)(?![\w(\[])""",
    re.IGNORECASE | re.VERBOSE,
)
"""A key or a password after its name: letters and digits, but neither a path nor a call."""
_NAME_SIGNS = re.compile(r"key|token|secret|pass", re.I)
KEY_SIGNS = ("PRIVATE KEY", "AKIA", "ASIA", "sk-", "xox", "AIza", "glpat-", "eyJ")
KEY_SIGNS_WITH_LINES = ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "hf_", "k_live_", "k_test_")
"""Strings of which every key that needs no name contains one. The latter contain an underscore, which few texts do."""
_SEVEN_DIGITS = re.compile(r"\d(?:[ ().-]{0,3}\d){6}")
_SPAN = 24
"""The maximum number of characters from the first to the last of seven such digits."""


def may_hold_key(text: str) -> bool:
    """Whether a text contains one of the strings that mark keys, or a key's name and a sign that assigns a value."""
    return (
        any(sign in text for sign in KEY_SIGNS)
        or ("_" in text and any(sign in text for sign in KEY_SIGNS_WITH_LINES))
        or (("=" in text or ":" in text) and _NAME_SIGNS.search(text) is not None)
    )


def may_hold_phone(document: Document) -> bool:
    """Whether seven digits are as close together as in a telephone number."""
    digits = np.flatnonzero(document.words.classes == Class.DIGIT)
    return bool((digits[6:] - digits[:-6] <= _SPAN).any()) and _SEVEN_DIGITS.search(document.text) is not None


def _keys(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of keys: PEM blocks, which may contain keys of one word, then these, then named keys."""
    begins = deque[re.Match[str]]()
    for mark in _PEM.finditer(text):  # one pass, whatever the text between the marks
        if mark[1] == "BEGIN":
            begins.append(mark)
            continue
        while begins and mark.start() - begins[0].end() > _LONGEST_PEM:
            begins.popleft()
        if begins:
            yield begins[0].start(), mark.end()
        begins.clear()
    yield from (found.span() for found in _KEY.finditer(text))
    yield from (found.span(1) for found in _NAMED.finditer(text))


def _mails(text: str) -> Iterator[tuple[int, int]]:
    yield from (found.span() for found in _MAIL.finditer(text))


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for found in _CUED.finditer(text):
        if sum(map(str.isdigit, found[1])) >= _FEWEST_DIGITS:
            yield found.span(1)
    for found in _PHONE.finditer(text):
        start, end = found.span()
        plain = found[0][0] in "(0" or (found[0][0] == "+" and " " in found[0])  # not used in arithmetic
        counted = found[0].endswith("000") or any(
            _OPERATOR.search(text, max(0, first), last)
            for first, last in ((start - _AROUND, start), (end, end + _AROUND))
        )
        if plain or not counted or _CUE.search(text, max(0, start - _BEFORE), start):
            yield start, end


class Masking(StrEnum):
    """It drops nothing."""


class MaskingSettings(BlockSettings):
    """Masking in a recipe."""

    block: Literal["mask"]
    what: tuple[What, ...] = Field(("mail", "phone", "key"), min_length=1, description="What is masked.")
    except_kinds: tuple[str, ...] = Field(
        ("problem", "code"), description="Kinds of text that stay: their numbers and signs mean something else."
    )

    def excepted_kinds(self) -> tuple[str, ...]:
        """The kinds of text in which nothing is masked."""
        return self.except_kinds

    def build(self) -> MaskingBlock:
        """Build the block."""
        return MaskingBlock(self.what, self.except_kinds)


class MaskingBlock(Block):
    """Replaces matches by `[mail]`, `[phone]` or `[key]`, and counts them in the measures: in the text, in all strings
    of the metadata, and in a record that was extracted earlier."""

    name = "mask"
    Reason = Masking

    _forms: tuple[tuple[What, Callable[[str], Iterator[tuple[int, int]]], Callable[[str], bool]], ...] = (
        ("key", _keys, may_hold_key),
        ("mail", _mails, lambda text: "@" in text),
        ("phone", _phones, lambda text: _SEVEN_DIGITS.search(text) is not None),
    )

    def __init__(self, what: tuple[What, ...], except_kinds: tuple[str, ...] = ()) -> None:
        self._chosen = [form for form in self._forms if form[0] in what]
        self._except = frozenset(except_kinds)

    def apply(self, document: Document) -> Document:
        """Return the document with all matches masked."""
        if document.kind in self._except:
            return document
        found = Counter[What]()
        # most texts contain no telephone number, and searching them for seven digits is not cheap
        without: Sequence[What] = () if may_hold_phone(document) else ("phone",)
        text = self._masked(document.text, found, without)
        metadata = _with_strings(document.metadata, lambda text: self._masked(text, found))
        record = _with_strings(document.record, lambda text: self._masked(text, found))
        if not found:
            return document
        masked = msgspec.structs.replace(document.with_text(text), metadata=metadata, record=record)
        return masked.with_measures(**{f"masked_{name}": count for name, count in found.items()})

    def _masked(self, text: str, found: Counter[What], without: Sequence[What] = ()) -> str:
        for name, find, may_hold in self._chosen:
            if name not in without and may_hold(text):
                text, count = _replaced(text, sorted(find(text)), f"[{name}]")
                found[name] += count
        return text


def _with_strings(value: Any, replaced: Callable[[str], str]) -> Any:
    """Copy a JSON value and replace its strings, but not its field names. The value may be arbitrarily deep."""
    top = [value]
    waiting: list[Any] = [top]
    while waiting:
        holder = waiting.pop()
        for place, held in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(held, str):
                holder[place] = replaced(held)
            elif isinstance(held, dict | list | tuple):
                holder[place] = dict(held) if isinstance(held, dict) else list(held)
                waiting.append(holder[place])
    return top[0]


def _replaced(text: str, spans: list[tuple[int, int]], by: str) -> tuple[str, int]:
    """Replace spans of the text, and count them; a span that begins within an earlier one is skipped."""
    parts, reached, count = list[str](), 0, 0
    for start, end in spans:
        if start >= reached:
            parts += [text[reached:start], by]
            reached, count = end, count + 1
    return "".join([*parts, text[reached:]]), count
