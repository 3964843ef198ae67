"""Which runner computes: what was asked for, or what the machine has; what cannot be had is refused with the reason."""

from __future__ import annotations

from typing import get_args

import pytest

from tuili.cli.options import CacheOption, NumbersOption, RunnerOption
from tuili.engine import CacheNumbers, Numbers, RunnerName
from tuili.engine.runtime.choice import Choice, choose
from tuili.errors import InputError

NO_COMPILER = "there is no compiler"


def there() -> str:
    return ""


def missing() -> str:
    return NO_COMPILER


def unasked() -> str:
    pytest.fail("the library was looked for, which may compile it")


@pytest.mark.parametrize("runner", ["auto", "native"])
def test_the_native_runner_computes_in_8_bits_by_default(runner: RunnerName) -> None:
    assert choose(runner, "auto", "auto", there) == Choice("native", "int8", "bf16")
    for numbers, cache in (("fp32", "fp32"), ("bf16", "bf16"), ("int8", "bf16"), ("int4", "bf16")):
        assert choose(runner, numbers, "auto", there) == Choice("native", numbers, cache)


@pytest.mark.parametrize("numbers", ["fp32", "int4"])
@pytest.mark.parametrize("cache", ["fp32", "bf16", "int8"])
def test_the_native_runner_has_every_cache_with_all_numbers(numbers: Numbers, cache: CacheNumbers) -> None:
    assert choose("native", numbers, cache, there) == Choice("native", numbers, cache)


def test_torch_takes_its_place_where_that_was_left_open() -> None:
    reason = f"the native runner cannot be used: {NO_COMPILER}"
    assert choose("auto", "auto", "auto", missing) == Choice("torch", "auto", "auto", reason)
    assert "the model is to run on cuda" in choose("auto", "bf16", "bf16", unasked, "cuda").why
    with pytest.raises(InputError, match=f"numbers int4 is for the native runner alone, and .*{NO_COMPILER}"):
        choose("auto", "int4", "auto", missing)
    with pytest.raises(InputError, match=f"cache int8 is for the native runner alone, and .*{NO_COMPILER}"):
        choose("auto", "auto", "int8", missing)


def test_what_was_asked_for_is_had_or_refused() -> None:
    assert choose("torch", "int8", "fp32", unasked) == Choice("torch", "int8", "fp32")
    with pytest.raises(InputError, match=f"the native runner cannot be used: {NO_COMPILER}; put that right, or"):
        choose("native", "auto", "auto", missing)
    with pytest.raises(InputError, match="the model is to run on cuda, and it is for a CPU"):
        choose("native", "auto", "auto", there, "cuda")
    with pytest.raises(InputError, match="int4 is for the native runner alone, and the torch runner was asked for"):
        choose("torch", "int4", "auto", there)
    with pytest.raises(InputError, match="cache int8 is for the native runner alone, and the torch runner was asked"):
        choose("torch", "int8", "int8", there)


def test_the_command_line_offers_every_choice() -> None:
    assert get_args(RunnerOption)[0] == RunnerName
    assert get_args(NumbersOption)[0] == Numbers
    assert get_args(CacheOption)[0] == CacheNumbers
