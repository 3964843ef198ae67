"""A sandbox for the chat templates of strangers: Jinja without access to Python, and with bounds on time and memory.

It offers what transformers offers to a chat template, but a fixed date, and no function that pads or formats, since a
short text would become one of gigabytes. What a template is given, and what its text becomes, is left to
`chat_template`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import wraps
from typing import Any

import jinja2
from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.filters import FILTERS
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

MAX_SECONDS = 5.0
"""Of one rendering; a conversation takes less than a thousandth of that."""
MAX_CHARACTERS = 2**22
"""Of a text that a template makes, and of its output."""
MAX_WORK = 2**28
"""Characters and items that one rendering makes in all."""
MAX_ITEMS = 100_000
"""Of a list, with all that is nested in it."""
MAX_NUMBER = 10_000
"""Among the arguments of filters, such as an indentation."""
TODAY = datetime(2024, 7, 26)
"""The date that templates are told. A prompt that changed every day would be another one for caches and promises."""
FILTERS_OFFERED = frozenset(
    {"abs", "batch", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "groupby"}
    | {"indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject"}
    | {"rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "sort", "string", "sum", "title"}
    | {"trim", "unique", "upper", "wordcount"}
)
_PADDING = frozenset({"center", "expandtabs", "format", "format_map", "ljust", "rjust", "translate", "zfill"})


class _Meter:
    """What one rendering has used."""

    def __init__(self) -> None:
        self._until, self._work = time.monotonic() + MAX_SECONDS, 0

    def tick(self) -> None:
        """Raise `SecurityError` where the time is over."""
        if time.monotonic() > self._until:
            raise SecurityError(f"it takes longer than {MAX_SECONDS:g} seconds")

    def count(self, value: Any) -> Any:
        """A value that the template has made. Raises `SecurityError` for one that is too large."""
        self.tick()
        self.add(_size(value))
        return value

    def add(self, size: int) -> None:
        """Note that a value of this size is made."""
        self._work += size
        if size > MAX_CHARACTERS or self._work > MAX_WORK:
            raise SecurityError(f"it makes texts of more than {MAX_CHARACTERS:,} characters")


_METER: ContextVar[_Meter] = ContextVar("meter")


@contextmanager
def _bounded() -> Iterator[None]:
    """Bound what templates do in the block, compiling included."""
    token = _METER.set(_Meter())
    try:
        yield
    finally:
        _METER.reset(token)


def _size(value: Any) -> int:
    """The characters of a text, or the items of a container with all that is nested in it."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, int):
        return value.bit_length()
    if not isinstance(value, list | tuple | dict):
        return 1
    size, open_values = 0, list[Any]([value])
    while open_values:
        one = open_values.pop()
        size += 1 if not isinstance(one, str) else 0
        if size > MAX_ITEMS:
            raise SecurityError(f"it makes lists of more than {MAX_ITEMS:,} items")
        if isinstance(one, list | tuple):
            open_values += one
        elif isinstance(one, dict):
            open_values += one.values()
    return size


def _joined_size(separator: str, parts: Iterable[Any]) -> int:
    texts = list(parts)
    return sum(len(str(part)) for part in texts) + len(separator) * len(texts)


def _check_method(method: Any, arguments: tuple[Any, ...]) -> None:
    """Bound what a method of a text makes before it makes it."""
    text, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
    if not isinstance(text, str):
        return
    if name == "join" and arguments and isinstance(arguments[0], list | tuple):
        _METER.get().add(_joined_size(text, arguments[0]))
    if name == "replace" and len(arguments) > 1:
        _METER.get().add(_replaced_size(text, *arguments[:2]))


def _replaced_size(text: str, old: Any, new: Any) -> int:
    found = text.count(str(old)) if str(old) else len(text) + 1
    return len(text) + found * len(str(new))


class _Counted:
    """What a loop goes over; every round is counted."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._values = values

    def __iter__(self) -> Iterator[Any]:
        meter = _METER.get()
        for value in self._values:
            meter.tick()
            yield value

    def __len__(self) -> int:
        return len(self._values)  # type: ignore[arg-type]  # a TypeError is what a loop expects of an iterator


class _Bounding(NodeTransformer):
    """Lets loops, and lists and texts that the syntax itself makes, go through filters that count."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        assert isinstance(node.iter, nodes.Expr)
        node.iter = _through("counted rounds", node.iter)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _through("concatenated", nodes.List(node.nodes, lineno=node.lineno))

    def visit_List(self, node: nodes.List) -> nodes.Node:
        self.generic_visit(node)
        return _through("counted", node)

    visit_Dict = visit_List

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _through("counted", node) if node.ctx == "load" else node


def _through(name: str, node: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


@pass_context
def _counted_rounds(_: Any, values: Iterable[Any]) -> Iterable[Any]:
    return values if isinstance(values, jinja2.Undefined) else _Counted(values)


@pass_context
def _counted(_: Any, value: Any) -> Any:
    return _METER.get().count(value)


@pass_context
def _concatenated(_: Any, parts: list[Any]) -> str:
    _METER.get().count(parts)
    return _concat(map(str, parts))


def _concat(parts: Iterable[str]) -> str:
    meter, pieces, size = _METER.get(), list[str](), 0
    for part in parts:
        meter.tick()
        size += len(part)
        if size > MAX_CHARACTERS:
            meter.add(size)
        pieces.append(part)
    meter.add(size)
    return "".join(pieces)


def _bounded_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of Jinja whose numbers and results are bounded."""

    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        meter = _METER.get()
        meter.tick()
        for given in (*arguments, *named.values()):
            if name in ("batch", "indent") and isinstance(given, int) and given > MAX_NUMBER:
                raise SecurityError(f"{name} is given {given}: at most {MAX_NUMBER} is possible")
        texts = [one for one in (*arguments, *named.values()) if isinstance(one, str)]
        if name == "replace" and len(texts) > 2:
            meter.add(_replaced_size(*texts[:3]))
        if name == "join":
            meter.add(sum(map(len, texts)) * MAX_ITEMS if _is_long(arguments) else 0)
        return meter.count(function(*arguments, **named))

    return run


def _is_long(arguments: tuple[Any, ...]) -> bool:
    sized = [one for one in arguments if isinstance(one, list | tuple | dict | range)]
    return any(len(one) > MAX_NUMBER for one in sized)


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "**", "%"})
    concat = staticmethod(_concat)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        return _Bounding().visit(tree)  # type: ignore[no-any-return]

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return not (isinstance(obj, str) and attr in _PADDING) and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """No way around `is_safe_attribute` for methods that format."""

    def call(self, context: Any, function: Any, *arguments: Any, **named: Any) -> Any:
        _METER.get().tick()
        _check_method(function, arguments)
        return _METER.get().count(super().call(context, function, *arguments, **named))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        meter = _METER.get()
        if operator == "%" and isinstance(left, str):
            raise SecurityError("it formats by %: use ~ instead")
        if operator == "*" and isinstance(left, int) != isinstance(right, int):
            times, value = (left, right) if isinstance(left, int) else (right, left)
            meter.add(max(0, times) * _size(value) if isinstance(times, int) else 0)
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            meter.add(left.bit_length() * max(0, right))
        return meter.count(super().call_binop(context, operator, left, right))


class _Generation(Extension):
    """`{% generation %}`: the words of the assistant, by which trainers find them. It changes no text."""

    tags = frozenset({"generation"})  # type: ignore[assignment]

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Namespace(Namespace):
    """A namespace of Jinja without names that begin with an underscore."""

    def __init__(*arguments: Any, **named: Any) -> None:  # any name may be given, `self` too
        self, *rest = arguments
        attributes = dict(*rest, **named)
        for name in attributes:
            _check_name(name)
        Namespace.__init__(self, attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        Namespace.__setitem__(self, name, value)


def _check_name(name: str) -> None:
    if name.startswith("_"):
        raise SecurityError(f"it sets {name!r}: names in a namespace do not begin with an underscore")


def _raise_exception(message: object) -> None:
    raise TemplateError(str(message))


def _strftime_now(format: str) -> str:
    return TODAY.strftime(format)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _environment() -> _Environment:
    environment = _Environment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    offered = {name: _bounded_filter(name, FILTERS[name]) for name in FILTERS_OFFERED}
    offered["tojson"] = _bounded_filter("indent", _to_json)
    counting = {"counted rounds": _counted_rounds, "counted": _counted, "concatenated": _concatenated}
    environment.filters = {**offered, **counting}
    environment.globals |= {"raise_exception": _raise_exception, "strftime_now": _strftime_now}
    environment.globals |= {"namespace": _Namespace, "dict": dict}
    for name in ("lipsum", "cycler", "joiner"):
        environment.globals.pop(name)
    return environment


class CompiledTemplate:
    """A template that is ready to be rendered, within bounds."""

    def __init__(self, template: jinja2.Template) -> None:
        self._template = template

    def render(self, values: Mapping[str, Any]) -> str:
        """Its text. Raises what the template raises, and `SecurityError` beyond the bounds."""
        with _bounded():
            return self._template.render(values)


def compile_template(source: str) -> CompiledTemplate:
    """Raises what Jinja raises for a text that it cannot read."""
    with _bounded():
        return CompiledTemplate(_environment().from_string(source))
