"""English number words: `forty-eight` is `48`, `one hundred and five` is `105`.

`one`, `two` and `zero` are often not numbers: alone they are read only next to an operator. Fractions in words, years
in pairs, approximations and names stay unchanged: what stands before or after a number must not give it another
meaning.
"""

from __future__ import annotations

import re

_SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_SMALL += " seventeen eighteen nineteen"
_VALUES = {word: value for value, word in enumerate(_SMALL.split())}
_TENS_WORDS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_TENS = {word: 10 * tens for tens, word in enumerate(_TENS_WORDS, 2)}
_SCALES = {"thousand": 1000, "million": 10**6}

_WORD = "|".join(sorted((*_VALUES, *_TENS, *_SCALES, "hundred"), key=len, reverse=True))
HAS_WORD = re.compile(
    r"(?<=[OoTtHhMmFfSsEeNnZz])(?<![A-Za-z].)"
    r"(?:ne\b|wo\b|undred|housand|illion|hree|our|ive|ix|even|ight|ine|en\b|leve|welve|hirt|ift|went|ort|ero)"
)
"""What every text with a number word contains, and few others: a search takes microseconds."""
_NUMBER = re.compile(
    rf"(?<![\w'’.-])(?i:{_WORD})"
    rf"(?:(?:-|,? )(?:{_WORD})\b|(?:(?<=hundred)|(?<=thousand)|(?<=million)) and (?:{_WORD})\b)*"
    rf"(?![\w'’-]|\.\w)"
)
_NOT_BEFORE = re.compile(
    r" (?:of|hal(?:f|ves)|thirds?|quarters?|\w+ths?|dozens?|scores?|hundreds|thousands|millions|billions?"
    r"|point|or|to|odd|hundred|thousand|million|past|and a half|a\.m|p\.m)\b|-"
)
"""What gives a number before it another meaning: `three quarters`, `five or six`."""
_NOT_AFTER = re.compile(
    r"(?i:\b(?:(?:one|two) (?:and|or|by|in|to)|high|point|past|to|till|or|number|no\.?|and a"
    r"|nearly|almost|about|around|some|few|several|many|hundreds?"
    r"|dozens?|all|both|these|those|other|thousands?|millions?|formula|route|top|big|chapter|catch|[0-9][0-9.,]*)) $"
)
_JOINS = re.compile(r"(?i:\b(?:of|between|add|adding|multiply|subtract|sum|both|numbers|from|for)) $")
"""After these, `one hundred and five` may be two numbers."""
_OPERATOR = r"(?:plus|minus|times|divided by|multiplied by|mod|[-+*/=])"
_OPERAND_BEFORE = re.compile(rf"(?:[0-9)]|\b(?i:{_WORD})|\b[a-z]) {_OPERATOR} $")
_OPERAND_AFTER = re.compile(rf" {_OPERATOR} (?:[-(]*[0-9]|(?:{_WORD})\b|[b-z]\b(?!['’]))")
_SENTENCE_START = re.compile(r"(?:\A|[.!?:;,\n(])\s*\Z")
_REACH = 40
"""The number of characters before a number that may give it another meaning."""


def read_number_words(text: str) -> str:
    """Replaces words that are certainly numbers by digits."""
    return text if not HAS_WORD.search(text) else _NUMBER.sub(_read, text)


def _read(match: re.Match[str]) -> str:
    written, text = match[0], match.string
    before = text[max(0, match.start() - _REACH) : match.start()]
    if not written.islower() and not (written[1:].islower() and _SENTENCE_START.search(before)):
        return written
    value = _value(re.split(r"-|,? ", written.lower()))
    if value is None or _NOT_BEFORE.match(text, match.end()) or _NOT_AFTER.search(before):
        return written
    if (" and " in written or "," in written) and _JOINS.search(before):
        return written
    if value in (0, 1, 2) and not (_OPERAND_BEFORE.search(before) or _OPERAND_AFTER.match(text, match.end())):
        return written
    return str(value)


def _value(words: list[str]) -> int | None:
    """The number that a sequence of words denotes; None if it is not exactly one number."""
    total, last = 0, 10**9
    group: list[str] = []
    for word in words:
        if word not in _SCALES:
            group.append(word)
            continue
        part = _below_thousand(group)
        if not part or _SCALES[word] >= last:
            return None
        total, last, group = total + part * _SCALES[word], _SCALES[word], []
    if not group:
        return total
    if total and group[0] == "and":
        group = group[1:]
    part = _below_thousand(group)
    return None if part is None or (total and not part) else total + part


def _below_thousand(words: list[str]) -> int | None:
    if len(words) >= 2 and words[1] == "hundred":
        hundreds, rest = _VALUES.get(words[0], 0), words[2:]
        if not 0 < hundreds < 10:
            return None
        if rest[:1] == ["and"]:
            rest = rest[1:]
            if not rest:
                return None
        part = _below_hundred(rest) if rest else 0
        return None if part is None or (rest and not part) else 100 * hundreds + part
    return _below_hundred(words)


def _below_hundred(words: list[str]) -> int | None:
    match words:
        case [word]:
            return _VALUES.get(word, _TENS.get(word))
        case [tens, unit] if tens in _TENS and 0 < _VALUES.get(unit, 0) < 10:
            return _TENS[tens] + _VALUES[unit]
    return None
