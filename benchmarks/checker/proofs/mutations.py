"""Kinds of errors in proofs: each takes a proof and an rng and gives a wrong or merely other one, or None.

Whether a mutated chain is still a proof is for the judge to say: some changes leave it right.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias


@dataclass(frozen=True)
class Proof:
    """A claim, what is given under labels, and the steps."""

    claim: str
    steps: tuple[str, ...]
    given: Mapping[str, str]


Mutation: TypeAlias = Callable[[Proof, random.Random], Proof | None]
_NUMBER = re.compile(r"(?<![\^\w])[0-9]+\b")
_EXPONENT = re.compile(r"(?<=\^)[0-9]\b")


def _at(proof: Proof, number: int, text: str) -> Proof | None:
    """The proof with another line in the place of one."""
    if text == proof.steps[number]:
        return None
    return replace(proof, steps=(*proof.steps[:number], text, *proof.steps[number + 1 :]))


def _edit(pattern: str | re.Pattern[str], change: Callable[[re.Match[str], random.Random], str]) -> Mutation:
    """The mutation that changes one match of a pattern in one line."""
    compiled = re.compile(pattern)

    def mutation(proof: Proof, rng: random.Random) -> Proof | None:
        places = [(i, match) for i, step in enumerate(proof.steps) for match in compiled.finditer(step)]
        if not places:
            return None
        i, match = rng.choice(places)
        step = proof.steps[i]
        return _at(proof, i, step[: match.start()] + change(match, rng) + step[match.end() :])

    return mutation


def _near(match: re.Match[str], rng: random.Random) -> str:
    return str(max(0, int(match[0]) + rng.choice((-3, -2, -1, 1, 2, 3))))


def _in_last_line_and_claim(proof: Proof, rng: random.Random) -> Proof | None:
    """A claim with another number, which the last line claims as well."""
    numbers = list(_NUMBER.finditer(proof.claim))
    if not numbers or proof.steps[-1] != proof.claim:
        return None
    number = rng.choice(numbers)
    claim = proof.claim[: number.start()] + _near(number, rng) + proof.claim[number.end() :]
    return Proof(claim, (*proof.steps[:-1], claim), proof.given)


def _everywhere(proof: Proof, rng: random.Random) -> Proof | None:
    """One number changed wherever it stands, in claim, steps and premises."""
    numbers = _NUMBER.findall(proof.claim)
    if not numbers:
        return None
    old, pattern = (number := rng.choice(numbers)), re.compile(rf"(?<![\^\w]){number}\b")
    new = str(max(0, int(old) + rng.choice((-1, 1, 2))))
    given = {label: pattern.sub(new, text) for label, text in proof.given.items()}
    return Proof(pattern.sub(new, proof.claim), tuple(pattern.sub(new, step) for step in proof.steps), given)


def _other_claim(proof: Proof, rng: random.Random) -> Proof | None:
    """The steps as they were, for a claim with another number."""
    numbers = list(_NUMBER.finditer(proof.claim))
    if not numbers:
        return None
    number = rng.choice(numbers)
    return replace(proof, claim=proof.claim[: number.start()] + _near(number, rng) + proof.claim[number.end() :])


def _only_claim(proof: Proof, rng: random.Random) -> Proof | None:
    return replace(proof, steps=(proof.claim,)) if proof.steps != (proof.claim,) else None


def _drop(proof: Proof, rng: random.Random) -> Proof | None:
    """Without one line but the last: without base, step, a case or a lemma."""
    if len(proof.steps) < 2:
        return None
    gone = rng.randrange(len(proof.steps) - 1)
    return replace(proof, steps=proof.steps[:gone] + proof.steps[gone + 1 :])


def _drop_last(proof: Proof, rng: random.Random) -> Proof | None:
    return replace(proof, steps=proof.steps[:-1]) if len(proof.steps) > 1 else None


def _shuffle(proof: Proof, rng: random.Random) -> Proof | None:
    steps = tuple(rng.sample(proof.steps, len(proof.steps)))
    return replace(proof, steps=steps) if steps != proof.steps else None


def _circular(proof: Proof, rng: random.Random) -> Proof | None:
    """The claim in the place of a line that was to show it."""
    return _at(proof, rng.randrange(len(proof.steps)), proof.claim)


def _circular_step(proof: Proof, rng: random.Random) -> Proof | None:
    """The claim, from the claim itself as its hypothesis."""
    head, colon, body = proof.claim.partition(": ")
    if not colon or " -> " in body:
        return None
    return replace(proof, steps=(*proof.steps[:-1], f"{head}: {body} -> {body}", proof.claim))


def _case_twice(proof: Proof, rng: random.Random) -> Proof | None:
    """One line in the place of another."""
    if len(proof.steps) < 3:
        return None
    one, other = rng.sample(range(len(proof.steps) - 1), 2)
    return _at(proof, one, proof.steps[other])


def _no_premise(proof: Proof, rng: random.Random) -> Proof | None:
    """Without one of the premises, whose statement the steps use all the same."""
    if not proof.given:
        return None
    gone = rng.choice(sorted(proof.given))
    steps = tuple(step.replace(gone, proof.given[gone]) for step in proof.steps)
    return Proof(proof.claim, steps, {label: text for label, text in proof.given.items() if label != gone})


def _other_premise(proof: Proof, rng: random.Random) -> Proof | None:
    """With another number in a premise that is given."""
    if not proof.given:
        return None
    label = rng.choice(sorted(proof.given))
    numbers = list(_NUMBER.finditer(proof.given[label]))
    if not numbers:
        return None
    number, text = rng.choice(numbers), proof.given[label]
    text = text[: number.start()] + _near(number, rng) + text[number.end() :]
    return replace(proof, given={**proof.given, label: text})


def _own_premise(proof: Proof, rng: random.Random) -> Proof | None:
    """From a premise that nobody gave: the claim itself, or an equation that yields it."""
    relation = proof.claim.rpartition(": ")[2].rpartition(" -> ")[2]
    return replace(proof, steps=(*proof.steps[:-1], f"{relation} => {relation}"))


def _division(proof: Proof, rng: random.Random) -> Proof | None:
    """Divided by a term that is 0 for some value."""
    match = re.match(r"(?:for all (?:integers )?)(\w+)", proof.claim)
    if not match:
        return None
    term = f"({match[1]} - {rng.randint(0, 3)})"
    i = rng.randrange(len(proof.steps))
    return _at(proof, i, proof.steps[i].replace(" = ", f" = {term}/{term}*", 1))


def _unbracketed(proof: Proof, rng: random.Random) -> Proof | None:
    places = [(i, match) for i, step in enumerate(proof.steps) for match in re.finditer(r"(?<!sum)\(([^()]+)\)", step)]
    if not places:
        return None
    i, match = rng.choice(places)
    return _at(proof, i, proof.steps[i][: match.start()] + match[1] + proof.steps[i][match.end() :])


def _names_swapped(proof: Proof, rng: random.Random) -> Proof | None:
    """Two variables changed for each other in one line."""
    i = rng.randrange(len(proof.steps))
    names = sorted(set(re.findall(r"\b[a-z]\b", proof.steps[i])))
    if len(names) < 2:
        return None
    one, other = rng.sample(names, 2)
    text = re.sub(rf"\b(?:{one}|{other})\b", lambda match: other if match[0] == one else one, proof.steps[i])
    return _at(proof, i, text)


def _refutation_of_another(proof: Proof, rng: random.Random) -> Proof | None:
    """A last line that compares the claim's sides at some value, as a refutation does."""
    match = re.fullmatch(r"for all (?:integers )?(\w+)(?: >= -?\d+)?: ([^>]+) (=|>=|<=) ([^=<>]+)", proof.claim)
    if not match:
        return None
    name, left, relation, right = match.groups()
    wrong = {"=": "!=", ">=": "<", "<=": ">"}[relation]
    return replace(proof, steps=(*proof.steps, f"{name} = {rng.randint(-3, 9)}: {left} {wrong} {right}"))


MUTATIONS: dict[str, Mutation] = {
    "sign": _edit(r" [-+] ", lambda match, _: {" + ": " - ", " - ": " + "}[match[0]]),
    "coefficient": _edit(_NUMBER, _near),
    "exponent": _edit(_EXPONENT, _near),
    "operator": _edit(r"\*|/", lambda match, rng: rng.choice(("+", "/", "*"))),
    "remainder": _edit(r"(?<=mod )\d+", _near),
    "witness": _edit(r"(?:(?<=\*\()|(?<=\* \())\d+", _near),
    "quantifier": _edit(r"for all integers|for all", lambda m, _: "for all" if "int" in m[0] else "for all integers"),
    "bound": _edit(r"(?<=>= )-?\d+(?=[:,])", lambda match, rng: str(int(match[0]) + rng.choice((-2, -1, 1)))),
    "no bound": _edit(r"(?<=\w) >= -?\d+(?=[:,])", lambda *_: ""),
    "relation": _edit(
        r" (?:=|<=|>=|<|>|!=) ", lambda _, rng: rng.choice((" = ", " <= ", " >= ", " < ", " > ", " != "))
    ),
    "sum's first": _edit(r"(?<=from )\d+", _near),
    "sum's last": _edit(r"(?<= to )\w+(?: \+ 1)?(?=\))", lambda match, _: f"{match[0]} + 1"),
    "hypothesis dropped": _edit(r"(?<=: )[^:]+ -> ", lambda *_: ""),
    "arrow": _edit(r" (?:->|=>) ", lambda match, _: " => " if "-" in match[0] else " -> "),
    "value tried": _edit(r"(?<= = )-?\d+(?=[:,])", _near),
    "power as product": _edit(r"\^", lambda *_: "*"),
    "division by zero": _division,
    "brackets": _unbracketed,
    "names": _names_swapped,
    "claim and last line": _in_last_line_and_claim,
    "claim": _other_claim,
    "number everywhere": _everywhere,
    "only the claim": _only_claim,
    "line dropped": _drop,
    "last line dropped": _drop_last,
    "order": _shuffle,
    "circular": _circular,
    "circular step": _circular_step,
    "line twice": _case_twice,
    "premise not given": _no_premise,
    "premise changed": _other_premise,
    "own premise": _own_premise,
    "refutation": _refutation_of_another,
}
