"""The environment variables that image and manifests set are variables that `tuili serve` reads."""

from __future__ import annotations

import pytest
import typer

from tests.deploy.manifests import environment, needs_kubectl, overlay, with_components
from tests.deploy.test_image import variables
from tuili.cli import serve

OF_LIBRARIES = {"HF_HUB_OFFLINE", "OMP_NUM_THREADS"}


def read_by_serve() -> set[str]:
    app = typer.Typer()
    app.command()(serve.run)
    command = typer.main.get_command(app)
    named = (parameter.envvar for parameter in command.params)
    return {name for names in named if names for name in ([names] if isinstance(names, str) else names)}


@needs_kubectl
@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_the_cluster_sets_only_variables_that_are_read(name: str, tmp_path) -> None:
    set_here = environment(overlay(name)).keys() | environment(with_components(name, tmp_path)).keys()
    assert set_here - OF_LIBRARIES == read_by_serve() & set_here
    assert {"MODEL_VARIANT", "BATCH_SIZE", "TUILI_KEYS_FILE"} <= set_here


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_the_image_sets_only_variables_that_are_read(target: str) -> None:
    image = variables("runtime") | variables(target)
    ours = {name for name in image if name.startswith(("TUILI_", "MODEL_", "BATCH_"))}
    everywhere = {"TUILI_HOST", "TUILI_PORT", "MODEL_VARIANT", "BATCH_SIZE"}
    assert ours == everywhere | ({"TUILI_DEVICE"} if target == "gpu" else set())
    assert ours <= read_by_serve()
