"""What a run of the verb imports and reads, for processes that are forked from one that has imported this."""

from __future__ import annotations

import tuili.cli.compress
import tuili.compress.imported
import tuili.compress.own
import tuili.compress.pruning.prune
import tuili.compress.quantizing.quantize
import tuili.compress.run
import tuili.eval.right
import tuili.model.modeling
from tests.compress import killing
from tuili.tasks import generate

__all__ = ["killing", "tuili"]

for domain in ("arithmetic", "calendar"):
    generate(domain, 0, 0, 1)  # reads the forms of its problems
