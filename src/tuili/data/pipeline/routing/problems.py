"""Problems in a text, found where it is plain that they are: `Question: …` before `Answer: …` or `Solution: …`.

What their calculations are is left to `equations`, whether they are right to `lifting`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tuili.data.pipeline.routing.equations import worked_steps

MAX_QUESTION, MAX_WORKED, MAX_ANSWER = 4000, 8000, 200
"""Characters of a question, of what is behind it, and of an answer."""
_LABEL = re.compile(
    r"""^[ \t]*(?:[\#>*-]{1,6}[ \t]*)?[*_]{0,2}
    (?:(?P<question>question|problem|exercise|q|题目|问题|习题|例题|例|问|题)
      |(?P<solution>(?:worked[ ])?solution|explanation|working|解答|解析|解)
      |(?P<answer>(?:final[ ])?answer|ans|a|答案|答))
    [ \t]*(?:\#?[0-9]{1,4}|[一二三四五六七八九十]{1,3})?[*_]{0,2}[ \t]*(?:[:：]|(?<=[0-9])[.)])[*_]{0,2}""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*")
_LAST_LINE = re.compile(r"^#### *(.+)$", re.MULTILINE)
_SAID = re.compile(r"(?:\banswer(?: is|:| =)|答案(?:是|为)|答[:：])[ \t]*([^\n]{1,200})", re.IGNORECASE)
_LAST_RESULT = re.compile(r"=\s*[$€£¥]?(-?[0-9][0-9.,/]*)[^0-9=\n.!?。]{0,40}[.!?。]?\s*$")
"""A result behind which at most the rest of its sentence stands, without another number in digits."""


class FoundProblem(NamedTuple):
    """A problem of a text, between two places of it. `steps`: the calculations that are written behind the question."""

    question: str
    answer: str
    steps: tuple[str, ...]
    start: int
    end: int


def find_problems(text: str) -> Iterator[FoundProblem]:
    """The problems of a text in order.

    A question goes to the next label, what is behind one to the first blank line behind which no calculation follows.
    What has no plain answer is no problem: a line of its own, `####`, `the answer is`, or a calculation at the end.
    """
    labels = list(_LABEL.finditer(text))
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
            parts[kind], end = _worked(text, labels[place].end(), ends[place])
            place += 1
        steps = worked_steps("\n".join(parts.values()))
        if answer := plain_answer(parts, steps):
            yield FoundProblem(question, answer, steps, start, end)


def _worked(text: str, start: int, end: int) -> tuple[str, int]:
    """What stands behind a label as far as it belongs to it, and where that ends."""
    end = min(end, start + MAX_WORKED)
    reached = start
    while reached < end:
        found = _PARAGRAPHS.search(text, reached, end)
        paragraph, last = text[reached : found.start() if found else end], reached
        if last != start and "=" not in paragraph and "#### " not in paragraph:
            break
        reached = found.end() if found else end
    return text[start:reached].strip(), reached


def plain_answer(parts: Mapping[str, str], steps: Sequence[str]) -> str:
    """The answer that a `solution`, an `answer` or both tell; empty where none is told plainly. steps: in them."""
    worked = "\n".join(parts.values())
    if ends := _LAST_LINE.findall(worked):
        return _bare(ends[-1])
    told = parts.get("answer", "").strip()
    is_short = 0 < len(told) <= MAX_ANSWER and "\n" not in told
    if is_short and len(parts) > 1:
        return _bare(told)
    if said := _SAID.findall(worked):
        return _bare(said[-1])
    if is_short and not steps:
        return _bare(told)
    last = _LAST_RESULT.search(worked)
    result = last[1].replace(",", "").rstrip(".") if last else ""
    return result if steps and result == steps[-1].rpartition("= ")[2] else ""


def _bare(answer: str) -> str:
    return answer.strip().strip("*_").removesuffix(".").removesuffix("。").strip()
