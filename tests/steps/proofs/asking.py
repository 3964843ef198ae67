"""Ways of asking for a proof, in English and Chinese, under what each of them claims."""

from __future__ import annotations

ENGLISH = {
    "for all x: x^2 + 1 >= 2*x": """
Can you show that x^2 + 1 >= 2*x for every real number x?
Why is it that x^2 + 1 >= 2*x for all real x?
How do we know that x^2 + 1 >= 2*x holds for all real x?
Justify that x^2 + 1 >= 2*x for any real x.
True or false: x^2 + 1 >= 2*x for all real x? Justify.
Is it always true that x^2 + 1 >= 2*x for real x? Prove or give a counter-example.
Let x be a real number. Show x^2 + 1 >= 2*x.
If x is a real number then x^2 + 1 >= 2*x. Prove this.
x^2 + 1 >= 2*x whenever x is real. Give a proof.
Regardless of the real x, x^2 + 1 >= 2*x. Prove it.
Whatever value the real x takes, x^2 + 1 >= 2*x — prove this.
It holds that x^2 + 1 >= 2*x for each real x. Prove it.
Write a proof of the inequality x^2 + 1 >= 2*x for all real x.
Prove the following: for all real x, x^2 + 1 >= 2*x.
Prove the inequality: x^2 + 1 >= 2*x, where x is any real number.
I am not sure whether x^2 + 1 >= 2*x for all real x. Could you check and prove it?
Our teacher claims x^2 + 1 >= 2*x for every real x, but I don't see why. Please prove it.
Show: x^2 + 1 >= 2*x (x real).
Prove x^2 + 1 >= 2*x over the reals.
Prove x^2 + 1 >= 2*x for all real numbers.
I can't see why x^2+1>=2x for all real x; could you write down a full proof?
Does x^2 + 1 >= 2*x hold no matter which real number x you pick? Proof, or a counterexample.
As x ranges over the reals, x^2 + 1 >= 2*x. Demonstrate this.
Hi! could u help me prove that x^2+1>=2x for all real x? thx
Argue that there is no real number x for which x^2 + 1 >= 2*x fails.
Is there a real x for which x^2 + 1 >= 2*x fails? If not, prove it.
Can x^2 + 1 >= 2*x ever fail for a real x? Prove that it can't.
Can x^2 + 1 >= 2*x fail for any real x? Prove your answer.
The inequality x^2 + 1 >= 2*x is true for all real numbers x. Supply the missing proof.
Prove $x^2+1 \\ge 2x$ for all $x \\in \\mathbb{R}$.
For every x ∈ ℝ we have x² + 1 ≥ 2x. Prove it.
∀x ∈ ℝ: x² + 1 ≥ 2x. Prove this.
For every real x, prove that x^2 + 1 >= 2*x.
""",
    "for all a, b: (a + b)^2 = a^2 + 2*a*b + b^2": """
Prove the identity (a + b)^2 = a^2 + 2*a*b + b^2 for all real a, b.
Sketch a proof that for arbitrary reals a and b we have (a + b)^2 = a^2 + 2*a*b + b^2.
Convince me that (a + b)^2 = a^2 + 2*a*b + b^2 for any two real numbers a and b.
Let a and b be arbitrary real numbers. Confirm the identity (a + b)^2 = a^2 + 2*a*b + b^2.
Verify the equation (a + b)^2 = a^2 + 2*a*b + b^2 for real numbers a and b.
""",
    "for all integers a, b: (a + b)^2 = a^2 + 2*a*b + b^2": """
If a and b are integers then (a + b)^2 = a^2 + 2*a*b + b^2. Justify this claim.
We claim: for all integers a and b, (a + b)^2 = a^2 + 2*a*b + b^2. Verify.
Whenever a and b are integers, (a + b)^2 = a^2 + 2*a*b + b^2 holds. Explain why.
""",
    "for all integers n: (n^2 + n) mod 2 = 0": """
Given any integer n, (n^2 + n) mod 2 = 0. Can you prove it?
Assume n is an integer. Deduce that (n^2 + n) mod 2 = 0.
Let n be an integer. Prove that (n^2+n) mod 2 = 0.
Prove that n^2 + n is even for all integers n.
Prove that for all integers n the number n^2 + n is even.
For each n in the integers, n^2 + n is a multiple of 2. Give a proof.
Show that 2 divides n^2 + n for every integer n.
Claim: n^2 + n is always divisible by 2 for every integer n. Prove it.
""",
    "for all integers n: n mod 2 = 1 -> n^2 mod 8 = 1": """
For every integer n, if n mod 2 = 1, then n^2 mod 8 = 1. Prove or disprove.
Suppose n is an integer with n mod 2 = 1. Prove that n^2 mod 8 = 1.
Let n be an integer. If n mod 2 = 1, prove that n^2 mod 8 = 1.
Let n be an integer. Prove that if n is odd then n^2 leaves remainder 1 when divided by 8.
If n mod 2 = 1 then n^2 mod 8 = 1, for every integer n. Prove it.
n^2 mod 8 = 1 provided that n mod 2 = 1, for any integer n. Why is it true?
""",
    "for all integers n >= 1: sum(k for k from 1 to n) = n*(n + 1)/2": """
Prove for all positive integers n that sum(k for k from 1 to n) = n*(n + 1)/2.
Prove by induction that for every positive integer n: sum(k for k from 1 to n) = n*(n + 1)/2.
Let n be a positive integer. Show by induction that sum(k for k from 1 to n) = n*(n + 1)/2.
""",
    "for all integers n >= 0: 2^n >= n + 1": """
Prove by induction: 2^n >= n + 1 for every integer n >= 0.
Establish the bound 2^n >= n + 1 for every integer n >= 0.
Let n >= 0 be an integer. Prove that 2^n >= n + 1.
Prove that 2^n >= n + 1 for every integer n with n >= 0.
2^n >= n + 1 for all non-negative integers n. Prove that.
""",
    "for all integers a, b, k, m: a = 3*k and b = 3*m -> (a + b) mod 3 = 0": """
Let a, b, k, m be integers with a = 3*k and b = 3*m. Prove that (a+b) mod 3 = 0.
Prove that (a + b) mod 3 = 0 for all integers a, b, k, m such that a = 3*k and b = 3*m.
""",
    "n^2 = 2*(2*k^2 + 2*k) + 1": """
P1: n = 2*k + 1. Justify why n^2 = 2*(2*k^2 + 2*k) + 1.
P1: n = 2*k + 1. How do we know that n^2 = 2*(2*k^2 + 2*k) + 1? Prove it.
P1: n = 2*k + 1. Using P1, prove the identity n^2 = 2*(2*k^2 + 2*k) + 1.
P1: n = 2*k + 1. Can you derive the equation n^2 = 2*(2*k^2 + 2*k) + 1 from it?
P1: n = 2*k + 1. It follows that n^2 = 2*(2*k^2 + 2*k) + 1. Give the proof.
""",
}

CHINESE = {
    "for all x: x^2 + 1 >= 2*x": """
证明：对任意实数 x，x^2+1>=2x 恒成立。
求证：无论实数 x 取何值，都有 x^2+1>=2x。
试证：不论 x 取什么实数，x^2+1>=2x 总成立。
为什么对所有实数 x，x^2+1>=2x 都成立？
如何证明对一切实数 x，有 x^2+1>=2x？
怎么证：x^2+1>=2x，其中 x 是任意实数。
请给出证明：x^2+1>=2x 对任意实数 x 恒成立。
证明不等式 x^2+1>=2x 在实数范围内恒成立。
在实数范围内，x^2+1>=2x 总成立，请说明理由。
对任意 x∈R，证明 x^2+1>=2x。
设 x∈R，求证：x^2+1>=2x。
x∈R，求证 x^2+1>=2x。
求证：∀x∈ℝ：x²+1≥2x
不管实数 x 怎么取，x^2+1>=2x 都成立，怎么证？
我不会证：对任意实数 x，x^2+1>=2x。谁能帮帮我？
老师让我们证明 x^2+1>=2x 对所有实数 x 都成立，我没有思路，请写出完整的证明过程。
判断真假：对任意实数 x，都有 x^2+1>=2x。说明理由。
是否对任意实数 x 都有 x^2+1>=2x？请证明或举出反例。
x^2+1>=2x 对任意实数 x 总成立吗？为什么？
有没有实数 x 使 x^2+1>=2x 不成立？若没有，请证明。
不存在实数 x 使得 x^2+1>=2x 不成立，请证明。
对全体实数 x 而言，x^2+1>=2x 恒成立，试证。
证明：对任意给定的实数 x，总有 x^2+1>=2x 成立。
请严格证明下面的命题：任意实数 x 都满足 x^2+1>=2x。
已知 x 为实数，请证明：x^2+1>=2x。
令 x 为任意实数，证明 x^2+1>=2x 恒成立。
不论 x 是什么实数，都有 x^2+1>=2x，请证明。
""",
    "for all a, b: a^2 + b^2 >= 2*a*b": """
已知 a、b 为实数，求证：a^2+b^2>=2*a*b。
任取两个实数 a、b，必有 a^2+b^2>=2*a*b，求证。
若 a，b 都是实数，那么 a^2+b^2>=2*a*b。试证明之。
试说明：对于任意实数 a、b，a^2+b^2>=2*a*b。
""",
    "for all a, b: (a + b)^2 = a^2 + 2*a*b + b^2": """
请证明恒等式 (a+b)^2=a^2+2*a*b+b^2 对任意实数 a，b 成立。
验证恒等式：(a+b)^2=a^2+2*a*b+b^2（a，b 为实数）。
证明等式 (a+b)^2=a^2+2*a*b+b^2，其中 a、b 为任意实数。
""",
    "for all integers n: (n^2 + n) mod 2 = 0": """
设 n 为整数，求证 (n^2+n) mod 2 = 0。
设 n 是任意整数。证明：(n^2+n) mod 2 = 0。
若 n 是整数，则 (n^2+n) mod 2 = 0。请证明。
只要 n 是整数，就有 (n^2+n) mod 2 = 0。请证明这个结论。
证明：对任意整数 n，n^2+n 能被 2 整除。
求证：对任意整数 n，n^2+n 是偶数。
设 n 为整数，求证 n^2+n 是 2 的倍数。
对任意 n∈Z，n²+n 必为偶数，为什么？
""",
    "for all integers n: n mod 2 = 1 -> n^2 mod 8 = 1": """
已知整数 n 满足 n mod 2 = 1，求证 n^2 mod 8 = 1。
设整数 n 满足 n mod 2 = 1，试证 n^2 mod 8 = 1。
只要 n 是整数且 n mod 2 = 1，就有 n^2 mod 8 = 1，请证明。
对任意整数 n，若 n mod 2 = 1，则 n^2 mod 8 = 1。求证。
对任意整数 n，若 n 是奇数，则 n^2 除以 8 余 1，请证明。
""",
    "for all integers n >= 1: 2^n >= n + 1": """
当 n 为正整数时，求证：2^n>=n+1。
对每一个正整数 n，都有 2^n>=n+1，请给出证明。
对每个正整数 n，2^n>=n+1 成立。请用归纳法证明。
对任意 n∈N*，都有 2^n≥n+1。求证。
设 n 为正整数，用数学归纳法证明 2^n>=n+1。
""",
    "for all integers n >= 1: sum(k for k from 1 to n) = n*(n + 1)/2": """
请用数学归纳法证明：对任意正整数 n，都有 sum(k for k from 1 to n) = n*(n+1)/2。
""",
    "for all integers a, b, k, m: a = 3*k and b = 3*m -> (a + b) mod 3 = 0": """
设 a，b，k，m 为整数，且 a=3*k，b=3*m，求证：(a+b) mod 3 = 0。
""",
    "n^2 = 2*(2*k^2 + 2*k) + 1": """
P1: n = 2*k + 1。试说明 n^2 = 2*(2*k^2 + 2*k) + 1。
P1: n = 2*k + 1。请论证 n^2 = 2*(2*k^2 + 2*k) + 1 成立。
P1: n = 2*k + 1。由此可得 n^2 = 2*(2*k^2 + 2*k) + 1。请给出证明。
P1: n = 2*k + 1。从而 n^2 = 2*(2*k^2 + 2*k) + 1，求证明过程。
P1: n = 2*k + 1。目标：n^2 = 2*(2*k^2 + 2*k) + 1。请写出每一步，最后写得证。
P1: n = 2*k + 1。怎样证明 n^2 = 2*(2*k^2 + 2*k) + 1？
P1: n = 2*k + 1。请证明等式 n^2 = 2*(2*k^2 + 2*k) + 1。
""",
}
