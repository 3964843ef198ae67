"""What chat templates may not make: refused before it is made, so that neither memory nor time is spent."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace

import pytest
from jinja2.exceptions import SecurityError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tuili.store.imported import template_meter
from tuili.store.imported.template_functions import OFFERED_FILTERS
from tuili.store.imported.template_sandbox import compile_template

TEXTS = "it makes texts of more than 4,194,304 characters"
LISTS = "it makes lists of more than 100,000 items"
NUMBERS = "it makes numbers of more than 16,384 bits"
STEPS = "it takes more than 268,435,456 steps"
SECONDS = "it takes longer than 600 seconds"
LITTLE_MEMORY = 16 * 2**20
"""Bytes; each of the results below has twice as many or more."""


def rendered(source: str, **values: object) -> str:
    return compile_template(source).render(values)


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused here is refused for its size, however slow the machine is."""
    monkeypatch.setattr(template_meter, "MAX_SECONDS", 600.0)


@pytest.fixture
def memory() -> Iterator[None]:
    """The test may take little of it."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LITTLE_MEMORY


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (r"{{ ('a\n' * 5000) | indent(10000, true, true) }}", TEXTS),
        (r"{{ ('a\n' * 5000) | indent(width='x' * 10000, blank=true) }}", TEXTS),
        ("{{ range(5000) | join('x' * 10000) }}", TEXTS),
        ("{{ range(5000) | map('string') | join(d='x' * 10000) }}", TEXTS),
        ("{{ ('x' * 10000).join('a' * 5000) }}", TEXTS),
        ("{{ ('x' * 10000).join(range(5000) | map('string')) }}", TEXTS),
        ("{{ ('x' * 10000).join({'a': 1}.keys() | map('replace', 'a', 'a' * 5000) | first) }}", TEXTS),
        ("{{ ('a' * 10000) | replace(new='b' * 5000, old='a') }}", TEXTS),
        ("{{ ['a' * 100000] * 1000 }}", TEXTS),
        ("{{ [{'a' * 100000: 1}] * 1000 }}", TEXTS),
        ("{% set x = 'a' * 100000 %}{{ range(1000) | map(attribute='a', default=x) | list }}", TEXTS),
        ("{% set x = 'a' * 100000 %}{{ range(1000) | map(attribute='a', default=x) | sort | length }}", TEXTS),
        ("{{ range(5000) | list | tojson(separators=('x' * 10000, ':')) }}", TEXTS),
        ("{{ ([[[[1]]]] * 2000) | tojson(indent=2000) }}", TEXTS),
        ("{{ ([[[[1]]]] * 2000) | tojson(indent='x' * 2000) }}", TEXTS),
        ("{{ range(1000) | groupby('a', default='X' * 100000) }}", TEXTS),
        ("{{ [{'a': 'X' * 100000}] | sort(attribute='a,' * 1000) }}", TEXTS),
        ("{{ [1] | batch(linecount=1000, fill_with='x' * 100000) | list }}", TEXTS),
        ("{{ [1] * 9999999 }}", LISTS),
        ("{{ [1] | batch(9999999, 'x') | list }}", LISTS),
        ("{{ 9 ** 99999999 }}", NUMBERS),
        ("{{ 5.5 | round(99999999, 'ceil') }}", NUMBERS),
    ],
)
def test_what_takes_much_memory_is_refused_before_it_is_made(source: str, reason: str):
    with pytest.raises(SecurityError, match=reason):
        rendered(source)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ 5 | round(-20000) }}", NUMBERS),
        ("{{ 2 ** 20000 }}", NUMBERS),
        ("{{ ('f' * 5000) | int(0, 16) is odd }}", NUMBERS),
        ("{{ 0x" + "f" * 5000 + " is odd }}", NUMBERS),
        ("{{ strftime_now('x' * 20000) }}", TEXTS),
        ("{{ ('a' * 50000) | trim('b' * 9999 ~ 'a') }}", STEPS),
        ("{{ ('a' * 50000) | trim(chars='b' * 9999 ~ 'a') }}", STEPS),
        ("{{ ('a' * 50000).strip('b' * 9999 ~ 'a') }}", STEPS),
        ("{{ ('a' * 50000).lstrip('b' * 9999 ~ 'a') }}", STEPS),
        ("{{ ('a' * 50000).rstrip('b' * 9999 ~ 'a') }}", STEPS),
        ("{{ ('a' * 50000).rfind('ab' ~ 'a' * 9999) }}", STEPS),
        ("{{ ('a' * 50000).rsplit('ab' ~ 'a' * 9999) }}", STEPS),
        ("{% for _ in [1] %}{{ ('a' * 50000).rsplit(sep='ab' ~ 'a' * 9999) }}{% endfor %}", STEPS),
        ("{{ ('a' * 50000).rpartition('ab' ~ 'a' * 9999) }}", STEPS),
        ("{{ ('a' * 50000).rindex('ab' ~ 'a' * 9999) }}", STEPS),
        ("{{ ([[1]] * 20000) | sum(start=[]) | length }}", STEPS),
        ("{% set x = 'a' * 1000000 %}{% for _ in range(300) %}{% set y = x[1:] %}{% endfor %}", STEPS),
        ("{% set ns = namespace(x=[]) %}{% for _ in range(300) %}{% set ns.x = [ns.x] %}{% endfor %}", "200 levels"),
        ("{% set ns = namespace(x={}) %}{% for _ in range(20) %}{% set ns.x = {1: ns.x.values(), 2: ns.x.items()} %}"
         "{% endfor %}", LISTS),
        ("{% set ns = namespace(x=[]) %}{% macro m() %}{% set ns.x = varargs %}{% endmacro %}"
         "{% for _ in range(20) %}{{ m(ns.x, ns.x) }}{% endfor %}", LISTS),
        ("{% set ns = namespace(x=[]) %}{% macro m() %}{% set ns.x = kwargs %}{% endmacro %}"
         "{% for _ in range(20) %}{{ m(a=ns.x, b=ns.x) }}{% endfor %}", LISTS),
        ("{{ [namespace()] | length }}", "a _Namespace into a list"),
        ("{{ {'a': namespace()} | length }}", "a _Namespace into a list"),
        ("{{ range(3) | map('default') | map(attribute='a', default=namespace()) | list | length }}", "into a list"),
        ("{% for _ in [1] %}{{ [loop] | length }}{% endfor %}", "a LoopContext into a list"),
        ("{{ [('a' | safe).upper] | length }}", "a method into a list"),
    ],
)  # fmt: skip
def test_what_takes_long_or_grows_is_refused(source: str, reason: str):
    with pytest.raises(SecurityError, match=reason):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ range(9999) | select('in', []) | list }}",
        "{{ range(9999) | map('default') | reject('number') | first }}",
        "{{ range(9999) | map('default', 1) | list | length }}",
        "{{ ([1] * 9999) | unique | list }}",
        "{{ ([{}] * 99) | sort(attribute='a,' * 99) }}",
        "{{ dict([(1, 2)] * 9999) }}",
        "{{ namespace([('a', 2)] * 9999) }}",
    ],
)
def test_every_round_of_a_filter_looks_at_the_clock(source: str, monkeypatch: pytest.MonkeyPatch):
    ticks = count()
    monkeypatch.setattr(template_meter, "time", SimpleNamespace(monotonic=lambda: next(ticks) / 8))
    with pytest.raises(SecurityError, match=SECONDS):
        rendered(source)


def test_every_piece_of_output_is_counted_before_it_is_joined(monkeypatch: pytest.MonkeyPatch):
    source = "{% macro m() %}{% for _ in range(999) %}{{ '' }}{% endfor %}{% endmacro %}{{ m() }}"
    assert rendered(source) == ""
    monkeypatch.setattr(template_meter, "MAX_WORK", 999 * template_meter.WORK_OF_A_PIECE)
    with pytest.raises(SecurityError, match="it takes more than 63,936 steps"):
        rendered(source)


@pytest.mark.parametrize(
    "attribute",
    [
        *("'a'.center(3)", "'a'.encode()", "'a'.expandtabs(3)", "'a'.format()", "'a'.format_map({})", "'a'.ljust(3)"),
        *("'a'.maketrans({})", "'a'.rjust(3)", "'a'.translate({})", "'a'.zfill(3)", "'a'['zfill'](3)"),
        *("('a' | safe).striptags()", "('a' | safe).unescape()", "(5).to_bytes(3, 'big')", "(5).bit_length()"),
        *("(5.5).hex()", "true.numerator + 1", "{}.copy()", "{}.fromkeys([1])", "[1].copy()", "range(3).index(1)"),
    ],
)
def test_only_methods_that_are_listed_are_offered(attribute: str):
    with pytest.raises(SecurityError, match=r"access to attribute '.*' of '.*' object is unsafe"):
        rendered("{{ " + attribute + " }}")


def test_the_text_of_a_namespace_is_short():
    assert rendered("{{ namespace(a='x' * 999) }}") == "<Namespace>"


GIVEN = {"texts": ["b", "A", "c"], "turns": [{"role": "user", "n": 1}, {"role": "tool", "n": 2}, {"role": "user"}]}
FILTER_USES = {
    "abs": "-3|abs", "batch": "texts|batch(2, 'x')|list", "capitalize": "'aB c'|capitalize", "count": "texts|count",
    "d": "x|d(3)", "default": "''|default('y', true)", "dictsort": "{'b': 1, 'a': 2}|dictsort", "e": "'<'|e",
    "escape": "'<'|escape + '<'", "first": "texts|first", "float": "'1.5'|float", "groupby": "turns|groupby('role')",
    "indent": "'a\nb\n\nc'|indent(2, blank=true)", "int": "'ff'|int(base=16)", "items": "{'a': 1}|items|list",
    "join": "turns|join(', ', attribute='role')", "last": "texts|last", "length": "texts|length",
    "list": "'abc'|list", "lower": "'AB'|lower", "map": "turns|map(attribute='n', default='none')|list",
    "max": "texts|max", "min": "texts|min", "reject": "texts|reject('equalto', 'A')|join",
    "rejectattr": "turns|rejectattr('n', 'defined')|list", "replace": "'aaa'|replace('a', 'b', 2)",
    "reverse": "texts|reverse|list", "round": "42.55|round(1, 'floor') + 1234|round(-2)", "safe": "'<'|safe",
    "select": "texts|select|list", "selectattr": "turns|selectattr('role', 'equalto', 'user')|list",
    "sort": "texts|sort(reverse=true)", "string": "12|string", "sum": "turns[:2]|sum(attribute='n', start=3)",
    "title": "'ab cd'|title", "trim": "'xax'|trim('x') ~ 5|trim", "unique": "[1, 1, 2]|unique|list",
    "upper": "'a'|upper", "wordcount": "'a b'|wordcount",
}  # fmt: skip
OTHER_USES = (
    "[[1], [2]]|sum(start=[])", "range(3)|map('string')|join('-')", "'-'.join(texts|map('upper'))",
    "'a-b-c'.rsplit('-', 1)", "'a-b-c'.rsplit(sep='-', maxsplit=1)", "'a b'.split()", "' a\n'.strip()",
    "'xax'.strip('x')", "'aaa'.replace('a', 'b', 1)", "'a\nb'.splitlines()", "'-'.join('abc')", "'abc'[::-1]",
    "'ab'.rfind('b') + 'ab'.find('b')", "7 - 2 * 3 / 4 // 1", "('<'|safe).replace('<', '>')", "{'a': 1}.get('b', 2)",
    "{'a': 1}.keys()|list", "'a' in {'a': 1}.keys()", "(turns|selectattr('x')) and 'an iterator is true'",
    "texts|map('lower')|first", "'b' in (texts|map('lower'))", "missing|map('lower')|list", "texts.index('A')",
    "(turns|groupby('role'))[1].list|length", "'a'.title() ~ 'b'.capitalize()", "none|map('lower')|list",
)  # fmt: skip


@pytest.mark.parametrize("expression", [*FILTER_USES.values(), *OTHER_USES])
def test_what_is_offered_does_what_it_does_in_jinja(expression: str):
    """Inside of a loop as well, where Jinja gives arguments of its own to every call."""
    source = "{{ " + expression + " }}{% for _ in [1, 2] %}{{ " + expression + " }}{% endfor %}"
    plain = ImmutableSandboxedEnvironment(extensions=[loopcontrols])
    assert rendered(source, **GIVEN) == plain.from_string(source).render(**GIVEN)


def test_every_filter_is_tried():
    assert set(FILTER_USES) == OFFERED_FILTERS.keys() - {"tojson"}
