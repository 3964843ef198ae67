"""Filters of forms: they turn a value into text, as in `{sum|compact}` or `{premises:plain|sentences}`.

A filter takes the text of a slot, or the texts of its clauses, and returns a text. `language` has the words of each
language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tuili.tasks.building.words import singular
from tuili.tasks.content import Language
from tuili.tasks.wordings.dates import day_first, month_first, twelve_hours, written_out
from tuili.tasks.wordings.language import lexicon

TextFilter: TypeAlias = Callable[[str, Language], str]
ListFilter: TypeAlias = Callable[[Sequence[str], Language], str]

_OPERATOR = re.compile(r" ?([-+*/=<>^,;]=?) ?")


def _compact(text: str, _: Language) -> str:
    """Without the spaces around operators: `48+27-3`."""
    return _OPERATOR.sub(r"\1", text)


def _capital(text: str, _: Language) -> str:
    return text[:1].upper() + text[1:]


def _singular(text: str, language: Language) -> str:
    """`coins` becomes `coin`; Chinese has one form for both."""
    return singular(text) if language is Language.EN else text


def _indefinite(text: str, language: Language) -> str:
    """`ants` becomes `an ant`; Chinese has no article."""
    one = _singular(text, language)
    article = "" if language is Language.ZH else "an " if one[:1].lower() in "aeiou" else "a "
    return article + one


def _measure(text: str, language: Language) -> str:
    """The measure word of a noun: `个`. Empty in English."""
    return lexicon(language).measures.get(text, "个") if language is Language.ZH else ""


_SPOKEN = {
    Language.EN: {"+": "plus", "-": "minus", "*": "times", "/": "divided by"},
    Language.ZH: {"+": "加", "-": "减", "*": "乘以", "/": "除以"},
}


def _spoken(text: str, language: Language) -> str:
    """An expression without brackets, in words: `48 plus 27`, `48加27`."""
    space = " " if language is Language.EN else ""
    return re.sub(r" ([-+*/]) ", lambda sign: f"{space}{_SPOKEN[language][sign[1]]}{space}", text)


def _crossed(text: str, _: Language) -> str:
    """With the printed signs: `48 × 27 ÷ 3`."""
    return text.replace(" * ", " × ").replace(" / ", " ÷ ")


def _term(text: str, language: Language) -> str:
    """The language's word for a term: `星期一` for `Monday`."""
    return lexicon(language).terms.get(text, text)


TEXT_FILTERS: dict[str, TextFilter] = {
    "capital": _capital,
    "compact": _compact,
    "crossed": _crossed,
    "day_first": day_first,
    "indefinite": _indefinite,
    "lower": lambda text, _: text.lower(),
    "measure": _measure,
    "month_first": month_first,
    "singular": _singular,
    "spoken": _spoken,
    "term": _term,
    "twelve_hours": twelve_hours,
    "written_out": written_out,
}


def sentence(text: str, language: Language) -> str:
    """A clause as a sentence: with a full stop unless it has an end mark, and in English with a capital letter."""
    if language is Language.ZH:
        return text if text.endswith(("。", "？", "！", "。”", "？”", "！”")) else text + "。"
    return _capital(text, language) + ("" if text.endswith((".", "?", "!")) else ".")


def _sentences(texts: Sequence[str], language: Language) -> str:
    return ("" if language is Language.ZH else " ").join(sentence(text, language) for text in texts)


def _conjoined(texts: Sequence[str], language: Language) -> str:
    """`A, B and C`, `A、B和C`."""
    comma, last = ("、", "和") if language is Language.ZH else (", ", " and ")
    return last.join([*([comma.join(texts[:-1])] if len(texts) > 1 else []), texts[-1]])


def _with_commas(texts: Sequence[str], language: Language) -> str:
    """`A, B`, `A，B`; no comma before Chinese brackets."""
    return "，".join(texts).replace("，（", "（") if language is Language.ZH else ", ".join(texts)


LIST_FILTERS: dict[str, ListFilter] = {
    "anded": lambda texts, language: ("和" if language is Language.ZH else " and ").join(texts),
    "bulleted": lambda texts, language: "\n".join(f"- {sentence(text, language)}" for text in texts),
    "commas": _with_commas,
    "conjoined": _conjoined,
    "lines": lambda texts, _: "\n".join(texts),
    "numbered": lambda texts, language: "\n".join(
        f"{n}. {sentence(text, language)}" for n, text in enumerate(texts, 1)
    ),
    "semicolons": lambda texts, language: ("；" if language is Language.ZH else "; ").join(texts),
    "sentences": _sentences,
}
LABELLED = "labelled"
"""The filter that writes each clause on a line as `P1: statement`; the checker reads these lines as given."""
INLINE = "labelled_inline"
"""The same on one line: `P1: statement, P2: statement`."""
GLOSSED = "glossed"
"""The filter that writes each clause on a line as `Sentence. P1: statement`: its phrase, then its formal text."""
LABELLING = (LABELLED, INLINE, GLOSSED)
"""The filters that show labels."""
SHUFFLED = "shuffled"
"""The filter that shuffles clauses unless they are ordered."""
FILTERS = frozenset({*TEXT_FILTERS, *LIST_FILTERS, *LABELLING, SHUFFLED})
