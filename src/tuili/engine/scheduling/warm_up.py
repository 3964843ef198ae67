"""Warm-up: runs artificial sequences, so that memory is allocated and costs are known before the first request."""

from __future__ import annotations

from math import inf

from tuili.engine.request import Depth
from tuili.engine.scheduling.admission import QueueKey
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Sequence, SequenceLimits

DECODED_TOKENS = 6
"""Tokens that each sequence decodes."""
SHORT_PROMPT_TOKENS = 16


def warm_up(scheduler: Scheduler) -> None:
    """Decode a few tokens alone and in a batch, run the verifier, and score a prompt. Finally reset the counts."""
    runner = scheduler.runner
    shallow, deep, all_slots = runner.exits[0], runner.exits[-1], runner.slots
    short, long = SHORT_PROMPT_TOKENS, min(scheduler.chunk, runner.context - DECODED_TOKENS)
    rounds: list[tuple[int, int, Depth]] = [(1, short, deep), (1, short, shallow), (1, long, deep)]
    rounds.append((all_slots, short, deep))
    if shallow < deep:
        rounds += [(1, short, "exact"), (all_slots, short, "exact")]
    else:  # no exit drafts anything, and every token costs so much that start-up time is noticeable
        rounds = [(1, short, deep), (1, long, deep), (all_slots, short // 4, deep)]
    limits = SequenceLimits(DECODED_TOKENS)
    for number, (count, length, depth) in enumerate(rounds):
        _run(scheduler, [Sequence([runner.end_ids[0]] * length, limits, depth=depth) for _ in range(count)])
        if number == 0:  # its measurements include memory allocation
            scheduler.costs.reset()
    for length in (short, short, long):
        ids = [runner.end_ids[0]] * length
        _run(scheduler, [Sequence(ids, limits, score_from=1)])
        if runner.verifies:
            _run(scheduler, [Sequence(ids, limits, verify_from=1)])
    runner.measure()
    scheduler.reset_measurements()  # the first measurement of a size is no delay, however far it is from others
    runner.observe()  # discards the activity of the warm-up


def _run(scheduler: Scheduler, sequences: list[Sequence]) -> None:
    for number, sequence in enumerate(sequences):
        scheduler.submit(sequence, QueueKey(0, inf, number))
    while scheduler.busy:
        scheduler.step()
