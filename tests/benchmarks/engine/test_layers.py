"""What the layers above the runner cost is measured in every setting, and the text is a whole answer in each."""

from __future__ import annotations

import pytest

from benchmarks.engine.layers import Granting, RecitingRunner, Setting, measure
from tuili.engine import Sequence, StepPolicy


def test_every_setting_has_its_figures() -> None:
    config, figures = measure(runs=1, rows=(2,))
    endings = ("", "_deadline", "_streamed", "_streamed_deadline")
    assert list(figures) == sorted(f"{layers}_rows_2{end}" for layers in ("engine", "service") for end in endings)
    assert config["full_depth_every"] > 1


class Noting:
    """Hands everything on to another policy, and notes which exits it is asked about."""

    timed = False

    def __init__(self, policy: StepPolicy) -> None:
        self.asked, self._policy = list[int](), policy

    def may_go_deeper(self, sequence: Sequence, exit_index: int, together: int) -> bool:
        self.asked.append(exit_index)
        return self._policy.may_go_deeper(sequence, exit_index, together)

    def most_rows(self, sequences: int) -> float:
        return self._policy.most_rows(sequences)

    def trunk_reads(self, rows: int) -> None:
        self._policy.trunk_reads(rows)

    def group_took(self, index: int, together: int, seconds: float) -> None:
        self._policy.group_took(index, together, seconds)

    def exit_took(self, together: int, seconds: float, whole: bool) -> None:
        self._policy.exit_took(together, seconds, whole)

    def drafts_took(self, tokens: int, seconds: float) -> None:
        self._policy.drafts_took(tokens, seconds)


def test_the_runner_alone_does_what_it_does_under_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(rows=2, streamed=False, timed=False)
    alone, under = Noting(Granting()), Noting(setting.engine.scheduler)
    setting.recite(alone)
    outputs = RecitingRunner.outputs
    monkeypatch.setattr(RecitingRunner, "outputs", lambda runner, those, _: outputs(runner, those, under))
    setting.engine_seconds()
    assert under.asked == alone.asked
