"""The curriculum: from the progress of a run to the weight of each domain and file.

Three stages follow the phases of the domains, from logic judgement through multi-step to cross-domain problems;
`uniform` is the control. `tuili.data.stream` draws documents by these weights.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, model_validator

from tuili.config import Config
from tuili.errors import ConfigError
from tuili.tasks import phase

Progress = Annotated[float, Field(ge=0, le=1)]
Shares = tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat]


class CurriculumConfig(Config):
    """The order in which the domains come: by phases, or all of them in the same shares throughout the run."""

    kind: Literal["phases", "uniform"] = "phases"
    boundaries: tuple[Progress, Progress] = (0.2, 0.6)
    """Progress at which the second and the third stage begin."""
    mixture: tuple[Shares, Shares, Shares] = ((1, 0, 0), (0.25, 0.75, 0), (0.2, 0.3, 0.5))
    """For each stage, the shares of the domains of phases 1, 2 and 3: earlier phases are rehearsed."""

    @model_validator(mode="after")
    def _rising(self) -> CurriculumConfig:
        if self.boundaries[0] > self.boundaries[1]:
            raise ValueError("boundaries must rise: the second stage begins before the third")
        return self


class Curriculum:
    """Weights over the sources of a run: those of the domains add up to 1, and each file has the weight in `files`.

    The domains of a phase divide its share in proportion to their weights in `domains`; without phases, all domains
    divide the whole in this way. Raises `ConfigError` if a stage gives no weight to any of the domains.
    """

    def __init__(self, config: CurriculumConfig, domains: Mapping[str, float], files: Mapping[str, float]) -> None:
        phases = {name: phase(name) for name in domains}
        totals = dict.fromkeys((1, 2, 3), 0.0)
        for name, number in phases.items():
            totals[number] += domains[name]
        uniform = config.kind == "uniform"
        self._boundaries = () if uniform else config.boundaries
        mixture = (tuple(totals.values()),) if uniform else config.mixture
        self._stages: list[dict[str, float]] = []
        for stage, shares in enumerate(mixture, start=1):
            weights = {name: shares[number - 1] * domains[name] / totals[number] for name, number in phases.items()}
            total = sum(weights.values())
            if phases and not total:
                raise ConfigError(
                    f"curriculum.mixture: stage {stage} gives no weight to any phase of data.domains: "
                    "change its shares, or use curriculum.kind=uniform"
                )
            self._stages.append({name: weight / total for name, weight in weights.items()} | dict(files))

    def weights(self, progress: float) -> dict[str, float]:
        """The weight of each source at a progress from 0 to 1."""
        return self._stages[bisect_right(self._boundaries, progress)]
