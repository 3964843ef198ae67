"""What chat templates may call: filters, functions, and methods by the type of their value.

Everything offered produces at most a few times the size of its input, or has a check in `template_checks`. Anything
else is not offered: a padding method, for instance, can turn a short text into gigabytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any

from jinja2.exceptions import SecurityError, TemplateError
from jinja2.filters import FILTERS
from jinja2.runtime import LoopContext
from jinja2.utils import Namespace

from tuili.store.imported.template_checks import checked_filter
from tuili.store.imported.template_meter import METER, CountedRounds

TODAY = datetime(2024, 7, 26)
"""The date given to templates. A prompt that changed daily would invalidate caches and promises."""
LONGEST_OF_A_DATE = 256
"""The longest date as a multiple of its format's length: beyond it, the C library gives up."""
LONGEST_MESSAGE = 500
"""The number of characters kept of an error that a template raises: it becomes one line of an answer."""
FILTERS_OFFERED = frozenset(
    {"abs", "batch", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "groupby"}
    | {"indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject"}
    | {"rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "sort", "string", "sum", "title"}
    | {"trim", "unique", "upper", "wordcount"}
)
_OF_TEXTS = frozenset(
    {"capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii", "isdecimal"}
    | {"isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "lower", "lstrip", "partition"}
    | {"removeprefix", "removesuffix", "replace", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split"}
    | {"splitlines", "startswith", "strip", "swapcase", "title", "upper"}
)
_OF_LISTS = frozenset({"count", "index", "grouper", "list"})
"""The last two belong to the result of the filter `groupby`."""
_OF_DICTS = frozenset({"get", "items", "keys", "values"})


def is_offered(value: Any, attribute: str) -> bool:
    """Whether templates may access an attribute or method of a value."""
    if isinstance(value, str):
        return attribute in _OF_TEXTS
    if isinstance(value, dict):
        return attribute in _OF_DICTS
    if isinstance(value, list | tuple):
        return attribute in _OF_LISTS
    return isinstance(value, Namespace | LoopContext)


def _checked_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that runs after its check and whose result is counted."""
    place = int(hasattr(function, "jinja_pass_arg"))  # the value's position: after the context that Jinja passes

    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        METER.get().tick()
        before, value, after = arguments[:place], arguments[place], arguments[place + 1 :]
        value = checked_filter(name, value, after, named)
        return METER.get().count(function(*before, value, *after, **named))

    return run


class _Namespace(Namespace):
    """A Jinja namespace without names that begin with an underscore. Its text reveals nothing of its contents."""

    def __init__(*arguments: Any, **named: Any) -> None:  # any name may be given, even `self`
        self, *rest = arguments
        attributes = _dict(*rest, **named)
        for name in attributes:
            _check_name(name)
        Namespace.__init__(self, attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        Namespace.__setitem__(self, name, value)

    def __repr__(self) -> str:
        return "<Namespace>"


def _check_name(name: str) -> None:
    if name.startswith("_"):
        raise SecurityError(f"it sets {name!r}: names in a namespace do not begin with an underscore")


def _dict(*given: Any, **named: Any) -> dict[Any, Any]:
    """A dict whose items are counted one by one, because each may take long if keys collide."""
    return dict(*(one if isinstance(one, dict) else CountedRounds(one) for one in given), **named)


def _raise_exception(message: object) -> None:
    raise TemplateError(str(message)[:LONGEST_MESSAGE])


def _strftime_now(format: str) -> str:
    METER.get().make(LONGEST_OF_A_DATE * len(format))
    return TODAY.strftime(format)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


OFFERED_FILTERS: Mapping[str, Callable[..., Any]] = {
    name: _checked_filter(name, function)
    for name, function in {**{one: FILTERS[one] for one in FILTERS_OFFERED}, "tojson": _to_json}.items()
}
OFFERED_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "raise_exception": _raise_exception,
    "strftime_now": _strftime_now,
    "namespace": _Namespace,
    "dict": _dict,
}
