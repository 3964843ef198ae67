"""The control tokens of an imported model, and marks that keep message texts from becoming control tokens.

Wherever a message spells out a control token, its first character is replaced by a mark: a private-use character that
no message contains. The chat template can then search, trim and split messages as usual, and its own output can be
distinguished from its input. Finally, `unmarked` restores the characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

Chat = Sequence[Mapping[str, Any]]
"""Messages: each has a `role`, a `content`, and whatever other fields a template reads."""
PRIVATE_USE = range(0xF0000, 0xFFFFE)
"""Characters without an assigned meaning."""
UNMARKED = ("role", "type")
"""Fields that hold keywords of the format rather than message text."""
REASONING = ("reasoning_content", "thinking", "reasoning")
"""Field names for the reasoning of a message. Templates read the first two."""


class ControlTokens:
    """Args:
    special: tokens that a message must never become.
    others: tokens that the assistant's own messages may contain, since it wrote them: tags of thinking and of calls.
    """

    def __init__(self, special: Iterable[str], others: Iterable[str]) -> None:
        self.special, self.others = frozenset(special), frozenset(others)

    @cached_property
    def all(self) -> frozenset[str]:
        """All control tokens."""
        return self.special | self.others

    @cached_property
    def starts(self) -> Mapping[bool, tuple[re.Pattern[str], frozenset[str]]]:
        """A pattern for the first character of a token that a text spells out, and the proper prefixes of tokens; the
        key says whether the text is the assistant's own."""
        return {
            own: (_starts(tokens), _beginnings(tokens)) for own, tokens in ((True, self.special), (False, self.all))
        }

    def marker(self, chat: Chat, tools: Chat | None, reserved: str) -> Marker:
        """A marker for the texts of a conversation. reserved: the template's source, whose characters are not used as
        marks."""
        return Marker(self, set(json.dumps([chat, tools], ensure_ascii=False, default=str)) | set(reserved))


class Marker:
    """Marks the texts of one conversation."""

    def __init__(self, control: ControlTokens, used: set[str]) -> None:
        letters = sorted({token[0] for token in control.all})
        free = (chr(code) for code in PRIVATE_USE if chr(code) not in used)
        self._control, self._mark_of = control, dict(zip(letters, free, strict=False))
        self._letter_of = {ord(mark): letter for letter, mark in self._mark_of.items()}

    def message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """A message with marks, without fields that are None, and with its reasoning under the usual names."""
        own = message.get("role") == "assistant"
        fields = {name: self._field(name, value, own) for name, value in message.items() if value is not None}
        if (reasoning := next((fields[name] for name in REASONING if name in fields), None)) is not None:
            fields = {"thinking": reasoning, **fields, "reasoning_content": reasoning}
        return fields

    def value(self, value: Any, own: bool = False) -> Any:
        """A value with marks in all of its texts. own: whether the assistant wrote it."""
        if isinstance(value, str):
            return self._text(value, own)
        if isinstance(value, Mapping):
            return {name: self._field(name, one, own) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one, own) for one in value]
        return value

    def is_in(self, text: str) -> bool:
        """Whether a text contains any mark."""
        return any(mark in text for mark in self._mark_of.values())

    def unmarked(self, text: str) -> str:
        """A text with its marks replaced by the original characters."""
        return text.translate(self._letter_of)

    def _field(self, name: str, value: Any, own: bool) -> Any:
        return value if name in UNMARKED else self.value(value, own)

    def _text(self, text: str, own: bool) -> str:
        pattern, beginnings = self._control.starts[own]
        marked = pattern.sub(lambda match: self._mark_of[match[0]], text)
        longest = max(map(len, beginnings), default=0)
        for length in range(1, min(longest, len(text)) + 1):  # text that follows may complete a token
            if text[-length:] in beginnings:
                marked = f"{marked[:-length]}{self._mark_of[text[-length]]}{marked[len(marked) - length + 1 :]}"
        return marked


def _starts(tokens: Iterable[str]) -> re.Pattern[str]:
    whole = (f"{re.escape(token[0])}(?={re.escape(token[1:])})" for token in sorted(tokens))
    return re.compile("|".join(whole) or "(?!)")


def _beginnings(tokens: Iterable[str]) -> frozenset[str]:
    return frozenset(token[:end] for token in tokens for end in range(1, len(token)))
