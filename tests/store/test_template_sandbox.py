"""What chat templates may do, and what ends them."""

from __future__ import annotations

import jinja2
import pytest

from tuili.store.imported import template_meter
from tuili.store.imported.template_sandbox import compile_template


def rendered(source: str, **values: object) -> str:
    return compile_template(source).render(values)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{% for x in range(3) %}{{ x }}{% if loop.last %}!{% endif %}{{ loop.length }}{% endfor %}", "03132!3"),
        ("{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "13"),
        ("{% for x in [1, 2, 3] if x > 1 %}{{ loop.previtem }}{{ x }}{% endfor %}", "223"),
        ("{% set ns = namespace(n=0) %}{% for x in [1, 2] %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}", "3"),
        ("{{ {'a': '<&>'} | tojson }}", '{"a": "<&>"}'),
        ("{{ {'b': 1, 'a': [1]} | tojson(indent=1, sort_keys=True) }}", '{\n "a": [\n  1\n ],\n "b": 1\n}'),
        ("{{ strftime_now('%d %b %Y') }}", "26 Jul 2024"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m('a') ~ 1 ~ none }}", "<a>1None"),
        ("{% generation %}a{% endgeneration %}b", "ab"),
        ("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "a1"),
        ("{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('+') }}", "x+y"),
        ("{{ missing }}{% if missing is defined %}1{% endif %}{% for x in missing %}2{% endfor %}", ""),
        ("{{ 7 % 4 }}{{ 2 ** 3 }}{{ 'ab' * 2 }}{{ [1] + [2] }}", "38abab[1, 2]"),
        ("{{ dict(a=1).a }}{{ 'a,b'.split(',') | last }}{{ '-'.join(['x', 'y']) }}", "1bx-y"),
        ("{{ 'aa'.replace('a', 'b') }}{{ 'aa' | replace('a', 'c') }}{{ [1, 2] | join(',') }}", "bbcc1,2"),
        ("a\n  {% if true %}\nb\n  {% endif %}\n", "a\nb\n"),
    ],
)  # fmt: skip
def test_what_templates_use_is_there(source: str, text: str):
    messages = [{"role": "user", "content": "x"}, {"role": "tool", "content": "z"}, {"role": "user", "content": "y"}]
    assert rendered(source, messages=messages) == text


@pytest.mark.parametrize(
    "source",
    [
        "{% set r = [1] * 9999 %}{% for a in r %}{% for b in r %}{% for c in r %}{% endfor %}{% endfor %}{% endfor %}",
        "{% set r = range(9999) %}{% for a in r %}{% for b in r %}{% for c in r %}{% endfor %}{% endfor %}{% endfor %}",
        "{% macro m() %}{% for a in range(9999) %}{{ m() if a > 99999 }}{% endfor %}{% endmacro %}"
        "{% for a in range(99999) %}{{ m() }}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x=9) %}{% for a in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for a in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x={}) %}{% for a in range(99) %}{% set ns.x = {1: ns.x, 2: ns.x} %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for a in [1] * 99 %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"
        "{% endfor %}",
        "{% set x = 'a' * 999999 %}{% for a in range(99999) %}{{ x }}{% endfor %}",
        "{{ 'a' * 9999999999 }}",
        "{{ [1] * 9999999999 }}",
        "{{ 9 ** 999999999 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ 'a'.ljust(999999999) }}",
        "{{ 'a' | center(999999999) }}",
        "{{ ('a' * 99999).replace('', 'b' * 99999) }}",
        "{{ ('a' * 99999) | replace('a', 'b' * 99999) }}",
        "{{ ('b' * 99999).join(['a'] * 99999) }}",
        "{{ (['a'] * 99999) | join('b' * 99999) }}",
        "{{ range(99999) | join('b' * 999999) }}",
        "{{ [1] | batch(999999999, 'x') | list }}",
        "{{ 'a\nb' | indent(999999999) }}",
        "{{ {'a': [1]} | tojson(indent=999999999) }}",
        "{{ ('a' * 9999).translate({97: 'b' * 99999}) }}",
    ],
)
def test_what_would_take_for_ever_ends(source: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(template_meter, "MAX_SECONDS", 0.3)
    with pytest.raises(jinja2.TemplateError):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ namespace(__class__=1) }}",
        "{% set ns = namespace() %}{% set ns._x = 1 %}",
        "{{ raise_exception('no') }}",
        "{{ messages | random }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{{ cycler(1) }}",
        "{{ 1 / 0 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    ],
)
def test_what_no_template_may_do_is_an_error(source: str):
    with pytest.raises((jinja2.TemplateError, ArithmeticError, RecursionError, TypeError)):
        rendered(source, messages=[{}])


def test_what_a_template_says_of_an_error_is_cut():
    with pytest.raises(jinja2.TemplateError) as caught:
        rendered("{{ raise_exception('no' * 9999) }}")
    assert str(caught.value) == "no" * 250
