"""Names in Chinese: what they may be, what a prompt gives about them, and what it protects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.steps import Context, Prose, check, check_chain, parse, render
from tuili.steps.language.characters import CJK


def statuses(prompt: str, *lines: str) -> list[str]:
    return [verdict.status.value for verdict in check_chain(lines, Context.from_prompt(prompt))]


@pytest.mark.parametrize(
    "line",
    [
        "小明 = 12 + 3 = 15",
        "所有 = 1/2 + 1/2 = 1",
        "下雨 -> 路滑, 下雨 => 路滑",
        "all 猫 are 动物, all 动物 are 生物 => all 猫 are 生物",
        "小明 > 小红, 小红 > 小刚 => 小明 > 小刚",
        "x in 集合, 集合 subset 全集 => x in 全集",
        "さくら2 = 3 * 4 = 12",
        "길이 = 3 m * 2 = 6 m",
    ],
)
def test_a_line_with_such_names_is_decided(line: str) -> None:
    assert check(line).status == "valid"
    assert parse(render(parse(line))) == parse(line)


def test_the_wrong_line_is_not() -> None:
    assert check("小明 = 12 + 3 = 16").status == "invalid"
    assert check("下雨 -> 路滑, 路滑 => 下雨").status == "invalid"
    assert statuses("", "小明 = 12 + 3 = 15", "小明 - 5 = 10", "小明 - 5 = 11", "小红 = 小明 = 15") == [
        *("valid", "valid", "invalid", "valid"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "三 = 2 + 2 = 4",  # a numeral
        "两百 = 100 + 100 = 200",
        "圆周率 = 3 + 0 = 3",  # constants
        "真 = 1 + 1 = 2",
        "12个 + 3个 = 15个",  # no product, no unit
        "12 个 = 12 个",
        "非A, A -> B => B",  # letters and characters in one word
        "x小明 = 1 + 1 = 2",
        "小明 ＝ 1 + 1 = 2",
        "所以小明有 3 个",
        "小明 × 2 = 小明 + 小明",
    ],
)
def test_other_lines_are_unsupported(line: str) -> None:
    assert check(line).status == "unsupported"


def test_a_prompt_gives_statements_about_them() -> None:
    assert statuses("已知：P1: 下雨 -> 路滑。P2: 下雨。路滑吗？", "P1, P2 => 路滑") == ["valid"]
    assert statuses("以下条件成立：\nP1: 小明 > 小红\nP2: 小红 > 小刚", "P1, P2 => 小明 > 小刚") == ["valid"]
    assert statuses("L1: 和 = 3 + 4\nL2: 和 += 1", "L1: 和 = 7", "L2: 和 = 7 + 1 = 8") == ["valid", "valid"]
    assert statuses("P1: 小明 > 小红", "小明 = 3 + 4 = 7") == ["invalid"]


def test_prose_gives_and_protects_nothing() -> None:
    assert statuses("小明有12个苹果，又买了3个。", "小明 = 12 + 3 = 15") == ["valid"]


@pytest.mark.parametrize(
    "prompt", ["若小明=3则小红是多少？", "问题：小明 > 小红 + 3 吗？", "不知道小明=5", "P1: 小明 = 3 苹果"]
)
def test_names_in_what_could_not_be_read_are_protected(prompt: str) -> None:
    assert statuses(prompt, "小明 = 2 + 2 = 4", "小刚 = 2 + 2 = 4") == ["unsupported", "valid"]


def test_a_later_turn_about_a_name_makes_an_earlier_statement_stale() -> None:
    context = Context.from_prompt("现在若小明=4则?", [("Let 小明 = 3.", "3")])
    assert context.unlabelled == ()
    assert check("小明 + 1 = 4", context).status == "unsupported"


@pytest.mark.parametrize(
    "prompt",
    [
        "现在是09:06。30分钟后是几点？",
        "现在是9：06",
        "时钟显示09:06:30。",
        "讲座10:55开始，同一天18:34结束。",
        "火车从上海08:15出发，晚上7:14到达。",
        "会议从14:30到16:00。",
        "例如07:05。",
        "It is 09:06. What time is it in 30 min?",
    ],
)
def test_a_time_of_day_is_no_label(prompt: str) -> None:
    assert Context.from_prompt(prompt) == Context()


@pytest.mark.parametrize(
    "prompt",
    [
        "前提1:30",
        "电阻1：10 ohm",
        "条件是1:30 > x",
        "条件是1:30 ohm",
        "前提12:30 > x",
        "数12：30。",
        "前提是9:75。",
        "现在是09:06，前提1：30。",
        "前提在9:06:30:",
        "提示1：30。",
        "行为1：30分钟。",
        "任务1：30开始",
    ],
)
def test_what_may_be_a_label_with_a_value_is_one(prompt: str) -> None:
    assert Context.from_prompt(prompt).unread


@pytest.mark.parametrize("prompt", ["设x为3。求x+1。", "x等于3，求x+1。", "前提1：x = 3", "已知 x 大于 3"])
def test_a_letter_with_a_number_is_protected(prompt: str) -> None:
    assert statuses(prompt, "x = 2 + 2 = 4") == ["unsupported"]


@pytest.mark.parametrize(
    "prompt",
    [
        "P1: A -> B。P2: A。P1是假的。",
        "P1: A -> B。P2: A。以上条件不成立。",
        "P1: A -> B。P2: A。只有一句为真。",
        "P1: A -> B。P2: A。哪些成立？",
        "P1: A -> B。P2: A。P2是否成立？",
        "如果P1: A -> B。P2: A。",
        "证明：P1: A -> B。P2: A。",
    ],
)
def test_doubts_in_chinese_take_statements_back(prompt: str) -> None:
    assert statuses(prompt, "P1, P2 => B") == ["unsupported"]


@pytest.mark.parametrize(
    "prompt",
    [
        "P1: A -> B。P2: A。B是否成立？",
        "前提如下：\nP1: A -> B\nP2: A\n能得出哪个结论？",
        "根据条件判断B的对错。P1: A -> B。P2: A。",
    ],
)
def test_questions_in_chinese_take_nothing_back(prompt: str) -> None:
    assert statuses(prompt, "P1, P2 => B") == ["valid"]


@given(st.from_regex(f"[{CJK}]{{1,4}}", fullmatch=True), st.integers(-99, 99), st.integers(-99, 99))
def test_any_name_can_be_defined(name: str, left: int, right: int) -> None:
    if set(name) <= set("零〇一二三四五六七八九十百千万亿两半") or name in ("圆周率", "无穷", "无穷大", "真", "假"):
        assert isinstance(parse(f"{name} = {left}"), Prose) or check(f"{name} = 1 + 1 = 2").status == "unsupported"
        return
    line = f"{name} = {left} + {right} = {left + right}".replace("+ -", "- ")
    assert check(line).status == "valid"
    assert check_chain([line, f"{name} = {left + right + 1}"])[1].status == "invalid"
