"""`docs/tasks.md`: its examples are really generated, its data checks, and its table of scores is true.

The domain of one's own that the page writes out is installed and used in `test_registry`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tuili.steps import Status, check_chain, render_response
from tuili.tasks import generate, score
from tuili.tasks.registry import BUILT_IN_DOMAINS

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text()
SECTION = re.compile(r"^### (\w+)\n(.*?)^`([^`]*)`\n\n```text\n(.*?)\n```\n", re.MULTILINE | re.DOTALL)
SECTIONS = {name: (words, id_, block) for name, words, id_, block in SECTION.findall(PAGE)}


def example(id_: str) -> str:
    domain, level, seed, index = id_.split("/")
    problem = generate(domain, int(seed), int(index), int(level))
    return f"{problem.prompt}\n{render_response(problem.steps, problem.answer)}"


def test_every_domain_is_described_in_the_order_of_the_experts():
    assert tuple(SECTIONS) == BUILT_IN_DOMAINS
    assert all(words.strip() for words, *_ in SECTIONS.values())


@pytest.mark.parametrize("name", BUILT_IN_DOMAINS)
def test_each_example_is_the_problem_it_says(name):
    _, id_, block = SECTIONS[name]
    assert id_.startswith(f"{name}/")
    assert block == example(id_)


def test_the_records_written_out_on_the_page_are_records_and_their_steps_check():
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    records = [json.loads(line) for line in block.splitlines()]
    assert all(record["input"] and record["output"] for record in records)
    steps = [step for record in records for step in record.get("steps", ())]
    assert {verdict.status for verdict in check_chain(steps)} == {Status.VALID}


def test_the_scoring_table_is_true():
    rows = re.findall(r"^\| `([^`]*)` \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
    assert len(rows) >= 4
    problem = generate("arithmetic", 0, 0, 1)
    for expected, right, wrong in rows:
        asked = replace(problem, answer=expected)
        for text in re.findall(r"`([^`]*)`", right):
            assert score(asked, text) == 1.0, (expected, text)
        for text in re.findall(r"`([^`]*)`", wrong):
            assert score(asked, text) == 0.0, (expected, text)
