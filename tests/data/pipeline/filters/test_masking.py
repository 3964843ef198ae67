from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.data.pipeline.document import Document
from tuili.data.pipeline.filters.masking import (
    KEY_SIGNS,
    KEY_SIGNS_WITH_LINES,
    MaskingSettings,
    What,
    may_hold_key,
)


def masked(text: str, *what: What) -> str:
    return MaskingSettings(block="mask", what=what or ("mail", "phone", "key")).build().apply(
        Document(text, "a", "a", "web")
    ).text  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jane.doe+x@mail.example.org.", "Write to [mail]."),
        ("<a@b.co>, c_d@e-f.museum", "<[mail]>, [mail]"),
        ("请联系 zhang@example.com.cn。", "请联系 [mail]。"),
        ("Call +44 20 7946 0958 or (212) 555-0123, 212-555-0123.", "Call [phone] or [phone], [phone]."),
        ("电话：13812345678，010-62512345", "电话：[phone]，[phone]"),
        ("key AKIAIOSFODNN7EXAMPLE, ghp_" + "a1B2" * 9, "key [key], [key]"),
        ("sk-proj-" + "a1B2" * 9, "[key]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[key]"),
        ("手机13812345678联系，电话：13812345678联系我们", "手机[phone]联系，电话：[phone]联系我们"),
        ("请联系张三zhang@example.com或致电，邮箱zhang@example.com。", "请联系张三[mail]或致电，邮箱[mail]。"),
        ("密钥sk-" + "a1B2" * 9 + "，josé@example.com müller@bücher.de", "密钥[key]，[mail] [mail]"),
        ("Tel. 900-100-1000 or 15000000000", "Tel. [phone] or [phone]"),
        (
            "tel: 020 7946 0958, phone number (020) 7946 0958, 电话号码 6251 2345",
            "tel: [phone], phone number [phone], 电话号码 [phone]",
        ),
        ('api_key = "3f9a8b7c6d5e4f3a", password=hunter2hunter', 'api_key = "[key]", password=[key]'),
        ("sk_" + "live_" + "a1B2" * 6, "[key]"),
    ],
)
def test_mail_phone_and_keys_are_masked(text: str, expected: str) -> None:
    assert masked(text) == expected


def test_metadata_and_records_are_masked_too() -> None:
    deep: list[Any] = ["call 212-555-0123"]
    for _ in range(2000):
        deep = [deep]
    metadata = {"title": "Write to a@b.co", "n": 7, "deep": deep, "by": {"mail": ["c@d.co", None]}}
    record = {"input": "Who is a@b.co?", "output": "nobody", "steps": ("a@b.co is nobody",)}
    document = Document("Nothing here.", "a@b.co", "a", "web", metadata, record=record)
    result = MaskingSettings(block="mask").build().apply(document)
    assert (result.metadata["title"], result.metadata["by"]) == ("Write to [mail]", {"mail": ["[mail]", None]})
    assert result.record == {"input": "Who is [mail]?", "output": "nobody", "steps": ["[mail] is nobody"]}
    assert (result.text, result.id) == (document.text, document.id)
    assert result.measures == {"masked_mail": 4, "masked_phone": 1}
    assert document.metadata["title"] == "Write to a@b.co"
    left = document.with_metadata()
    assert MaskingSettings(block="mask", except_kinds=("web",)).build().apply(left) is left


@pytest.mark.parametrize(
    "text",
    [
        "x@y and @name and a @ b, pip install torch@2.13",
        "3.14159265358979 * 10 = 31.4159265358979, 1234567890123456",
        "48 / 2 = 24, 2024-05-28 10:00:00, 10.1000/182-34-5678, 192.168.100.200",
        "https://host.example/13812345678/x, sha 0123456789abcdef0123456789abcdef",
        "task-force sk-learn snake_case_names_are_not_keys",
        "password = hash_256(text), secret: str, token = tokens[0x1f2e3d4c], key: 12345678, text 20 7946 0958 times",
        "Cell 126 (2006) 663-676; cell 3.7 4.2 3.9 4.1 V, phone 2007 2008 2009, mobile 2010-2015",
        "PWD=/usr/lib/python3.11, password: 8-character minimum, The secret: 2-methyl-propanol",
        "password=hash_256.compute(text), password=getenv.PASSWORD,retries=3, secret: something;x=1",
        "Secret = 1/2*base*height, secret_key=/etc/of/the/machine/key1",
        "2^34 = 17179869184. Compute 900-100-1000. 5 +1000000 = 1000005, a profit of 15000000000 won",
        "y = x@w.reshape(3), q@k.transpose(0, 1)",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert masked(text) == text


def test_what_is_masked_can_be_chosen_and_is_counted() -> None:
    document = MaskingSettings(block="mask", what=("mail",)).build().apply(
        Document("a@b.org, c@d.org, +44 20 7946 0958", "a", "a", "web")
    )  # fmt: skip
    assert document.text == "[mail], [mail], +44 20 7946 0958"
    assert document.measures == {"masked_mail": 2.0}


@given(st.text(st.sampled_from("aB1@._-+() \n您"), max_size=300))
def test_masking_again_changes_nothing(text: str) -> None:
    once = masked(text, "mail")
    assert masked(once, "mail") == once


@given(st.text(st.sampled_from("gh_-kspofx"), max_size=12) | st.sampled_from([*KEY_SIGNS, *KEY_SIGNS_WITH_LINES]))
def test_keys_are_looked_for_where_any_sign_of_one_stands(text: str) -> None:
    assert may_hold_key(text) == any(sign in text for sign in (*KEY_SIGNS, *KEY_SIGNS_WITH_LINES))
    assert may_hold_key(f"{text} password: {text}")
    assert all("_" in sign for sign in KEY_SIGNS_WITH_LINES)


def test_problems_and_code_stay_unless_they_are_asked_for() -> None:
    document = Document("a@b.org", "a", "a", "problem")
    assert MaskingSettings(block="mask").build().apply(document) is document
    assert MaskingSettings(block="mask", except_kinds=()).build().apply(document).text == "[mail]"


@pytest.mark.parametrize(
    "text", ["@" * 50_000, "a" * 50_000 + "@", "1 " * 30_000, "-----BEGIN PRIVATE KEY-----" * 9000]
)
def test_hostile_texts_take_no_time_to_speak_of(text: str) -> None:
    """A pattern that tries every way would not end here at all."""
    assert masked(text) == text


@given(st.lists(st.sampled_from(["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "x" * 6000, "x"])))
def test_private_keys_are_those_that_a_search_from_each_begin_finds(parts: list[str]) -> None:
    text = "".join(parts)
    slow = re.compile(r"-----BEGIN PRIVATE KEY-----[\s\S]{0,10000}?-----END PRIVATE KEY-----")
    assert masked(text, "key") == slow.sub("[key]", text)
