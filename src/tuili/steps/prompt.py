"""What a prompt gives: its labelled statements, its program, and what only looks like a statement.

A sentence is read whole or not at all. What is not read gives nothing, and its words are protected: no line may give
them a value at will. Reading a statement is left to `language.parser`, what follows from it to `context`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tuili.steps.language import terms
from tuili.steps.language.characters import plain
from tuili.steps.language.grammar import FUNCTIONS, KEYWORDS
from tuili.steps.language.parser import parse_statement
from tuili.steps.language.printer import render_term
from tuili.steps.language.program import assigned_names, parse_program_line
from tuili.steps.language.terms import Term
from tuili.steps.verdict import Unreadable

MAX_PROMPT_CHARACTERS = 20_000
MAX_PROMPT_ENTRIES = 200
EVERY_NAME = "*"
"""Stands among protected names for all names there are."""
UNREADABLE_LINE = ""
LABEL = re.compile(r"[A-Z][0-9]{1,3}")

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MARK = re.compile(r"(?<![A-Za-z0-9_])(L[0-9]+|[A-Z][0-9]{1,3})[ \t]*:")
_LIKE_A_LABEL = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z_]+[0-9][A-Za-z0-9_]*[ \t]*:")
_RELATION = re.compile("[=<>≠≤≥≈≡→←↔⇒⇐⇔∈∉⊂⊆∧∨¬]")
_END = re.compile(r"[.;?](?=\s|$)|!(?=\s*$|\s+[A-Za-z])")
_TAIL = re.compile(
    r",\s*(?:and\s+|then\s+)?(?:is|are|does|do|can|must|will|what|how|find|compute|calculate|evaluate|determine|"
    r"decide|prove|show)\s",
    re.IGNORECASE,
)
"""Where a question or a task begins behind what is given: `Let x = 3, what is x + 1?`"""
_DOUBT = re.compile(
    r"\b(?:false|wrong|untrue|incorrect|lies?|lying|neither|either|exactly|only|one of|"
    r"not (?:\w+ )?(?:true|right|correct|hold|given))\b",
    re.IGNORECASE,
)
_GIVING = frozenset({"given", "let", "solve", "take", "use", "using"})
_LEADING = _GIVING | {"also", "and", "data", "equation", "equations", "fact", "facts", "following", "from", "here"}
_LEADING |= {"hold", "known", "know", "now", "premise", "premises", "rule", "rules", "that", "the", "these", "we"}
_LEADING |= {"where", "with"}
_PROGRAM_WORDS = KEYWORDS | FUNCTIONS.keys() | {"if", "while", "for", "range", ""}
_PUNCTUATION = frozenset(",:-*•")
_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_FOR = re.compile(rf" for {_NAME}(?:(?: ?,| and) {_NAME})*\s*$")
_SOLVE_FOR = re.compile(rf"\s*solve for {_NAME} ?:", re.IGNORECASE)


@dataclass
class Given:
    """What a prompt gives. `unread`: a labelled entry could not be read, and may have said anything."""

    facts: dict[str, str] = field(default_factory=dict)
    program: dict[str, str] = field(default_factory=dict)
    unlabelled: list[str] = field(default_factory=list)
    protected: set[str] = field(default_factory=set)
    unread: bool = False


def read(prompt: str, earlier: Sequence[tuple[str, str]] = ()) -> Given:
    """What a prompt gives, together with the questions before it. What was answered to those gives nothing."""
    reader = _Reader()
    for question, answer in earlier:
        reader.read(question)
        reader.protect(plain(answer))
    reader.read(prompt)
    return reader.result()


class _Reader:
    """Collects what the sentences of a prompt give."""

    def __init__(self) -> None:
        self._given = Given()
        self._bodies: dict[str, list[str]] = {}
        self._prose: list[str] = []
        self._used: set[str] = set()
        self._assigned: set[str] = set()
        self._count = 0
        self._is_cut = False

    def read(self, text: str) -> None:
        """Takes in one text."""
        read = plain(text[:MAX_PROMPT_CHARACTERS])
        if len(text) > MAX_PROMPT_CHARACTERS:  # what the last line would have been is not known
            self._is_cut, read = True, read.rpartition("\n")[0]
        prose = ""
        lines = [(line, list(_MARK.finditer(line))) for line in read.split("\n")]
        for (line, marks), (_, next_marks) in zip(lines, [*lines[1:], ("", [])], strict=True):
            if marks or not line.strip():
                self._read_prose(prose)
                prose = self._read_line(line, marks, is_continued=bool(next_marks))
            else:
                prose += "\n" + line
        self._read_prose(prose)

    def _read_line(self, line: str, marks: Sequence[re.Match[str]], is_continued: bool) -> str:
        """Reads a line with labels. Returns the unfinished sentence at its end.

        `is_continued`: whether labels stand on the next line, too.
        """
        ends = [*(mark.start() for mark in marks), len(line)][1:]
        lead = self._finished(line[: marks[0].start()] if marks else line)
        entries: list[tuple[str, str]] = []
        for mark, end in zip(marks, ends, strict=True):
            if self._count == MAX_PROMPT_ENTRIES:
                self._is_cut = True
                return ""
            self._count += 1
            label, body = mark[1], line[mark.end() : end]
            if label.startswith("L"):
                self._read_labelled(lead, entries, "", True)
                lead, entries = self._read_program_line(label, body, is_continued or end < len(line)), []
                continue
            self._bodies.setdefault(label, []).append(body)
            stop = _END.search(body)
            entries.append((label, body[: stop.start()] if stop else body))
            if stop:
                self._read_labelled(lead, entries, stop[0], False)
                lead, entries = self._finished(body[stop.end() :]), []
        self._read_labelled(lead, entries, "", is_continued)
        return "" if entries else lead

    def _read_program_line(self, label: str, body: str, is_continued: bool) -> str:
        """Takes in a line of the program. Returns what the words before the next label are if it cannot be read."""
        source = body.rstrip(" \t.,;")
        source = _without_separator(source if is_continued or not source.endswith(" and") else body).strip()
        if label in self._given.program or source.endswith("!"):
            source = UNREADABLE_LINE
        self._given.program[label] = source
        self._used |= _words(body) - _PROGRAM_WORDS
        try:
            self._assigned |= assigned_names(parse_program_line(source))
        except Unreadable:
            return body
        return ""

    def _finished(self, text: str) -> str:
        """Reads the whole sentences of a text without labels. Returns the rest."""
        *sentences, (rest, _) = _sentences(text)
        for sentence, end in sentences:
            self._read_sentence(sentence, end)
        return rest

    def _read_prose(self, text: str) -> None:
        self._read_sentence(self._finished(text), "")

    def _read_labelled(self, lead: str, entries: Sequence[tuple[str, str]], end: str, is_continued: bool) -> None:
        """Reads a sentence with labels: every entry is a statement, or none is given.

        `is_continued`: whether another label comes next, so that a comma or `and` may stand at the end.
        """
        if not entries:
            return
        (*before, (last, body)) = entries
        tail = _TAIL.search(body)
        if tail:
            self._read_sentence(body[tail.start() + 1 :], end)
            body, end = body[: tail.start()], ""
        bodies = [(label, _without_separator(text)) for label, text in before]
        bodies.append((last, _without_separator(body) if is_continued else body))
        facts = [(label, _fact(label, text.strip())) for label, text in bodies]
        if end not in ("?", "!") and _is_lead(lead) and all(fact for _, fact in facts):
            self._given.facts.update((label, fact) for label, fact in facts if fact)
            return
        self._given.unread |= end != "?"
        for text in (lead, *(text for _, text in entries)):
            self._prose.append(text)
            self._given.protected |= _words(text)

    def _read_sentence(self, sentence: str, end: str) -> None:
        """Reads a sentence without labels."""
        self._prose.append(sentence)
        labelled = bool(_LIKE_A_LABEL.search(sentence))
        relation = _RELATION.search(sentence)
        if not labelled and not relation:
            return
        tail = relation and _TAIL.search(sentence, relation.end())
        given, end = (sentence[: tail.start()], "") if tail else (sentence, end)
        statements = None if labelled else _statements(given, end)
        if statements is None:
            self._given.unread |= labelled
            self._given.protected |= _words(sentence)
            return
        self._given.unlabelled += statements
        if tail and _RELATION.search(sentence, tail.end()):
            self._given.protected |= _words(sentence[tail.end() :])

    def protect(self, text: str) -> None:
        """Protects the words of what looks like a statement in a text that gives nothing."""
        for sentence, _ in _sentences(text):
            if _RELATION.search(sentence) or _LIKE_A_LABEL.search(sentence):
                self._given.protected |= _words(sentence)

    def result(self) -> Given:
        """What was given in all texts together."""
        given = self._given
        given.protected |= self._used - self._assigned
        doubted = frozenset[str]().union(*(_words(text) for text in self._prose if _DOUBT.search(text)))
        unsure = {label for label, bodies in self._bodies.items() if len(bodies) > 1 or label in doubted}
        values = {label for label, fact in given.facts.items() if fact.startswith(f"{label} = ")} - unsure
        others = self._bodies.keys() - values
        unsure |= {label for label, fact in given.facts.items() if _words(fact) & others}
        for label in unsure:
            given.unread = True
            given.facts.pop(label, None)
            given.protected.update(*map(_words, self._bodies[label]))
        given.protected |= self._bodies.keys() - given.facts.keys()
        if self._is_cut:
            given.unread = True
            given.protected.add(EVERY_NAME)
            if given.program:
                given.program = {"": UNREADABLE_LINE, **given.program}
        return given


def _sentences(text: str) -> Iterator[tuple[str, str]]:
    """The sentences of a text without labels, each with the mark that ends it; the last one may have none."""
    start = 0
    for end in _END.finditer(text):
        yield text[start : end.start()], end[0]
        start = end.end()
    yield text[start:], ""


def _words(text: str) -> frozenset[str]:
    """The words of a text. A text without any has the empty one, so that a prompt with it is one with statements."""
    return frozenset(_WORD.findall(text) or [""])


def _is_lead(text: str) -> bool:
    """Whether the words before a label say no more than that something is given."""
    return all(word.lower() in _LEADING or word in _PUNCTUATION for word in re.findall(r"\w+|[^\w\s]", text))


def _without_separator(text: str) -> str:
    """A text without the commas, semicolons and `and` at its end."""
    while True:
        text = text.rstrip(" \t,;")
        if text != "and" and not text.endswith((" and", ",and")):
            return text
        text = text[:-3]


def _fact(label: str, text: str) -> str | None:
    """The statement of a labelled entry; None if there is none. `R1: 4 ohm` says that R1 is 4 ohm."""
    try:
        term = parse_statement(text)
    except Unreadable:
        return None
    if isinstance(term, terms.Name):
        return None if LABEL.fullmatch(term.id) else text
    if terms.is_boolean(term):
        return text
    return None if terms.names(term) or isinstance(term, terms.Month) else f"{label} = {text}"


def _statements(sentence: str, end: str) -> list[str] | None:
    """The statements of a sentence like `Let x = 3 and y = 2`; None if it gives none."""
    if end in ("?", "!"):
        return None
    sentence = re.sub(r"[ \t]+", " ", sentence)
    solve = _SOLVE_FOR.match(sentence)
    start, giving = (solve.end(), True) if solve else (0, False)
    for word in re.compile(r"\w+|[^\w\s]").finditer(sentence, start):
        if word[0].lower() not in _LEADING and word[0] not in ",:":
            break
        start, giving = word.end(), giving or word[0].lower() in _GIVING
    if not giving:
        return None
    try:
        parts = [parse_statement(piece) for piece in _pieces(_FOR.sub("", sentence[start:]))]
    except Unreadable:
        return None
    found = [term for part in parts for term in _conjuncts(part)]
    return [render_term(term) for term in found] if all(map(_has_relation, found)) else None


def _pieces(text: str) -> Iterator[str]:
    """The parts of a text between commas outside brackets, and between lines."""
    depth, start = 0, 0
    for place, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if (character == "," and not depth) or character == "\n":
            yield text[start:place].strip()
            start = place + 1
            if text.startswith(" and ", start):
                start += 5
    yield text[start:].strip()


def _conjuncts(term: Term) -> list[Term]:
    match term:
        case terms.Binary("and", left, right):
            return _conjuncts(left) + _conjuncts(right)
    return [term]


def _has_relation(term: Term) -> bool:
    match term:
        case terms.Compare():
            return True
        case terms.Unary("not", operand):
            return _has_relation(operand)
        case terms.Binary():
            return terms.is_boolean(term) and _has_relation(term.left) and _has_relation(term.right)
    return False
