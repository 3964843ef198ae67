"""Limits on what filters, methods and operators of chat templates may produce, checked on their arguments before a run.

A check exists only for operations whose output or work can exceed a few times their input: the product of the input's
length and a given length or number. `template_functions` defines what templates may use at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from jinja2.exceptions import SecurityError

from tuili.store.imported.template_meter import METER, CountedIterator, CountedRounds, check_bits, check_size, size_of


def check_operation(operator: str, left: Any, right: Any) -> None:
    """Raise `SecurityError` for an operation whose result would be too large."""
    if operator == "%" and isinstance(left, str):
        raise SecurityError("it formats by %: use ~ instead")
    for number in (left, right):
        check_bits(number.bit_length() if isinstance(number, int) else 0)
    if operator == "*" and isinstance(left, int) != isinstance(right, int):
        times, value = (left, right) if isinstance(left, int) else (right, left)
        size = size_of(value)
        check_size(size.items * times, size.characters * times)
    if operator == "**" and isinstance(left, int) and isinstance(right, int):
        check_bits(left.bit_length() * right)


def checked_filter(name: str, value: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """The input value of a filter, after all arguments of the filter have been checked."""
    if name in _BY_LENGTH and isinstance(value, CountedIterator):
        value = list(value)
    if name in _FILTER_CHECKS:
        _FILTER_CHECKS[name](value, *arguments, **named)
    return CountedRounds(value) if name in _LAZY and isinstance(value, Collection) else value


def checked_method(method: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments of a method or any other function, checked if it is a string method that has a check."""
    text, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
    if not isinstance(text, str) or name not in _METHOD_CHECKS:
        return arguments
    if name in _BY_LENGTH:
        arguments = tuple(list(one) if isinstance(one, CountedIterator) else one for one in arguments)
    _METHOD_CHECKS[name](text, *arguments, **{key: one for key, one in named.items() if key not in _OF_JINJA})
    return arguments


def _check_joined(separator: Any, parts: Any) -> None:
    METER.get().make(len(str(separator)) * len(parts))


def _check_replaced(text: Any, old: Any, new: Any, count: int | None = None) -> None:
    text, old, new = str(text), str(old), str(new)
    found = text.count(old)
    METER.get().make(len(text) + len(new) * (found if count is None or count < 0 else min(found, count)))


def _check_stripped(text: Any, chars: Any = None) -> None:
    """Every character of the text may be looked up among all stripped characters."""
    METER.get().tick(len(str(text)) * len(chars or ""))


def _check_searched_backwards(text: str, part: Any = None, *_: Any, **named: Any) -> None:
    """Unlike a forward search, Python's backward search compares the part with the text at every position."""
    METER.get().tick(len(text) * len(part or named.get("sep") or ""))


def _check_indented(text: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> None:
    METER.get().make(len(text) + (len(text.splitlines()) + 1) * _width(width))


def _check_json(value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, **_: Any) -> None:
    size, separating = size_of(value), sum(map(len, separators or (", ", ": ")))
    METER.get().make((size.items + 1) * (separating + 2 * size.depth * _width(indent or 0)))


def _width(indentation: int | str) -> int:
    return len(indentation) if isinstance(indentation, str) else max(0, indentation)


def _check_batched(values: Any, linecount: int, fill_with: Any = None) -> None:
    if fill_with is not None:
        check_size(linecount, linecount * size_of((fill_with,)).total)


def _check_grouped(values: Any, attribute: Any, default: Any = None, *_: Any, **__: Any) -> None:
    check_size(0, len(values) * size_of(default).total)


def _check_sorted(values: Any, reverse: bool = False, case_sensitive: bool = False, attribute: Any = None) -> None:
    check_size(0, size_of(values).total * str(attribute).count(","))  # every name in it causes copies


def _check_summed(values: Any, attribute: Any = None, start: Any = 0) -> None:
    if not isinstance(start, int | float):  # every partial sum of lists is a list
        METER.get().tick(len(values) * (size_of(values).total + size_of(start).total))


def _check_rounded(value: Any, precision: int | None = 0, *_: Any, **__: Any) -> None:
    check_bits(4 * abs(precision or 0))  # the bits of the power of ten


_BY_LENGTH = frozenset({"groupby", "join", "sort", "sum"})
"""Their checks need the number of items, which an iterator does not reveal."""
_LAZY = frozenset({"map", "reject", "rejectattr", "select", "selectattr", "unique"})
"""They may iterate over many items before they yield one."""
_OF_JINJA = frozenset({"_block_vars", "_loop_vars"})
"""Arguments that Jinja passes to every call."""
_FILTER_CHECKS: Mapping[str, Callable[..., None]] = {
    "batch": _check_batched,
    "groupby": _check_grouped,
    "indent": _check_indented,
    "join": lambda parts, d="", attribute=None: _check_joined(d, parts),
    "replace": _check_replaced,
    "round": _check_rounded,
    "sort": _check_sorted,
    "sum": _check_summed,
    "tojson": _check_json,
    "trim": _check_stripped,
}
_METHOD_CHECKS: Mapping[str, Callable[..., None]] = {
    "join": _check_joined,
    "replace": _check_replaced,
    **dict.fromkeys(("lstrip", "rstrip", "strip"), _check_stripped),
    **dict.fromkeys(("rfind", "rindex", "rpartition", "rsplit"), _check_searched_backwards),
}
