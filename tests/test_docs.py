"""The documents: every page is listed, every link leads somewhere, every example does what it says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_index():
    index = ROOT / "docs" / "index.md"
    listed = {(index.parent / link).resolve() for link in LINK.findall(index.read_text())}
    assert set((ROOT / "docs").glob("*.md")) - {index} <= listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_do_what_they_say(page):
    text = re.sub(r"^\s*```.*$", "", page.read_text(), flags=re.MULTILINE)  # a fence is no output
    runner = doctest.DocTestRunner()
    runner.run(doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0))
    assert runner.failures == 0


def test_every_verb_and_target_that_a_page_names_exists():
    from tuili.cli.app import VERBS

    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        code = " ".join(re.findall(r"```.*?```|`[^`]+`", page.read_text(), re.DOTALL))
        assert set(re.findall(r"\btuili ([a-z]+)\b(?!:)", code)) <= set(VERBS), page.name
        assert set(re.findall(r"\bmake ([a-z]+)\b", code)) <= targets, page.name
