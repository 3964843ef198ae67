from __future__ import annotations

from collections import Counter

import pytest

from tuili.errors import ConfigError
from tuili.tasks import domain_names, phase
from tuili.train.feed.curriculum import Curriculum, CurriculumConfig

EVENLY = dict.fromkeys(domain_names(), 1.0)


def by_phase(weights: dict[str, float]) -> list[float]:
    return [sum(weight for name, weight in weights.items() if phase(name) == number) for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("progress", "shares"),
    [
        (0.0, [1, 0, 0]),
        (0.19, [1, 0, 0]),
        (0.2, [0.25, 0.75, 0]),
        (0.59, [0.25, 0.75, 0]),
        (0.6, [0.2, 0.3, 0.5]),
        (1.0, [0.2, 0.3, 0.5]),
    ],
)
def test_stages_follow_the_phases(progress: float, shares: list[float]) -> None:
    weights = Curriculum(CurriculumConfig(), EVENLY, {}).weights(progress)
    assert by_phase(weights) == pytest.approx(shares)
    of_first = {weight for name, weight in weights.items() if phase(name) == 1}
    assert len(of_first) == 1, "domains of a phase share evenly"


def test_uniform_weighs_every_domain_the_same_at_any_time() -> None:
    curriculum = Curriculum(CurriculumConfig(kind="uniform"), EVENLY, {})
    for progress in (0.0, 0.5, 1.0):
        assert set(curriculum.weights(progress).values()) == {1 / len(domain_names())}


@pytest.mark.parametrize("progress", [0.0, 0.3, 0.9])
def test_domains_of_a_phase_divide_its_share_by_their_weights(progress: float) -> None:
    heavy = {"relations": 1.6, "knights": 1.6, "proofs": 1.6, "arithmetic": 0.5}
    even, weighted = (
        Curriculum(CurriculumConfig(), domains, {}).weights(progress) for domains in (EVENLY, EVENLY | heavy)
    )
    assert by_phase(weighted) == pytest.approx(by_phase(even))
    for name, other in (("relations", "syllogism"), ("knights", "propositional"), ("proofs", "physics")):
        assert weighted[name] == pytest.approx(1.6 * weighted[other])
    assert weighted["arithmetic"] == pytest.approx(0.5 * weighted["counting"])


def test_weights_of_1_give_the_same_numbers_as_an_even_division() -> None:
    """To the last bit, so that a stream that began without weights goes on with the same documents."""
    weights = Curriculum(CurriculumConfig(), EVENLY, {}).weights(0.9)
    shares, sizes = (0.2, 0.3, 0.5), Counter(map(phase, EVENLY))
    divided = {name: shares[phase(name) - 1] / sizes[phase(name)] for name in EVENLY}
    assert weights == {name: weight / sum(divided.values()) for name, weight in divided.items()}


def test_without_phases_the_weights_are_those_against_all_domains() -> None:
    curriculum = Curriculum(CurriculumConfig(kind="uniform"), EVENLY | {"knights": 3.0, "physics": 2.0}, {})
    total = len(EVENLY) + 3
    expected = dict.fromkeys(EVENLY, 1 / total) | {"knights": 3 / total, "physics": 2 / total}
    assert curriculum.weights(0.0) == curriculum.weights(1.0) == pytest.approx(expected)


def test_a_missing_phase_leaves_its_share_to_the_others() -> None:
    weights = Curriculum(CurriculumConfig(), {"knights": 1.0, "arithmetic": 1.0, "equations": 1.0}, {}).weights(0.9)
    assert weights == pytest.approx({"knights": 0.4, "arithmetic": 0.3, "equations": 0.3})


def test_a_file_keeps_its_weight_beside_all_domains() -> None:
    curriculum = Curriculum(CurriculumConfig(), EVENLY, {"mine.jsonl": 0.25})
    for progress in (0.0, 0.5, 1.0):
        weights = curriculum.weights(progress)
        assert weights.pop("mine.jsonl") == 0.25
        assert sum(weights.values()) == pytest.approx(1)
    assert Curriculum(CurriculumConfig(), {}, {"mine.jsonl": 2.0}).weights(0.5) == {"mine.jsonl": 2.0}


def test_a_stage_without_any_domain_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"stage 1 gives no weight to any phase of data.domains"):
        Curriculum(CurriculumConfig(), {"geometry": 1.0}, {})
    Curriculum(CurriculumConfig(kind="uniform"), {"geometry": 1.0}, {})
