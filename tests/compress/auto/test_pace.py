"""The time of candidates is that of their steps, of what each link takes besides, and of measuring."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from tests.compress.auto.test_run import CHANGES
from tests.compress.auto.test_time import Clock
from tuili.compress import CompressionResult, HealingConfig, Measuring, open_parent, trial
from tuili.compress.auto import pace
from tuili.compress.auto.pace import MARGIN, Pace, measure_pace
from tuili.compress.auto.space import Candidate, Left, Step
from tuili.compress.plan import TriedSteps
from tuili.errors import InputError


def test_a_pace_counts_each_link_of_a_chain(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, links = Clock(), {"prune": 30.0, "quantize": 10.0}

    def link(way: Any, *given: object, **settings: object) -> CompressionResult:
        clock.now += links[way.step]
        return CompressionResult(1, 1, 1.0, {}, own)

    def steps(way: Any, *given: Any) -> TriedSteps:
        return TriedSteps(2.0, 7, cast(Any, None))

    monkeypatch.setattr(pace, "compress", link)
    monkeypatch.setattr(pace, "try_steps", steps)
    monkeypatch.setattr(trial, "right_answers", lambda *given: setattr(clock, "now", clock.now + 4))
    monkeypatch.setattr(pace, "measure_latency", lambda *given: setattr(clock, "now", clock.now + 1))
    cut, rounded = Step("prune", "prune-0.3", ("prune.share=0.3",)), Step("quantize", "qat-int8", ())
    tried = [Candidate(chain, Left()) for chain in ((cut,), (rounded,), (cut, rounded))]
    problems = Measuring(6).chosen(open_parent(own, HealingConfig()), ())
    found = measure_pace(own, tried, None, CHANGES, problems, lambda line: None, None, clock)
    assert (found.step, found.memory) == (2, 7)
    assert found.model == pytest.approx((30 + 10 + 40) / 3 + 4 + 1)
    assert [found.of_first(count, tried).model for count in (1, 2, 3)] == pytest.approx([35, 25, found.model])


def test_what_is_tried_is_made_in_the_folder_of_the_run_and_thrown_away(tmp_path: Path) -> None:
    with pace._scratch(tmp_path) as scratch:
        (scratch / "run").mkdir()
        assert [*tmp_path.iterdir()] == [scratch]
    assert not [*tmp_path.iterdir()]
    told = "/tmp/x cannot be written: No space left on device; make room there, or choose another --out"
    for place, remedy in ((tmp_path, "choose another --out"), (None, "name another folder by TMPDIR")):
        with pytest.raises(InputError, match=f"make room there, or {remedy}$"), pace._scratch(place):
            raise InputError(told)
    with pytest.raises(
        InputError, match=r"missing: no folder can be made for what is tried: No such file or directory; "
    ):
        pace._scratch(tmp_path / "missing").__enter__()
    (tmp_path / ".trial-of-before" / "run").mkdir(parents=True)
    with pace._scratch(tmp_path) as scratch:
        assert [*tmp_path.iterdir()] == [scratch]


def test_steps_and_models_share_the_time() -> None:
    assert Pace(2.0, 10.0).steps_in(152, 5) == int(102 / 2 / MARGIN)
    assert Pace(2.0, 10.0).seconds_for(10, 5) == 20 * MARGIN + 50
