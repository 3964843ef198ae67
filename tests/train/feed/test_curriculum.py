from __future__ import annotations

import pytest

from tuili.errors import ConfigError
from tuili.tasks import domain_names, phase
from tuili.train.feed.curriculum import Curriculum, CurriculumConfig


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
    weights = Curriculum(CurriculumConfig(), domain_names(), {}).weights(progress)
    assert by_phase(weights) == pytest.approx(shares)
    of_first = {weight for name, weight in weights.items() if phase(name) == 1}
    assert len(of_first) == 1, "domains of a phase share evenly"


def test_uniform_weighs_every_domain_the_same_at_any_time() -> None:
    curriculum = Curriculum(CurriculumConfig(kind="uniform"), domain_names(), {})
    for progress in (0.0, 0.5, 1.0):
        assert set(curriculum.weights(progress).values()) == {1 / len(domain_names())}


def test_a_missing_phase_leaves_its_share_to_the_others() -> None:
    weights = Curriculum(CurriculumConfig(), ["knights", "arithmetic", "equations"], {}).weights(0.9)
    assert weights == pytest.approx({"knights": 0.4, "arithmetic": 0.3, "equations": 0.3})


def test_a_file_keeps_its_weight_beside_all_domains() -> None:
    curriculum = Curriculum(CurriculumConfig(), domain_names(), {"mine.jsonl": 0.25})
    for progress in (0.0, 0.5, 1.0):
        weights = curriculum.weights(progress)
        assert weights.pop("mine.jsonl") == 0.25
        assert sum(weights.values()) == pytest.approx(1)
    assert Curriculum(CurriculumConfig(), [], {"mine.jsonl": 2.0}).weights(0.5) == {"mine.jsonl": 2.0}


def test_a_stage_without_any_domain_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"stage 1 gives no weight to any phase of data.domains"):
        Curriculum(CurriculumConfig(), ["geometry"], {})
    Curriculum(CurriculumConfig(kind="uniform"), ["geometry"], {})
