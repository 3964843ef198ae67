"""A sandbox for untrusted chat templates: Jinja without access to Python, and with limits on time and memory.

It offers what transformers offers to a chat template, except that the date is fixed and nothing pads or formats.
`template_functions` defines what it offers, `template_meter` the limits. `chat_template` provides the input of a
template and uses its output.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jinja2
from jinja2 import nodes, pass_context
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from tuili.store.imported.template_checks import check_operation, checked_method
from tuili.store.imported.template_functions import OFFERED_FILTERS, OFFERED_FUNCTIONS, is_offered
from tuili.store.imported.template_meter import METER, WORK_OF_A_PIECE, CountedRounds, check_size, metered


class _Counting(NodeTransformer):
    """Route loops, output, and values created by the syntax itself through filters that count."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        assert isinstance(node.iter, nodes.Expr)
        node.iter = _through("counted rounds", node.iter)
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        self.generic_visit(node)
        node.nodes = [_through("written", one) for one in node.nodes]
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _through("concatenated", nodes.List(node.nodes, lineno=node.lineno))

    def visit_List(self, node: nodes.Expr) -> nodes.Node:
        self.generic_visit(node)
        return _through("counted", node)

    visit_Dict = visit_List

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _through("counted", node) if node.ctx == "load" else node

    def visit_Const(self, node: nodes.Const) -> nodes.Node:
        METER.get().count(node.value)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        return _through("counted", node) if isinstance(node.arg, nodes.Slice) else node

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        """The extra arguments of a macro become a list."""
        made = node.ctx == "load" and node.name in ("varargs", "kwargs")
        return _through("counted", node) if made else node


def _through(name: str, node: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


@pass_context
def _counted_rounds(_: Any, values: Iterable[Any]) -> Iterable[Any]:
    return values if isinstance(values, jinja2.Undefined) else CountedRounds(values)


@pass_context
def _counted(_: Any, value: Any) -> Any:
    return METER.get().count(value)


@pass_context
def _written(_: Any, value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    METER.get().tick(WORK_OF_A_PIECE + len(text))
    return text


@pass_context
def _concatenated(_: Any, parts: list[Any]) -> str:
    METER.get().count(parts)
    return _concat(map(str, parts))


def _concat(parts: Iterable[str]) -> str:
    pieces, size = list[str](), 0
    for part in parts:
        size += len(part)
        check_size(0, size)
        if part:
            pieces.append(part)
    METER.get().make(size)
    return "".join(pieces)


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    concat = staticmethod(_concat)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        return _Counting().visit(tree)  # type: ignore[no-any-return]

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return is_offered(obj, attr) and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Do not let formatting methods bypass `is_safe_attribute`."""

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Filters use this to look up attributes of many items."""
        METER.get().tick()
        return super().getitem(obj, argument)

    def call(self, context: Any, function: Any, *arguments: Any, **named: Any) -> Any:
        METER.get().tick()
        arguments = checked_method(function, arguments, named)
        return METER.get().count(super().call(context, function, *arguments, **named))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        check_operation(operator, left, right)
        return METER.get().count(super().call_binop(context, operator, left, right))


class _Generation(Extension):
    """`{% generation %}` marks the words of the assistant for trainers. It changes no text."""

    tags = frozenset({"generation"})  # type: ignore[assignment]

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> _Environment:
    environment = _Environment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    counting = {"counted rounds": _counted_rounds, "counted": _counted, "written": _written}
    environment.filters = {**OFFERED_FILTERS, **counting, "concatenated": _concatenated}
    environment.globals = {"range": environment.globals["range"], **OFFERED_FUNCTIONS}
    return environment


class CompiledTemplate:
    """A template that is ready to be rendered, within the limits."""

    def __init__(self, template: jinja2.Template) -> None:
        self._template = template

    def render(self, values: Mapping[str, Any]) -> str:
        """The rendered text. Raises what the template raises, and `SecurityError` beyond the limits."""
        with metered():
            return self._template.render(values)


def compile_template(source: str) -> CompiledTemplate:
    """Compile a template. Raises what Jinja raises for a text that it cannot read."""
    with metered():
        return CompiledTemplate(_environment().from_string(source))
