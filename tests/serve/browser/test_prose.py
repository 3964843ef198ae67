"""The page beside an imported model of random weights, which writes prose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serve.browser.conftest import Open, ask
from tests.serve.conftest import Running, running
from tests.store.dense_folders import save_dense

pytestmark = pytest.mark.browser

CAPITAL = "What is the capital of France?"


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of the model, and of nano behind it."""
    folder = save_dense(tmp_path_factory.mktemp("dense") / "talker", "qwen2", vocab_size=384)
    yield from running(folders=(str(folder), "nano"), slots=2)


def test_a_question_its_streamed_answer_and_its_receipt(open_page: Open, talker: Running) -> None:
    page = open_page(at=talker)
    page.evaluate(
        """() => {
          window.seen = [];
          const look = () => window.seen.push(document.querySelector(".answer")?.textContent ?? "");
          new MutationObserver(look).observe(document.querySelector("#turns"), { subtree: true, childList: true });
        }"""
    )
    page.fill("#tokens", "60")
    ask(page, CAPITAL)
    completion = talker.client().chat.completions.create(
        model="talker", messages=[{"role": "user", "content": CAPITAL}], max_completion_tokens=60
    )
    answer = completion.choices[0].message.content
    assert answer
    assert page.text_content(".answer") == answer
    seen = page.evaluate("window.seen")
    assert len(set(seen)) > 10  # it grew piece by piece
    assert all(answer.startswith(each) for each in seen)
    assert page.locator(".line").count() == 0
    receipt = page.inner_text(".receipt")
    assert completion.usage is not None
    assert f"Tokens\n{completion.usage.completion_tokens}\n" in receipt
    assert "Confidence\nnot known" in receipt
    assert "no error_tolerance was asked for" in receipt
    assert page.locator("#legend li").all_inner_texts() == ["4"]


def test_examples_suit_the_chosen_model(open_page: Open, talker: Running) -> None:
    page = open_page(at=talker)
    examples = page.locator(".example")
    assert CAPITAL in examples.all_inner_texts()
    assert page.inner_text("#lead") == "Ask, and see what the answer cost."
    page.select_option("#model", "nano")
    assert CAPITAL not in examples.all_inner_texts()
    assert page.inner_text("#lead") == "Ask, and see every step checked."
    examples.first.click()
    page.wait_for_selector("#stop", state="hidden")
    assert page.inner_text(".answer") == "129"
