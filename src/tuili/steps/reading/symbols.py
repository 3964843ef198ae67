"""Non-ASCII mathematical characters with one spelling in the step language: `×` is `*`, `≤` is `<=`, `²` is `^2`.

A character that may mean several things stays: `–` (a range), `⇒` (an implication or an inference), `⊂`, `∼`.
"""

from __future__ import annotations

import re

from tuili.steps.language.units import UNITS

_OPERATORS = {
    **dict.fromkeys("×✕⨯", "*"),
    **dict.fromkeys("÷∕⁄", "/"),
    **dict.fromkeys("∗⋅", "*"),
    **dict.fromkeys("≤≦⩽", "<="),
    **dict.fromkeys("≥≧⩾", ">="),
    "≠": "!=",
    **dict.fromkeys("→⟶", "->"),
    **dict.fromkeys("↔⟷⇔⟺", "<->"),
    "∧": "and",
    "∨": "or",
    "⊕": "xor",
    "∪": "union",
    "∩": "inter",
    "∈": "in",
    "⊆": "subset",
}
_BETWEEN = re.compile(
    rf"(?<=[^\s(\[{{,;:=]) *([{''.join(_OPERATORS)}]) *(?=[^\s)\]}},;:.?!])"
    r"(?!(?:(?<=[÷∕⁄])|(?<=[÷∕⁄] ))[0-9]+[/A-Za-z(])"
)
"""An operator with something on both sides, but no division by `3/4` or `2x`, whose end is not clear."""
_NOT = re.compile(r"¬ *(?=[A-Za-z(¬])")
_MINUS = re.compile(r"(?:(?<=[0-9A-Za-z)\]!%²³])( *)−( *)|−)(?=[0-9A-Za-z(√. −])")
_DATE = re.compile(r"[0-9]{4}−[0-9]{2}−[0-9]{2}")
_DOT = re.compile(r"([0-9)]|(?<![A-Za-z])[A-Za-z]+) ?[·∙] ?(?=([0-9(]|[A-Za-z]+(?![A-Za-z])))")
_POWER = re.compile(r"([0-9)]|(?<![A-Za-z])[A-Za-z]+)(⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)(?![0-9A-Za-z(⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁽⁺ⁿ])")
_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_ROOT = re.compile(
    r"(?<![0-9A-Za-z)])√ ?(?:([0-9]+(?:\.[0-9]+)?|(?<![A-Za-z])[A-Za-z])(?![0-9A-Za-z.^(²³]|\.[0-9])|(?=\())"
)
_FRACTIONS = {
    "½": "1/2",
    "¼": "1/4",
    "¾": "3/4",
    "⅓": "1/3",
    "⅔": "2/3",
    "⅕": "1/5",
    "⅖": "2/5",
    "⅗": "3/5",
    "⅘": "4/5",
}
_FRACTIONS |= {"⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8"}
_FRACTION = re.compile(
    rf"(?<![0-9A-Za-z./^*)-])(?<![0-9/*÷×·^-] )[{''.join(_FRACTIONS)}](?![0-9A-Za-z./^*!%(]| ?[/*÷×·^])"
)
_DEGREES = re.compile(r"(?<=[0-9]) ?°(?! ?[CFKcfk]|[0-9NSEW′'])")
_OHM = re.compile(r"(?<=[0-9])( ?)([kMm]?)[ΩΩ](?![\w])")
_MICRO = re.compile(r"(?<=[0-9] )[µμ](?=[a-zA-Z]+(?![A-Za-z]))")
_PI = re.compile(r"(?<![A-Za-z\u0370-\u03ff])π(?![A-Za-z\u0370-\u03ff(])")


def read_symbols(text: str) -> str:
    """Replaces each character that has exactly one ASCII spelling by this spelling."""
    if text.isascii():
        return text
    text = _POWER.sub(_power, text)
    text = _ROOT.sub(lambda root: f"sqrt({root[1]})" if root[1] else "sqrt", text)
    text = _FRACTION.sub(lambda fraction: _FRACTIONS[fraction[0]], text)
    text = _DOT.sub(_product, text)
    text = _MINUS.sub(_minus, text)
    text = _BETWEEN.sub(lambda operator: f" {_OPERATORS[operator[1]]} ", text)
    text = _NOT.sub("not ", text)
    text = _DEGREES.sub(" deg", text)
    text = _OHM.sub(lambda ohm: f" {ohm[2]}ohm", text)
    text = _MICRO.sub("u", text)
    return _PI.sub("pi", text)


def _power(match: re.Match[str]) -> str:
    base, power = match[1], match[2].translate(_DIGITS)
    is_word = base.isalpha() and len(base) > 1 and base not in UNITS
    if is_word or power in ("0", "1") or power[1:].find("-") >= 0 or power.lstrip("-")[:1] == "0":
        return match[0]
    return f"{base}^{power}"


def _product(match: re.Match[str]) -> str:
    """`3·4` and `x·y` are products with spaces, units have none: `N·m`. In a word or name the dot is not a product."""
    left, right = match[1], match[2]
    if left in UNITS and right in UNITS:
        return (
            f"{left}*"
            if re.search(r"[0-9] \Z|[*/]\Z", match.string[max(0, match.start() - 2) : match.start()])
            else match[0]
        )
    if any(part.isalpha() and len(part) > 1 for part in (left, right)):
        return match[0]
    return f"{left} * "


def _minus(match: re.Match[str]) -> str:
    text, place = match.string, match.end() - 1
    if _DATE.search(text[max(0, place - 7) : place + 6]):
        return match[0]
    return "-" if match[1] is None else " - "
