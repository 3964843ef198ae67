"""The logic of a search, with a runner that only says what it would have made."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuili.compress.auto.front import dominates, front
from tuili.compress.auto.halving import Rung, fitting, rungs, total_steps
from tuili.compress.auto.kept import Kept, Schedule
from tuili.compress.auto.pace import Pace
from tuili.compress.auto.search import Impossible, Search, TimeIsOver
from tuili.compress.auto.space import Candidate, Left, Step
from tuili.compress.auto.targets import Found, Targets
from tuili.errors import InputError

PARENT = Found("parent", 0, 100.0, 10.0, 0.8, {"1": 0.8}, "parent")
SMALL = st.integers(1, 4).map(float)
FOUND = st.builds(
    Found, st.text("abc", min_size=1, max_size=3), st.just(9), SMALL, SMALL, SMALL, st.just({}), st.just("")
)  # fmt: skip
TARGETS = Targets(0.5, None, 0.1)


def candidate(name: str) -> Candidate:
    return Candidate((Step("prune", name, ()),), Left(0.4, 0.4))


@settings(deadline=None, derandomize=True)
@given(st.lists(FOUND, min_size=1, max_size=12))
def test_the_front_is_beaten_by_none_and_beats_all_others(found: list[Found]) -> None:
    best = front(found)
    assert best
    assert not any(dominates(one, other) for one in found for other in best)
    for other in found:
        assert other in best or any(dominates(one, other) for one in best)


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(0, 5000), st.integers(1, 50))
def test_rungs_keep_within_the_steps(count: int, total: int, least: int) -> None:
    planned = rungs(count, total)
    assert total_steps(planned) <= total
    assert (planned[0].count, planned[-1].count) == (count, 1)
    assert all(one.count > other.count and one.steps <= other.steps for one, other in pairwise(planned))
    fitted = fitting(count, least, lambda _, models: total)
    if fitted:
        assert fitted[0].steps >= least
        assert total_steps(fitted) <= total
        assert fitted[0].count == count or rungs(fitted[0].count + 1, total)[0].steps < least
    else:
        assert total < least


def test_measuring_is_taken_from_the_steps() -> None:
    planned = fitting(9, 10, lambda _, models: 400 - 20 * models)
    models = sum(rung.count for rung in planned)
    assert total_steps(planned) + 20 * models <= 400


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20, unique=True), st.integers(1, 30))
def test_halving_keeps_the_best(right: list[int], time: int) -> None:
    """What is best from the first rung on reaches the last one, and no more is made than there is time for."""
    by_name = {f"c{number}": value / 1000 for number, value in enumerate(right)}
    made = list[tuple[str, int]]()

    def make(one: Candidate, steps: int) -> Found:
        if made and len(made) >= time:
            raise TimeIsOver
        made.append((one.name, steps))
        return Found(one.name, steps, 40.0, 5.0, by_name[one.name], {}, "")

    tried = [candidate(name) for name in by_name]
    planned = rungs(len(tried), 10_000)
    search = Search(tried, len(planned), planned.__getitem__, TARGETS, PARENT, make, lambda line: None)
    found = search.run()
    assert len(found) == len(made) <= max(1, time)
    assert sum(steps for _, steps in made) <= 10_000
    if time >= sum(rung.count for rung in planned):
        best = max(by_name, key=lambda name: by_name[name])
        assert made[-1] == (best, planned[-1].steps)
        assert search.best(found).name == best


def test_a_size_that_is_met_goes_before_more_right_answers() -> None:
    figures = {"large": (60.0, 0.9), "small": (50.0, 0.7), "smaller": (45.0, 0.6)}

    def make(one: Candidate, steps: int) -> Found:
        return Found(one.name, steps, figures[one.name][0], 5.0, figures[one.name][1], {}, "")

    tried = [candidate(name) for name in figures]
    planned = (Rung(3, 1), Rung(1, 3))
    search = Search(tried, 2, planned.__getitem__, TARGETS, PARENT, make, lambda line: None)
    found = search.run()
    assert [one.name for one in found] == ["large", "small", "smaller", "small"]
    assert TARGETS.missed(found[0], PARENT) == {"size": pytest.approx(0.1)}
    assert TARGETS.missed(found[1], PARENT) == {"loss": pytest.approx(0.025)}
    assert search.best(found).name == "small"
    assert [line.rpartition(": ")[2] for line in TARGETS.lines(found[1], PARENT)] == ["met", "not met"]


def test_what_refuses_its_parent_is_left_out() -> None:
    lines = list[str]()

    def make(one: Candidate, steps: int) -> Found:
        if one.name == "bad":
            raise Impossible("no heads are left")
        return Found(one.name, steps, 40.0, 5.0, 0.8, {}, "")

    tried, planned = [candidate("bad"), candidate("good")], rungs(2, 100)
    search = Search(tried, len(planned), planned.__getitem__, TARGETS, PARENT, make, lines.append)
    assert {one.name for one in search.run()} == {"good"}
    assert "left out: no heads are left" in lines


@settings(deadline=None, derandomize=True, max_examples=5)
@given(st.lists(st.integers(1, 4), max_size=3))
def test_a_resumed_search_makes_nothing_twice(stops: list[int]) -> None:
    made = Counter[tuple[str, int]]()
    tried = [candidate(f"c{number}") for number in range(4)]
    planned = rungs(4, 400)

    def session(folder: Path, most: int | None) -> list[Found]:
        kept, here = Kept(folder), 0

        def make(one: Candidate, steps: int) -> Found:
            nonlocal here
            if (known := kept.get(one.name, steps)) is not None:
                return known
            if here == most:
                raise KeyboardInterrupt
            here += 1
            made[one.name, steps] += 1
            found = Found(one.name, steps, 40.0, 5.0, 0.5 + int(one.name[1:]) / 100, {"1": 0.5}, "")
            kept.add(found)
            return found

        return Search(tried, len(planned), planned.__getitem__, TARGETS, PARENT, make, lambda line: None).run()

    with TemporaryDirectory() as name:
        for stop in stops:
            with suppress(KeyboardInterrupt):
                session(Path(name), stop)
        whole = session(Path(name), None)
    assert max(made.values()) == 1
    assert len(made) == len(whole) == sum(rung.count for rung in planned)


def test_a_schedule_is_kept_and_damage_is_told(tmp_path: Path) -> None:
    assert Kept(tmp_path).schedule is None
    schedule = Schedule(("a", "b"), (Rung(2, 5), Rung(1, 10)), Pace(0.5, 3), begun=1)
    Kept(tmp_path).fix(schedule)
    assert Kept(tmp_path).schedule == schedule
    for text in ("[]", "{", '{"failed": [], "found": [{"name": 1}]}'):
        (tmp_path / "found.json").write_text(text)
        with pytest.raises(InputError, match=r"found\.json is damaged: choose another --out"):
            Kept(tmp_path)


@pytest.mark.parametrize(
    ("size", "latency", "loss", "reason"),
    [
        (None, None, "1%", "give --size, as in --size -60%, or --latency"),
        ("60%", None, "1%", "--size '60%': give how much less"),
        ("-60", None, "1%", "--size '-60': give percent of the parent's"),
        ("-100%", None, "1%", "--size '-100%': give percent of the parent's, below 100"),
        ("-0%", None, "1%", "--size '-0%'"),
        (None, "-5MB", "1%", "--latency '-5MB'"),
        ("-60%", None, "1", "--loss '1': give percent"),
        ("-60%", None, "-1%", "--loss '-1%': give percent"),
    ],
)
def test_targets_in_wrong_units_are_refused(size: str | None, latency: str | None, loss: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Targets.parse(size, latency, loss)


def test_targets_are_shares_of_the_parents() -> None:
    targets = Targets.parse("-60%", "-50%", "1.5%")
    assert (targets.size, targets.latency, targets.loss) == (pytest.approx(0.4), 0.5, pytest.approx(0.015))
