"""Texts that no domain makes: questions of GSM8K, descriptions of packages, mail, source code, other languages, pages
of a manual, licences.

Descriptions, code, mail (that of the tests of `email`), the manual (that of Python's own `help`) and licences come with
the Python that runs, fortunes in other languages from Debian packages that are downloaded once, into an ignored folder.
A kind of text whose source is not to be had is left out, with a line on the screen.
"""

from __future__ import annotations

import email
import random
import re
import subprocess
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from email.policy import default
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from pydoc_data.topics import topics

from benchmarks.harness.texts import GSM8K, gsm8k_records

LANGUAGES = ("de", "es", "fr", "it", "pl", "ru", "zh")
SHORTEST, LONGEST = 40, 400
"""Characters of a text."""
CODE_LINES = 6
UNTOUCHED = ("mail", "manual", "licences")
"""Kinds by which nothing was chosen. How familiarity is told was chosen among ways that were tried on others (see
`docs/log.md`)."""
_LICENCE = re.compile(r"(?i)licen[cs]e|copying|notice")


def foreign_texts(each: int, untouched: int, folder: Path, seed: int = 5, gsm8k: Path = GSM8K) -> dict[str, list[str]]:
    """At most so many texts of each kind, and of those that are `UNTOUCHED`, in random order.

    Args:
        folder: where downloads are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, Callable[[], Iterable[str]]] = {
        "gsm8k": lambda: (record.input for record in gsm8k_records(gsm8k)),
        "descriptions": _descriptions,
        "code": partial(_code, random.Random(seed)),
        "mail": _mail,
        "manual": _manual,
        "licences": _licences,
        "fortunes": partial(_fortunes, folder, "fortunes"),
        **{language: partial(_fortunes, folder, f"fortunes-{language}") for language in LANGUAGES},
    }
    found = {}
    for kind, read in kinds.items():
        try:
            texts = sorted(set(read()))
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"no texts of the kind {kind}: {error}", flush=True)
            continue
        if texts:
            most = untouched if kind in UNTOUCHED else each
            found[kind] = random.Random(f"{kind}/{seed}").sample(texts, min(most, len(texts)))
    return found


def paragraphs(text: str, separator: str = r"\n\s*\n") -> Iterator[str]:
    """The paragraphs of a text that have a fitting length and are no table, heading or list of links."""
    for part in re.split(separator, text):
        part = part.strip()
        if SHORTEST <= len(part) <= LONGEST and not part.startswith(("#", "|", "`", ">", ".. ", "http", "- [")):
            yield part


def _descriptions() -> Iterator[str]:
    for distribution in distributions():
        summary, _, description = (distribution.read_text("METADATA") or "").partition("\n\n")
        yield from re.findall(r"^Summary: (.{20,})$", summary, re.MULTILINE)
        yield from list(paragraphs(description))[:6]


def _code(rng: random.Random) -> Iterator[str]:
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        lines = file.read_text(encoding="utf-8", errors="ignore").split("\n")
        for _ in range(3):
            start = rng.randrange(max(1, len(lines) - CODE_LINES))
            text = "\n".join(lines[start : start + CODE_LINES]).strip("\n")
            if len(text.strip()) >= SHORTEST:
                yield text


def _mail() -> Iterator[str]:
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("test/test_email/data/*.txt")):
        message = email.message_from_bytes(file.read_bytes(), policy=default)
        body = message.get_body(("plain",))
        payload = body.get_payload(decode=True) if body is not None else None
        if isinstance(payload, bytes):
            yield from paragraphs(payload.decode("utf-8", "ignore"))


def _manual() -> Iterator[str]:
    for text in topics.values():
        yield from paragraphs(text)


def _licences() -> Iterator[str]:
    files = (file for distribution in distributions() for file in distribution.files or ())
    for file in files:
        path = Path(str(file.locate()))
        if _LICENCE.search(file.name) and file.suffix in ("", ".txt", ".md", ".rst") and path.is_file():
            text = path.read_text(encoding="utf-8", errors="ignore")
            yield from (" ".join(part.split()) for part in paragraphs(text))  # packages break lines differently


def _fortunes(folder: Path, package: str) -> Iterator[str]:
    place = folder / package
    if not place.exists():
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True, capture_output=True)
        (deb,) = folder.glob(f"{package}_*.deb")
        subprocess.run(["dpkg", "-x", deb, place], check=True, capture_output=True)
    for file in sorted((place / "usr/share/games").rglob("*")):
        if file.is_file() and file.suffix not in (".dat", ".u8"):
            yield from paragraphs(file.read_text(encoding="utf-8", errors="ignore"), r"\n%+\n")
