"""Finds problems in a text that are clearly marked: `Question: …` before `Answer: …` or `Solution: …`, or such words as
headings.

`equations` finds their calculations; `extraction` decides whether these are right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from tuili.data.pipeline.routing.equations import count_equalities, worked_steps
from tuili.data.readers.own import numbers_in

MAX_QUESTION, MAX_WORKED, MAX_ANSWER = 4000, 8000, 200
"""The maximum characters of a question, of the text after it, and of an answer."""
_AS_SPACE = {0x00A0: " ", 0x3000: " "}
"""Characters that indent text in pages, and in Chinese."""
_LABEL = re.compile(
    r"""^[ \t]{0,20}(?:[\#>*-]{1,6}[ \t]{0,4})?[*_]{0,2}【?
    (?:(?P<question>question|problem|exercise|(?:example|task)(?=[ ][0-9])|q|题目|问题|习题|例题|例|问|题)
      |(?P<solution>(?:worked[ ])?solution|explanation|working|解答|解析|解)
      |(?P<answer>(?:final[ ])?answer|ans|a|答案|答))
    [ \t]{0,4}(?:\#?[0-9]{1,4}(?:\.[0-9]{1,3}){0,2}|[一二三四五六七八九十]{1,3})?[*_]{0,2}[ \t]{0,4}
    (?:[:：】]|(?<=[0-9])[.)](?![0-9])|(?<=solution)\.(?=[*_]{0,2}[ ])|(?<=[a-z0-9*_])(?=[ \t]{0,20}$))[*_]{0,2}""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_SIGNS = ":：】.)"
"""One of these ends a label that is not a heading."""
_OPTION = re.compile(r"^[ \t>*(-]{0,6}B[ \t]?[:：.)]", re.IGNORECASE | re.MULTILINE)
"""The second of several answers to choose from; the first is labelled `A:`."""
_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*")
_NUMBER = r"-?[$€£¥]?-?(?:[0-9][0-9.,/]{0,80}[0-9]|[0-9])(?![0-9.,/]{0,80}[0-9])%?"
_LAST_LINE = re.compile(rf"^#### *({_NUMBER})\.?\s*\Z", re.MULTILINE)
_HEADING = re.compile(rf"^[ \t]*#{{1,6}}(?=[ \t])(?![ \t]*{_NUMBER}\.?[ \t]*$)", re.MULTILINE)
_CONNECTIVES = r"(?:because|since|as|so|for|which|by|when)\b|因为|因此|所以"
_WORD = r"[^\W\d_]{1,20}"
_UNIT = rf"(?:[ ]?(?!{_CONNECTIVES}){_WORD}(?:[ ](?!{_CONNECTIVES}|(?:and|or|not|plus|minus|times)\b){_WORD}){{0,2}})?"
_SAID = re.compile(
    rf"""(?:(?<!/)\banswer(?:[ ]is|:)|\bthe[ ]answer[ ]=|答案(?:是|为)|答[:：])[ \t]*
    ((?:[a-z][ ]?=[ ]?)?{_NUMBER}{_UNIT}|yes|no|true|false|\(?[A-E]\)?|是|否|对|错)
    (?=[ \t]*(?:[.!?)。！？]|[,，;；](?![ ]*[0-9])|$|(?:{_CONNECTIVES})))""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
"""A number with a unit of at most three words, or one of a few words, up to the end of a clause."""
_FRACTION = re.compile(r"\\[dt]?frac\{([0-9]{1,40})\}\{([0-9]{1,40})\}")
_GOES_ON = (
    r"\b(?:but|plus|minus)\b|\b(?:half|third|quarter|rest|most|some)[ ]of[ ](?:it|them|these|those|this|that|which)\b"
    r"|[,;，；]\s*(?:and|so|then|of)\b|又|再|但|其中"
)
_LAST_RESULT = re.compile(
    rf"=\s*[$€£¥]?(-?[0-9][0-9.,/]*)(?![0-9])(?:(?!{_GOES_ON})[^0-9=\n.!?。]){{0,40}}[.!?。]?\s*$", re.IGNORECASE
)
"""A result followed by at most the rest of its sentence, without another number in digits, and without words that
continue the working."""
_CHECK = re.compile(r"\b(?:check|verif)|检验|验算|验证", re.IGNORECASE)
"""Words of a last calculation that only checks the answer."""


class FoundProblem(NamedTuple):
    """A problem between two positions of a text.

    `steps`: the calculations written out after the question. `equalities`: their apparent number.
    """

    question: str
    answer: str
    steps: tuple[str, ...]
    start: int
    end: int
    equalities: int


def find_problems(text: str) -> Iterator[FoundProblem]:
    """Yield the problems of a text in order.

    A question extends to the next label, and so does a solution before its answer. The text after the last label
    extends to the first heading, or to the blank line after which no calculation uses an earlier number; a short answer
    is only its line.
    A problem without a plain answer is skipped: see `plain_answer`.
    """
    text = text.translate(_AS_SPACE)
    labels = list(_labels(text))
    ends = [*(label.start() for label in labels[1:]), len(text)]
    place = 0
    while place < len(labels):
        label, end = labels[place], ends[place]
        place += 1
        question = text[label.end() : end].strip()
        if label.lastgroup != "question" or not 0 < len(question) <= MAX_QUESTION:
            continue
        parts = dict[str, str]()
        start, end = label.start(), label.end()
        while place < len(labels) and labels[place].lastgroup != "question":
            kind = str(labels[place].lastgroup)
            if kind in parts:
                break
            begin, end = labels[place].end(), ends[place]
            place += 1
            goes_on = kind == "solution" and place < len(labels) and labels[place].lastgroup == "answer"
            if not goes_on or end - begin > MAX_WORKED:
                known = numbers_in("\n".join([question, *parts.values()]))
                end = _end_of_worked(text, begin, end, known, kind == "answer")
            parts[kind] = text[begin:end].strip()
        worked = "\n".join(parts.values())
        steps = worked_steps(worked)
        if answer := plain_answer(parts, steps):
            yield FoundProblem(question, answer, steps, start, end, count_equalities(worked))


def _labels(text: str) -> Iterator[re.Match[str]]:
    """Yield the labels of a text in order. `A:` only answers `Q:`, and is not a label if `B:` follows."""
    asked = ""
    for label in filter(_is_plain, _LABEL.finditer(text)):
        asked = label["question"] or asked
        is_option = asked.lower() != "q" or _OPTION.search(text, label.end(), label.end() + MAX_ANSWER)
        if (label["answer"] or "").lower() != "a" or not is_option:
            yield label


def _is_plain(label: re.Match[str]) -> bool:
    """Whether a label cannot be part of a sentence, as `solution.` and `Problem 1` without a final sign might be. Such
    a label must begin with a capital letter. A heading must follow a blank line or be one in Markdown; the heading of a
    question must have a number.
    """
    shown = label[0].strip(" \t*_")
    if shown[-1] in _SIGNS and not shown.lower().endswith("solution."):
        return True
    word = shown.lstrip("#>-【 \t*_")
    if shown[-1] in _SIGNS:
        return word[0].isupper()
    before = label.string[max(0, label.start() - 80) : label.start()].rstrip(" \t")
    stands_apart = shown.startswith("#") or "*" in label[0] or before == "" or before.endswith("\n\n")
    return word[0].isupper() and stands_apart and (label["question"] is None or word[-1].isdigit())


def _end_of_worked(text: str, start: int, end: int, known: set[Fraction], is_answer: bool) -> int:
    """The end of the text that belongs to the last label of a problem. known: numbers that occur earlier."""
    end = min(end, start + MAX_WORKED)
    while start < end and text[start].isspace():
        start += 1
    if heading := _HEADING.search(text, start, end):
        end = heading.start()
    reached, calculates = start, False
    while reached < end:
        found = _PARAGRAPHS.search(text, reached, end)
        paragraph, first = text[reached : found.start() if found else end].rstrip(), reached == start
        steps, ends = worked_steps(paragraph), _LAST_LINE.search(paragraph) is not None
        given = numbers_in(steps[0].rpartition(" = ")[0]) if steps else set()
        if not (first or ends or (steps and (given & known or not calculates))):
            break
        reached, known, calculates = (
            found.end() if found else end,
            known | numbers_in(paragraph),
            calculates or bool(steps),
        )
        if ends or (is_answer and first and not steps and _is_line(paragraph) and not paragraph.endswith(":")):
            break
    return reached


def plain_answer(parts: Mapping[str, str], steps: Sequence[str]) -> str:
    """The answer given by a `solution`, an `answer` or both; empty if none is given plainly. steps: their steps.

    A plain answer is the text after `####` at an end, an `answer` of one line, the content of `\\boxed{}`, a number
    after `the answer is`, or the result of a final calculation.
    """
    parts = {name: text.replace("\r\n", "\n").translate(_AS_SPACE) for name, text in parts.items()}
    for part in reversed([*parts.values()]):
        if end := _LAST_LINE.search(part):
            return _bare(end[1])
    worked, told = "\n".join(parts.values()), parts.get("answer", "").strip()
    is_line = _is_line(told) and not worked_steps(told)
    if "\\boxed{" in (text := told if is_line else worked):
        return _boxed(text)
    if said := _SAID.findall(text):
        return _bare(said[-1])
    if is_line:
        return _bare(told)
    last = None if _CHECK.search(worked) else _LAST_RESULT.search(worked)
    result = last[1].replace(",", "").rstrip(".") if last else ""
    return result if steps and result == steps[-1].rpartition("= ")[2] else ""


def _is_line(text: str) -> bool:
    return 0 < len(text) <= MAX_ANSWER and "\n" not in text


def _boxed(text: str) -> str:
    """The content of the last `\\boxed{}` in a text; empty if it does not close soon."""
    text = _FRACTION.sub(r"\1/\2", text)
    start, depth = text.rfind("\\boxed{") + len("\\boxed{"), 1
    for place in range(start, min(start + MAX_ANSWER, len(text))):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return _bare(text[start:place].strip("$ "))
    return ""


def _bare(answer: str) -> str:
    return answer.strip().strip("*_").removesuffix(".").removesuffix("。").strip()
