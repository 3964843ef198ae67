"""What a prompt gives: its labelled statements, its program, and text that only looks like a statement.

A sentence is read as a whole or not at all. A sentence that is not read gives nothing, and its words are protected: no
line may give them a value at will. `sentences` decides what one sentence says, `context` what follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tuili.steps.bare_logic import bare_question
from tuili.steps.headings import is_lead
from tuili.steps.language.characters import CJK, plain
from tuili.steps.language.grammar import FUNCTIONS, KEYWORDS
from tuili.steps.language.program import assigned_names, parse_program_line
from tuili.steps.sentences import (
    MARK,
    RELATION,
    TAIL,
    asks_which,
    condition,
    doubted,
    doubts_all,
    doubts_the_last,
    has_a_label,
    is_opening,
    joined,
    labelled_statement,
    offers_a_choice,
    sentences,
    shared,
    takes_back,
    unlabelled_statements,
    without_separator,
    words,
)
from tuili.steps.verdict import Unreadable

MAX_PROMPT_CHARACTERS = 20_000
MAX_PROMPT_ENTRIES = 200
EVERY_NAME = "*"
"""Represents all possible names among the protected names."""
UNREADABLE_LINE = ""

_LETTER = re.compile(f"[A-Za-z{CJK}]")
_PROGRAM_WORDS = KEYWORDS | FUNCTIONS.keys() | {"if", "while", "for", "range", ""}


@dataclass
class Given:
    """What a prompt gives. `unread`: whether a labelled entry, which may have said anything, could not be read."""

    facts: dict[str, str] = field(default_factory=dict)
    program: dict[str, str] = field(default_factory=dict)
    unlabelled: list[str] = field(default_factory=list)
    protected: set[str] = field(default_factory=set)
    unread: bool = False


def read(prompt: str, earlier: Sequence[tuple[str, str]] = ()) -> Given:
    """What a prompt gives, together with the questions before it. The answers to those questions give nothing."""
    reader = _Reader()
    for question, answer in earlier:
        reader.read_turn(question)
        reader.protect(plain(answer))
    reader.read_turn(prompt)
    return reader.result()


class _Reader:
    """Collects what the sentences of a prompt give."""

    def __init__(self) -> None:
        self._given = Given()
        self._bodies: dict[str, list[str]] = {}
        self._has_labels = False
        """Whether earlier turns contain labels."""
        self._doubted: set[str] = set()
        self._doubts_all = False
        self._used: set[str] = set()
        self._assigned: set[str] = set()
        self._stated: set[str] = set()
        """The words of this turn's facts."""
        self._count = 0
        self._is_cut = False
        self._heading = ""
        """The unfinished sentence on the lines before a line with labels."""
        self._is_choice = False
        """Whether the entries that follow are to be judged."""
        self._latest: tuple[Sequence[str], Sequence[str]] = (), ()
        """The labels and the statements of the latest sentence that had any."""
        self._conditions: Sequence[str] = ()
        """The condition of this turn's question."""
        self._is_next = False
        """Whether no other sentence stands between the sentence in `_latest` and the next one."""

    def read_turn(self, text: str) -> None:
        """Reads the text of one turn."""
        given, before = self._given, replace(self._given)
        bodies, doubted, used, assigned = self._bodies, self._doubted, self._used, self._assigned
        given.facts, given.program, given.unlabelled, given.protected = {}, {}, [], set()
        self._bodies, self._doubted, self._used, self._assigned = {}, set(), set(), set()
        self._heading, self._is_choice, self._is_next, self._stated, self._conditions = "", False, False, set(), ()
        self._has_labels = bool(bodies)
        self._read(text)
        self._join_facts(before, bodies, doubted)
        self._join_program(before.program, used, assigned)

    def _join_facts(self, before: Given, bodies: dict[str, list[str]], doubted: set[str]) -> None:
        """Adds what earlier turns gave.

        A statement of this turn replaces an unlabelled one about the same name. A labelled statement of this turn
        replaces one with the same label, and drops every statement that mentions this label.
        """
        given, anew = self._given, self._bodies.keys() & bodies.keys()
        mentioned = self._stated.union(anew, given.protected, *map(words, given.unlabelled)) - KEYWORDS
        stale = [statement for statement in before.unlabelled if shared(mentioned, words(statement))]
        given.unlabelled[:0] = (statement for statement in before.unlabelled if statement not in stale)
        kept = {label: fact for label, fact in before.facts.items() if not anew & {label, *words(fact)}}
        stale += (fact for label, fact in before.facts.items() if label not in kept)
        stale += (body for label in anew for body in bodies[label])
        given.facts = {**kept, **given.facts}
        given.protected |= before.protected.union(*map(words, stale))
        self._bodies, self._doubted = {**bodies, **self._bodies}, self._doubted | (doubted - anew)

    def _join_program(self, before: dict[str, str], used: set[str], assigned: set[str]) -> None:
        """Puts the program lines of earlier turns before this turn's, unless this turn starts a program again."""
        own = self._given.program
        if own and next(iter(own)) == next(iter(before), ""):
            self._given.protected |= used
            return
        twice = dict.fromkeys(own.keys() & before.keys(), UNREADABLE_LINE)
        self._given.program = {**before, **own, **twice}
        self._used |= used
        self._assigned |= assigned

    def _read(self, text: str) -> None:
        written = plain(text[:MAX_PROMPT_CHARACTERS])
        read = joined(written)
        if len(text) > MAX_PROMPT_CHARACTERS:  # the rest of the last line is unknown
            self._is_cut, read = True, read.rpartition("\n")[0]
        if read == written and (statements := bare_question(read)):
            self._take_condition(statements, "")
            return
        prose = ""
        lines = [(line, list(MARK.finditer(line))) for line in read.split("\n")]
        for (line, marks), (_, next_marks) in zip(lines, [*lines[1:], ("", [])], strict=True):
            if marks:
                self._read_prose(prose)
                prose = self._read_line(line, marks, is_continued=bool(next_marks))
            elif line.strip():
                prose += "\n" + line
            elif not is_opening(prose):
                self._read_prose(prose)
                self._heading, prose = "" if prose else self._heading, ""
        self._read_prose(prose)

    def _read_prose(self, text: str) -> None:
        """Reads lines without labels. An unfinished sentence at their end is the heading of the labels that follow."""
        if text.strip():
            rest = self._finished(text)
            self._heading = "" if RELATION.search(rest) and not rest.endswith(":") else rest
            self._read_sentence(rest, "")

    def _read_line(self, line: str, marks: Sequence[re.Match[str]], is_continued: bool) -> str:
        """Reads a line with labels. Returns the unfinished sentence at its end.

        `is_continued`: whether the next line also has labels.
        """
        ends = [*(mark.start() for mark in marks), len(line)][1:]
        before = line[: marks[0].start()]
        lead = self._finished(before)
        if _LETTER.search(before.removesuffix(lead)):
            self._heading = ""
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
            (statement, stop), *_ = sentences(body)
            entries.append((label, statement))
            if stop:
                self._read_labelled(lead, entries, stop, False)
                lead, entries = self._finished(body[len(statement) + 1 :]), []
        self._read_labelled(lead, entries, "", is_continued)
        return "" if entries else lead

    def _read_program_line(self, label: str, body: str, is_continued: bool) -> str:
        """Reads a program line. Returns the words before the next label: its text if it cannot be read, else none."""
        source = body.rstrip(" \t.,;")
        source = without_separator(source if is_continued or not source.endswith(" and") else body).strip()
        if label in self._given.program or source.endswith("!"):
            source = UNREADABLE_LINE
        self._given.program[label] = source
        self._used |= words(body) - _PROGRAM_WORDS
        try:
            self._assigned |= assigned_names(parse_program_line(source))
        except Unreadable:
            return body
        return ""

    def _finished(self, text: str) -> str:
        """Reads the complete sentences of a text without labels. Returns the rest."""
        *whole, (rest, _) = sentences(text)
        for sentence, end in whole:
            self._read_sentence(sentence, end)
        return rest

    def _read_labelled(self, lead: str, entries: Sequence[tuple[str, str]], end: str, is_continued: bool) -> None:
        """Reads a sentence with labels: either every entry is a statement, or none is given.

        `is_continued`: whether another label follows, so that a comma or `and` may stand at the end.
        """
        if not entries:
            return
        (*before, (last, body)) = entries
        tail = TAIL.search(body)
        asked, asked_end = "", ""
        if tail:
            asked, asked_end, body, end = body[tail.start() + 1 :], end, body[: tail.start()], ""
        bodies = [(label, without_separator(text)) for label, text in before]
        bodies.append((last, without_separator(body) if is_continued else body))
        facts = [(label, labelled_statement(label, text.strip())) for label, text in bodies]
        introduced = is_lead(self._heading + lead)
        self._is_choice &= not (introduced and _LETTER.search(self._heading + lead))
        if not introduced:
            self._judge(lead)
        self._latest, self._is_next = ([label for label, _ in entries], ()), True
        if end not in ("?", "!") and introduced and not self._is_choice and all(fact for _, fact in facts):
            self._given.facts.update((label, fact) for label, fact in facts if fact)
            self._stated.update(*(words(fact) for _, fact in facts if fact))
        else:
            self._given.unread |= end != "?"
            for text in (lead, *(text for _, text in entries)):
                self._doubted |= doubted(text)
                self._given.protected |= words(text)
        if tail:
            self._read_sentence(asked, asked_end)

    def _read_sentence(self, sentence: str, end: str) -> None:
        """Reads a sentence without labels."""
        self._judge(sentence)
        labelled = has_a_label(sentence)
        relation = RELATION.search(sentence)
        if not labelled and not relation:
            return
        if not labelled and (found := condition(sentence, end)):
            self._take_condition(*found)
            return
        tail = relation and TAIL.search(sentence, relation.end())
        given, end = (sentence[: tail.start()], "") if tail else (sentence, end)
        statements = None if labelled else unlabelled_statements(given, end)
        if statements is None:
            self._given.unread |= labelled
            self._given.protected |= words(sentence)
            return
        self._given.unlabelled += statements
        self._latest, self._is_next = ((), statements), True
        if tail:
            asked = sentence[tail.start() + 1 :]
            self._judge(asked)
            if RELATION.search(asked):
                self._given.protected |= words(asked)

    def _take_condition(self, statements: Sequence[str], asked: str) -> None:
        """Reads the condition of a question. If two questions have conditions, neither condition is given.

        No line may choose a value for what is asked.
        """
        self._latest, self._is_next = ((), statements), True
        self._given.protected |= words(asked).difference(("",), *map(words, statements))
        if self._conditions:
            self._drop(self._conditions)
            self._given.protected.update(*map(words, statements))
            return
        self._conditions = statements
        self._given.unlabelled += statements

    def _judge(self, sentence: str) -> None:
        """Reads what a sentence says about other sentences."""
        if not sentence.strip():
            return
        self._doubted |= doubted(sentence)
        self._doubts_all |= doubts_all(sentence) or (bool(self._bodies or self._has_labels) and asks_which(sentence))
        self._is_choice |= offers_a_choice(sentence)
        if takes_back(sentence) or (self._is_next and doubts_the_last(sentence)):
            labels, statements = self._latest
            self._doubted |= set(labels)
            self._drop(statements)
        self._is_next = False

    def _drop(self, statements: Sequence[str]) -> None:
        given = self._given
        given.unlabelled = [statement for statement in given.unlabelled if statement not in statements]
        given.protected.update(*map(words, statements))

    def protect(self, text: str) -> None:
        """Protects the words of everything that looks like a statement in a text that gives nothing."""
        for sentence, _ in sentences(text):
            if RELATION.search(sentence) or has_a_label(sentence):
                self._given.protected |= words(sentence)

    def result(self) -> Given:
        """What all turns together give."""
        given = self._given
        if shared(given.protected, frozenset().union(*map(words, self._conditions)) - KEYWORDS):
            self._drop(self._conditions)  # something unread, perhaps another condition, is about the same names
        given.protected |= self._used - self._assigned
        unsure = {label for label, bodies in self._bodies.items() if len(bodies) > 1}
        unsure |= self._bodies.keys() if self._doubts_all else self._bodies.keys() & self._doubted
        if self._doubts_all:
            self._drop(given.unlabelled)
        values = {label for label, fact in given.facts.items() if fact.startswith(f"{label} = ")} - unsure
        others = self._bodies.keys() - values
        unsure |= {label for label, fact in given.facts.items() if words(fact) & others}
        for label in unsure:
            given.unread = True
            given.facts.pop(label, None)
            given.protected.update(*map(words, self._bodies[label]))
        given.protected |= self._bodies.keys() - given.facts.keys()
        if self._is_cut:
            given.unread = True
            given.protected.add(EVERY_NAME)
            if given.program:
                given.program = {"": UNREADABLE_LINE, **given.program}
        return given
