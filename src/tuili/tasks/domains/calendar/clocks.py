"""Times of day: shifts, differences, and sequences of events."""

from __future__ import annotations

import random

from tuili.tasks.building.timekeeping import MINUTES_PER_DAY, clock, minutes_between, shift_clock, to_hours
from tuili.tasks.building.working import worked_product
from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.domains.calendar.events import OCCASIONS, content_of


def _amount(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return " ".join([f"{hours} h"] * bool(hours) + [f"{rest} min"] * bool(rest))


def clock_shift(rng: random.Random, low: int, high: int) -> Content:
    """A time of day some minutes later."""
    start, minutes, event = rng.randrange(MINUTES_PER_DAY), rng.randint(low, high), rng.choice(OCCASIONS)
    steps, end = shift_clock(start, minutes), clock(start + minutes)
    slots: dict[str, Slot] = {"start": clock(start), "amount": _amount(minutes), "event": event}
    return content_of("clock_after", steps, end, **slots)


def clock_difference(rng: random.Random, low: int, high: int) -> Content:
    """The minutes between two times of day; the second may be on the next day."""
    minutes, event = rng.randint(low, high), rng.choice(OCCASIONS)
    start = rng.randrange(MINUTES_PER_DAY)
    end = start + minutes
    steps = minutes_between(start, end)
    kind = "minutes_overnight" if end >= MINUTES_PER_DAY else "minutes_between"
    slots: dict[str, Slot] = {"start": clock(start), "end": clock(end), "event": event}
    return content_of(kind, steps, str(minutes), **slots)


def programme(rng: random.Random, parts: int) -> Content:
    """The time when a day's programme, a sequence of events, ends."""
    start, events = rng.randrange(MINUTES_PER_DAY), rng.sample(OCCASIONS, parts)
    now, entries, steps = start, list[Clause](), list[str]()
    for event in events:
        minutes = rng.randint(10, 240)
        kind = "next_entry" if entries else "entry"
        entries.append(Clause(kind, "", {"event": event, "amount": _amount(minutes)}))
        steps += shift_clock(now, minutes)
        now += minutes
    slots: dict[str, Slot] = {"start": clock(start), "entries": Clauses(tuple(entries), ordered=True)}
    return content_of("programme", steps, clock(now), **slots)


def lessons(rng: random.Random) -> Content:
    """The time when the last of several equal lessons ends, with equal breaks between them."""
    start, count, lesson, rest = (
        rng.randrange(8 * 60, 20 * 60),
        rng.randint(3, 9),
        rng.randint(20, 60),
        rng.randint(5, 20),
    )
    taught, free = count * lesson, (count - 1) * rest
    steps = [
        *worked_product(count, lesson),
        f"{count} - 1 = {count - 1}",
        *worked_product(count - 1, rest),
        f"{taught} + {free} = {taught + free}",
        *to_hours(taught + free),
        *shift_clock(start, taught + free),
    ]
    slots: dict[str, Slot] = {"start": clock(start), "count": count, "lesson": lesson, "rest": rest}
    return content_of("lessons", steps, clock(start + taught + free), **slots)
