"""Spun text: good texts whose words are exchanged or moved. Each split has ways of its own.

For training, words become synonyms, of MyThes' English thesaurus or of the Chinese thesaurus Cilin; or are moved a few
places; or become any other words. For validation, English goes to French and back, and English becomes Chinese, both
word by word through the dictionaries of FreeDict. For the test, English goes to German and back, and Chinese words
become others that CC-CEDICT gives the same English meaning.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Synonyms = Mapping[str, Sequence[str]]
_WORD = re.compile(r"[a-z]{3,}")
_BASE64 = {
    character: place
    for place, character in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}
_MARKUP = re.compile(r"<[^>]*>|\([^)]*\)|\[[^\]]*\]|/[^/]*/|^[\d.\s]+")
_LONGEST_HAN_WORD = 4


def mythes(file: Path) -> Synonyms:
    """English words with those that MyThes names beside them."""
    found = defaultdict[str, list[str]](list)
    lines = iter(file.read_text(encoding="utf-8", errors="replace").splitlines()[1:])
    for head in lines:
        word, _, count = head.partition("|")
        for _ in range(int(count)):
            others = next(lines).split("|")[1:]
            found[word] += [other.partition(" (")[0] for other in others if other.partition(" (")[0] != word]
    return {word: others for word, others in found.items() if others and _WORD.fullmatch(word)}


def cilin(file: Path) -> Synonyms:
    """Chinese words with those of the same group of Cilin: the leaves of a tree in JSON are lists of words."""
    found = dict[str, list[str]]()
    branches: list[Any] = [json.loads(file.read_text(encoding="utf-8"))]
    while branches:
        branch = branches.pop()
        if isinstance(branch, dict):
            branches += branch.values()
        elif isinstance(branch, list):
            words = [word for word in branch if 2 <= len(word) <= _LONGEST_HAN_WORD]
            for word in words if len(words) > 1 else ():
                found.setdefault(word, [other for other in words if other != word])
    return found


def cedict(file: Path) -> Synonyms:
    """Chinese words with those that have the same first meaning in CC-CEDICT."""
    by_meaning = defaultdict[str, list[str]](list)
    for line in gzip.decompress(file.read_bytes()).decode("utf-8").splitlines():
        if found := re.match(r"\S+ ([\u4e00-\u9fff]{2,4}) \[[^]]*\] /([^/]+)/", line):
            by_meaning[found[2].lower()].append(found[1])
    groups = [words for words in map(sorted, map(set, by_meaning.values())) if len(words) > 1]
    return {word: [other for other in words if other != word] for words in groups for word in words}


def freedict(folder: Path) -> dict[str, list[str]]:
    """The first words of each entry of a dictionary in the format of dictd: an index, and a text that it points to."""
    (index,), (packed,) = folder.rglob("*.index"), folder.rglob("*.dict.dz")
    text = gzip.decompress(packed.read_bytes())
    found = dict[str, list[str]]()
    for line in index.read_text(encoding="utf-8").splitlines():
        head, start, length = line.split("\t")[:3]
        begin = _number(start)
        entry = text[begin : begin + _number(length)].decode("utf-8", "replace")
        glosses = (_MARKUP.sub("", part).strip() for part in re.split(r"[\n,;]", entry)[1:])
        if kept := [gloss for gloss in glosses if gloss and gloss != head and len(gloss) < 24]:
            found.setdefault(head.lower(), kept[:3])
    return found


def _number(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 64 + _BASE64[digit]
    return value


def there_and_back(there: Mapping[str, Sequence[str]], back: Mapping[str, Sequence[str]]) -> Synonyms:
    """Words with what they become in another language and back."""
    found = dict[str, list[str]]()
    for word, others in there.items():
        again = [one for other in others for one in back.get(other.lower(), ()) if one != word]
        if again and _WORD.fullmatch(word):
            found[word] = again
    return found


def spun(text: str, synonyms: Synonyms, share: float, rng: random.Random) -> str:
    """An English text of whose words that have synonyms a share is exchanged."""

    def replaced(found: re.Match[str]) -> str:
        word = found[0]
        others = synonyms.get(word.lower())
        if not others or rng.random() >= share:
            return word
        other = rng.choice(others)
        return other.capitalize() if word[0].isupper() else other

    return re.sub(r"[A-Za-z]{3,}", replaced, text)


def spun_chinese(text: str, synonyms: Synonyms, share: float, rng: random.Random) -> str:
    """A Chinese text, cut into the longest words that have synonyms, of which a share is exchanged."""
    parts, place = list[str](), 0
    while place < len(text):
        lengths = range(_LONGEST_HAN_WORD, 1, -1)
        word = next((text[place : place + n] for n in lengths if text[place : place + n] in synonyms), text[place])
        exchanged = len(word) > 1 and rng.random() < share
        parts.append(rng.choice(synonyms[word]) if exchanged else word)
        place += len(word)
    return "".join(parts)


def glossed(text: str, dictionary: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    """An English text as Chinese, word by word; words that the dictionary lacks are left out."""
    parts = list[str]()
    for word in re.findall(r"[A-Za-z]+|[.,;:!?]|\n\n", text):
        if word.isalpha():
            forms = (word.lower(), word.lower().removesuffix("s"), word.lower().removesuffix("ed"))
            glosses = next((dictionary[form] for form in forms if form in dictionary), ())
            parts += [rng.choice(glosses)] if glosses else []
        else:
            parts.append({".": "。", ",": "，", ";": "；", ":": "：", "!": "！", "?": "？"}.get(word, word))
    return "".join(parts)


def units(text: str, language: str) -> list[str]:
    """What stands between words, and the words, in turns; of Chinese, runs of at most two characters count as words."""
    return re.split(r"([\u4e00-\u9fff]{1,2})" if language == "zh" else r"([A-Za-z]+)", text)


def moved(text: str, language: str, rng: random.Random) -> str:
    """A text whose words are shuffled, a few in a row at a time."""
    parts = units(text, language)
    places, start = range(1, len(parts), 2), 0
    while start < len(places):
        here = places[start : start + rng.randint(2, 8)]
        words = [parts[place] for place in here]
        rng.shuffle(words)
        for place, word in zip(here, words, strict=True):
            parts[place] = word
        start += len(here)
    return "".join(parts)


def drawn(text: str, language: str, others: Sequence[str], share: float, rng: random.Random) -> str:
    """A text of whose words a share is exchanged for words of others; others: words, the commoner the more often."""
    parts = units(text, language)
    for place in range(1, len(parts), 2):
        if rng.random() < share and (language == "zh" or len(parts[place]) > 3):
            parts[place] = rng.choice(others)
    return "".join(parts)


def spin(texts: Iterable[str], change: Callable[[str, random.Random], str]) -> list[str]:
    """Every text, changed the same way every time."""
    return [change(text, random.Random(f"spun/{number}")) for number, text in enumerate(texts)]
