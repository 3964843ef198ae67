"""Ids are all different, whatever threads ask for them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from tuili.serve.ids import IDS_AT_A_TIME, new_id


def test_ids_are_all_different() -> None:
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: new_id(), range(5 * IDS_AT_A_TIME)))
    assert len(set(drawn)) == len(drawn)
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in drawn)
