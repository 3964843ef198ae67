"""Problems that no training sees: of the right split, each prompt once, the same for a seed."""

from __future__ import annotations

import pytest

from tuili.errors import InputError
from tuili.steps import Context
from tuili.tasks import Problem, Split, unseen_problems


def test_problems_are_those_of_the_test_split_and_fill_every_cell() -> None:
    problems = unseen_problems(["arithmetic", "knights"], [1, 2], 3, seed=7)
    assert [(p.domain, p.level) for p in problems] == [
        (domain, level) for level in (1, 2) for domain in ("arithmetic", "knights") for _ in range(3)
    ]
    assert {problem.seed for problem in problems} == {Split.TEST.seed(7)}


def test_the_same_seed_gives_the_same_problems_and_another_seed_others() -> None:
    again = [unseen_problems(["arithmetic"], [1], 20, seed) for seed in (1, 1, 2)]
    assert again[0] == again[1]
    assert {p.prompt for p in again[0]} != {p.prompt for p in again[2]}


def test_languages_take_turns_in_every_cell() -> None:
    problems = unseen_problems(["arithmetic", "knights"], [1], 4, seed=1, language=("zh", "en"))
    assert [problem.language for problem in problems] == ["zh", "en"] * 4
    assert len({(problem.domain, problem.index) for problem in problems}) == 8


def _few(domain: str, seed: int, index: int, level: int, **_: str) -> Problem:
    """Problems of which only three differ, the first of them twice at the start."""
    return Problem(domain, level, seed, index, f"prompt {max(0, index - 1) % 3}", (), "1", Context())


def test_no_prompt_comes_twice_in_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.tasks.unseen.generate", _few)
    problems = unseen_problems(["arithmetic", "knights"], [1], 3, seed=0)
    assert [p.prompt for p in problems] == ["prompt 0", "prompt 1", "prompt 2"] * 2
    assert [p.index for p in problems] == [0, 2, 3] * 2


def test_too_few_different_prompts_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.tasks.unseen.generate", _few)
    with pytest.raises(InputError, match=r"arithmetic.*only 3 different prompts"):
        unseen_problems(["arithmetic"], [1], 4, seed=0)


def test_a_real_domain_repeats_no_prompt() -> None:
    prompts = [problem.prompt for problem in unseen_problems(["calendar"], [1], 800, seed=0)]
    assert len(set(prompts)) == len(prompts) == 800


@pytest.mark.parametrize(("domain", "level", "seed"), [("astrology", 1, 0), ("knights", 9, 0), ("knights", 1, -1)])
def test_unknown_domains_levels_and_seeds_are_refused(domain: str, level: int, seed: int) -> None:
    with pytest.raises(InputError):
        unseen_problems([domain], [level], 1, seed)
