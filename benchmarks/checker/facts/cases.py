"""Prompts over the whole class that the table in docs/steps.md names, and lines about them, true and false."""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.checker.facts.wordings import phrase

NAMES, ATOMS, LABELS = ("x", "y", "z"), ("A", "B", "C"), ("P1", "P2", "P3", "Q1")
SEPARATORS = (". ", ", ", "; ", " and ", ", and ", "\n", ",\n", " ", " or ", " if ", "! ", ".", "\n- ", "\n• ")
ALTERNATIVES = ("; or ", "\nor ", "\nor\n", "\nOR\n", "; unless ", "; else ", "\nnor ", "\nif ")
ENDS = (
    ".",
    "",
    "?",
    ";",
    "!",
    ".\nIs it so?",
    ", is B true?",
    ", is it so?",
    ", find x + y.",
    ", what is x?",
    " (or not).",
)
LEADS = (
    "",
    "",
    "",
    "",
    "Given ",
    "Premises: ",
    "If ",
    "Is it true that ",
    "Ann denies ",
    "Let ",
    "Hello! ",
    "Read this. ",
)
LOOSE = (
    "Solve {} for x",
    "Let {}",
    "Given {}",
    "If {}",
    "Suppose {}",
    "Is {}",
    "{}",
    "Use {}",
    "Solve for x: {}",
    "Use {} for y",
)
WORDED = (
    "Let {} be {}.",
    "{} is at least {}.",
    "{}: {}.",
    "{} equals {}.",
    r"Suppose ${} \geq {}$.",
    "Suppose {} &gt; {}.",
    "Let {} ≔ {}.",
    "The number {} is greater than {}.",
    r"P3: {} \leq {}.",
    "P3: {} &lt; {}.",
    "**P3**: {} = {}.",
    "(P3): {} = {}.",
)
ASIDE = (
    "Ann has 3 apples.",
    "Let n be their number.",
    "Exactly one of P1 and P2 is true.",
    "all cats are pets.",
    "p3: A.",
)


@dataclass(frozen=True)
class Case:
    """A prompt, the earlier turns of its conversation, and a chain of lines about it."""

    prompt: str
    earlier: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]


def draw(rng: random.Random) -> Case:
    """A prompt and six lines."""
    text = _turn(rng)
    program = _program(rng)
    if rng.random() < 0.25:
        text += "\n" + rng.choice(("\n", "\n", ", ", " and ")).join(program)
    else:
        program = []
    earlier = tuple(
        (_turn(rng), rng.choice(("4", "z = 4", "P3: y = 2"))) for _ in range(2 if rng.random() < 0.3 else 1)
    )
    earlier = earlier if rng.random() < 0.15 else ()
    if earlier and rng.random() < 0.3:
        (question, answer), *others = earlier
        earlier = ("\n".join((question, *_program(rng))), answer), *others
    statements = [statement for pair in earlier for statement in pair] + [text]
    if rng.random() < 0.15:
        text = _wide(rng, text)
    lines = tuple(_line(rng, " ".join(statements), program) for _ in range(6))
    return Case(text, earlier, lines)


def _program(rng: random.Random) -> list[str]:
    first = 1 if rng.random() < 0.8 else 2
    return [f"L{i}: {rng.choice(NAMES)} = {_expression(rng)}" for i in range(first, first + rng.choice((1, 2, 3)))]


def _turn(rng: random.Random) -> str:
    parts = [_labelled(rng)] if rng.random() < 0.8 else []
    if parts and rng.random() < 0.2:
        kind = rng.choice(("following", "choice", "heading", "title", "task", "all"))
        space = "\n\n" if kind == "title" else rng.choice(("\n", "\n", "\n\n", " "))
        parts[0] = phrase(rng, kind, LABELS) + space + parts[0]
    if rng.random() < 0.35:
        parts.append(_loose(rng))
    if rng.random() < 0.15:
        parts.append(rng.choice(ASIDE))
    if rng.random() < 0.1:
        parts.append(rng.choice(WORDED).format(rng.choice(NAMES), rng.randint(1, 6)))
    rng.shuffle(parts)
    if rng.random() < 0.3:
        kind = rng.choice(("label", "label", "this", "this", "that", "all", "choice", "task"))
        parts.insert(rng.randint(0, len(parts)) if rng.random() < 0.3 else len(parts), phrase(rng, kind, LABELS))
    return rng.choice((" ", "\n")).join(parts)


def _labelled(rng: random.Random) -> str:
    labels = rng.sample(LABELS, rng.choice((1, 2, 2, 3)))
    if rng.random() < 0.08:
        labels.append(labels[0])
    separator = rng.choice(SEPARATORS if rng.random() < 0.9 else ALTERNATIVES)
    text = rng.choice(LEADS)
    for place, label in enumerate(labels):
        mark = rng.choice((": ", ": ", ": ", ":"))
        text += (
            (rng.choice((separator, separator, rng.choice(SEPARATORS))) if place else "") + label + mark + _body(rng)
        )
    return text + rng.choice(ENDS)


def _loose(rng: random.Random) -> str:
    statement = rng.choice((", ", " and ", "\n")).join(_numeric(rng) for _ in range(rng.choice((1, 1, 2))))
    if rng.random() < 0.1:
        statement = _numeric(rng) + rng.choice(ALTERNATIVES[:-1]) + _numeric(rng)
    return rng.choice(LOOSE).format(statement) + rng.choice(ENDS)


def _body(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.6:
        return _numeric(rng)
    if kind < 0.85:
        return _proposition(rng)
    odd = (
        "x = 3 apples",
        "",
        "4",
        "the cat sat",
        "x = 2, where y = 3",
        "x is 3",
        "is x > 2",
        "P2 -> A",
        "x = 3!",
        "x ≥ 2",
    )
    return rng.choice(odd)


def _expression(rng: random.Random) -> str:
    a, b = rng.choice(NAMES), rng.choice(NAMES)
    n = rng.randint(1, 6)
    return rng.choice((str(n), str(n), f"{a} + {n}", f"{a} - {n}", f"{a} + {b}", f"2*{a}"))


def _numeric(rng: random.Random) -> str:
    name = rng.choice(NAMES)
    if rng.random() < 0.5:
        return f"{name} = {rng.randint(1, 6)}"
    return f"{_expression(rng)} {rng.choice(('=', '=', '>', '<', '>=', '!='))} {_expression(rng)}"


def _proposition(rng: random.Random) -> str:
    a, b = rng.sample(ATOMS, 2)
    return rng.choice((a, a, f"not {a}", f"{a} -> {b}", f"{a} -> {b}", f"{a} or {b}"))


def _line(rng: random.Random, text: str, program: list[str]) -> str:
    kind = rng.random()
    a, b = rng.randint(1, 6), rng.randint(1, 4)
    if program and kind < 0.3:
        label, _, source = program[rng.randrange(len(program))].partition(": ")
        return f"{label}: {source.split(' = ')[0]} = {rng.randint(1, 8)}"
    if kind < 0.45:
        name = rng.choice((*NAMES, *NAMES, "P1", "R1", "w", "n", "pi"))
        return f"{name} = {a} + {b} = {a + b + rng.choice((0, 0, 0, 0, 1))}"
    if kind < 0.6:
        return _numeric(rng)
    if kind < 0.7:
        return f"{rng.choice(NAMES)} + {rng.choice(NAMES)} = {rng.randint(1, 9)}"
    chosen = rng.sample(LABELS, rng.choice((1, 2)))
    premises = [rng.choice((label, label, _numeric(rng), _proposition(rng))) for label in chosen]
    conclusion = rng.choice((_numeric(rng), _proposition(rng), _proposition(rng), f"{rng.choice(NAMES)} > {a}"))
    return f"{', '.join(premises)} => {conclusion}"


def _wide(rng: random.Random, text: str) -> str:
    chosen = rng.choice(("0123456789", ":.,;?", "=<>+", "PQxyzAB", "0123456789:.,;?=<>+PQxyzAB"))
    wide = {ord(c): chr(ord(c) + 0xFEE0) for c in chosen if c != "."}
    if "." in chosen:
        wide[ord(".")] = "。"
    return text.translate(wide)
