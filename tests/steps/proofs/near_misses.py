"""Prompts near to those that claim something about all numbers, of which no such claim may be read."""

from __future__ import annotations

ENGLISH = """
Prove that x^2 >= 0 does not hold for every real number x.
Can you show that x^2 >= 1 is false for some real x?
Why is it false that x^2 >= 1 for all real x?
It is not true that x^2 >= 1 for all real x. Prove it.
Nobody believes that x^2 >= 1 for all real x. Prove that nobody is wrong.
I claim that x^2 >= 1 for all real x, but my teacher says this is wrong. Prove him right.
I claim that x^2 >= 1 for all real x. Prove me wrong.
The claim "x^2 >= 1 for all real x" is a lie. Prove it.
Prove: x^2 >= 1 for all real x, and show it to be false.
Prove the negation: x^2 >= 1 for all real x.
Prove the opposite of x^2 >= 1 for all real x.
Prove the converse of this: for all integers n, if n mod 2 = 1 then n^2 mod 2 = 1.
Prove that there certainly is a real x for which x^2 >= 1 fails.
There are real numbers x for which x^2 >= 1 fails. Prove it.
Prove that x^2 >= x only for real x outside the unit interval.
Only when n is an integer, n^2 >= n. Prove it.
Prove that x^2 >= 1 only if x is real.
Let x be a real number greater than 1. Prove that x^2 >= x.
Let x be a nonzero real number. Prove that x^2 > 0.
Let n be an integer above 3. Prove that n^2 >= 2*n + 1.
Let n be an odd integer. Prove that n^2 mod 8 = 1.
Show that whenever n is an odd integer, n^2 mod 8 = 1.
Prove that n^2 + n is even for all odd integers n.
Prove that n^2 is even for every even integer n.
Let x and y be distinct real numbers. Prove that x^2 + y^2 > 2*x*y.
Let x be a real number and y its square. Prove that y >= 0.
Let x be a real number with floor x = 2. Prove that x^2 >= 0.
For all real x in the interval from 0 to 1, x^2 <= x. Prove it.
Prove that x^2 <= x for all real x with |x| <= 1.
Prove that x^2 >= 0 for any real x on the circle.
For all natural numbers n, 2^n >= n. Prove it.
For all n in N, 2^n >= n. Prove it.
For all n in Q, n^2 >= 0. Prove it.
For all n >= 1 prove that 2^n >= n.
For almost all integers n, n^2 >= 2*n. Prove it.
For all but finitely many integers n, n^2 >= 2*n. Prove it.
For all sufficiently large integers n, 2^n >= n^2. Prove it.
For infinitely many integers n, n^2 >= 2*n. Prove it.
For most real x, x^2 > 0. Prove it.
For no integer n is n^2 = 2. Prove it.
For some real x, x^2 = 2. Prove it.
There is a real number x with x^2 = 2. Prove it.
Prove that there exists an integer n for which n^2 = 4.
Prove the existence of a real x such that x^2 = 2.
Prove that x^2 = 2 for a real number x.
Find a real number x such that x^2 = 2 and prove it.
For which real x is x^2 >= 1? Prove your answer.
For what integers n does n^2 >= 2*n hold? Prove it.
Prove that for all real x there is an integer n such that n >= x.
Prove that for every real x there exists a real y with y > x.
Let x be a real number. Prove that x^2 >= 0 and that x^4 >= 0.
Prove that x^2 + 1 >= 2*x for all real x. When does equality occur?
Prove that x^2 >= 0 for all real x and find when equality holds.
Prove that x^2 + 1 >= 2*x for all real x, and conversely.
Prove that x^2 >= 0 for all real x, as well as for complex numbers.
Prove these two identities: x + 1 = 1 + x for all real x.
Prove that x^2 = 4 if and only if x = 2 for all real x.
Prove or disprove the Goldbach conjecture. For all real x, x^2 >= 0.
Prove that the sequence is bounded. Here x^2 >= 0 for all real x.
Let x be a real number. Find the smallest value of x^2 + 1 >= 1.
x^2 + 4*x + 7 >= 3 holds for all real numbers. Find the largest constant and prove it.
Solve x^2 = 4 for all real x and prove that these are all solutions.
Using x^2 >= 0 for all real x, prove the AM-GM inequality.
Since x^2 >= 0 for all real x, prove that the parabola is convex.
We know that x^2 >= 0 for all real x. Prove that f is convex.
Suppose x^2 >= 1 for all real x. Prove that pigs fly.
If x^2 >= 1 for all real x then pigs fly. Prove it.
Let x be a real number. If pigs fly, prove that x^2 >= 0.
Let x be a real number. Assume the Riemann hypothesis. Prove that x^2 >= 0.
Let a and b be the legs of a right triangle. Prove that a^2 + b^2 >= 2*a*b for real a, b.
Let z be a complex number. Prove that z^2 >= 0 for all real z.
Let A be a matrix. Prove that A^2 >= 0 for all real A.
Prove that x + 1 > x for all floats x.
Is x^2 >= 0 for all real x? Answer yes or no.
Does x^2 >= 0 hold for all real x? yes or no?
x^2 >= 0 for all real x. What does this mean?
Prove that f(x) >= x for all real x.
Prove that half of x >= x for all real x.
Prove that the sum of n and m is even for all integers n and m.
Prove that the product of n and n + 1 is even for every integer n.
Prove that n or n + 1 is even for every integer n.
Prove that n is even or n is odd for every integer n.
Prove that n^2 is divisible by 3 or 5 for every integer n.
Prove that n^2 + n is not divisible by 3 for all integers n.
Prove that n^2 is divisible by 2^n for every integer n.
Prove that n*(n + 1) is an even number greater than 1 for every integer n.
P1: n = 2*k + 1. Prove that n^2 = 2*(2*k^2 + 2*k) + 1 is false.
P1: n = 2*k + 1. Prove that n^2 = 2*(2*k^2 + 2*k) + 1 and that k is odd.
P1: n = 2*k + 1. The equation n^2 = 2*k is given. Prove that n is odd.
x^2 >= 1 for all real x, which I think is false. Prove it.
I can't agree that x^2 >= 1 for all real x. Prove that I'm right.
I do not think that x^2 >= 1 for all real x. Show me.
If for all real x, x^2 >= 1, prove it is absurd.
Prove that no integer n violates n^2 >= n except 3.
Not every real x satisfies x^2 >= 1. Prove it.
That every real x satisfies x^2 >= 1 is false. Prove it.
Every odd integer n satisfies n^2 mod 8 = 1. Prove it.
Prove that every real x satisfies x^2 >= 1 or x = 3.
Find every real x that satisfies x^2 = 4 and prove it.
Which real x satisfies x^2 = 4? Prove it.
Every real x satisfies x^2 = 4 x. Solve and show.
Prove that x^2 >= 0 for all real x. Is the converse true?
Could there be an integer n for which n^2 = 2? Prove it.
Prove that there could be an integer n for which n^2 >= 2 fails.
We have x^2 >= 0 for all real x. Show how to deduce the triangle inequality.
Let x be a real number. Is x^2 >= 0? Show that the answer does not depend on anything else but that x >= 1.
Explain why (a+b)^2 = a^2 + b^2 is a mistake for all real a, b.
Why do students believe that (a+b)^2 = a^2 + b^2 for all real a, b? Explain their error.
Why did Euler think that x^2 = x for all real x?
Why is (a+b)^2 = a^2 + b^2 not true for all real a, b?
Give a reason to doubt that x^2 >= 1 for all real x.
True or false: it is impossible that x^2 >= 1 for all real x? Prove.
Refute the refutation of x^2 >= 1 for all real x.
Prove that my friend, who says x^2 >= 1 for all real x, is a liar.
Prove that x^2 >= 0 for all real x without using that squares are positive.
Let x be any integer. Prove that x^2 >= x. Then let x be any real. Is it still true?
Let n be an integer, n not 0. Prove n^2 >= 1.
Let n be an integer different from zero. Prove n^2 >= 1.
Let n be a large integer. Prove 2^n >= n^2.
Solve the equation x^2 = 4 for real x and show your steps.
Solve the equation x^2 = 4 over the reals. Show your steps.
Solve the inequality x^2 >= 4 for all real x. Show your work.
Show how to solve the equation x^2 = 4 where x is a real number.
Let x be a real number. Solve the equation x^2 = 4 and show your work.
Let x be a real number. The equation x^2 = 4 has two solutions, prove it.
Let x be an integer with 3*x = 12. Find x and show your work.
x is an integer. 3*x = 12. What is x? Show your steps.
x is an integer, 3*x = 12. Show the steps.
n is a positive integer. n + 3 = 7. Show how you find n.
Let x be an integer. Show that 3*x = 12 has a solution.
Let a = 3 be an integer. Verify that a^2 = 9.
The force is F = 3*4. Show your steps.
Find the integer n with 2*n + 1 = 7 and verify your answer.
For which integer n does 2*n + 1 = 7 hold? Verify it.
An integer n satisfies 2*n + 1 = 7. Show that n = 3.
Is the number 12 divisible by 3? Prove it.
Verify that 12 is divisible by 3.
Show that 7 is odd.
Is 91 divisible by 7? Show your work.
Which of 12 and 15 is divisible by 5? Show your work.
Check whether 737 is a multiple of 11. Show each step.
Let x be an integer, 3*x = 12. Show the steps.
Let x be an integer and 3*x = 12. Show the steps.
Let x be an integer. 3*x = 12. Show the steps.
If x is an integer and 3*x = 12, show your steps.
Given an integer x, 3*x = 12. Show the steps.
Take an integer x, 3*x = 12. Show each step.
""".strip().splitlines()

CHINESE = """
证明：对任意实数 x，x^2>=1 不成立。
证明：并非对任意实数 x，都有 x^2>=1。
对任意实数 x，x^2>=1 显然是错的，请证明。
请证明下面的说法是错误的：对任意实数 x，都有 x^2>=1。
为什么对任意实数 x，x^2>=1 不对？
证明“对任意实数 x，都有 x^2>=1”的否定。
证明“对任意实数 x，都有 x^2>=1”不是真命题。
证明任意实数 x 都不满足 x^2+1>=0。
证明没有实数 x 满足 x^2+1=0。
证明存在实数 x 使得 x^2>=1 不成立。
求证：对任意正实数 x，x^2>0。
求证：对任意非零实数 x，x^2>0。
求证：对任意大于 1 的整数 n，n^2>=n。
设 x 是大于 1 的实数，求证 x^2>=x。
设 n 为奇数，求证 n^2 mod 8 = 1，n 为整数。
设 n 为正整数且 n 不是 3 的倍数，求证 n^2 mod 3 = 1。
设 x 为有理数，求证对任意实数 x，x^2>=0。
设 n 为自然数，求证对任意整数 n，n^2>=0。
对任意 n∈N，2^n>=n，请证明。
对任意 n∈Q，n^2>=0，请证明。
对任意 x∈(0,1)，x^2<=x，请证明。
对任意整数 n（n≠0），n^2>0，请证明。
只有当 n 为整数时，n^2>=n，请证明。
当且仅当 n 为整数时，n^2>=n，请证明。
除非 n 是整数，n^2>=n 不成立，请证明。
存在实数 x，使 x^2=2。请证明。
证明存在整数 n 满足 n^2=4。
求实数 x 使 x^2=2，并证明。
对某个实数 x，x^2=2，请证明。
对某些整数 n，n^2>=2*n，请证明。
对几乎所有整数 n，2^n>=n，请证明。
对充分大的整数 n，2^n>=n^2，请证明。
对无穷多个整数 n，n^2>=2*n，请证明。
对哪些整数 n，n^2>=2*n 成立？请证明。
对任意实数 x，存在实数 y，使 y>x，请证明。
对任意 x∈R，存在 y∈R，使 x+y=0，请证明。
设 x 为实数，求证 x^2>=0，并求最小值。
设 x 为实数，求 x^2+1>=1 的最小值并证明。
对任意实数 x，x^2>=0，当且仅当 x=0 时取等号，请证明。
对任意实数 x，x^2>=0，等号何时成立？请证明。
证明对任意实数 x，x^2>=0，反之也成立。
证明对任意实数 x，x^2>=0，其逆命题也成立。
证明：（1）对任意实数 x，x^2>=0；（2）月亮是奶酪。
证明下面两个命题：对任意实数 x，x^2>=0。
对任意实数 x，x^2>=0。请证明黎曼猜想。
由对任意实数 x，x^2>=0，证明抛物线有最低点。
因为对任意实数 x，x^2>=0，所以抛物线开口向上，请证明。
已知对任意实数 x，x^2>=0，证明 f 是凸函数。
利用 x^2>=0 对任意实数 x 成立，证明均值不等式。
众所周知，对任意实数 x，x^2>=0。证明哥德巴赫猜想。
假设对任意实数 x，都有 x^2>=1，证明猪会飞。
如果对任意实数 x，都有 x^2>=1，那么猪会飞。请证明。
设 x 为实数，若猪会飞，证明 x^2>=0。
对任意实数 x，x^2>=0 成立吗？只回答是或否。
对任意实数 x，x^2>=0 是什么意思？请说明。
若关于 x 的不等式 x^2+4*x+7>=m 对任意实数 x 恒成立，求 m 的取值范围，说明理由。
若不等式 x^2+4*x+7>=3 在实数范围内恒成立，求参数的取值范围，说明理由。
求证：对任意复数 z，z^2>=0。
设 A、B 为矩阵，求证 A+B=B+A 对任意实数 A，B 成立。
在三进制中，证明对任意整数 n，n+1>n。
证明 n 与 m 的和 n+m 是偶数，其中 n，m 为整数，且都是奇数。
证明 n 或 n+1 是偶数，其中 n 为任意整数。
证明对任意整数 n，n^2+n 能被 2 和 3 整除。
证明对任意整数 n，n^2+n 能被 2 整除，但不能被 4 整除。
证明对任意奇数 n，n^2 除以 8 余 1。
证明对任意整数 n，n^2 除以 4 余 0 或 1。
证明：对任意整数 n，n^2 >= 0 成立，其中 n 是偶数。
P1: n = 2*k + 1。证明 n^2 = 2*(2*k^2 + 2*k) + 1 不成立。
P1: n = 2*k + 1。证明 n^2 = 2*(2*k^2 + 2*k) + 1，并证明 k 是奇数。
P1: n = 2*k + 1。如果 n^2 = 2*(2*k^2 + 2*k) + 1，证明月亮是奶酪。
P1: n = 2*k + 1。方程 n^2 = 4 有解吗？请证明。
并非每个实数 x 都满足 x^2>=1，请证明。
不是所有实数 x 都使 x^2>=1 成立，请证明。
求所有实数 x 使 x^2=2 成立，并证明。
求出所有的实数 x，使得 x^2=2，并证明。
若对任意实数 x，x^2>=1，请证明它荒谬。
为什么有人认为对任意实数 a、b，(a+b)^2=a^2+b^2？
为什么对任意实数 a、b，(a+b)^2=a^2+b^2 是错误的？
请说明对任意实数 a、b，(a+b)^2=a^2+b^2 错在哪里。
指出“对任意实数 a、b，(a+b)^2=a^2+b^2”的错误并证明。
设 n 为整数，且 n 不等于 0，求证 n^2>=1。
设 n 为整数且 n 足够大，求证 2^n>=n^2。
设实数 x、y 的和为 1，求证 x^2+y^2>=2*x*y。
设 x、y 为互不相等的实数，求证 x^2+y^2>2*x*y。
设 n 是质数，n 为整数，求证 n^2>=4。
当 x 为实数且为正数时，求证 x^2>0。
对表中任意整数 n，n^2>=n，请证明。
对任意整数 n，n^2>=n 成立的条件是什么？请证明。
对任意实数 x，由 x^2>=0 能推出什么？请证明。
对任意实数 x，x^2>=0 与 x^4>=0 等价，请证明。
有人证明了对任意实数 x，x^2>=1，请指出证明中的错误。
我证明了对任意实数 x，x^2>=0。现在证明黎曼猜想。
请勿证明：对任意实数 x，x^2>=0。
只需对正数证明：对任意实数 x，x^2>=0。
对任意实数 x，x^2>=0 不总成立，请证明。
证明：对任意实数 x，x^2>=0 对复数不成立。
设 x 为实数，解方程 x^2 = 4，写出证明。
若 x 为整数，且 3*x = 12，求 x 并验证。
解不等式 x^2 >= 4，x 为实数，并证明。
x 为整数，3*x = 12，求 x，并说明理由。
91 能被 7 整除吗？请证明。
说明 12 是 3 的倍数。
验证 12 能被 3 整除。
设 x 为整数，3*x = 12，请说明理由。
若 x 为整数，3*x = 12，请说明理由。
x 为整数，3*x = 12，请写出证明过程。
""".strip().splitlines()
