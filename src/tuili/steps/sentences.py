"""What one sentence of a prompt says: its statements, or what it says about other sentences.

`prompt` splits a prompt into sentences and labelled entries; `language.parser` parses a statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from tuili.steps.language import terms
from tuili.steps.language.characters import CJK, NAME
from tuili.steps.language.parser import parse_statement
from tuili.steps.language.printer import render_term
from tuili.steps.language.terms import Term
from tuili.steps.verdict import Unreadable

LABEL = re.compile(r"[A-Z][0-9]{1,3}")
MARK = re.compile(r"(?<![A-Za-z0-9_])(L[0-9]+|[A-Z][0-9]{1,3})[ \t]*:")
_LIKE_A_LABEL = re.compile(
    rf"(?:(?<![A-Za-z0-9_{CJK}])|(?<=[0-9])[A-Za-z_]*[{CJK}])"
    rf"""[A-Za-z_{CJK}]+[-.]?[0-9][A-Za-z0-9_]*[])}}*_."'`]*[ \t]*:"""
)
"""A word with a number and a colon. Only the word's start is tried, as trying each place of a long word is slow."""
_TIME = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"
_TIME_OF_DAY = re.compile(
    "(?:(?<=[是在从到至午晨晚早夜])|(?<=[晚早]上)|(?<=显示)|(?<=例如)|(?<=大约)|(?<=时[间刻]为))"
    rf"{_TIME}(?=\s*(?:$|\n|[,.;?!)\]】”』」{CJK}]))"
    rf"|(?<=[{CJK}])(?<!前提|条件|规则|线索|陈述|命题)(?=[0-9]{{2}}:){_TIME}(?=[起到至开出结发抵离准])"
)
"""A time of day after a word, in places where no label stands: `现在是09:06`, `讲座10:55开始`, but not `前提1:30`."""
RELATION = re.compile(
    r"[=<>≔≕≝←-⇿∀∃∈∉∋∌∝∧∨∼-⋓⊢-⊯⋐-⋣⟰-⟿⤀-⥿⨀-⫿¬]"
    r"|\\[A-Za-z]|&(?:[lg][te]|ne)\b|\bin [\[{]|\bset \w+ to -?[0-9]"
    r"|\b[A-Za-z](?::| (?:is|be|equals?)\b(?: \w+){0,4}) ?-?[0-9]+(?:[./][0-9]+)?(?=\W*$|[,;]| and\b)"
    r"|(?<![A-Za-z])[A-Za-z] ?(?:等于|大于|小于|不等于|是|为|取|属于) ?-?[0-9]"
)
"""What makes a sentence look like a statement, also in words: `x ≥ 3`, `x is at least 3`."""
TAIL = re.compile(
    r"[,\n]\s*(?:and\s+|then\s+)?(?:is|are|does|do|can|must|will|what|how|find|compute|calculate|evaluate|determine|"
    r"decide|prove|show)\s",
    re.IGNORECASE,
)
"""Where a question or a task begins after what is given: `Let x = 3, what is x + 1?`"""

MAX_CONDITION = 2000
"""The maximum length in characters of a question with its condition. A longer one gives nothing."""
MAX_SENTENCE = 4000
"""The maximum length in characters of a sentence that is searched for doubts. A longer one counts as a doubt."""
_END = re.compile(rf"[.;?](?=\s|$)|!(?=\s*$|\s+[A-Za-z{CJK}])")
_GOES_ON = re.compile(
    r"(?:(?<![\s,])[ \t,]*\n|;)\s*(?=(?:(?i:and/or|xor|or|nor|unless|else|otherwise|alternatively|provided|as long as|"
    r"only if|until)|if|iff|but|when)\b|\?|或|除非|否则)"
    r"|(?<![\s,])[ \t]*\n\s*(?=and\b[^\n]*->|implies\b|<?->|=>|[+^/=<>])|;\s*(?=如果|要么|若|前提是|只要|只有)"
)
"""Where a statement continues after a newline or a semicolon: with an operator, or with a clause that takes it back."""
_TO_GO_ON = re.compile(r"(?<=\b(?i:or))[ \t]*\n\s*")
_ARROW_LATER = re.compile(r"(?i:or|nor|and)\b[^\n;]*->")
_WORD = re.compile(NAME)
_TRUE_OR_FALSE = re.compile(r"\b(?:true(?:,| or|/) ?(?:or )?false|us(?:e|ing) only)\b", re.IGNORECASE)
_LABELS = re.compile(rf"(?<![A-Za-z0-9_]){LABEL.pattern}(?![A-Za-z0-9_])")
_FALSE = (
    r"(?:false|wrong|untrue|incorrect|invalid|(?:a )?lies?|lying|impossible|"
    r"can(?:not|'t)(?: \w+)? (?:be (?:true|right)|hold)|"
    r"not (?:\w+ )?(?:true|right|correct|hold|given|apply|valid))"
)
_DOUBT = re.compile(
    rf"\b(?:{_FALSE}|neither|either|exactly|only|one of|which of|no longer|not [A-Z][0-9]|ignore|disregard|forget|drop|"
    r"omit|remove|withdr[ae]w|retract|reject|den(?:y|ies|ied)|disput(?:es?|ed)|refute|disprove|doubt(?:s|ed|ful)?|"
    r"opposite|negation|contradicts?|unless|"
    r"except|without|instead|replace|fails?|mistake|error|cannot|might|may be|could be|perhaps|maybe|"
    r"probably|possibly|"
    r"(?:prove|show|derive|infer|conclude|deduce|verify|check|judge|test)(?: that)? [A-Z][0-9]|"
    r"(?:is|are|do|does|whether|(?:decide|determine|say|see|tell) if) [A-Z][0-9]+(?: (?:and|or) [A-Z][0-9]+)?"
    r"(?: is| are)? (?:true|so|right|correct|valid|an? \w+|follows?|holds?|apply|applies|implied|entailed)|"
    r"[A-Z][0-9]+ (?:or|xor|nor|iff) [A-Z][0-9])\b|n't\b",
    re.IGNORECASE,
)
_ALL = (
    r"(?:these|those|statements?|premises?|facts?|claims?|clues?|assumptions?|equations?|rules?|options?|following|"
    r"above|(?:the|these|those)(?: \w+)? sentences)"
)
_STATEMENTS = re.compile(_ALL, re.IGNORECASE)
_DOUBT_OF_ALL = re.compile(
    r"\b(?:(?:exactly|only|just|at (?:most|least)|not all|none|neither|one|two|three|few|some|any|most|half)(?: \w+)?"
    rf" of(?: the)?|ignore|disregard|forget|exactly one|only one|one|no)(?: \w+)? {_ALL}\b.*|\b{_ALL}\b.*\b{_FALSE}\b",
    re.IGNORECASE | re.DOTALL,
)
_DOUBT_OF_THE_LAST = re.compile(
    r"\W*(?:否则|不然|要不然|不对|说错|更正|等等|这(?:是|句话?是?)?(?:假|错|不)|(?:actually|correction|else|impossible|no|oops|or|otherwise|sorry|unless|wait)\b"
    r"|(?:suppose|assume|what if|if) not\W*(?:$|,)"
    rf"|(?:(?:is|was) )?(?:(?:this|that|it|which) )?(?:is|was|isn't)? ?(?:not )?(?:true|right|correct|so|{_FALSE})"
    r"(?:(?:,| or|/) ?\w+)?\W*$)",
    re.IGNORECASE,
)
_FALSE_ZH = "(?:为假|是假|假的|不成立|不对|不正确|有误|是错|错的|错误)"
_DOUBT_ZH = re.compile(f"{_FALSE_ZH}|是否|忽略|除了|除外|只有|仅有|恰有|恰好|之一|要么|或者|未必|可能|撤回|不再")
_DOUBT_OF_ALL_ZH = re.compile(
    f"(?:下列|以下|这些|上述|前提|条件|陈述|命题|句话?)[^,.;?!结]{{0,8}}{_FALSE_ZH}"
    "|(?:只有|仅有|恰有|恰好|至多|至少|不都|并非都|其中)[^,.;?!结]{0,6}(?:为真|为假|真的|假的|成立|正确|错误)"
    "|哪(?:些|[几个一]?[个条句项]?)(?:是|为)?(?:真|假|对|错|正确|错误|成立)"
)
_TAKEN_BACK = re.compile(
    r"\b(?:ignore|disregard|forget|scratch|drop|withdraw|without) "
    r"(?:this|that|it|the (?:supposition|assumption|condition))\b"
    r"|\bnever ?mind\b|\b(?:supposition|assumption|condition) (?:is|was) (?:absurd|void|wrong|false|not)\b"
    r"|(?:忽略|忘掉|忘记|撤回)(?:上面|前面|之前|以上|刚才|这|那|它)"
    r"|(?:上面|前面|之前|以上|刚才)[^,.;?!]{0,8}(?:作废|不算|取消)|不再假设",
    re.IGNORECASE,
)
_ASKS_WHICH = (
    r"\b(?:which (?:(?:ones?|of (?:these|those|them)|statements?|premises?|facts?|claims?|sentences?) )?(?:is|are) "
    r"(?:right|true|correct|valid|false|wrong)|(?:mark|label|rate|classify|judge) (?:each|every|all))\b"
)
_WHICH = re.compile(_ASKS_WHICH, re.IGNORECASE)
_CHOICE = re.compile(
    r"\bwhich (?:ones?|of (?:the following|these|those|them)|statements?|conclusions?|claims?|options?|answers?|"
    r"follows?|holds?|must)\b|"
    r"\b(?:choose|select|pick) (?:the|one|which|between|among)\b|"
    r"\b(?:prove|show|check|decide|determine|verify|refute|disprove|judge|mark|rate|classify)\b"
    r"(?!.*\b(?:premises|facts|from)\b).*\b(?:following|these|those|which|each)\b|"
    r"\b(?:say|state|tell)\b.* (?:whether|if) (?:the following|these|those|they|each)\b(?! premises| facts)|"
    rf"{_ASKS_WHICH}",
    re.IGNORECASE | re.DOTALL,
)
_OPENING = re.compile(
    r":$|(?:^|\n)[^\w\n]*(?:prove|show|refute|disprove|conclusions?|options|choices)(?: that)?\s*$", re.IGNORECASE
)
_GIVING = frozenset({"given", "let", "solve", "take", "use", "using"})
LEADING = _GIVING | {"also", "and", "assumptions", "axioms", "clues", "consider", "data", "equation", "equations"}
LEADING |= {"fact", "facts", "following", "from", "here", "hold", "known", "know", "now", "of", "premise", "premises"}
LEADING |= {"rule", "rules", "some", "statements", "system", "that", "the", "these", "we", "where", "with"}
_ASKING = r"(?:what|how (?:much|many)|find|compute|calculate|evaluate|determine|work out|solve for)\b"
_ASKING_ZH = (
    "(?:(?:则|那么)? ?(?:请|求|问|计算|解)[^=<>]*"
    "|[^=<>]*(?:多少|几|什么)[^=<>]{0,12}|(?:则|那么)[^=<>]*(?:为|是|等于) ?)"
)
_ASKS_NO_VALUE = re.compile(
    rf"\b(?:{_FALSE}|true|truth|right(?! tri| ang)|correct(?:ly|ness)?|valid(?:ity)?|holds?|"
    r"appl(?:y|ies)|mistakes?|errors?|whether|which|counter-?examples?|negation|opposite|contradict\w*|proof|prove|disprove|otherwise|else|unless|"
    r"if|without|instead|contrary|assum\w+|reality|really|fallac\w+|absurd\w*|"
    r"of (?:these|those|the following))\b"
    r"|\bwhat if\b|\W(?:that|of|to|between|if|is)\W*$"
    r"|^\W*(?:what|how much|how many|find|compute|calculate|evaluate|determine|work out)"
    r"(?: (?:out|please|now|for (?:me|us)))*\W*$"
    "|[真假证错误改]|[对是]吗|判断|矛盾|成立|正确|可能|是否|不对|反例|否定|相反|否则|撤回|如果|若|谎|不要用|不用它|别用",
    re.IGNORECASE,
)
"""Words that ask whether a statement is true, or on what condition: `How many of these hold: …`, `Determine if …`."""
_BEFORE = r"[\s,:;.•·*#\"'“‘]*"
"""What may stand before a statement without changing it, unlike a minus or a root."""
_SUPPOSING = re.compile(rf"{_BEFORE}(?:(?:suppose|assume)\b|假设|已知|设|令)", re.IGNORECASE)
_CONDITIONS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        rf"{_BEFORE}(?:(?:if|when|given that|(?:suppose|assume|assuming)(?: that)?) )?"
        rf"(?P<given>.+?)[,\n]\s?(?:then )?(?P<asked>{_ASKING}[^=<>]*)",
        rf"\W*(?:if|when|given that) (?P<given>.+?) (?P<asked>{_ASKING}.*)",
        rf"\W*(?P<asked>{_ASKING}[^=<>]*?)(?:,? (?:if|when|where|given(?: that)?)\b| ?:) ?(?P<given>.+)",
        rf"{_BEFORE}(?:若|如果|假如|当|已知|设|令|假设)? ?:?(?P<given>.+?)时?[,\n]\s?(?P<asked>{_ASKING_ZH})",
        rf"{_BEFORE}(?P<asked>(?:请|试)?(?:解|求解)(?:下列|以下)?方程组?) ?:?(?P<given>.+)",
        rf"{_BEFORE}(?P<asked>求) ?(?:下列|以下)?(?:方程组?)? ?:?(?P<given>.+?) ?(?:的解|的根|中).*",
        rf"{_BEFORE}(?P<asked>求) ?[A-Za-z](?:的值)? ?:(?P<given>.+)",
        rf"{_BEFORE}(?P<given>.+?)[,;\n] ?(?P<asked>)[A-Za-z]\w*(?: ?[-+*] ?[A-Za-z]\w*)* ?=?",
    )
)
"""Questions with the condition under which they are asked: `What is x if 2x + 3 = 11`, `已知2x + 3 = 11, 求x`.

The last pattern asks by a name alone, `2x + 3 = 11, x = ?`, and needs the question mark.
"""
_ASKED_BY_NAME = _CONDITIONS[-1]
_ONE_NAME = re.compile(rf"\W*(?:{NAME})[ =?]*")
_UNSURE_MINUS = re.compile(
    rf"-\s|(?i:{'|'.join(sorted(LEADING))})\s*-(?!>)|[A-Za-z_]{{2,}}\s+-(?=[A-Za-z0-9(])"
    rf"|[{CJK}][{CJK}0-9_]+\s*-(?=[A-Za-z0-9(])"
)
"""What makes a minus ambiguous: a list dash, or a negative number after a word: `- 3x = 6`, `Given -3x = 6`."""
_NAME = f"(?:{NAME})"
_FOR = re.compile(rf" for {_NAME}(?:(?: ?,| and) {_NAME})*\s*$")
_SOLVE_FOR = re.compile(rf"\s*solve for {_NAME} ?:", re.IGNORECASE)


def joined(text: str) -> str:
    """Joins each sentence with a following line or clause that continues it or takes it back: `x > 3; or y = 2`.

    A comma remains next to an arrow and after a list, so that `A; or B -> C` is not read as `(A or B) -> C`.
    """

    def gap(found: re.Match[str]) -> str:
        end = found.start()
        before = text[1 + max(text.rfind("\n", 0, end), text.rfind(";", 0, end)) : end]
        is_list = "->" in before or "," in before
        return ", " if is_list or _ARROW_LATER.match(text, found.end()) else " "

    return _TO_GO_ON.sub(" ", _GOES_ON.sub(gap, text))


def sentences(text: str) -> Iterator[tuple[str, str]]:
    """The sentences of a text without labels, each with the mark that ends it; the last one may have none.

    A supposition and the question after it are one sentence: in `Suppose x + 3 = 7. What is x?` the full stop is read
    as a comma.
    """
    supposed: tuple[str, str] | None = None
    for sentence, end in _split(text):
        if supposed and condition(f"{supposed[0]},{sentence}", end):
            yield f"{supposed[0]},{sentence}", end
            supposed = None
            continue
        if supposed:
            yield supposed
        is_open = end == "." and _SUPPOSING.match(sentence) and not condition(sentence, end)
        supposed = (sentence, end) if is_open else None
        if not supposed:
            yield sentence, end


def _split(text: str) -> Iterator[tuple[str, str]]:
    start = 0
    for end in _END.finditer(text):
        yield text[start : end.start()], end[0]
        start = end.end()
    yield text[start:], ""


def words(text: str) -> frozenset[str]:
    """The words of a text. A text without words has the empty word, so that its prompt counts as having statements."""
    return frozenset(_WORD.findall(text) or [""])


def shared(some: Iterable[str], others: Iterable[str]) -> frozenset[str]:
    """The names of `others` that are among the words `some`, or inside a word without spaces: `小明` in `若小明`."""
    whole = frozenset(some)
    unspaced = "\n".join(word for word in whole if not word.isascii())
    return frozenset(name for name in others if name in whole or (not name.isascii() and name in unspaced))


def has_a_label(text: str) -> bool:
    """Whether a text contains what looks like a label, possibly in another form: `Premise1: A`, `前提1:x = 3`."""
    return bool(_LIKE_A_LABEL.search(_TIME_OF_DAY.sub(" ", text)))


def doubted(text: str) -> frozenset[str]:
    """The labels in a sentence that casts doubt on what it names: `Only one of P1 and P2 is true`."""
    labels = frozenset(_LABELS.findall(text))
    is_doubt = labels and (_DOUBT.search(_TRUE_OR_FALSE.sub("so", text)) or _DOUBT_ZH.search(text))
    return labels if is_doubt else frozenset()


def may_doubt(text: str) -> bool:
    """Whether a text contains a word that may cast doubt on something: `false`, `unless`, `whether`."""
    return bool(_DOUBT.search(text) or _ASKS_NO_VALUE.search(text))


def doubts_all(text: str) -> bool:
    """Whether a sentence casts doubt on all statements: `Exactly one of these is true`; a long one counts as doubt."""
    return len(text) > MAX_SENTENCE or bool(
        (_STATEMENTS.search(text) and _DOUBT_OF_ALL.search(_TRUE_OR_FALSE.sub("so", text)))
        or _DOUBT_OF_ALL_ZH.search(text)
    )


def doubts_the_last(text: str) -> bool:
    """Whether a sentence casts doubt on the one before it: `This is false`, `True or false`."""
    return bool(_DOUBT_OF_THE_LAST.match(text))


def takes_back(text: str) -> bool:
    """Whether a sentence takes back the latest statement, even if others stand between them: `Ignore that`."""
    return bool(_TAKEN_BACK.search(text))


def asks_which(text: str) -> bool:
    """Whether a sentence asks which statements are true, including those before it: `Which is right`."""
    return bool(_WHICH.search(text))


def offers_a_choice(text: str) -> bool:
    """Whether a sentence says that the entries after it are to be judged: `Which of these is right`."""
    return len(text) > MAX_SENTENCE or bool(_CHOICE.search(text))


def is_opening(text: str) -> bool:
    """Whether an unfinished sentence continues after an empty line: by its colon, or as a bare task, `Prove that`."""
    return bool(_OPENING.search(text))


def without_separator(text: str) -> str:
    """Strips the commas, semicolons and `and` from the end of a text."""
    while True:
        text = text.rstrip(" \t,;")
        if text != "and" and not text.endswith((" and", ",and")):
            return text
        text = text[:-3]


def labelled_statement(label: str, text: str) -> str | None:
    """The statement of a labelled entry; None if there is none. `R1: 4 ohm` says that R1 is 4 ohm."""
    try:
        term = parse_statement(text)
    except Unreadable:
        return None
    if isinstance(term, terms.Name):
        return None if LABEL.fullmatch(term.id) else text
    if terms.is_boolean(term):
        return text
    return None if terms.names(term) or isinstance(term, terms.Month) else f"{label} = {text}"


def unlabelled_statements(sentence: str, end: str) -> list[str] | None:
    """The statements of a sentence like `Let x = 3 and y = 2`; None if it gives none. `end` is the mark at its end."""
    if end in ("?", "!"):
        return None
    sentence = re.sub(r"[ \t]+", " ", sentence)
    solve = _SOLVE_FOR.match(sentence)
    start, giving = (solve.end(), {"solve"}) if solve else (0, set[str]())
    for word in re.compile(r"\w+|[^\w\s]").finditer(sentence, start):
        if word[0].lower() not in LEADING and word[0] not in ",:":
            break
        start = word.end()
        giving |= {word[0].lower()} & _GIVING
    if not giving:
        return None
    return _statements(_FOR.sub("", sentence[start:]) if "solve" in giving else sentence[start:])


def _statements(text: str) -> list[str] | None:
    """The statements that commas, line ends and `and` join in a text; None unless the whole text is statements."""
    pieces = list(_pieces(text))
    if any(map(_UNSURE_MINUS.match, pieces)):
        return None
    try:
        parts = list(map(parse_statement, pieces))
    except Unreadable:
        return None
    found = [term for part in parts for term in terms.conjuncts(part)]
    return [render_term(term) for term in found] if all(map(_has_relation, found)) else None


def condition(sentence: str, end: str) -> tuple[list[str], str] | None:
    """The condition of a question, as statements, and what is asked: `If x + y = 5 and x = 2, what is y`.

    If the question is a name alone, as in `x + 3 = 7, y = ?`, what is asked is empty: a step may define the name. A
    condition followed by another statement is an implication and gives nothing. Neither does a condition whose truth
    may be the question, such as one without a name. `end` is the mark at the sentence's end.
    """
    if end == "!" or len(sentence) > MAX_CONDITION:
        return None
    sentence = re.sub(r"[ \t]+", " ", sentence).strip()
    for pattern in _CONDITIONS[: None if end == "?" else -1]:
        found = pattern.fullmatch(sentence)
        if found and not any(
            refused(found["asked"]) for refused in (RELATION.search, _ASKS_NO_VALUE.search, takes_back)
        ):
            statements = _statements(found["given"].strip())
            if statements and all(terms.names(parse_statement(statement)) for statement in statements):
                asked = sentence.replace(found["given"], " ")
                if pattern is _ASKED_BY_NAME and not _asks_a_value(asked, statements):
                    continue
                return statements, "" if pattern is _ASKED_BY_NAME and _ONE_NAME.fullmatch(asked) else asked
    return None


def _asks_a_value(asked: str, statements: Sequence[str]) -> bool:
    """Whether a name alone asks for its value: with ` = `, as a letter, or as a name of the statements; not `right`."""
    names = words(asked) - {""}
    known = frozenset(name for statement in statements for name in terms.names(parse_statement(statement)))
    plain = asked.rstrip(" ?").endswith("=") or all(len(name) == 1 or name in known for name in names)
    return plain and not _ASKS_NO_VALUE.search(asked)


def _pieces(text: str) -> Iterator[str]:
    """The parts of a text, split at line ends and at commas outside brackets."""
    depth, start = 0, 0
    for place, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if (character == "," and not depth) or character == "\n":
            if text[start:place].strip():
                yield text[start:place].strip()
            start = place + 1
            if text.startswith(" and ", start):
                start += 5
    yield text[start:].strip()


def _has_relation(term: Term) -> bool:
    match term:
        case terms.Compare():
            return True
        case terms.Unary("not", operand):
            return _has_relation(operand)
        case terms.Binary():
            return terms.is_boolean(term) and _has_relation(term.left) and _has_relation(term.right)
    return False
