"""What every domain owes: the same problems everywhere, right chains, fair answers, rising levels."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from hashlib import sha256
from itertools import islice
from statistics import mean

import pytest

from tuili.errors import InputError
from tuili.steps import Context, Status, check_chain, render_response
from tuili.tasks import LEVELS, Content, Problem, Split, domain_names, generate, phase, score
from tuili.tasks.content import Clause, Clauses
from tuili.tasks.registry import BUILT_IN_DOMAINS, PHASES, find_domain

SAMPLE, CHAINS = 24, 120
OTHERS = 6
"""Right answers of other problems that are tried on each one."""
SIGNS = str.maketrans("×÷≡", "*/=")
"""Signs that stand in prompts beside those of ASCII."""
BINARY = ({"yes", "no"}, {"true", "false"}, {"knight", "knave"})
TOKEN_BUDGET = {1: (85, 105), 2: (130, 120), 3: (220, 220)}

every_domain = pytest.mark.parametrize("name", BUILT_IN_DOMAINS)
every_level = pytest.mark.parametrize("level", LEVELS)


@cache
def problems(name: str, level: int) -> tuple[Problem, ...]:
    return tuple(generate(name, 11, index, level) for index in range(SAMPLE))


@cache
def chains(name: str, level: int) -> tuple[tuple[str, ...], ...]:
    more = (generate(name, 11, index, level) for index in range(SAMPLE, CHAINS))
    return tuple(problem.steps for problem in (*problems(name, level), *more))


@cache
def prompts(name: str, level: int, count: int) -> list[str]:
    return [generate(name, 5, index, level).prompt for index in range(count)]


def tokens(text: str) -> float:
    """A crude length in tokens: 1.5 a word, 1 a digit, 1 an operator or a mark."""
    pieces = re.findall(r"[A-Za-z]+|\d|\n|<->|->|=>|<=|>=|[^\w\s]", text)
    return sum(1.5 if piece.isalpha() else 1 for piece in pieces)


def test_the_sixteen_domains_come_in_the_order_of_their_experts():
    assert len(set(BUILT_IN_DOMAINS)) == len(BUILT_IN_DOMAINS) == 16
    assert domain_names()[: len(BUILT_IN_DOMAINS)] == BUILT_IN_DOMAINS
    assert [phase(name) for name in BUILT_IN_DOMAINS] == sorted(phase(name) for name in BUILT_IN_DOMAINS)
    assert all(name in PHASES[phase(name)] for name in BUILT_IN_DOMAINS)


@every_domain
def test_a_problem_does_not_depend_on_those_before_it(name):
    again = [generate(name, 11, index, 2) for index in reversed(range(5))]
    assert again == [problems(name, 2)[index] for index in reversed(range(5))]


@every_level
@every_domain
def test_every_step_of_every_chain_is_valid(name, level):
    for problem in problems(name, level)[::2]:
        assert problem.steps, problem.id
        for step, verdict in zip(problem.steps, check_chain(problem.steps, problem.context), strict=True):
            assert verdict.status is Status.VALID, f"{problem.id}: {step}: {verdict.reason}"


@every_level
@every_domain
def test_the_prompt_alone_gives_the_context_of_the_steps(name, level):
    for problem in problems(name, level)[1::2]:
        assert Context.from_prompt(problem.prompt) == problem.context, problem.prompt
        assert not problem.context.unread, problem.prompt


@every_level
@every_domain
def test_texts_are_plain_and_whole(name, level):
    for problem in problems(name, level):
        for text in (problem.prompt, *problem.steps, problem.answer):
            assert text.translate(SIGNS).isascii(), text
            assert text == text.strip() != "", problem.id
            assert "<think>" not in text, problem.id
        lines = problem.steps if problem.specification else (*problem.steps, problem.answer)
        assert all("\n" not in text for text in lines), problem.id


@every_level
@every_domain
def test_the_right_answer_scores_and_no_other_does(name, level):
    answers = [problem.answer for problem in problems(name, level)]
    for place, problem in islice(enumerate(problems(name, level)), 0, None, 2):
        response = render_response(problem.steps, problem.answer)
        assert score(problem, response) == 1.0
        assert score(problem, problem.answer) == (0.0 if problem.claim else 1.0)
        behind = (answer for answer in [*answers[place:], *answers[:place]] if answer != problem.answer)
        others = list(islice(dict.fromkeys(behind), OTHERS))
        wrong = ["", "0 apples", *_wrong_forms(problem, others)]
        assert [text for text in wrong if score(problem, render_response(problem.steps, text))] == []
        assert score(problem, response.replace("</think>", "")) == 0.0


def _wrong_forms(problem: Problem, others: list[str]) -> list[str]:
    """Answers that are wrong as texts; of programs only those of other functions, as any right program scores."""
    if problem.specification is None:
        return [f"{problem.answer} or so", f"not {problem.answer}", *others]
    own = f"def {problem.specification.function}("
    return [f"{problem.answer} 1", f"not {problem.answer}", *(other for other in others if own not in other)]


@cache
def of_split(name: str, split: Split) -> tuple[Problem, ...]:
    count = 120 if split is Split.TRAIN else 60
    return tuple(generate(name, split.seed(1), index, 1) for index in range(count))


@every_domain
def test_the_splits_share_no_prompt(name):
    seen = {split: {problem.prompt for problem in of_split(name, split)} for split in Split}
    assert len(set.union(*seen.values())) == sum(map(len, seen.values()))


@every_domain
def test_the_splits_share_no_steps(name):
    """Names and things that only decorate a problem make no other one: the same steps never lie in two splits."""
    learnt, tested = (
        {(problem.steps, problem.answer) for problem in of_split(name, split)} for split in (Split.TRAIN, Split.TEST)
    )
    assert not learnt & tested


def test_the_fingerprint_sees_statements_and_not_labels_names_or_their_order():
    def content(name, *formal):
        items = tuple(Clause("", text) for text in formal)
        steps = (f"P{formal.index('A') + 1}, P{formal.index('A -> B') + 1} => B",)
        return Content("plain", {"name": name, "premises": Clauses(items)}, steps, "yes")

    one = content("Ann", "A", "A -> B").fingerprint
    assert content("Bob", "A -> B", "A").fingerprint == one
    assert content("Ann", "A", "A -> B", "C").fingerprint == one
    assert Content("plain", {}, ("A, A -> C => C",), "yes").fingerprint != one


def test_the_fingerprint_sees_distinct_words():
    """Where a kind has too few sums for three splits, other people make another problem."""
    plain = Content("row", {}, ("3 * 2 = 6",), "6")
    kept = [replace(plain, distinct=names).fingerprint for names in ((), ("Amy", "Ben"), ("Amy", "Bob"))]
    assert len({*kept, plain.fingerprint}) == 3
    assert kept[0] == plain.fingerprint


@every_domain
def test_a_content_belongs_to_one_split(name):
    rng = random.Random(4)
    found = {find_domain(name).domain.sample(rng, 1).fingerprint for _ in range(400)}
    shares = Counter(map(Split.of_fingerprint, found))
    assert set(shares) == set(Split)
    assert shares[Split.TRAIN] > 0.6 * len(found)


@every_domain
def test_prompts_are_too_many_to_learn_by_heart(name):
    # 500 draws from 16,000 equally likely prompts, the training share of 20,000, give 492 different ones.
    assert len(set(prompts(name, 1, 500))) >= 485


@every_domain
def test_prompts_are_worded_in_several_ways(name):
    def shape(prompt: str) -> str:
        return re.sub(r"[A-Z][a-z]*|\b[a-z]\b|\d+|\S*[-+*/<>=]\S*", "", prompt.split("\n")[-1])

    assert len({shape(prompt) for prompt in prompts(name, 1, 200)}) >= 2


@every_domain
def test_levels_rise(name):
    def work(level: int) -> float:
        return mean(tokens("\n".join(steps)) for steps in chains(name, level))

    def count(level: int) -> float:
        return mean(len(steps) for steps in chains(name, level))

    assert all(work(level) * 1.05 < work(level + 1) for level in LEVELS[:-1]), [*map(work, LEVELS)]
    if name == "proofs":  # the lines of its higher levels are longer: level 1 has sums, level 5 induction
        assert work(5) >= 2.5 * work(1)
        return
    assert all(count(level) <= count(level + 1) for level in LEVELS[:-1]), [*map(count, LEVELS)]
    assert count(5) >= 3 * count(1)


@every_level
@every_domain
def test_texts_fit_their_budget(name, level):
    read = [tokens(problem.prompt) for problem in problems(name, level)]
    written = [tokens(render_response(problem.steps, problem.answer)) for problem in problems(name, level)]
    if level in TOKEN_BUDGET:
        assert mean(read) <= TOKEN_BUDGET[level][0]
        assert mean(written) <= TOKEN_BUDGET[level][1]
    totals = [one + other for one, other in zip(read, written, strict=True)]
    assert mean(totals) <= 500
    assert max(totals) <= 750


@every_domain
def test_no_answer_is_worth_guessing(name):
    rng = random.Random(3)
    drafts = [find_domain(name).domain.sample(rng, level) for level in (1, 2, 3) for _ in range(600)]
    # Where there is a claim, an answer without its steps scores nothing.
    answers = Counter(draft.answer for draft in drafts if not (isinstance(draft, Content) and draft.claim))
    for pair in BINARY:
        count = sum(answers[answer] for answer in pair)
        if count:
            assert count >= 100, "too few to see whether they are balanced"
            assert all(0.45 <= answers[answer] / count <= 0.55 for answer in pair), answers
    open_answers = Counter({answer: n for answer, n in answers.items() if not any(answer in p for p in BINARY)})
    if open_answers:
        assert open_answers.most_common(1)[0][1] <= 0.15 * sum(open_answers.values()), open_answers.most_common(3)


def test_bad_requests_are_refused_in_one_line():
    for arguments, word in (
        (("chess", 0, 0, 1), "chess"),
        (("arithmetic", -1, 0, 1), "-1"),
        (("arithmetic", 3_000_000_000, 0, 1), "3000000000"),
        (("arithmetic", 0, 0, 6), "6"),
        (("arithmetic", 0, 0, True), "level True"),
        (("arithmetic", 0, 0, 1.0), "level 1.0"),
        (("arithmetic", 0, "x", 1), "index 'x'"),
        (("arithmetic", 0, -1, 1), "index -1"),
        (("arithmetic", "0", 0, 1), "seed '0'"),
    ):
        with pytest.raises(InputError, match=word) as refusal:
            generate(*arguments)
        assert "\n" not in str(refusal.value)


def test_seeds_belong_to_the_split_of_their_range():
    assert [Split.of_seed(split.seed(5)) for split in Split] == list(Split)
    with pytest.raises(InputError, match="1000000000"):
        Split.TEST.seed(1_000_000_000)


def test_a_tenth_of_the_contents_each_is_kept_for_validation_and_test():
    hashes = [sha256(str(number).encode()).digest() for number in range(4000)]
    share = {split: count / 4000 for split, count in Counter(map(Split.of_fingerprint, hashes)).items()}
    assert 0.08 < share[Split.VALIDATION] < 0.12
    assert 0.08 < share[Split.TEST] < 0.12
