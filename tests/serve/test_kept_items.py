"""Answers that clients refer to: found by their client alone, within a bound of memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuili.serve.kept_items import ITEM_BYTES, KeptItems
from tuili.serve.schemas.items import MessageItem
from tuili.serve.schemas.messages import FunctionCallInput, ItemReference, Message, MessageInput


def message(name: str, text: str = "72") -> MessageItem:
    return {
        "id": name,
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }


def test_an_answer_is_found_by_its_client_alone() -> None:
    kept = KeptItems()
    kept.keep("one", message("msg_1"))
    found = kept.find("one", "msg_1")
    assert isinstance(found, MessageInput)
    assert (found.role, found.text) == ("assistant", "72")
    assert kept.find("another", "msg_1") is None
    assert kept.find("one", "msg_2") is None


def test_a_call_is_found_as_a_call_and_a_refusal_as_its_reason() -> None:
    kept = KeptItems()
    kept.keep(
        "",
        {
            "id": "fc_1",
            "type": "function_call",
            "call_id": "call_1",
            "name": "add",
            "arguments": "{}",
            "status": "completed",
        },
    )
    kept.keep("", {**message("msg_1"), "content": [{"type": "refusal", "refusal": "the budget was spent"}]})
    call, refusal = kept.find("", "fc_1"), kept.find("", "msg_1")
    assert isinstance(call, FunctionCallInput)
    assert (call.call_id, call.name, call.arguments) == ("call_1", "add", "{}")
    assert isinstance(refusal, MessageInput)
    assert refusal.text == "the budget was spent"


def test_turns_have_answers_in_place_of_references_as_far_as_they_are_kept() -> None:
    kept = KeptItems()
    kept.keep("", message("msg_1"))
    question = Message(role="user", content="What is 48 + 27 - 3?")
    known, unknown = (ItemReference(type="item_reference", id=name) for name in ("msg_1", "msg_2"))
    first, second, third = kept.put_in("", [question, known, unknown])
    assert (first, third) == (question, unknown)
    assert isinstance(second, MessageInput)
    assert second.text == "72"


def test_those_go_first_that_were_longest_not_used() -> None:
    kept = KeptItems(max_bytes=3 * (ITEM_BYTES + 200))
    for name in "abc":
        kept.keep("", message(name))
    assert kept.find("", "a"), "now used"
    kept.keep("", message("d"))
    assert [name for name in "abcd" if kept.find("", name)] == ["a", "c", "d"]


@given(st.lists(st.text(max_size=3000), max_size=60))
def test_memory_is_bounded(answers: list[str]) -> None:
    most = 4 * ITEM_BYTES
    kept = KeptItems(most)
    for number, text in enumerate(answers):
        kept.keep("", message(str(number), text))
    found = [kept.find("", str(number)) for number in range(len(answers))]
    assert sum(ITEM_BYTES + len(one.text.encode()) for one in found if isinstance(one, MessageInput)) <= most
    if answers and len(answers[-1].encode()) < ITEM_BYTES:
        assert found[-1] is not None, "the newest is there"
