"""The outcomes of all documents: counts for each block and reason, histograms, and a few examples of each.

Its size is bounded whatever the size of the corpus, and it is the same however the work was shared or interrupted.
"""

from __future__ import annotations

import hashlib
import math

import msgspec

from tuili.data.pipeline.document import EXCERPT_CHARACTERS
from tuili.data.pipeline.pipeline import Dropped, Kept, Refused, Settled, Trace

KEPT = "kept"
"""The key for examples and lengths of kept documents, alongside the keys `block/reason`."""
MAX_MEASURES = MAX_KINDS = 64
"""The maximum number of measures with histograms, and of kinds of text and domains that are counted separately."""
OTHERS = "others"
MOST = 1e290
"""The largest value in a mean. It keeps sums finite for any realistic count, as JSON requires."""
STEPS = 4
"""The number of histogram bins from one number to its double."""


class Example(msgspec.Struct, frozen=True):
    """A document that the report shows."""

    order: str
    """A hash of its id. The examples with the smallest hashes are kept: a sample that does not depend on order."""
    id: str
    place: str
    kind: str
    excerpt: str
    measured: dict[str, float | str] = {}


class Histogram(msgspec.Struct):
    """Counts of values in bins: of equal width up to 1, and a quarter of a doubling wide beyond."""

    bins: dict[int, int] = {}
    total: float = 0.0
    least: float = MOST

    def add(self, value: float) -> None:
        """Count a value. A negative value counts as 0 in the bins; NaN counts as 0 in the mean as well."""
        bounded = 0.0 if math.isnan(value) else min(max(value, -MOST), MOST)
        self.total += bounded
        self.least = min(self.least, bounded)
        place = bin_of(value)
        self.bins[place] = self.bins.get(place, 0) + 1

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self.bins.values())

    def quantile(self, share: float) -> float:
        """The start of the bin below whose end this share of the values lies, or the least value if that is larger.

        It is at most 16% too low, or 0.02 for values below 1.
        """
        passed = 0
        for place, number in sorted(self.bins.items()):
            passed += number
            if passed >= share * self.count:
                return max(bin_start(place), self.least)
        return 0.0


def bin_of(value: float) -> int:
    """The bin of a value: -50 to -1 for values below 1, from 0 on for larger ones."""
    if not value >= 0:  # includes NaN
        return -50
    return int(value * 50) - 50 if value < 1 else int(math.log2(min(value, 1e300)) * STEPS + 1e-9)


def bin_start(place: int) -> float:
    """The smallest value of a bin."""
    return (place + 50) / 50 if place < 0 else 2 ** (place / STEPS)


def told_number(value: float) -> str:
    """A number for display: whole from 100 on, else three digits, with at most four decimal places."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e15 else f"{round(value, 4):.3g}"


class Tally(msgspec.Struct):
    """The counts of a build so far."""

    refused: dict[str, dict[str, int]] = {}
    """By reader and fault."""
    dropped: dict[str, dict[str, int]] = {}
    """By block and reason."""
    kept: dict[str, int] = {}
    """By kind of text."""
    domains: dict[str, int] = {}
    """Kept documents, by the domain that they were routed to."""
    kept_characters: int = 0
    dropped_characters: int = 0
    lengths: dict[str, Histogram] = {}
    """The lengths of documents in characters: `kept` and `dropped`."""
    measures: dict[str, dict[str, Histogram]] = {}
    """By measure: `kept` and `dropped`."""
    examples: dict[str, list[Example]] = {}
    """By `kept` or `block/reason`."""

    def add(self, settled: Settled, examples: int) -> None:
        """Count a document. examples: the number of examples to keep of each kind."""
        match settled:
            case Refused(reader, refusal):
                _count(self.refused, reader, refusal.fault)
                trace = Trace(refusal.place, refusal.place, "", 0, refusal.message, {})
                self._keep(f"{reader}/{refusal.fault}", trace, {}, examples)
            case Dropped(trace, block, drop):
                _count(self.dropped, block, drop.reason)
                self.dropped_characters += trace.characters
                self._measure("dropped", trace)
                self._keep(f"{block}/{drop.reason}", trace, drop.measured, examples)
            case Kept(trace):
                _count_bounded(self.kept, trace.kind)
                if trace.domain:
                    _count_bounded(self.domains, trace.domain)
                self.kept_characters += trace.characters
                self._measure(KEPT, trace)
                self._keep(KEPT, trace, {}, examples)

    @property
    def documents_kept(self) -> int:
        """Documents that were kept."""
        return sum(self.kept.values())

    @property
    def documents_dropped(self) -> int:
        """Documents that were dropped."""
        return sum(sum(reasons.values()) for reasons in self.dropped.values())

    @property
    def records_without_steps(self) -> int:
        """The number of kept documents with a measure `steps` of 0: records with nothing to check."""
        return self._kept("steps").bins.get(bin_of(0), 0)

    @property
    def checked(self) -> dict[str, float]:
        """For kept documents: the number of records with steps, the number of these steps, and the mean share of steps
        that the checker decides in these records; and the mean share of calculations in words that were read as steps,
        over all problems that have any."""
        steps, decided, read = (self._kept(name) for name in ("steps", "decided_steps", "read_steps"))
        told: dict[str, float] = {"records": decided.count, "steps": round(steps.total)}
        shares = {"mean_share_decided": decided, "mean_share_read": read}
        return told | {name: round(of.total / of.count, 4) for name, of in shares.items() if of.count}

    def _kept(self, measure: str) -> Histogram:
        return self.measures.get(measure, {}).get(KEPT, Histogram())

    @property
    def parts_refused(self) -> int:
        """Files, lines and rows that could not be read."""
        return sum(sum(faults.values()) for faults in self.refused.values())

    def _measure(self, end: str, trace: Trace) -> None:
        self.lengths.setdefault(end, Histogram()).add(trace.characters)
        for name, value in trace.measures.items():
            if name in self.measures or len(self.measures) < MAX_MEASURES:
                self.measures.setdefault(name, {}).setdefault(end, Histogram()).add(value)

    def _keep(self, name: str, trace: Trace, measured: dict[str, float | str], most: int) -> None:
        order = hashlib.blake2b(trace.id.encode(), digest_size=8).hexdigest()
        kept = self.examples.setdefault(name, [])
        if len(kept) < most or (most and order < kept[-1].order):
            told = {key: _short(value) if isinstance(value, str) else value for key, value in measured.items()}
            identity, place, kind = _short(trace.id), _short(trace.place), _short(trace.kind)
            kept.append(Example(order, identity, place, kind, _short(trace.excerpt), told))
            kept.sort(key=lambda example: (example.order, example.id))
            del kept[most:]


def _short(text: str) -> str:
    return text[:EXCERPT_CHARACTERS]


def _count_bounded(counts: dict[str, int], name: str) -> None:
    name = name if name in counts or len(counts) < MAX_KINDS else OTHERS
    counts[name] = counts.get(name, 0) + 1


def _count(counts: dict[str, dict[str, int]], of: str, name: str) -> None:
    reasons = counts.setdefault(of, {})
    reasons[name] = reasons.get(name, 0) + 1
