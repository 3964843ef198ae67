"""What processes of tests would each do first: done once, by its import, in the process that they are copies of.

Nothing here starts a thread or an operation of torch, which a copy would have halfway.
"""

from __future__ import annotations

import gc

from tests.flushing import flush_nothing
from tuili.provenance import current_versions
from tuili.tasks import generate
from tuili.train.folder import loaded_code

flush_nothing()
for domain in ("propositional", "arithmetic"):
    generate(domain, 0, 0, 1)  # reads the forms of its problems
loaded_code()
current_versions()
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 20)
