"""Malformed records: lines of JSONL that are no document, one family a fault, drawn by a seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from tuili.data import pipeline

Fault = pipeline.ReadFault

_DEEPEST, _LONGEST = 100_000, 2**22
_WORDS = ["river", "stone", "light", "paper", "engine", "letter", "garden", "winter", "number", "bridge"]


class BadRecord(NamedTuple):
    """A line, without its end, and the fault that it must be refused for."""

    family: str
    line: bytes
    fault: Fault


def sentence(rng: Random, words: int = 12) -> str:
    """Some words."""
    return " ".join(rng.choice(_WORDS) for _ in range(words)) + "."


def good_record(rng: Random) -> bytes:
    """A line that must be kept."""
    return json.dumps({"text": sentence(rng), "n": rng.randrange(1000)}).encode()


def bad_records(count: int, seed: int) -> Iterator[BadRecord]:
    """So many malformed records, the families in turns."""
    rng, families = Random(seed), list(_FAMILIES.items())
    for number in range(count):
        family, (make, fault) = families[number % len(families)]
        if number % _LONG_EVERY == _LONG_EVERY // 2:
            family, (make, fault) = "too long", (_long, Fault.TOO_LONG)
        line = make(rng)
        assert b"\n" not in line
        yield BadRecord(family, line, fault)


def _object(text: str) -> bytes:
    return f'{{"text": {text}}}'.encode()


def _cut(rng: Random) -> bytes:
    line = good_record(rng)
    return line[: rng.randrange(1, len(line))]


def _no_utf8(rng: Random) -> bytes:
    line = bytearray(good_record(rng))
    line.insert(rng.randrange(10, 40), rng.choice((0x80, 0xC0, 0xC1, 0xE2, 0xF5, 0xFE, 0xFF)))
    return bytes(line)


def _other_encoding(rng: Random) -> bytes:
    text, encoding = rng.choice(
        (("机器学习", "gb18030"), ("café", "latin-1"), ("日本語", "shift_jis"), ("한국어", "euc_kr"))
    )
    return _object(f'"{sentence(rng)} {text}"').decode().encode(encoding)


def _half_a_character(rng: Random) -> bytes:
    return _object(f'"{sentence(rng)} \\u{rng.choice("dD")}{rng.choice("89aBcDeF")}{rng.randrange(256):02x}"')


def _deep(rng: Random) -> bytes:
    depth, (opening, closing) = rng.randrange(2000, _DEEPEST), rng.choice((("[", "]"), ('{"a":', "}")))
    inside = "1" if opening != "[" else ""
    return f'{{"text": "x", "n": {opening * depth}{inside}{closing * depth}}}'.encode()


def _number(rng: Random) -> bytes:
    digits = str(rng.randrange(1, 10)) + "0" * rng.randrange(1001, 9000)
    value = rng.choice((digits, f"-{digits}", "1e999", "-1e400", "NaN", "Infinity", "-Infinity"))
    return f'{{"text": "{sentence(rng)}", "n": {value}}}'.encode()


def _not_quite_json(rng: Random) -> bytes:
    text = sentence(rng)
    return rng.choice(
        (
            f"{{'text': '{text}'}}",
            f'{{"text": "{text}",}}',
            f'{{text: "{text}"}}',
            f'{{"text": "{text}"}} {{"text": "{text}"}}',
            f'{{"text": "{text}"}} // as it was found',
            f'{{"text": "a {chr(rng.randrange(1, 9))} b"}}',
            f'{{"text": "{text}\\x"}}',
            f'{{"text": "{text}", "n": 01}}',
            f'{{"text": "{text}", "n": .5}}',
            f'{{"text": "{text}", "n": True}}',
            f'"text","{text}"',
            f"<document>{text}</document>",
            text,
        )
    ).encode()


def _no_object(rng: Random) -> bytes:
    return rng.choice((f'"{sentence(rng)}"', f'["{sentence(rng)}"]', "3", "-0.5", "true", "null", "[]")).encode()


def _key_twice(rng: Random) -> bytes:
    key = rng.choice(("text", "n"))
    return f'{{"n": 1, "text": "{sentence(rng)}", "{key}": "{sentence(rng)}"}}'.encode()


def _no_text(rng: Random) -> bytes:
    return _object(
        rng.choice(("null", "3", "0.5", "true", "[]", "{}", f'["{sentence(rng)}"]', f'{{"a": "{sentence(rng)}"}}'))
    )


def _other_field(rng: Random) -> bytes:
    return json.dumps({rng.choice(("content", "Text", "text ", "body", "")): sentence(rng)}).encode()


def _blank(rng: Random) -> bytes:
    return _object(json.dumps("".join(rng.choice(" \t\n\u3000\u2003") for _ in range(rng.randrange(9)))))


def _null(rng: Random) -> bytes:
    return _object(f'"{sentence(rng)}\\u0000{sentence(rng)}"')


def _noise(rng: Random) -> bytes:
    return b"\xff" + bytes(
        rng.choice([byte for byte in range(256) if byte != 10]) for _ in range(rng.randrange(1, 300))
    )


def _false_document(rng: Random) -> bytes:
    """Has the fields of a document that a pipeline wrote, and not what they must hold."""
    own = {"text": sentence(rng), "id": "a", "place": "b", "kind": "web"}
    wrong = rng.choice(({"measures": {"a": "b"}}, {"metadata": [1]}, {"measures": 3}, {"record": "x"}))
    return json.dumps(own | wrong).encode()


def _long(rng: Random) -> bytes:
    return _object('"' + f"{rng.choice(_WORDS)} " * (_LONGEST // 5) + '"')


_FAMILIES: dict[str, tuple[Callable[[Random], bytes], Fault]] = {
    "cut short": (_cut, Fault.NOT_JSON),
    "no UTF-8": (_no_utf8, Fault.WRONG_ENCODING),
    "another encoding": (_other_encoding, Fault.WRONG_ENCODING),
    "half a character": (_half_a_character, Fault.WRONG_ENCODING),
    "nested too deep": (_deep, Fault.NOT_JSON),
    "numbers that are none": (_number, Fault.NOT_JSON),
    "not quite JSON": (_not_quite_json, Fault.NOT_JSON),
    "no object": (_no_object, Fault.NOT_JSON),
    "a key twice": (_key_twice, Fault.NOT_JSON),
    "text is no text": (_no_text, Fault.NO_TEXT),
    "another field": (_other_field, Fault.NO_TEXT),
    "blank": (_blank, Fault.EMPTY),
    "a null": (_null, Fault.WRONG_ENCODING),
    "noise": (_noise, Fault.WRONG_ENCODING),
    "false documents": (_false_document, Fault.NO_TEXT),
}
_LONG_EVERY = 1000
"""A record of so many has more characters than a document may have: four megabytes."""
