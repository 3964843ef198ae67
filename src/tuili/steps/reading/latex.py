r"""LaTeX in a text: `$\frac{1}{2} \times 6$` is `1/2 * 6`.

A passage (between `$`, between `\(` and `\)`, or a line without these) is read as a whole or not at all: an unknown
command leaves all of it unchanged.
"""

from __future__ import annotations

import re

from tuili.steps.language.grammar import FUNCTIONS

_SYMBOLS = {
    **dict.fromkeys(("times", "cdot", "ast"), " * "),
    "div": " / ",
    **dict.fromkeys(("leq", "le", "leqslant"), " <= "),
    **dict.fromkeys(("geq", "ge", "geqslant"), " >= "),
    **dict.fromkeys(("neq", "ne"), " != "),
    "lt": " < ",
    "gt": " > ",
    **dict.fromkeys(("to", "rightarrow", "longrightarrow"), " -> "),
    **dict.fromkeys(("leftrightarrow", "iff", "Leftrightarrow"), " <-> "),
    **dict.fromkeys(("land", "wedge"), " and "),
    **dict.fromkeys(("lor", "vee"), " or "),
    **dict.fromkeys(("lnot", "neg"), " not "),
    "cup": " union ",
    "cap": " inter ",
    "in": " in ",
    "subseteq": " subset ",
    **dict.fromkeys(("bmod", "mod"), " mod "),
    **dict.fromkeys(("left", "right", "displaystyle", "big", "Big", "bigl", "bigr"), ""),
    **dict.fromkeys(("quad", "qquad"), " "),
    "pi": "pi",
    **{name: name for name in ("gcd", "min", "max")},
    "operatorname": "",
    "lbrace": "{",
    "rbrace": "}",
}
_MARKS = {",": " ", ";": " ", ":": " ", "!": "", " ": " ", "%": "%", "{": "{", "}": "}"}
_PASSAGE = re.compile(
    r"\$\$([^$\n]{1,500})\$\$|\$(?![\s$])([^$\n]{1,500}?)(?<![\s\\])\$(?![0-9A-Za-z$])"
    r"|\\\(([^\n]{1,500}?)\\\)|\\\[([^\n]{1,500}?)\\\]"
)
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_GROUP = r"\{([^{}]*)\}"
_FRACTION = re.compile(rf"\\[dt]?frac *(?:{_GROUP} *{_GROUP}|([0-9])([0-9]))")
_ROOT = re.compile(rf"\\sqrt *{_GROUP}")
_TEXT = re.compile(r"\\(?:text|mathrm|operatorname) *\{([A-Za-z .,]*)\}")
_POWER = re.compile(r"(?<=[0-9A-Za-z)\]}]) ?\^ ?\{ ?(-?[0-9]+|[A-Za-z]) ?\}")
_LONG_POWER = re.compile(r"(?<=[0-9A-Za-z)\]]) ?\^ ?\{([^{}]*)\}")
_DEGREES = re.compile(r" ?\^ ?(?:\{\\circ\}|\\circ)(?![A-Za-z])")
_INDEX = re.compile(r"(?<![A-Za-z])([A-Za-z])_\{([0-9A-Za-z]{1,3})\}")
_ATOM = re.compile(r"[0-9]+(?:\.[0-9]+)?|[A-Za-z](?:_?[0-9]+)?")
_FORMULA = re.compile(r"[0-9A-Za-z_+\-*/^=<>!()\[\]{}.,:%| ]+")
_WORD = re.compile(r"[A-Za-z]{2,}")
_KNOWN_WORDS = FUNCTIONS.keys() | {"and", "or", "not", "union", "inter", "in", "subset", "mod", "pi", "deg"}
_TIGHT = re.compile(r"[*/^]")


def read_latex(text: str) -> str:
    """Writes the LaTeX of a text in the notation of the step language."""
    if "\\" not in text and "$" not in text and "^{" not in text and "_{" not in text:
        return text
    text = _PASSAGE.sub(_passage, text)
    if "\\" in text:
        text = "\n".join(line if "\\" not in line else _bare(line) for line in text.split("\n"))
    return _INDEX.sub(r"\1_\2", _POWER.sub(r"^\1", text))


def _passage(match: re.Match[str]) -> str:
    inner = next(group for group in match.groups() if group is not None)
    read = _formula(inner)
    if read is None or not _FORMULA.fullmatch(read) or not re.search("[0-9A-Za-z]", read):
        return match[0]
    words = set(_WORD.findall(re.sub(r"\\[A-Za-z]+|\{[^{}]*\}", " ", inner)))
    if words - _KNOWN_WORDS or (match[0][0] == "$" and re.fullmatch(r"[0-9., ]+", inner) and match[0][1] != "$"):
        return match[0]
    return read.strip()


def _bare(line: str) -> str:
    """Reads a line with commands outside any passage. A line with a path or with text in code is left unchanged."""
    if re.search(r"[A-Za-z]:\\|[\"'`]|\$|\\[(\[\])]", line):
        return line
    read = _formula(line)
    return line if read is None else read


def _formula(text: str) -> str | None:
    """The formula without LaTeX; None if it has an unknown command."""
    text = text.replace("{,}", "")
    text = _TEXT.sub(lambda word: f" {word[1].strip()} ", _DEGREES.sub(" deg", text))
    for _ in range(8):  # from the innermost group outwards
        before = text
        text = _INDEX.sub(r"\1_\2", _POWER.sub(r"^\1", text))
        text = _LONG_POWER.sub(r"^(\1)", text)
        text = _ROOT.sub(r"sqrt(\1)", text)
        text = _FRACTION.sub(_fraction, text)
        if text == before:
            break
    if any(name not in _SYMBOLS for name in _COMMAND.findall(text)) or "|" in text:
        return None
    text = _COMMAND.sub(lambda command: _SYMBOLS[command[1]], text)
    text = re.sub(r"\\([,;:! %{}])", lambda mark: _MARKS[mark[1]], text)
    text = re.sub(r"(?<=[(\[{]) +| +(?=[)\]}])|(?<=\S) +(?= )", "", text)
    return None if "\\" in text else text


def _fraction(match: re.Match[str]) -> str:
    upper, lower = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
    upper, lower = upper.strip(), lower.strip()
    text, end = match.string, match.end()
    before, after = text[: match.start()].rstrip()[-8:], text[end : end + 8].lstrip()
    if (
        not upper
        or not lower
        or re.search(r"[0-9A-Za-z)}]\Z", before.rpartition("\\")[0] + before if "\\" not in before else "")
    ):
        return match[0]
    if re.match(r"[0-9A-Za-z({]", after):
        return match[0]
    if upper.isdigit() and lower.isdigit():
        written = f"{upper}/{lower}"
    else:
        written = f"{_operand(upper)} / {_operand(lower)}"
    joined = _TIGHT.search(before[-1:]) or re.search(r"\\(?:times|cdot|div)\Z", before)
    joined = joined or _TIGHT.match(after) or re.match(r"\\(?:times|cdot|div)\b", after)
    return f"({written})" if joined or (before[-1:] == "-") else written


def _operand(text: str) -> str:
    return text if _ATOM.fullmatch(text) else f"({text})"
