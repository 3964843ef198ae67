"""Requests for a proof or a counter-example with a story or instructions around them, and what each of them claims."""

from __future__ import annotations

PROMPTS = {
    "for all m, n: (m + n)^2 = m^2 + 2 * m * n + n^2": """
Pick arbitrary real numbers m, n. Must (m + n)^2 = m^2 + 2*m*n + n^2 hold? Argue and end with "proven", or hand over \
m = ..., n = ... where it breaks down.
请任选实数 m、n，问 (m + n)^2 = m^2 + 2*m*n + n^2 是否必然成立？若成立，写出论证并以“得证”收尾，若不成立，给出 m = \
..., n = ...。
""",
    "for all x: (x - 3)^2 = x^2 - 6 * x + 9": """
Homework help, please: (x - 3)^2 = x^2 - 6*x + 9, x any real number. Need the whole argument with proven as its \
closing word; a counterexample (x = ...) if the sheet has a typo.
""",
    "for all integers k: (6 * k + 4) mod 2 = 0": """
Whatever integers k you feed in, (6*k + 4) mod 2 = 0, says the manual. Confirm this with a derivation that closes on \
proven, or report the k = ... that breaks it.
手册上说，不论整数 k 取什么值，(6*k + 4) mod 2 = 0。请核对：证明后写“得证”，或指出 k = ... 时不成立。
""",
    "for all integers n >= 1: 2^n >= n + 1": """
My study group can't agree on this one: for each integer n >= 1, 2^n >= n + 1. Please end the dispute: proof and \
proven, or a counterexample such as n = ....
""",
    "for all x: x^2 + 9 >= 6 * x": """
Someone on the internet insists that x^2 + 9 >= 6*x for every real x. Debunk it with x = ... or prove it, in which \
case write proven.
Think about real numbers x. Is x^2 + 9 >= 6*x guaranteed? Prove and write proven; or exhibit x = ....
I say that no real x violates x^2 + 9 >= 6*x. Back me up with a proof that ends in proven, or embarrass me with x = ....
x^2 + 9 >= 6*x for all real x - prove it, or else find an x = ... that ruins it; on success write proven.
Every real x satisfies x^2 + 9 >= 6*x. True? Then a proof, then proven. Untrue? Then x = ....
同学们争论不休：x^2 + 9 >= 6*x 是不是对每个实数 x 都成立？请给出结论：证明（末尾写“得证”）或反例（x = ...）。
已知 x 是任意实数，试判断 x^2 + 9 >= 6*x 是否恒成立。恒成立请证明并写“得证”，否则举反例 x = ...。
实数 x 不管取多少，x^2 + 9 >= 6*x 总是对的吗？证一下，写“得证”，要不就给个 x = ...。
每个实数 x 都使 x^2 + 9 >= 6*x 成立。对还是错？对就证明并写“得证”，错就写 x = ...。
考考你：x^2 + 9 >= 6*x，x 是随便一个实数，能证出来吗？能就写“得证”，不能就说 x = ...。
""",
    "for all t: (t - 2) * (t + 2) = t^2 - 4": """
Is the following identity valid? (t - 2)*(t + 2) = t^2 - 4 for all real t. If so, derive it and conclude with \
proven; if not, t = ... will do.
""",
    "for all integers n: n mod 5 = 2 -> (n^2 + 1) mod 5 = 0": """
Suppose that n is any integer satisfying n mod 5 = 2. Does (n^2 + 1) mod 5 = 0 follow? Reply proven after a complete \
derivation, otherwise n = ....
任意整数 n 只要满足 n mod 5 = 2，就一定有 (n^2 + 1) mod 5 = 0。请证明，最后写“得证”；或给出反例 n = ...。
""",
    "for all integers n >= 1: 2^n <= 3 * n + 5": """
Statement under test: for all integers n >= 1: 2^n <= 3*n + 5. Output: "proven" plus derivation, or the first \
failing n = ....
我怀疑对所有整数 n >= 1，2^n <= 3*n + 5 这个说法。请你证明（得证）或举例推翻（n = ...）。
""",
    "for all u, v: u^2 + v^2 >= 2 * u * v": """
Please check my lemma. Lemma: for arbitrary reals u and v, u^2 + v^2 >= 2*u*v. If correct, write its proof and then \
proven; if flawed, give u = ..., v = ....
关于实数 u、v 有这样一个不等式：u^2 + v^2 >= 2*u*v。请证明它，末尾写“得证”，或给出 u = ..., v = ...。
""",
    "for all a, b: (a - b) * (a + b) = a^2 - b^2": """
There's a formula on my coffee mug: (a - b)*(a + b) = a^2 - b^2 for all real a, b. Is the mug right? Prove it and \
write proven, or disprove it with a = ..., b = ....
""",
    "for all x, y: x^2 + y^2 >= 2 * x * y": """
Claim to examine - for all real x, y: x^2 + y^2 >= 2*x*y. Deliver either a chain of steps ending in proven, or one \
counterexample in the form x = ..., y = ....
""",
    "for all integers n: n mod 2 = 1 -> n^2 mod 4 = 1": """
Here comes a claim about integers: if n mod 2 = 1 then n^2 mod 4 = 1, whatever integer n may be. Defend it until \
"proven", or defeat it with n = ....
先看命题：若整数 n 满足 n mod 2 = 1，那么 n^2 mod 4 = 1。再回答：它成立吗？成立则写证明和“得证”，否则写 n = ...。
""",
    "for all integers n >= 1: 2^n >= n": """
Could there be an integer n with n >= 1 for which 2^n >= n fails? Rule it out by a proof ending with proven, or \
produce n = ....
是否存在整数 n >= 1，使得 2^n >= n 不成立？若存在请写 n = ...，若不存在请证明，并写“得证”。
""",
    "n + m = 3 * (k + j + 1)": """
P1: n = 3*k + 1, P2: m = 3*j + 2. With the help of these facts, obtain n + m = 3*(k + j + 1). Close with proven.
""",
    "n^2 = 3 * (3 * k^2 + 2 * k) + 1": """
P1: n = 3*k + 1. What remains is n^2 = 3*(3*k^2 + 2*k) + 1. Prove it and write proven.
P1: n = 3*k + 1. Explain step by step how n^2 = 3*(3*k^2 + 2*k) + 1 results from it. Last word: proven.
P1: n = 3*k + 1. Does this give n^2 = 3*(3*k^2 + 2*k) + 1? Prove that it does, ending on proven.
P1: n = 3*k + 1。请借助上式证得 n^2 = 3*(3*k^2 + 2*k) + 1，并写“得证”。
P1: n = 3*k + 1。由此如何推出 n^2 = 3*(3*k^2 + 2*k) + 1？写清每一步，末尾写“得证”。
P1: n = 3*k + 1。请问为什么 n^2 = 3*(3*k^2 + 2*k) + 1？写出步骤，最后写“得证”。
P1: n = 3*k + 1。要求：证明 n^2 = 3*(3*k^2 + 2*k) + 1。格式：先写步骤，再写“得证”。
P1: n = 3*k + 1。只剩下一步：n^2 = 3*(3*k^2 + 2*k) + 1。请补上证明，写“得证”。
P1: n = 3*k + 1。这样一来，n^2 = 3*(3*k^2 + 2*k) + 1 必定成立。请证明并写“得证”。
P1: n = 3*k + 1。我们的目标是 n^2 = 3*(3*k^2 + 2*k) + 1，请一步步到达那里，写“得证”。
P1: n = 3*k + 1。请验算 n^2 = 3*(3*k^2 + 2*k) + 1，把过程写成推导，最后写“得证”。
P1: n = 3*k + 1。能从中推断 n^2 = 3*(3*k^2 + 2*k) + 1 吗？请证明，写“得证”。
P1: n = 3*k + 1。题目要我证明 n^2 = 3*(3*k^2 + 2*k) + 1，可我卡住了。请写出完整推导和“得证”。
""",
    "for all x: (2*x + 1)^2 = 4*x^2 + 4*x + 1": """
助教您好，(2*x + 1)^2 = 4*x^2 + 4*x + 1（x 取任意实数）怎么推导？推导结束请写“得证”，若原题有误请给出 x = ...。
""",
    "for all integers x, y: (x + y)^2 = x^2 + 2 * x * y + y^2": """
待验证的性质：对每一对整数 x、y，(x + y)^2 = x^2 + 2*x*y + y^2。能证明请写“得证”，不能则写 x = ..., y = ...。
""",
    "for all integers n: n^2 >= 2 * n": """
网友声称：凡是整数 n，都有 n^2 >= 2*n。请证明（写“得证”）或者用 n = ... 反驳。
""",
    "for all t: t^2 - 4 = (t - 2) * (t + 2)": """
帮忙看看这道题：求证 t^2 - 4 = (t - 2)*(t + 2) 对任何实数 t 都成立。写好过程，最后写上“得证”，或者告诉我哪个 t = ... \
不行。
""",
    "for all integers n: (n^2 + n) mod 2 = 0": """
老板让我确认：对任意整数 n，(n^2 + n) mod 2 = 0。请写出推导并以“得证”结束，或列出出错的 n = ...。
论断：所有整数 n 都满足 (n^2 + n) mod 2 = 0。请证明，末尾写“得证”；若有例外，写 n = ...。
请把下面这句话的证明补全，写“得证”：对于任意的整数 n，都有 (n^2 + n) mod 2 = 0。（如果它是错的，就写 n = ...）
若对任意整数 n 都有 (n^2 + n) mod 2 = 0，请证明之并写“得证”；否则写出 n = ...。
""",
}
