"""Ways of asking for a proof as textbooks, examinations and forums have them, and what each of them claims."""

from __future__ import annotations

PROMPTS = {
    "for all x, y: (x + y)^2 - (x - y)^2 = 4 * x * y": """
Show: for x, y real, (x + y)^2 - (x - y)^2 = 4*x*y.
""",
    "for all a, b: a^2 + b^2 >= 2 * a * b": """
Prove that for any choice of real numbers a and b, the inequality a^2 + b^2 >= 2*a*b holds.
Problem 5. Let a and b be real numbers. Prove that a^2 + b^2 >= 2*a*b.
（本题满分12分）设 a、b 为实数，求证：a^2 + b^2 >= 2*a*b。
对任意 a,b∈R，求证 a²+b²≥2·a·b。
""",
    "for all integers n: (n^2 + n) mod 2 = 0": """
Theorem. Let n be an integer. Then (n^2 + n) mod 2 = 0. Prove this theorem.
Prove: ∀ n ∈ ℤ, n² + n is even.
Show that $n^2 + n$ is even for every integer $n$.
If n is any integer, then n^2 + n is even. Prove.
求证：n 为任意整数时，n^2 + n 总是偶数。
试说明：对任意整数 n，n^2 + n 一定是偶数。
已知 n 是整数，试说明 n^2 + n 是偶数的理由。
若 n 为整数，试证 n^2 + n 必为偶数。
如何说明对每个整数 n，都有 (n^2 + n) mod 2 = 0？
""",
    "for all a, b: (a - b)^2 = a^2 - 2 * a * b + b^2": """
Exercise 12: Verify that for all real numbers a, b, the identity (a - b)^2 = a^2 - 2*a*b + b^2 holds.
Please demonstrate that (a - b)^2 = a^2 - 2*a*b + b^2 holds true for any real numbers a and b.
请推导公式 (a - b)^2 = a^2 - 2*a*b + b^2，其中 a、b 是任意实数。
""",
    "for all integers n: (n^3 - n) mod 6 = 0": """
(5 points) Prove that for each integer n the number n^3 - n is divisible by 6.
Hello, can anyone help me prove that n^3 - n is a multiple of 6 for any integer n? Thanks in advance!
试证明：若 n 为整数，则 n^3 - n 能被 6 整除。
证明对于任意整数 n，n^3 - n 都能被 6 整除。
""",
    "for all integers n >= 1: 2^n >= n + 1": """
Use induction to prove that 2^n >= n + 1 for all positive integers n.
当 n∈N* 时，求证：2^n ≥ n+1。
已知 n∈N*，求证：2^n ≥ n+1。
""",
    "for all integers n >= 1: sum(k for k from 1 to n) = n * (n + 1) / 2": """
Use mathematical induction to show that for all integers n >= 1, sum(k for k from 1 to n) = n*(n + 1)/2.
""",
    "for all x: x^2 - 4 * x + 5 >= 1": """
By completing the square, prove that x^2 - 4*x + 5 >= 1 for all real x.
Without calculus, prove that x^2 - 4*x + 5 >= 1 for all real x.
Deduce that x^2 - 4*x + 5 >= 1 for every real number x.
What is the proof that x^2 - 4*x + 5 >= 1 for every real number x?
Is there a simple proof that x^2 - 4*x + 5 >= 1 for all real x?
I need a proof for this: for all real x, x^2 - 4*x + 5 >= 1.
Show me why x^2 - 4*x + 5 >= 1 no matter what real number x is.
例1 求证：对任意实数 x，x^2 - 4*x + 5 >= 1。
求证：当 x 为任意实数时，x^2 - 4*x + 5 >= 1 恒成立。
用配方法证明：无论 x 取何实数，x^2 - 4*x + 5 >= 1 总成立。
请问 x^2 - 4*x + 5 >= 1 对一切实数 x 都成立吗？请说明理由。
""",
    "for all x, y: x^2 + y^2 >= 2 * x * y": """
Let x, y be any real numbers. Show that x^2 + y^2 >= 2*x*y.
""",
    "for all x: x^2 - 4x + 5 >= 1": """
Let x ∈ ℝ. Prove that x² − 4x + 5 ≥ 1.
求证：x² − 4x + 5 ≥ 1（x∈R）。
证明：对∀x∈R，x² − 4x + 5 ≥ 1。
""",
    "for all x: x^2 + 1 >= 2x": """
Prove that \\(x^2 + 1 \\geq 2x\\) for all real \\(x\\).
""",
    "for all integers n: n mod 2 = 1 -> n^2 mod 2 = 1": """
If n is odd, then n^2 is odd, for every integer n. Prove it.
""",
    "for all integers n: n mod 3 = 0 -> n^2 mod 9 = 0": """
For all integers n: if n is divisible by 3, then n^2 is divisible by 9. Prove it.
""",
    "for all integers n: n mod 3 = 1 -> n^2 mod 3 = 1": """
Suppose n is an integer and n mod 3 = 1. Prove that n^2 mod 3 = 1.
Prove that if n is an integer with n mod 3 = 1, then n^2 mod 3 = 1.
Prove that whenever n mod 3 = 1, we have n^2 mod 3 = 1, for any integer n.
""",
}
