"""The slow twin of the reader of prompts, written from the table in docs/steps.md alone: it shares no code with it.

It knows a small language: linear statements about numbers, propositions about single letters, programs of assignments.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

from benchmarks.checker.facts.language import Statement, linear, options, statement, words
from benchmarks.checker.facts.wordings import about

WIDE = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {0x3002: ".", 0x3001: ",", 0x3000: " "}
LEADS = {"given", "let", "use", "take", "solve", "and", "premises", "we", "know", "that", "the", "facts"}
LEADS |= {"consider", "following", "statements", "here", "are", "you", "these"}
OPENERS = {"let", "use", "take", "given", "solve"}
ASKING = {"is", "does", "what", "find", "compute", "how", "are", "do", "prove", "show", "determine"}
CONDITIONS = {"if", "when", "suppose", "assuming", "that"}
VALUES = {"what", "find", "compute", "how", "determine", "calculate", "evaluate"}
"""The words with which a question or a task asks for a value."""
DOUBT = ("false", "wrong", "only", "exactly", "neither", "either")
SIGN = re.compile(r"[=<>≠≤≥→⇒⩾⩽≔≪≫⟹]|\\(?:geq?|leq?|neq?|gt|lt|equiv)\b|&[a-z]+|\bin \{")
LIKE_LABEL = re.compile(r"\b[A-Za-z_]+\d\w*[*)\]\"]*:")
JOINT = re.compile(r"\s*(?:;\s|\n)\s*(?:(or|unless|else|nor)\b|((?-i:if))(?=\s+[A-Z]\d{1,3}:))\s*", re.IGNORECASE)
NUMBERED = re.compile(r"(?<!\w)[A-Za-z](?!\w)(?s:.*)(?<![A-Za-z_])\d|(?<![A-Za-z_])\d(?s:.*)(?<!\w)[A-Za-z](?!\w)")


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
    spoken: set[str] = field(default_factory=set)
    """Names of the statements of this turn."""
    last: tuple[str | tuple[str, Statement], ...] = ()
    """The latest statement: its labels, or the entries of `loose`."""
    condition: list[tuple[str, Statement]] = field(default_factory=list)
    """Under which this turn's question is asked."""
    is_next: bool = False
    """Whether no sentence stands between the latest statement and this place."""
    doubted: set[str] = field(default_factory=set)
    """Labels that the prompt calls into doubt."""
    doubts_next: str = ""
    """Whether a `heading` or a `choice` calls into doubt what follows it."""
    doubts_all: bool = False

    def given(self, changed: set[str]) -> list[tuple[str, Statement]]:
        """Text and meaning of each statement that says nothing about a changed variable."""
        everything = [*self.facts.values(), *self.loose]
        return [pair for pair in everything if changed.isdisjoint(words(pair[0]))]


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
    reading, bodies = Reading(), list[tuple[str, str]]()
    for question, answer in (*earlier, (prompt, "")):
        bodies = _read_turn(ascii_form(question), reading, bodies)
        for sentence, _ in sentences(ascii_form(answer)):
            if _states(sentence) or LIKE_LABEL.search(sentence):
                _protect(reading, sentence)
    if any(words(text) & reading.protected for text, _ in reading.condition):
        _take_back(reading, reading.condition)
    if reading.doubts_all:
        _take_back(reading, reading.loose)
    for label in {label for label, _ in bodies}:
        own = [body for other, body in bodies if other == label]
        named = words(reading.facts[label][0]) if label in reading.facts else set()
        circular = any(re.fullmatch(r"[A-Z]\d", n) and n in reading.labels and not _is_value(reading, n) for n in named)
        if len(own) > 1 or circular or reading.doubts_all or label in reading.doubted:
            reading.unread = True
            reading.facts.pop(label, None)
            reading.protected.update(*map(words, own), {label})
    return reading


def _read_turn(text: str, reading: Reading, before: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Takes in a turn. Returns the labelled entries that count from now on, of those before it and its own."""
    loose, facts, program, doubted = [*reading.loose], reading.facts, reading.program, reading.doubted
    reading.facts, reading.program, reading.doubted = {}, {}, set()
    reading.spoken, reading.last, reading.doubts_next, reading.condition = set(), (), "", []
    bodies, prose = list[tuple[str, str]](), list[str]()
    _read_text(text, reading, bodies, prose)
    for sentence in prose:
        if any(word in DOUBT for word in sentence.lower().split()):
            reading.doubted |= words(sentence)
    anew = {label for label, _ in bodies} & {label for label, _ in before}
    reading.doubted |= doubted - anew
    _take_back(reading, [pair for pair in loose if (reading.spoken | anew) & words(pair[0])])
    for label, (statement_text, meaning) in facts.items():
        if label in anew or words(statement_text) & anew:
            reading.protected |= words(statement_text)
        else:
            reading.facts[label] = statement_text, meaning
    for label, body in before:
        reading.protected |= words(body) if label in anew else set()
    first = next(iter(reading.program), "")
    if first and first == next(iter(program), ""):
        reading.protected.update(*(words(source or "") for source in program.values()))
    else:
        common = dict.fromkeys(reading.program.keys() & program.keys())
        reading.program = {**program, **reading.program, **common}
    return [*((label, body) for label, body in before if label not in anew), *bodies]


def _states(sentence: str) -> bool:
    """Whether a sentence looks like a statement: by a sign, or by a number for a single letter."""
    return bool(SIGN.search(sentence) or NUMBERED.search(sentence))


def _take_back(reading: Reading, doubted: list[tuple[str, Statement]]) -> None:
    """Protects statements without a label."""
    for pair in [*doubted]:
        if pair in reading.loose:
            reading.loose.remove(pair)
        reading.protected |= words(pair[0])


def _doubt(reading: Reading, kind: str, labels: tuple[str, ...], end: str) -> None:
    """Takes in what a sentence says about the prompt's own statements."""
    if kind in ("heading", "title"):
        reading.doubts_next = ""
    elif kind == "following" or (kind == "choice" and not reading.labels):
        reading.doubts_next = "choice" if end else "heading"
    elif kind in ("all", "choice"):
        reading.doubts_all = True
    elif kind == "label":
        reading.doubted |= set(labels)
    elif kind == "that" or (kind == "this" and reading.is_next):
        reading.doubted |= {entry for entry in reading.last if isinstance(entry, str)}
        _take_back(reading, [entry for entry in reading.last if not isinstance(entry, str)])


def _is_value(reading: Reading, label: str) -> bool:
    return label in reading.facts and reading.facts[label][0].startswith(f"{label} =")


def _protect(reading: Reading, text: str) -> None:
    reading.protected |= words(text)
    reading.statement_seen = True


def _read_text(text: str, reading: Reading, bodies: list[tuple[str, str]], prose: list[str]) -> None:
    lines = JOINT.sub(r" \1\2 ", text).split("\n")
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
    """What stands before and in a question or task behind a comma or on a line of its own."""
    for comma in re.finditer("[,\n]", text):
        after = re.sub(r"^(and|then) ", "", text[comma.end() :].strip()).split(" ")
        if len(after) > 1 and after[0].lower() in ASKING:
            return text[: comma.start()], text[comma.end() :]
    return None


def _close(
    lead: str, group: list[tuple[str, str]], end: str, followed: bool, reading: Reading, prose: list[str]
) -> None:
    if not group:
        return
    asked, asked_end = _asks(group[-1][1]), end
    if asked:
        group, end = [*group[:-1], (group[-1][0], asked[0])], ""
    _read_group(lead, group, end, followed, reading, prose)
    if asked:
        _loose(asked[1], asked_end, reading, prose)


def _read_group(
    lead: str, group: list[tuple[str, str]], end: str, followed: bool, reading: Reading, prose: list[str]
) -> None:
    original = [lead, *(body for _, body in group)]
    found, bad = {}, False
    for place, (label, body) in enumerate(group):
        if followed or place + 1 < len(group):
            body = re.sub(r"(?:[,;\s]|\band\b)*$", "", body)
        meaning = statement(body)
        if re.fullmatch(r"\s*\d+\s*", body):
            body = f"{label} = {body.strip()}"
            meaning = statement(body)
        if meaning is not None and not (
            isinstance(meaning, tuple) and meaning[0] == "" and re.fullmatch(r"[A-Z]\d{1,3}", body.strip())
        ):
            found[label] = (body.strip(), meaning)
        else:
            bad = True
    introduced = all(word.lower() in LEADS for word in re.findall(r"\w+", lead)) and not re.search(
        r"[^\w\s,:*•–-]", lead
    )
    reading.last, reading.is_next = tuple(label for label, _ in group), True
    if end != "?":
        reading.spoken |= {name for text in original for name in words(text)}
    if introduced and re.search("[A-Za-z]", lead):
        reading.doubts_next = ""
    if end in ("", ".", ";") and introduced and not bad and not reading.doubts_next:
        reading.facts.update(found)
        return
    reading.unread |= end != "?"
    for text in original:
        prose.append(text)
        reading.protected |= words(text)
    reading.protected |= {label for label, _ in group}


def _condition(text: str, asked: str, reading: Reading) -> bool:
    """Takes in the condition of a question for a value; whether there is one."""
    first = re.sub(r"^(and|then) ", "", asked.strip()).split(" ")[0].lower()
    if first not in VALUES or _states(asked):
        return False
    body = text.strip()
    for word in itertools.takewhile(lambda word: word.strip(",:").lower() in CONDITIONS, text.split()):
        body = body.split(word, 1)[1]
    made = [(part, statement(part)) for part in re.split(r",\s*and\s|,|\n|\sand\s", body)]
    if not all(meaning and options(meaning) and re.search("[A-Za-z]", part) for part, meaning in made):
        return False
    stated = [(part.strip(), meaning) for part, meaning in made if meaning]
    reading.last, reading.is_next = tuple(stated), True
    reading.protected |= words(asked) - words(body)
    reading.spoken |= words(body)
    if reading.condition:
        _take_back(reading, reading.condition)
        reading.protected |= words(body)
    else:
        reading.condition = stated
        reading.loose += stated
    return True


def _loose(sentence: str, end: str, reading: Reading, prose: list[str]) -> None:
    kind, labels = about(sentence + end)
    if kind:
        _doubt(reading, kind, labels, end)
    reading.is_next &= not sentence.strip()
    if kind:
        return
    if end and reading.doubts_next == "heading" and sentence.strip():
        reading.doubts_next = ""
    prose.append(sentence)
    like_label = bool(LIKE_LABEL.search(sentence))
    if not like_label and not _states(sentence):
        return
    reading.statement_seen = True
    asked, kept, asked_end, mark = _asks(sentence), sentence, end, end
    if asked and SIGN.search(asked[0]):
        kept, end = asked[0], ""
    if asked and not like_label and mark != "!" and _condition(asked[0], asked[1], reading):
        return
    kept = re.sub(r"^\s*solve for \w+:", "solve ", kept, flags=re.IGNORECASE)
    tokens = kept.split()
    leading = list(itertools.takewhile(lambda word: word.strip(",:").lower() in LEADS, tokens))
    opened = any(word.strip(",:").lower() in OPENERS for word in leading)
    body = kept
    for word in leading:
        body = body.split(word, 1)[1]
    if "solve" in kept.lower().split():
        body = re.sub(r" for [a-z]$", "", body.strip())
    made = [(part, statement(part)) for part in re.split(r",\s*and\s|,|\n|\sand\s", body)]
    good = all(meaning and options(meaning) for _, meaning in made)
    if end != "?":
        reading.spoken |= words(kept + asked[1] if asked and _states(asked[1]) else kept)
    if like_label or end in ("?", "!") or not opened or not good:
        reading.unread |= like_label
        _protect(reading, sentence)
        return
    stated = [(text.strip(), meaning) for text, meaning in made if meaning]
    reading.loose += stated
    reading.last, reading.is_next = tuple(stated), True
    if asked:
        kind, labels = about(asked[1] + asked_end)
        _doubt(reading, kind, labels, asked_end)
        reading.is_next = False
        if _states(asked[1]):
            _protect(reading, asked[1])
