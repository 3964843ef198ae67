"""The examples in a prompt of the program that it asks for: calls with their values, `f(3, [1, 2]) = 7`.

Only certain examples are read: a program that does not give these values is not what the prompt asks for.
"""

from __future__ import annotations

import re
from itertools import islice

from tuili.steps.programs.bounds import MAX_DIGITS
from tuili.steps.programs.running.operations import BUILT_IN
from tuili.steps.programs.specification import Case, Specification
from tuili.steps.programs.values import Value, same_value

MAX_CHARACTERS = 4000
"""The maximum length of a prompt in characters. A longer prompt is not read."""
MAX_EXAMPLES = 20
"""The maximum number of examples in a prompt. Only the first ones are read."""
WINDOW = 300
"""The number of characters on each side of an example that are searched for words that deny it."""
MAX_ELEMENTS = 100
"""The maximum number of arguments of an example, and of elements of a list."""

_NUMBER = rf"-?[0-9]{{1,{MAX_DIGITS}}}"
_ITEM = rf"(?:{_NUMBER}|True|False)"
_LIST = rf"\[ ?(?:{_ITEM}(?: ?, ?{_ITEM}){{0,{MAX_ELEMENTS - 1}}})? ?\]"
_VALUE = rf"(?:{_ITEM}|None|{_LIST})"
_EXAMPLE = re.compile(
    r"(?<![A-Za-z0-9_.])(?P<function>[A-Za-z_][A-Za-z0-9_]*)"
    rf"\( ?(?P<arguments>(?:{_VALUE}(?: ?, ?{_VALUE}){{0,{MAX_ELEMENTS - 1}}})?) ?\)"
    rf"(?: ?(?:==?|->|→) ?| (?:returns|gives) | ?返回 ?)(?P<value>{_VALUE})"
    r"(?![A-Za-z0-9_(\[]|[.,][0-9]|[点分万亿千百十]| ?[*/%^<>=!]| ?[-+] ?[0-9A-Za-z_(\[]"
    r"| (?:mod|div|or|if|unless|when|in)\b)"
)
"""A call with its value, if nothing after it may continue the value."""
_PARTS = re.compile(f"{_LIST}|{_ITEM}|None")
_ITEMS = re.compile(_ITEM)
_IN_A_TERM = re.compile(
    r"(?:[0-9A-Za-z_)\]] ?[-+*/%^] ?|-|[A-Za-z0-9_]\(|\) ?(?:and|or|和|与|或) ?"
    r"|(?<![A-Za-z])(?:mod|div|not|if|unless|when|while|of|to|twice|half|than|plus|minus|times|by) "
    r"|[的倍加减乘除以方半若果当])\Z",
    re.IGNORECASE,
)
"""What precedes a call that is part of something larger, or of a condition."""
_DENIED = re.compile(
    r"(?<![A-Za-z])(?:not|never|instead|wrong|wrongly|incorrect|incorrectly|(?-i:false)|bugs?|buggy|broken|fails?|currently"
    r"|actually|[A-Za-z]+n't)(?![A-Za-z])|不|错|误|而非|并非|假",
    re.IGNORECASE,
)
_CLAUSE_ENDS = re.compile(r"[.,;:!?\n、。，；：！？]")
_SENTENCE_ENDS = re.compile(r"[.!?\n。！？]")
_JOINS = re.compile(r"[\s,;、，；]*(?:and|和|及|与)?\s*").fullmatch


def read_examples(prompt: str) -> Specification | None:
    """What a prompt says about the values of one function; None if it says nothing, or nothing that is certain.

    An example stands alone: `2 * f(3) = 8` is not an example, and neither is one that the words around it deny. Nothing
    is read if there are examples of several functions, or if two examples contradict each other. Never raises.
    """
    if len(prompt) > MAX_CHARACTERS:
        return None
    function, examples = "", list[Case]()
    left_out, end = False, 0
    for match in islice(_EXAMPLE.finditer(prompt), MAX_EXAMPLES):
        left_out = (left_out and bool(_JOINS(prompt, end, match.start()))) or _may_be_no_example(prompt, match)
        end = match.end()
        if left_out or match["function"] in BUILT_IN:
            continue
        case = Case(tuple(map(_value, _PARTS.findall(match["arguments"]))), _value(match["value"]))
        if function and match["function"] != function:
            return None
        function = match["function"]
        told = [other.value for other in examples if _same_arguments(other, case)]
        if not all(same_value(value, case.value) for value in told):
            return None
        if not told:
            examples.append(case)
    return Specification(function, tuple(examples)) if examples else None


def _may_be_no_example(prompt: str, match: re.Match[str]) -> bool:
    """Whether a call with its value may be part of something larger, or the words around it deny it."""
    clause = _CLAUSE_ENDS.split(prompt[max(0, match.start() - WINDOW) : match.start()])[-1]
    rest = _SENTENCE_ENDS.split(prompt[match.end() : match.end() + WINDOW], maxsplit=1)[0]
    return bool(_IN_A_TERM.search(clause) or _DENIED.search(clause) or _DENIED.search(rest))


def _same_arguments(one: Case, other: Case) -> bool:
    return len(one.arguments) == len(other.arguments) and all(map(same_value, one.arguments, other.arguments))


def _value(text: str) -> Value:
    if text.startswith("["):
        return [_item(item) for item in _ITEMS.findall(text)]
    return None if text == "None" else _item(text)


def _item(text: str) -> int:
    return text == "True" if text in ("True", "False") else int(text)
