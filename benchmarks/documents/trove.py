"""The same documents through datatrove's own blocks: a program that prints the seconds, and how many it keeps, as JSON
in its last line. It needs `datatrove[io]` and spacy.

Called with the folder of documents, one to write, and how many workers. A file is read by one worker.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


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
        JsonlWriter(out, compression="zstd"),
    ]
    logs = Path(out, "logs")
    executor = LocalPipelineExecutor(steps, tasks=int(workers), workers=int(workers), logging_dir=str(logs))
    began = time.perf_counter()
    executor.run()
    seconds = time.perf_counter() - began
    of_writer = json.loads((logs / "stats.json").read_text())[-1]["stats"]
    print(json.dumps({"seconds": seconds, "kept": of_writer.get("total", 0)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
