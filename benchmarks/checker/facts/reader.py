"""The slow twin of the reader of prompts, written from the table in docs/steps.md alone: it shares no code with it.

It knows a small language: linear statements about numbers, propositions about single letters, programs of assignments.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, field
from fractions import Fraction

Form = dict[str, Fraction]
"""A linear form: the factor of each name, and of `""`, the constant."""
Numbers = tuple[tuple[Form, str], ...]
"""Constraints that all hold: form and one of `=`, `<`, `<=`, `!=`, compared with 0."""
Proposition = tuple[str, ...]
"""An operator and its operands, `("->", "A", "B")`, or an atom, `("", "A")`."""
Statement = Numbers | Proposition

WIDE = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {0x3002: ".", 0x3001: ",", 0x3000: " "}
LEADS = {"given", "let", "use", "take", "solve", "and", "premises", "we", "know", "that", "the", "facts"}
OPENERS = {"let", "use", "take", "given", "solve"}
ASKING = {"is", "does", "what", "find", "compute", "how", "are", "do", "prove", "show", "determine"}
DOUBT = ("false", "wrong", "only", "exactly", "neither", "either")
SIGNS = set("=<>≠≤≥→⇒")


@dataclass
class Reading:
    """What the twin reads."""

    facts: dict[str, tuple[str, Statement]] = field(default_factory=dict)
    loose: list[tuple[str, Statement]] = field(default_factory=list)
    program: dict[str, str | None] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    unread: bool = False
    statement_seen: bool = False

    def given(self, changed: set[str]) -> list[tuple[str, Statement]]:
        """Text and meaning of each statement that says nothing about a changed variable."""
        everything = [*self.facts.values(), *self.loose]
        return [pair for pair in everything if changed.isdisjoint(words(pair[0]))]


def words(text: str) -> set[str]:
    """The words of a text that may be names."""
    return set(re.findall(r"[A-Za-z_]\w*", text, re.ASCII)) - {"and", "or", "not"}


def linear(text: str) -> Form | None:
    """`2*x + y - 3`."""
    form: Form = {}
    pieces = re.fullmatch(r"\s*(-?[^-+]+(?:\s*[-+][^-+]+)*)", text)
    if not pieces:
        return None
    for sign, term in re.findall(r"([-+]?)\s*([^-+]+)", text):
        factor = re.fullmatch(r"(?:(\d+)(?:/(\d+))?)?\s*(\*?)\s*([A-Za-z_]\w*)?\s*", term)
        if not factor or (factor[3] and not (factor[1] and factor[4])) or not (factor[1] or factor[4]):
            return None
        if factor[1] and factor[4] and not factor[3] and term.strip() != factor[1] + factor[4]:
            return None
        size = Fraction(int(factor[1] or 1), int(factor[2] or 1)) * (-1 if sign == "-" else 1)
        form[factor[4] or ""] = form.get(factor[4] or "", Fraction(0)) + size
    return form


def minus(left: Form, right: Form) -> Form:
    return {name: left.get(name, Fraction(0)) - right.get(name, Fraction(0)) for name in left.keys() | right.keys()}


def statement(text: str) -> Statement | None:
    """The meaning of a statement; None for what is none."""
    text = re.sub(r"(\d)!(?!=)", lambda found: str(math.factorial(int(found[1]))), text.strip())
    parts = re.split(r"\s*(<=|>=|!=|(?<![<>!-])=(?!>)|<(?![-=])|(?<![-=])>(?!=))\s*", text)
    if len(parts) >= 3:
        forms = [linear(part) for part in parts[::2]]
        if any(form is None for form in forms):
            return None
        made = []
        for left, sign, right in zip(forms, parts[1::2], forms[1:], strict=False):
            assert left is not None and right is not None
            turned = sign.startswith(">")
            made.append((minus(right, left) if turned else minus(left, right), sign.replace(">", "<")))
        return tuple(made)
    if found := re.fullmatch(r"not ([A-Za-z]\w*)", text):
        return ("not", found[1])
    if found := re.fullmatch(r"([A-Za-z]\w*) (->|or|and) ([A-Za-z]\w*)", text):
        return (found[2], found[1], found[3])
    return ("", text) if re.fullmatch(r"[A-Za-z]\w*", text) else None


def sentences(text: str) -> list[tuple[str, str]]:
    found, start = [], 0
    for i, character in enumerate(text):
        after = text[i + 1 :]
        ends = character in ".;?" and (not after or after[0].isspace())
        if character == "!":
            ends = not after.strip() or bool(re.match(r"\s+[A-Za-z]", after))
        if ends:
            found.append((text[start:i], character))
            start = i + 1
    return [*found, (text[start:], "")]


def ascii_form(text: str) -> str:
    """Wide characters in ASCII, with a space after wide punctuation."""
    spaced = re.sub(r"([，；？！。、])", r"\1 ", text)
    return spaced.translate(WIDE)


def read(prompt: str, earlier: tuple[tuple[str, str], ...] = ()) -> Reading:
    reading, bodies, prose = Reading(), list[tuple[str, str]](), list[str]()
    for question, answer in earlier:
        _read_text(ascii_form(question), reading, bodies, prose)
        for sentence, _ in sentences(ascii_form(answer)):
            if SIGNS & set(sentence) or re.search(r"[A-Za-z]\d+:", sentence):
                _protect(reading, sentence)
    _read_text(ascii_form(prompt), reading, bodies, prose)
    for label in {label for label, _ in bodies}:
        own = [body for other, body in bodies if other == label]
        named = words(reading.facts[label][0]) if label in reading.facts else set()
        circular = any(re.fullmatch(r"[A-Z]\d", n) and n in reading.labels and not _is_value(reading, n) for n in named)
        doubted = any(label in words(text) and any(d in text.lower().split() for d in DOUBT) for text in prose)
        if len(own) > 1 or circular or doubted:
            reading.unread = True
            reading.facts.pop(label, None)
            reading.protected.update(*map(words, own), {label})
    return reading


def _is_value(reading: Reading, label: str) -> bool:
    return label in reading.facts and reading.facts[label][0].startswith(f"{label} =")


def _protect(reading: Reading, text: str) -> None:
    reading.protected |= words(text)
    reading.statement_seen = True


def _read_text(text: str, reading: Reading, bodies: list[tuple[str, str]], prose: list[str]) -> None:
    lines = text.split("\n")
    loose = ""
    for number, line in enumerate(lines):
        more = number + 1 < len(lines) and re.search(r"\b[A-Z]\d{1,3}:", lines[number + 1])
        pieces = re.split(r"\b(L\d+|[A-Z]\d{1,3}):", line)
        if len(pieces) == 1 and line.strip():
            loose += "\n" + line
            continue
        for sentence, end in sentences(loose):
            _loose(sentence, end, reading, prose)
        *whole, (lead, _) = sentences(pieces[0])
        for sentence, end in whole:
            _loose(sentence, end, reading, prose)
        group: list[tuple[str, str]] = []
        for i in range(1, len(pieces), 2):
            label, body, followed = pieces[i], pieces[i + 1], bool(i + 2 < len(pieces) or more)
            reading.labels.add(label)
            reading.statement_seen = True
            if label[0] == "L":
                _close(lead, group, "", True, reading, prose)
                group, source = [], body.strip().rstrip(".,; ")
                source = re.sub(r",?\s+and$", "", source) if followed else source
                plain = re.fullmatch(r"[a-z]\w* = [^=<>!.,;?]+", source)
                known = plain and linear(source.split("=")[1]) is not None
                reading.program[label] = None if label in reading.program or not known else source
                lead = "" if known else body
                continue
            bodies.append((label, body))
            first, *rest = sentences(body)
            group.append((label, first[0]))
            if first[1]:
                _close(lead, group, first[1], False, reading, prose)
                group = []
                *whole, (lead, _) = rest
                for sentence, end in whole:
                    _loose(sentence, end, reading, prose)
        if group:
            _close(lead, group, "", bool(more), reading, prose)
            lead = ""
        loose = lead
    for sentence, end in sentences(loose):
        _loose(sentence, end, reading, prose)


def _asks(text: str) -> tuple[str, str] | None:
    """What stands before and in a question or task behind a comma."""
    for comma in re.finditer(",", text):
        after = re.sub(r"^(and|then) ", "", text[comma.end() :].strip()).split(" ")
        if len(after) > 1 and after[0].lower() in ASKING:
            return text[: comma.start()], text[comma.end() :]
    return None


def _close(
    lead: str, group: list[tuple[str, str]], end: str, followed: bool, reading: Reading, prose: list[str]
) -> None:
    if not group:
        return
    original = [lead, *(body for _, body in group)]
    asked = _asks(group[-1][1])
    if asked:
        group = [*group[:-1], (group[-1][0], asked[0])]
        _loose(asked[1], end, reading, prose)
        end = ""
    found, bad = {}, False
    for place, (label, body) in enumerate(group):
        if followed or place + 1 < len(group):
            body = re.sub(r"(?:[,;\s]|\band\b)*$", "", body)
        meaning = statement(body)
        if re.fullmatch(r"\s*\d+\s*", body):
            body = f"{label} = {body.strip()}"
            meaning = statement(body)
        if meaning is not None and not (meaning[0] == "" and re.fullmatch(r"[A-Z]\d{1,3}", body.strip())):
            found[label] = (body.strip(), meaning)
        else:
            bad = True
    introduced = all(word.lower() in LEADS for word in re.findall(r"\w+", lead)) and not re.search(r"[^\w\s,:*-]", lead)
    if end in ("", ".", ";") and introduced and not bad:
        reading.facts.update(found)
        return
    reading.unread |= end != "?"
    for text in original:
        prose.append(text)
        reading.protected |= words(text)
    reading.protected |= {label for label, _ in group}


def _loose(sentence: str, end: str, reading: Reading, prose: list[str]) -> None:
    prose.append(sentence)
    like_label = bool(re.search(r"\b[A-Za-z_]+\d\w*:", sentence))
    if not like_label and not SIGNS & set(sentence):
        return
    reading.statement_seen = True
    asked, kept = _asks(sentence), sentence
    if asked and SIGNS & set(asked[0]):
        kept, end = asked[0], ""
    kept = re.sub(r"^\s*solve for \w+:", "solve ", kept, flags=re.IGNORECASE)
    tokens = kept.split()
    leading = list(itertools.takewhile(lambda word: word.strip(",:").lower() in LEADS, tokens))
    opened = any(word.strip(",:").lower() in OPENERS for word in leading)
    body = kept
    for word in leading:
        body = body.split(word, 1)[1]
    body = re.sub(r" for [a-z]$", "", body.strip())
    made = [(part, statement(part)) for part in re.split(r",\s*and\s|,|\n|\sand\s", body)]
    good = all(meaning and SIGNS & set(text) and meaning[0] not in ("->",) for text, meaning in made)
    if like_label or end in ("?", "!") or not opened or not good:
        reading.unread |= like_label
        _protect(reading, sentence)
        return
    reading.loose += [(text.strip(), meaning) for text, meaning in made if meaning]
    if asked and SIGNS & set(asked[1]):
        _protect(reading, asked[1])
