"""The resources that `kubectl kustomize` makes of the overlays, alone and with components."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.debian import needs

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = ("cpu", "gpu")
COMPONENTS = ("monitoring", "keda", "keys")
"""`keys` is last: its kustomization asks for that."""

Resource = dict[str, Any]


needs_kubectl = needs("kubectl")
needs_promtool = needs("promtool")


def kustomize(folder: Path) -> list[Resource]:
    """The resources of a folder."""
    made = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


@cache
def overlay(name: str) -> list[Resource]:
    """The resources of an overlay as it is."""
    return kustomize(KUBERNETES / "overlays" / name)


def with_components(name: str, folder: Path, components: tuple[str, ...] = COMPONENTS) -> list[Resource]:
    """The resources of an overlay with components, by way of a kustomization in `folder`."""

    def place(path: Path) -> str:
        return os.path.relpath(path.resolve(), folder.resolve())

    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [place(KUBERNETES / "overlays" / name)],
        "components": [place(KUBERNETES / "components" / component) for component in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return kustomize(folder)


def of_kind(resources: list[Resource], kind: str) -> Resource:
    """The resource of a kind, of which there is one."""
    (match,) = (resource for resource in resources if resource["kind"] == kind)
    return match


def pod_of(resource: Resource) -> Resource | None:
    """The pod specification of a resource; None where the resource makes no pods."""
    if resource["kind"] == "Pod":
        return resource["spec"]
    template = resource.get("spec", {}).get("template")
    return template["spec"] if template else None


def container(resources: list[Resource]) -> Resource:
    """The container of the Deployment."""
    pod = pod_of(of_kind(resources, "Deployment"))
    assert pod
    (only,) = pod["containers"]
    return only


def environment(resources: list[Resource]) -> dict[str, str | None]:
    """The environment variables of that container; None for a value that is a reference."""
    return {variable["name"]: variable.get("value") for variable in container(resources)["env"]}
