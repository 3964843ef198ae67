"""The same documents through datatrove's own blocks: a program that prints the seconds. It needs
`datatrove[io,processing]`.

Called with the folder of documents, one to write, and how many workers.
"""

from __future__ import annotations

import sys
import time


def main(folder: str, out: str, workers: str) -> None:
    """Filter by the rules of Gopher and C4."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.filters import C4QualityFilter, GopherQualityFilter, GopherRepetitionFilter
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    steps = [
        JsonlReader(folder, compression="zstd"),
        GopherQualityFilter(),
        GopherRepetitionFilter(),
        C4QualityFilter(),
    ]
    executor = LocalPipelineExecutor(
        [*steps, JsonlWriter(out)], tasks=int(workers), workers=int(workers), logging_dir=f"{out}/logs"
    )
    began = time.perf_counter()
    executor.run()
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
