"""Several generators as one: everything comes, an error ends all, and nothing is left open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from tuili.serve.merge import merged


class Sources:
    """Generators that count up to their number, and note when they are closed."""

    def __init__(self) -> None:
        self.closed: list[int] = []

    async def counting(self, number: int, error: Exception | None = None) -> AsyncGenerator[tuple[int, int], None]:
        try:
            for place in range(number):
                await asyncio.sleep(0)
                yield number, place
            if error is not None:
                raise error
        finally:
            self.closed.append(number)


@pytest.mark.parametrize("numbers", [(3,), (3, 1, 2), (0, 2), (0, 0)])
def test_all_that_is_yielded_comes_in_the_order_of_each(numbers: tuple[int, ...]) -> None:
    sources = Sources()

    async def main() -> list[tuple[int, int]]:
        return [one async for one in merged([sources.counting(number) for number in numbers])]

    got = asyncio.run(main())
    assert sorted(got) == sorted((number, place) for number in numbers for place in range(number))
    for number in numbers:
        places = [place for of, place in got if of == number]
        assert places == sorted(places)
    assert sorted(sources.closed) == sorted(numbers)


@pytest.mark.parametrize("numbers", [(3,), (3, 100)])
def test_an_error_and_an_early_end_close_every_source(numbers: tuple[int, ...]) -> None:
    async def main() -> None:
        sources, error = Sources(), ValueError("no more")
        failing = [sources.counting(number, error if number == 3 else None) for number in numbers]
        with pytest.raises(ValueError, match="no more"):
            async for _ in merged(failing):
                pass
        assert sorted(sources.closed) == sorted(numbers)
        async with aclosing(merged([sources.counting(number) for number in numbers])) as left:
            await anext(left)
        assert sorted(sources.closed) == sorted(numbers * 2)

    asyncio.run(main())
