"""The page in a real browser, in front of a real server. Run by `make browser`; needs Chromium."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.serve.browser.conftest import Open, ask
from tests.serve.conftest import Running, running
from tuili.store import resolve_model

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Route

pytestmark = pytest.mark.browser

SUM = "What is 48 + 27 * 3?"
BOX = "A box is 8 cm long, 25 cm wide and 4 cm high. What is the area of its surface?"
"""nano's first attempt has a wrong step."""
PHONE = {"width": 390, "height": 844}


def spend(page: Page, attempts: int = 2, tokens: int = 400) -> None:
    page.fill("#attempts", str(attempts))
    page.fill("#tokens", str(tokens))


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_a_question_its_steps_its_answer_and_its_receipt(open_page: Open) -> None:
    page = open_page()
    ask(page, SUM)
    assert page.inner_text(".asked") == SUM
    assert page.inner_text(".answer") == "129"
    lines = page.locator(".line.valid")
    assert [re.sub(r"\s+", " ", line) for line in lines.locator(".text").all_inner_texts()][-1] == "48 + 81 = 129"
    assert all("✓" in mark for mark in lines.locator(".mark").all_inner_texts())
    tokens = page.locator(".line .token")
    assert tokens.count() > 20
    assert set(tokens.evaluate_all("list => list.map(token => token.title)")) <= {f"{n} layers" for n in (3, 6, 9, 12)}
    colours = tokens.evaluate_all("list => list.map(token => token.title + getComputedStyle(token).backgroundColor)")
    assert len({one.partition("rgb")[0] for one in colours}) == len(set(colours))  # one colour for each depth
    receipt = page.inner_text(".receipt")
    assert re.search(r"Confidence\s+\d+(\.\d)?%", receipt)
    assert re.search(r"Tokens\s+41\b", receipt)
    assert re.search(r"queue \d+ · prefill \d+ · decode \d+", receipt)
    assert "no error_tolerance was asked for" in receipt
    assert page.inner_text("#spoken") == "Answer: 129"


def test_it_shows_a_stream_as_it_comes(open_page: Open) -> None:
    page = open_page()
    page.evaluate(
        """() => {
          window.seen = [];
          const turns = document.querySelector("#turns");
          const count = (name) => turns.querySelectorAll(name).length;
          const look = () => window.seen.push([count(".token"), count(".answer")]);
          new MutationObserver(look).observe(turns, { subtree: true, childList: true });
        }"""
    )
    ask(page, SUM)
    before = [tokens for tokens, answers in page.evaluate("window.seen") if not answers]
    assert before == sorted(before)
    assert len(set(before)) > 10  # grew token by token before there was an answer


def test_the_budget_changes_the_outcome(open_page: Open) -> None:
    page = open_page()
    spend(page, attempts=1)
    ask(page, BOX)
    first = page.locator(".turn").last
    assert "best effort" in first.locator(".receipt").inner_text()
    assert first.locator(".line.invalid .right").first.inner_text().startswith("right: ")
    assert "✗" in first.locator(".line.invalid .mark").first.inner_text()
    spend(page, attempts=4)
    ask(page, BOX)
    second = page.locator(".turn").last
    assert second.locator(".outcome").inner_text() == "answered"
    assert second.locator(".answer").inner_text() == "664 cm^2"
    assert second.locator(".attempt").count() > 1
    assert second.locator(".line.kept").count() > 0
    chosen = second.locator(".attempt:not(.left)")
    assert chosen.count() == 1
    assert chosen.locator(".line.invalid").count() == 0


def test_too_few_tokens_end_in_an_abstention(open_page: Open) -> None:
    page = open_page()
    spend(page, attempts=1, tokens=12)
    ask(page, SUM)
    assert page.inner_text(".answer") == "No answer"
    assert "abstained" in page.inner_text(".receipt")


def test_a_tolerated_error_is_promised(open_page: Open) -> None:
    page = open_page()
    page.check("[name=tolerance][value='0.02']", force=True)
    ask(page, SUM)
    assert "At most 2% of answers like this are wrong, with 95% certainty" in page.inner_text(".receipt")


def test_what_the_controls_say_is_what_is_asked(open_page: Open, server: Running) -> None:
    sent: list[Any] = []

    def hear(request: Request) -> None:
        if request.method == "POST":
            sent.append(json.loads(request.post_data or ""))

    page = open_page()
    page.on("request", hear)
    ask(page, SUM)
    page.fill("#deadline", "51")
    page.click(".more summary")
    page.fill("#temperature", "0.7")
    page.check("#earlier")
    spend(page, attempts=3, tokens=300)
    assert page.inner_text("#deadline-now") == "30 s"
    ask(page, SUM)
    assert sent[0] == {
        "model": "nano",
        "max_completion_tokens": 400,
        "budget": {"max_steps": 2},
        "messages": [{"role": "user", "content": SUM}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert sent[1]["budget"] == {"max_steps": 3, "deadline_ms": 30_000}
    assert (sent[1]["max_completion_tokens"], sent[1]["temperature"]) == (300, 0.7)
    assert [message["content"] for message in sent[1]["messages"]] == [SUM, "129", SUM]
    assert page.inner_text(".turn:last-child .answer") == "129"
    assert page.locator(".left-out").count() == 0


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of nano's weights, of which the card says that they read single questions."""
    folder = Path(shutil.copytree(resolve_model("nano"), tmp_path_factory.mktemp("listener") / "listener"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "conversation": "single"}))
    shutil.rmtree(folder / "tuili")  # what it holds is bound to the config
    yield from running(folders=(str(folder),))


def test_a_line_says_how_many_messages_were_left_out(open_page: Open, listener: Running) -> None:
    page = open_page(at=listener)
    page.click(".more summary")
    page.check("#earlier")
    ask(page, SUM)
    assert page.locator(".left-out").count() == 0
    ask(page, SUM)
    assert page.inner_text(".left-out") == (
        "This model reads one question at a time. Messages before it that were left out: 2."
    )
    page.click("#language")
    assert "未被读取的消息：2 条" in page.inner_text(".left-out")


def test_what_the_server_refuses_is_shown_in_its_words(open_page: Open) -> None:
    page = open_page()
    spend(page, tokens=400)
    ask(page, "word " * 3000)
    assert re.search(r"the prompt has \d+ (tokens|bytes).*400", page.inner_text(".error"), re.DOTALL)
    assert page.locator(".turn button", has_text="Ask again").count() == 1
    assert "400 (Bad Request)" in open_page.trouble.pop()  # type: ignore[attr-defined]


def limit_line(page: Page, bytes_per_second: int) -> None:
    """Let the page receive no more than that from now on; -1 for no limit."""
    line = {"offline": False, "latency": 0, "downloadThroughput": bytes_per_second, "uploadThroughput": -1}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", line)


def test_escape_stops(open_page: Open) -> None:
    page = open_page()
    spend(page, attempts=8, tokens=2000)
    page.fill("#question", BOX)
    limit_line(page, bytes_per_second=2000)  # else the answer is there before a key can be pressed
    page.press("#question", "Enter")
    page.wait_for_selector(".token")
    page.keyboard.press("Escape")
    page.wait_for_selector("#send")
    limit_line(page, bytes_per_second=-1)
    assert page.inner_text(".halted") == "Stopped."
    assert page.locator(".receipt").count() == 0
    ask(page, SUM)
    assert page.inner_text(".answer") == "129"


def test_shift_enter_breaks_the_line(open_page: Open) -> None:
    page = open_page()
    page.fill("#question", "one")
    page.press("#question", "Shift+Enter")
    page.keyboard.type("two")
    assert page.input_value("#question") == "one\ntwo"
    assert page.locator(".turn").count() == 0


def test_thumbs_and_a_correction_reach_the_server(open_page: Open, server: Running) -> None:
    page = open_page()
    sent: list[Any] = []

    def hear(request: Request) -> None:
        if request.url.endswith("/v1/feedback"):
            sent.append(json.loads(request.post_data or ""))

    page.on("request", hear)
    ask(page, SUM)
    page.click(".thumb[data-label=down]")
    page.wait_for_selector(".correction")
    page.wait_for_selector(".said:text-is('Thank you.')")
    page.keyboard.type("130")
    with page.expect_response("**/v1/feedback") as reply:
        page.keyboard.press("Enter")
    assert reply.value.ok
    assert [(one["thumb"], one.get("correction")) for one in sent] == [("down", None), ("down", "130")]
    assert sent[0]["id"].startswith("chatcmpl-")
    assert (sent[0]["model"], sent[0]["prompt"]) == ("nano", SUM)


def test_a_server_without_feedback_says_so(open_page: Open) -> None:
    page = open_page({"/v1/feedback": lambda route: route.fulfill(status=404, json={"error": {"message": "none"}})})
    ask(page, SUM)
    page.click(".thumb[data-label=up]")
    page.wait_for_selector(".said[data-word=noFeedback]")
    assert "404" in open_page.trouble.pop()  # type: ignore[attr-defined]


def test_a_key_is_asked_for_only_when_it_is_wanted(open_page: Open) -> None:
    keys: list[str | None] = []

    def guarded(route: Route) -> None:
        keys.append(route.request.headers.get("authorization"))
        if keys[-1] == "Bearer tl-secret":
            route.continue_()
        else:
            route.fulfill(status=401, json={"error": {"message": "no API key", "code": "missing_key"}})

    page = open_page({"/v1/chat/completions": guarded})
    assert page.is_hidden("#key")
    ask(page, SUM)
    page.fill("#key", "tl-secret")
    page.press("#key", "Enter")
    page.wait_for_selector(".answer")  # it is asked again by itself
    assert keys == [None, "Bearer tl-secret"]
    assert page.is_hidden("#key")
    assert page.evaluate("[sessionStorage.length, Object.values(localStorage).includes('tl-secret')]") == [1, False]
    assert "401" in open_page.trouble.pop()  # type: ignore[attr-defined]


def test_live_figures_come_from_the_servers_metrics(open_page: Open) -> None:
    page = open_page()
    assert page.is_visible("#live summary")
    page.click("#live summary")
    page.wait_for_selector("[data-row=running]")
    ask(page, SUM)
    page.locator("[data-row=tokensPerSecond]", has_text=re.compile("^[1-9]")).wait_for()
    assert re.fullmatch(r"\d+\.\d", page.inner_text("[data-row=depthNow]"))
    assert page.inner_text("[data-row=waiting]") == "0"
    assert page.locator(".spark").count() == 5


def test_figures_are_hidden_where_the_server_does_not_tell_them(open_page: Open) -> None:
    page = open_page({"/metrics": lambda route: route.fulfill(status=404, body="")})
    ask(page, SUM)
    assert page.is_hidden("#live")
    assert "404" in open_page.trouble.pop()  # type: ignore[attr-defined]


def test_chinese_by_the_browser_and_back_by_the_button(open_page: Open) -> None:
    page = open_page(locale="zh-CN")
    assert page.inner_text("#send") == "提问"
    ask(page, SUM)
    assert "把握" in page.inner_text(".receipt")
    text = page.inner_text("body")
    assert not re.search(r"\b(Ask|Budget|Attempts|Confidence|Stop|valid|Outcome|layers)\b", text)
    page.click("#language")
    assert page.inner_text("#send") == "Ask"
    assert "Confidence" in page.inner_text(".receipt")
    assert not re.search(r"[\u4e00-\u9fff]", page.inner_html(".turns"))
    page.reload()
    assert page.inner_text("#send") == "Ask"  # remembered


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_a_phone_scrolls_in_one_direction_only(open_page: Open, locale: str) -> None:
    page = open_page(viewport=PHONE, locale=locale, has_touch=True)
    assert fits(page)
    page.click("#budget summary")
    assert fits(page)
    spend(page, attempts=4)
    page.click("#budget summary")
    ask(page, BOX)
    page.click(".thumb[data-label=down]")
    page.wait_for_selector(".correction")
    assert fits(page)
    ask(page, "x" * 300)
    assert fits(page)


def test_dark_by_the_system_and_light_by_the_button(open_page: Open) -> None:
    page = open_page(color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(14, 20, 27)"
    page.click("#theme")
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    page.reload()
    assert page.evaluate(paper) == "rgb(255, 255, 255)"


def test_every_control_is_reached_by_the_keyboard_and_has_a_name(open_page: Open) -> None:
    page = open_page()
    ask(page, SUM)
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"language", "theme", "clear", "question", "attempts", "deadline", "tokens", "thumb"} <= reached
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, summary")]
          .filter((control) => control.checkVisibility())
          .filter((control) => !(control.ariaLabel || control.textContent.trim()))
          .filter((control) => ![...(control.labels ?? [])].some((label) => label.textContent.trim()))
          .map((control) => control.outerHTML)"""
    )
    assert nameless == []
