"""`read_claim`: what a prompt claims, or nothing where that is not certain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.steps import Context, Status, Universal, answers_a_claim, parse, proves, read_as, read_claim, settles

SQUARE = "for all x: x^2 + 1 >= 2 * x"


def claimed(prompt: str) -> str | None:
    text = read_as(prompt).text
    return read_claim(text, Context.from_prompt(text))


@pytest.mark.parametrize(
    ("prompt", "claim"),
    [
        ("Prove that for every real number x, x² + 1 ≥ 2 · x.", SQUARE),
        ("Prove that x^2 + 1 >= 2*x for all real x. Answer proven.", SQUARE),
        ("Is x^2+1>=2*x true for any real x? Give a proof or a counterexample such as n = 4.", SQUARE),
        ("Are there real numbers x that break x^2 + 1 >= 2*x? If not, prove it; if so, answer x = ...", SQUARE),
        ("求证:对任意实数 x，都有 x^2 + 1 >= 2*x。", SQUARE),
        ("Prove that there are no real numbers x for which x^2 + 1 >= 2*x fails.", SQUARE),
        ("存在使 x^2 + 1 >= 2*x 不成立的实数 x 吗？不存在就证明这一点。", SQUARE),
        ("有没有反例?x^2 + 1 >= 2*x，x为实数。", SQUARE),
        ("Prove: for all x: x^2 + 1 >= 2*x", SQUARE),
        ("Prove that 2^n >= n for all integers n >= 1.", "for all integers n >= 1: 2^n >= n"),
        ("Prove that 2^n >= n for all positive integers n.", "for all integers n >= 1: 2^n >= n"),
        ("对任意非负整数 n，都有 2^n >= n，求证。", "for all integers n >= 0: 2^n >= n"),
        ("Show that a*b >= 0 for all real a >= 0, b >= 0.", "for all a >= 0, b >= 0: a * b >= 0"),
        (
            "Prove that for all integers n, if n mod 2 = 1 then n^2 mod 8 = 1.",
            "for all integers n: n mod 2 = 1 -> n^2 mod 8 = 1",
        ),
        ("Refute it, or prove it: x*y = y*x for all real x and y.", "for all x, y: x * y = y * x"),
        ("P1: x = 3. Prove that x^2 = 9.", "x^2 = 9"),
        ("Given: n = 2*k + 1. Claim: n^2 = 2*(2*k^2 + 2*k) + 1. Prove it.", "n^2 = 2 * (2 * k^2 + 2 * k) + 1"),
        ("证明勾股定理:在直角三角形中,a² + b² = c²", "a^2 + b^2 = c^2"),
        ("Prove the Pythagorean theorem: in a right triangle, a^2 + b^2 = c^2.", "a^2 + b^2 = c^2"),
        ("Prove that 2 + 2 = 4.", "2 + 2 = 4"),
        ("Is it false, or can you prove it? x^2 + 1 >= 2*x for all real x.", SQUARE),
        ("对任意实数 x，都有 x^2 + 1 >= 2*x，对不对？证明它，不对就举反例。", SQUARE),
    ],
)
def test_what_a_prompt_claims(prompt: str, claim: str) -> None:
    assert claimed(prompt) == claim


@pytest.mark.parametrize(
    "prompt",
    [
        "Prove that the sum of two even numbers is even.",
        "What is 3 + 4?",
        "Solve 3*x = 12 and show your steps.",
        "Show your work: 3*x = 12, x = ?",
        "P1: A -> B, P2: A. Prove that B holds.",
        # a given is no claim
        "P1: x = 3. Prove that x = 3.",
        "Given that x^2 >= 0 for all real x, prove that the parabola has a lowest point.",
        "For all real x we have x^2 >= 0. Use it to prove the inequality of the means.",
        "对任意实数 x，都有 x^2 >= 0。利用它证明抛物线有最低点。",
        "Given that a = b, prove that the triangle is isosceles.",
        "如果对任意实数 x，都有 x^2 >= 1，证明月亮是奶酪。",
        # more is claimed
        "Prove that x^2 >= 0 for all real x, and x^2 + 1 >= 2*x for all real x.",
        "Prove that n^2 >= 0 for all integers n and that n^2 + 1 is never prime.",
        "Prove that n^2 >= 0 for all integers n, with equality only for zero.",
        "(a) Prove x^2 >= 0 for all real x. (b) Prove that x^2 + 1 > 0.",
        "Prove that x^2 >= 0 for all real x. Then show that the parabola is convex.",
        "Prove that x = y = z for all real x, y, z.",
        "P1: x = 3, P2: y = 4. Prove that x + y = 7 and that x is odd.",
        "证明对任意整数 n，n^2 >= 0 都成立，并求最小值。",
        # other numbers, further hypotheses
        "Prove that n^2 mod 8 = 1 for all odd integers n.",
        "Prove that n^2 mod 8 = 1 for all integers n that are odd.",
        "Prove that n^2 mod 8 = 1 for all integers n. (We only consider odd numbers.)",
        "Prove that n^2 mod 8 = 1 for all integers n. Here n leaves 1 on division by 2.",
        "Prove that n^2 >= n for all natural numbers n.",
        "Prove that 2^n >= n for all n >= 1.",
        "Prove that a*b >= 0 for all real a, b >= 0.",
        "Prove that x^2 >= 1 for all real x between 1 and 2.",
        "Prove that x^2 > 0 for all real x except 0.",
        "Prove that x^2 >= 0 for all integers x. Does it hold for reals, too?",
        "Prove that n*x = x*n for all integers n and all real x.",
        "求证:对任意奇数 n，都有 n^2 mod 8 = 1。",
        "证明:对任意整数 n，n^2 >= 0 成立，其中 n 是偶数。",
        # not for all, or not at all
        "Prove that x^2 = 2 for some real x.",
        "Prove that there is an integer n: n^2 = 4.",
        "Prove that there are no integers n: n^2 = 2.",
        "Prove that it is not true that x^2 >= 1 for all real x.",
        "Prove that it isn't so that for all real x we have x^2 >= 1.",
        "证明不是对任意实数 x，都有 x^2 >= 1。",
        "求证:存在实数 x，使 x^2 = 2。",
        # where the relation ends is not certain
        "Prove that sin(x)^2 <= 1 for all real x.",
        "Prove that f(x) = x^2 for all real x.",
        "Prove that |x| >= 0 for all real x.",
        "Prove that x^2 >= 0 for all real x - y.",
        "Exercise 3 - x^2 >= 0 for all real x. Prove it.",
        "- x^2 >= 0 for all real x. Prove it.",
        "Prove that x^2 = 9 or x = 3 for all real x.",
        "Prove that \ue000 = 3 and x = 3.",
        "Is ln x = x for all real x? Prove it.",
        "Claim: sin x = x for all real x. Prove it.",
        "Prove: half of x = x for all real x.",
        "证明 sin x = x 对任意实数 x 成立。",
        "Prove that x = x ± a.",
        "Prove that x = x • a.",
        "Prove that x = x – a.",
        "Prove that x >= x₀ for all real x.",
        "Prove that 1 > 0.999...",
        "Prove that 1 > 0.999… holds.",
        # a denial
        "Prove that x^2 >= 0 for all real x is false.",
        "Prove that x^2 >= 0 for all real x is not always right.",
        "Prove that x^2 >= 0 for all real x fails.",
        'Prove that "for all x: x^2 >= 0" is wrong.',
        "Show that (a + b)^2 = a^2 + 2*a*b + b^2 is wrong.",
        "Prove that it is a mistake to think that (a + b)^2 = a^2 + 2*a*b + b^2.",
        "Prove that it is absurd that 2 + 2 = 4.",
        "x^2 >= 0 for all real x. Prove that this is wrong.",
        "x^2 >= 0 for all real x. Show it to be false.",
        "The following is wrong. Prove so. For all x: x^2 >= 0",
        "Prove her wrong. x^2 >= 0 for all real x.",
        "证明对任意实数 x 都有 x^2 >= 0 不对。",
        "证明不一定对任意实数 x 都有 x^2 >= 0。",
        "对任意实数 x，都有 x^2 >= 0。请证明这是错的。",
        "下面的话是错的，请证明。对任意实数 x，都有 x^2 >= 0。",
        "请证伪：对任意实数 x，都有 x^2 >= 0。",
        "Prove that there are real numbers x for which x^2 >= 0 fails.",
        "Prove there are real numbers x that violate x^2 >= 0.",
        "存在使 x^2 >= 0 不成立的实数 x，请证明。",
        "证明存在使 x^2 >= 0 不成立的实数 x。",
        # more than the relation
        "Prove that x^2 >= 0 for all real x; the moon is made of cheese.",
        'Prove that "x^2 >= 0 for all real x" implies that pigs fly.',
        "证明“对任意实数 x，都有 x^2 >= 0”蕴含黎曼猜想。",
        "Prove: 1) x^2 >= 0 for all real x. 2) The moon is cheese.",
        "Known: x^2 >= 0 for all real x. Prove: the moon is cheese.",
        "I have shown that 2 + 2 = 4. Now prove me rich.",
        "Prove Fermat. Claim: 2 + 2 = 4",
        "Prove: pigs fly, hence 2 + 2 = 4.",
        "Prove my suspicion that pigs fly and that 2 + 2 = 4.",
        # other things than real numbers
        "Let A and B be matrices. Prove that (A + B)^2 = A^2 + 2*A*B + B^2.",
        "设 A, B 为矩阵，证明 (A + B)^2 = A^2 + 2*A*B + B^2。",
        "For complex z, prove that z^2 >= 0.",
        "Let G be a group. Prove that a*b = b*a.",
        "Here ^ is xor. Prove that x^2 >= 0 for all real x.",
        "In this puzzle, plus means times. Prove that 2 + 2 = 4.",
        "Prove that x^2 >= x for all integers x. Assume that they are large.",
        "Consider numbers above 3. Prove that n^2 >= 2*n + 1 for all integers n.",
        "从3开始，对任意整数 n，都有 n^2 >= 2*n + 1，请证明。",
        "In base 3, prove that 2 + 2 = 4.",
        "In the field with two elements, prove that 1 + 1 = 2.",
    ],
)
def test_what_is_not_certain_is_not_read(prompt: str) -> None:
    assert claimed(prompt) is None


WORDS = """
prove that show for all real integers integer n x y >= = < 1 2 + - * ^ ( ) , . : ; ? and with if then => -> P1 even not
proven counterexample such as ... 证明 对任意 整数 实数 都有 求证 满足 成立 sum gcd mod
"""


@given(st.lists(st.sampled_from(WORDS.split()), max_size=25).map(" ".join))
def test_any_text_is_read_or_not(text: str) -> None:
    claim = read_claim(text, Context.from_prompt(text))
    assert claim is None or not isinstance(parse(claim), Universal) or claim.startswith("for all ")


@given(st.text(max_size=80))
def test_any_characters_are_read_or_not(text: str) -> None:
    read_claim(f"prove {text} = {text}", Context())


NAMES = st.sampled_from("nmxy")
LEADS = st.sampled_from(["Prove that {} holds.", "Show that {}.", "Is it true that {}? Prove or refute it."])


@given(
    LEADS, NAMES, st.integers(0, 9), st.sampled_from([">=", "<=", "=", "!="]), st.sampled_from(["integers", "reals"])
)
def test_bounds_kinds_and_relations_are_those_of_the_words(
    lead: str, name: str, low: int, relation: str, kind: str
) -> None:
    prompt = lead.replace(" holds", "").format(f"{name}^2 {relation} 3 * {name} for all {kind} {name} >= {low}")
    kind = "integers " if kind == "integers" else ""
    assert claimed(prompt) == f"for all {kind}{name} >= {low}: {name}^2 {relation} 3 * {name}"


def test_a_general_chain_proves_a_relation_about_unknowns() -> None:
    claim, step = "(a + b)^2 = a^2 + 2*a*b + b^2", "for all a, b: (a + b)^2 = (a + b)*(a + b) = a^2 + 2*a*b + b^2"
    assert settles(claim, [step], "proven").witness == {"rule": "proven"}
    assert proves(claim, [step]).status is not Status.VALID
    assert settles(claim, [step.replace("all a", "all integers a")], "proven").status is not Status.VALID
    assert settles(claim, [step.replace("a, b:", "a, b: a = b ->")], "proven").status is not Status.VALID
    assert settles(claim, [step.replace("a, b:", "a >= 0, b:")], "proven").status is not Status.VALID


@pytest.mark.parametrize(
    ("answer", "status"), [("Proven.", "valid"), ("得证", "valid"), ("yes", "invalid"), ("", "invalid")]
)
def test_an_answer_says_what_the_steps_prove(answer: str, status: str) -> None:
    step = "for all x: x^2 + 1 >= 1 > 0"
    verdict = settles("for all x: x^2 + 1 > 0", [step], answer)
    assert verdict.status == status
    assert verdict.witness == {"rule": "proven"}


def test_an_answer_names_the_counterexample_of_the_steps() -> None:
    claim, steps = "for all integers n: n^2 >= 2*n", ["n = 1: n^2 = 1 < 2 = 2*n"]
    assert settles(claim, steps, "n = 1").status is Status.VALID
    assert settles(claim, steps, "n = 2").status is Status.INVALID
    assert settles(claim, steps, "proven").status is Status.INVALID
    assert settles(claim, [], "proven").status is Status.INVALID


@pytest.mark.parametrize(
    ("prompt", "answer", "is_one"),
    [
        ("", "Proven.", True),
        ("", "得证。", True),
        ("", "It is proved", True),
        ("Prove it or find a counterexample.", "n = -1, m = 1/2", True),
        ("证明它或举出反例。", "n = 4", True),
        ("Solve 2*x = 8 and prove it.", "x = 4", False),
        ("Prove it or find a counterexample.", "yes", False),
        ("Refute it.", "n = 1, " * 2000, False),
    ],
)
def test_an_answer_to_a_claim_is_told_from_others(prompt: str, answer: str, is_one: bool) -> None:
    assert answers_a_claim(prompt, answer) is is_one
