"""Builds a corpus by an executor of datatrove, in a process of its own: local, slurm or ray.

Called as a program: the executor's name, settings in JSON, the folder to write, and how many tasks read.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tuili.data.pipeline import BuildSettings
from tuili.data.pipeline.scale import ReadShare, WriteCorpus


def executors(name: str, logs: Path) -> Any:
    """Makes an executor of a pipeline, for so many tasks; others that it depends on go before."""
    if name == "local":
        from datatrove.executor import LocalPipelineExecutor

        return lambda pipeline, tasks, **more: LocalPipelineExecutor(
            pipeline, tasks=tasks, workers=min(tasks, 2), logging_dir=str(logs / f"{tasks}"), **more
        )
    if name == "slurm":
        from datatrove.executor import SlurmPipelineExecutor

        return lambda pipeline, tasks, **more: SlurmPipelineExecutor(
            pipeline, tasks=tasks, time="1:00:00", partition="cpu", logging_dir=str(logs / f"{tasks}"), **more
        )
    from datatrove.executor import RayPipelineExecutor

    return lambda pipeline, tasks, **more: RayPipelineExecutor(
        pipeline, tasks=tasks, mem_per_cpu_gb=0.2, logging_dir=str(logs / f"{tasks}"), **more
    )


def main(name: str, settings: str, out: str, tasks: str) -> None:
    """Build."""
    if name == "ray":
        import ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    given = BuildSettings.model_validate_json(settings)
    executor = executors(name, Path(f"{out}.logs"))
    read = executor([ReadShare(given, out)], int(tasks))
    executor([WriteCorpus(given, out)], 1, depends=read).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
