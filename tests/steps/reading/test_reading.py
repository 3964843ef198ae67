"""What is read of a user's text, and what stays because it could mean something else."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.counting import count_calls
from tuili.steps import Reading, read_as
from tuili.tasks import BUILT_IN_DOMAINS, LEVELS, generate

READ = {
    "characters": [
        ("Ｐ１：ｘ＞３。", "P1: x > 3."),
        ("吃了3个，还剩几个？", "吃了3个, 还剩几个?"),
        ("“好。”他说。", "“好.”他说."),
        ("a\r\nb", "a\nb"),
        ("1\u202f234 people", "1234 people"),
    ],
    "LaTeX": [
        (r"$\frac{1}{2} \times \frac{3}{4}$", "(1/2) * (3/4)"),
        (r"\frac{1}{2}+\frac{1}{3}", "1/2 + 1/3"),
        (r"\frac{x+1}{2}=3", "(x + 1) / 2 = 3"),
        (r"Solve \(2x+3=11\).", "Solve 2x + 3 = 11."),
        (r"\left( 3 + 4 \right) \cdot 2", "(3 + 4) * 2"),
        (r"$x^{2} - 5x + 6 \leq 0$", "x^2 - 5x + 6 <= 0"),
        (r"What is \sqrt{9/4}?", "What is sqrt(9/4)?"),
        (r"12 \div 4", "12 / 4"),
        ("2^{10}", "2^10"),
        ("x_{1}+x_{2}=3", "x_1 + x_2 = 3"),
    ],
    "symbols": [
        ("3×4÷2", "3 * 4 / 2"),
        ("5−3", "5 - 3"),
        ("−3 + 4", "-3 + 4"),
        ("3−−5", "3 - -5"),
        ("3·4", "3 * 4"),
        ("3 N·m", "3 N*m"),
        ("x≤3 and y ≠ 2", "x <= 3 and y != 2"),
        ("P1: A → ¬B", "P1: A -> not B"),
        ("x²−5x+6=0", "x^2 - 5x + 6 = 0"),
        ("9.8 m/s²", "9.8 m/s^2"),
        ("10⁻² m", "10^-2 m"),
        ("½ + ¼", "1/2 + 1/4"),
        ("√9", "sqrt(9)"),
        ("√(9+16)", "sqrt(9 + 16)"),
        ("an angle of 32°", "an angle of 32 deg"),
        ("5Ω", "5 ohm"),
    ],
    "digit groups": [
        ("1,234 + 5", "1234 + 5"),
        ("1,234,567", "1234567"),
        ("3,000.5 km", "3000.5 km"),
        ("What is 1 234 + 5 678?", "What is 1234 + 5678?"),
    ],
    "number words": [
        ("forty-eight plus twenty-seven minus three", "48 plus 27 minus 3"),
        ("Ann has one hundred and five apples.", "Ann has 105 apples."),
        ("Twelve birds. three thousand and six ants", "12 birds. 3006 ants"),
        ("two plus one", "2 plus 1"),
        ("四十八加二十七减三等于多少？", "48加27减3等于多少?"),
        ("一百零五", "105"),
        ("三万五千零二十米", "35020米"),
        ("两个苹果", "2个苹果"),
        ("一加一等于几", "1加1等于几"),
        ("三分之一加百分之二十", "1/3加20%"),
        ("十分钟", "10分钟"),
        ("负三加五", "-3加5"),
    ],
    "function names": [("GCD(24, 36)", "gcd(24, 36)"), ("17 MOD 5", "17 mod 5")],
    "spacing": [
        ("48+27-3=?", "48 + 27 - 3 = ?"),
        ("48+27=", "48 + 27 ="),
        ("What is 48-27?", "What is 48 - 27?"),
        ("Calculate 3/4-1/2.", "Calculate 3/4 - 1/2."),
        ("计算123+27", "计算123 + 27"),
        ("2x+3=11", "2x + 3 = 11"),
        ("Solve 2*x+3=11 for x.", "Solve 2 * x + 3 = 11 for x."),
        ("4(n-7)=36", "4 * (n - 7) = 36"),
        ("gcd(24,36)", "gcd(24, 36)"),
        ("(1/2)/(5/6)", "(1/2) / (5/6)"),
        ("20%*50", "20% * 50"),
        ("P1:A->B", "P1: A -> B"),
        ("x=3,y=4", "x = 3, y = 4"),
        ("P1:下雨->路滑", "P1: 下雨 -> 路滑"),
        ("P1: 小明=12+3", "P1: 小明 = 12 + 3"),
        ("求7n-15=-1的解", "求7n - 15 = -1的解"),
        ("2(3+4)", "2 * (3 + 4)"),
        ("P1: rain->not wet", "P1: rain -> not wet"),
    ],
}
STAYS = [
    *(
        "2024-03-01",
        "2024-03-01 + 2 day",
        "3-5 apples",
        "1/2/3",
        "call 555-1234",
        "What is 555-1234?",
        "read pages 12-15",
    ),
    *(
        "x-1 is",
        "B-52",
        "C++",
        "a/b",
        "1+1=2=>true",
        "3/4/2024+1",
        "vitamin B12+C",
        "https://a.b/?x=1,y=2+3",
        "km/h and m/s^2",
        "7 m/s^2",
        "key=value",
        "https://a.b/c?d=1&e=2+3",
        "v1.2-3",
    ),
    *("`48+27`", "L1: x=3+4", "L2: if x>3: y+=1", "A1:B2", "12:30+45", "Section 3(a-c)", "12 ÷ 3/4", "6/2x"),
    *(
        "[1,234]",
        "gcd(1,234)",
        "Sort 1,234,567.",
        "the sum of 100,200",
        "0,125",
        "1,23",
        "12,34,567",
        "Room 1 234",
        "1 234 people",
    ),
    *(
        "It costs $5 and $7.",
        r"C:\times",
        r"$\foo{2} \times 3$",
        r"2\frac{1}{2}",
        "3½ cups",
        "3–5",
        "A ⇒ B",
        "20 °C",
        "note¹",
    ),
    *(
        "Which one is right? No one.",
        "a second one",
        "two boxes",
        "its smaller zero",
        "one or two",
        "three quarters",
        "all three",
        "twenty twenty",
    ),
    *(
        "nineteen eighty-four",
        "the sum of one hundred and five",
        "a three-digit number",
        "Ocean's Eleven",
        "Three of them",
    ),
    *(
        "一起",
        "十分",
        "三角形",
        "万一",
        "星期三",
        "张三和李四",
        "第二十个",
        "二十多个",
        "三, 四个",
        "Find the sum of two thousand, three hundred.",
        "三四个",
        "一百五",
        "二元一次方程",
        "三段论",
        "三天两头",
        "三番五次",
        "双十一",
        "二人转",
        "半斤八两",
    ),
]


@pytest.mark.parametrize(
    ("text", "read", "notation"), [(*pair, name) for name, pairs in READ.items() for pair in pairs]
)
def test_a_notation_is_undone(text: str, read: str, notation: str) -> None:
    reading = read_as(text)
    assert reading.text == read
    assert notation in reading.undone
    assert read_as(read) == Reading(read)


@pytest.mark.parametrize("text", STAYS)
def test_what_could_mean_something_else_stays(text: str) -> None:
    assert read_as(text) == Reading(text)


@pytest.mark.parametrize("domain", BUILT_IN_DOMAINS)
def test_formulas_are_spelt_in_one_way_in_steps_and_in_prompts_that_were_read(domain: str) -> None:
    for level in LEVELS:
        for index in range(12):
            problem = generate(domain, 7, index, level)
            prompt = read_as(problem.prompt).text
            for text in (prompt, *problem.steps):
                assert read_as(text) == Reading(text)


def test_a_long_text_is_not_read() -> None:
    text = "1+2, " + "word " * 3999
    assert read_as(text).text.startswith("1 + 2, ")
    assert read_as(text + "1") == Reading(text + "1")


@pytest.mark.parametrize(
    "piece", ["1+2 ", "(", "1-(", "$a", "\\frac{1}{", "`", "one ", "一", "1,234", "1 234 ", "²", "×"]
)
def test_much_of_the_same_is_read_in_time(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    assert count_calls(lambda: read_as(text)) < 500_000
    read = read_as(text).text
    assert read_as(read) == Reading(read)


def test_only_what_is_no_program_is_read() -> None:
    assert (
        read_as("What is 1+2?\nL1: x=3\nL2: y=x×2\nFind y+1=?").text
        == "What is 1 + 2?\nL1: x=3\nL2: y=x×2\nFind y + 1 = ?"
    )


PIECES = [text for texts in READ.values() for text, _ in texts] + STAYS
PIECES += [*"012346+-*/^=?()[],.:;!%${}| ", "34", "567", "\n", "\\frac{", "×", "²", "一", "十", "千"]
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=12).map("".join)


@settings(max_examples=160)
@given(texts)
@example("`" * 7)
@example("\ud800 1+2")
def test_reading_twice_changes_nothing(text: str) -> None:
    reading = read_as(text)
    assert read_as(reading.text) == Reading(reading.text)
    assert bool(reading.undone) == (reading.text != text)
