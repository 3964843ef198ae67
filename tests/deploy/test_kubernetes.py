"""The manifests fit the schemas of Kubernetes, refer to each other rightly, and give the overlays what they are for."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.deploy.manifests import (
    KUBERNETES,
    OVERLAYS,
    ROOT,
    Resource,
    container,
    environment,
    kustomize,
    needs_kubectl,
    of_kind,
    overlay,
    pod_of,
    with_components,
)

pytestmark = needs_kubectl
OLDEST_VERSION, NEWEST_VERSION = "1.27", kubernetes_validate.latest_version()
"""Of Kubernetes. In the oldest one `unhealthyPodEvictionPolicy` became available by default."""
OPERATOR_KINDS = {"ServiceMonitor", "PrometheusRule", "ScaledObject"}
FILL = KUBERNETES / "overlays" / "gpu" / "fill.yaml"


@pytest.fixture(scope="module", params=[f"{name}{full}" for name in OVERLAYS for full in ("", " with all components")])
def resources(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Resource]:
    name, full, _ = request.param.partition(" with")
    return with_components(name, tmp_path_factory.mktemp("overlay")) if full else overlay(name)


def selected(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def weaknesses(pod: Resource) -> set[str]:
    """What a pod may do although none of ours needs to."""
    faults = set()
    whole = pod.get("securityContext", {})
    if not whole.get("runAsNonRoot") or not whole.get("runAsUser") or not whole.get("runAsGroup"):
        faults.add("root")
    if whole.get("seccompProfile") != {"type": "RuntimeDefault"}:
        faults.add("seccomp")
    if pod.get("automountServiceAccountToken") is not False:
        faults.add("token")
    if any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        faults.add("host")
    if any("hostPath" in volume for volume in pod.get("volumes", [])):
        faults.add("host path")
    for one in [*pod["containers"], *pod.get("initContainers", [])]:
        context = one.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            faults.add("privilege")
        if not context.get("readOnlyRootFilesystem"):
            faults.add("writable")
        if context.get("capabilities") != {"drop": ["ALL"]}:
            faults.add("capabilities")
        if context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
            faults.add("root")
        if "memory" not in one.get("resources", {}).get("limits", {}):
            faults.add("memory")
    return faults


@pytest.mark.parametrize("version", [OLDEST_VERSION, NEWEST_VERSION])
def test_the_schemas_of_kubernetes_take_every_resource(resources: list[Resource], version: str) -> None:
    for resource in resources:
        if resource["kind"] not in OPERATOR_KINDS:
            kubernetes_validate.validate(resource, version, strict=True)


def test_the_schemas_find_a_misspelt_key() -> None:
    spoilt = copy.deepcopy(of_kind(overlay("cpu"), "Deployment"))
    spoilt["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(kubernetes_validate.ValidationError, match="enableServiceLink"):
        kubernetes_validate.validate(spoilt, NEWEST_VERSION, strict=True)


def test_the_schemas_take_the_pod_that_fills_the_volume() -> None:
    kubernetes_validate.validate(yaml.safe_load(FILL.read_text()), NEWEST_VERSION, strict=True)


def test_no_pod_may_do_more_than_it_needs(resources: list[Resource]) -> None:
    pods = [pod for resource in [*resources, yaml.safe_load(FILL.read_text())] if (pod := pod_of(resource))]
    assert len(pods) == 2
    assert [weaknesses(pod) for pod in pods] == [set(), set()]


@pytest.mark.parametrize(
    ("path", "value", "weakness"),
    [
        (["securityContext", "runAsNonRoot"], False, "root"),
        (["securityContext", "runAsUser"], 0, "root"),
        (["securityContext", "seccompProfile"], {"type": "Unconfined"}, "seccomp"),
        (["automountServiceAccountToken"], True, "token"),
        (["hostNetwork"], True, "host"),
        (["volumes", 0], {"name": "tmp", "hostPath": {"path": "/"}}, "host path"),
        (["containers", 0, "securityContext", "allowPrivilegeEscalation"], True, "privilege"),
        (["containers", 0, "securityContext", "privileged"], True, "privilege"),
        (["containers", 0, "securityContext", "readOnlyRootFilesystem"], False, "writable"),
        (["containers", 0, "securityContext", "capabilities"], {"drop": ["ALL"], "add": ["NET_RAW"]}, "capabilities"),
        (["containers", 0, "securityContext", "runAsUser"], 0, "root"),
        (["containers", 0, "resources"], {}, "memory"),
    ],
)
def test_a_pod_that_may_do_more_is_found(path: list[str | int], value: object, weakness: str) -> None:
    pod = copy.deepcopy(pod_of(of_kind(overlay("cpu"), "Deployment")))
    place = pod
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert weaknesses(pod) == {weakness}


def test_the_gpu_overlay_has_the_defaults_that_were_asked_for() -> None:
    resources = overlay("gpu")
    assert container(resources)["resources"] == {
        "requests": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"},
        "limits": {"memory": "48Gi", "nvidia.com/gpu": "1"},
    }
    expected = {"MODEL_VARIANT": "r1-7b-quantized", "BATCH_SIZE": "32", "TUILI_DEVICE": "cuda"}
    assert expected.items() <= environment(resources).items()


def test_the_cpu_overlay_serves_the_model_that_is_in_the_image() -> None:
    resources = overlay("cpu")
    assert environment(resources)["MODEL_VARIANT"] == "nano"
    assert [volume["name"] for volume in pod_of(of_kind(resources, "Deployment"))["volumes"]] == ["tmp"]
    assert "nvidia" not in str(resources)


def test_the_service_finds_the_pods_and_all_else_finds_the_service(resources: list[Resource]) -> None:
    deployment, service = of_kind(resources, "Deployment"), of_kind(resources, "Service")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in container(resources)["ports"]}
    assert selected(service["spec"]["selector"], labels)
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for resource in resources:
        spec = resource.get("spec", {})
        match resource["kind"]:
            case "Deployment" | "PodDisruptionBudget":
                assert selected(spec["selector"]["matchLabels"], labels)
            case "NetworkPolicy":
                assert selected(spec["podSelector"]["matchLabels"], labels)
            case "HorizontalPodAutoscaler" | "ScaledObject":
                assert spec["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
            case "ServiceMonitor":
                assert selected(spec["selector"]["matchLabels"], service["metadata"]["labels"])
                assert {end["port"] for end in spec["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}
                # its label would hide the one of the metrics
                assert {"action": "labeldrop", "regex": "endpoint"} in spec["endpoints"][0]["relabelings"]


def test_probes_ask_the_right_questions(resources: list[Resource]) -> None:
    only_container = container(resources)
    probes = {name: only_container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {"http"}
    paths = {name: probe["path"] for name, probe in probes.items()}
    assert paths == {"startup": "/health", "liveness": "/health", "readiness": "/ready"}


def test_requests_in_work_may_end_before_a_pod_does(resources: list[Resource]) -> None:
    pod = pod_of(of_kind(resources, "Deployment"))
    assert pod["terminationGracePeriodSeconds"] == 60
    assert "lifecycle" not in container(resources)


def test_a_service_called_tuili_does_not_change_the_port(resources: list[Resource]) -> None:
    assert pod_of(of_kind(resources, "Deployment"))["enableServiceLinks"] is False
    assert environment(resources)["TUILI_PORT"] == "8000"


def test_the_network_policy_lets_in_the_port_and_out_only_names(resources: list[Resource]) -> None:
    spec = of_kind(resources, "NetworkPolicy")["spec"]
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    ((coming,), (going,)) = spec["ingress"], spec["egress"]
    assert [port["port"] for port in coming["ports"]] == [8000]
    neighbours, prometheus = coming["from"]
    assert neighbours == {"podSelector": {}}
    assert set(prometheus) == {"namespaceSelector", "podSelector"}
    assert {port["port"] for port in going["ports"]} == {53}
    assert going["to"]


def test_there_is_one_who_scales(resources: list[Resource]) -> None:
    deployment = of_kind(resources, "Deployment")
    scalers = [one for one in resources if one["kind"] in {"HorizontalPodAutoscaler", "ScaledObject"}]
    assert len(scalers) <= 1  # the GPU overlay has none of its own
    assert not (scalers and "replicas" in deployment["spec"])


def test_keys_are_asked_for_where_the_component_is_and_only_there(tmp_path: Path) -> None:
    without, with_keys = overlay("cpu"), with_components("cpu", tmp_path, ("monitoring", "keys"))
    assert "TUILI_KEYS_FILE" not in environment(without)
    file = Path(environment(with_keys)["TUILI_KEYS_FILE"] or "")
    volumes = {volume["name"]: volume for volume in pod_of(of_kind(with_keys, "Deployment"))["volumes"]}
    (mount,) = (one for one in container(with_keys)["volumeMounts"] if one["name"] == "keys")
    secret = volumes["keys"]["secret"]
    assert Path(mount["mountPath"], secret["items"][0]["path"]) == file
    assert "optional" not in secret  # a pod without its keys must not start as one that asks for none
    assert not secret["defaultMode"] & 0o007
    monitor = of_kind(with_keys, "ServiceMonitor")["spec"]["endpoints"][0]
    assert monitor["authorization"]["credentials"]["name"] == secret["secretName"]


def test_nothing_secret_is_written_down(resources: list[Resource]) -> None:
    assert "Secret" not in {resource["kind"] for resource in resources}
    assert "sk-tuili-" not in str(resources)


def test_the_volume_that_is_filled_is_the_one_that_is_read() -> None:
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in (pod_of(of_kind(overlay("gpu"), "Deployment")), yaml.safe_load(FILL.read_text())["spec"])
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == {of_kind(overlay("gpu"), "PersistentVolumeClaim")["metadata"]["name"]}


def test_the_kustomization_on_the_page_works(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    (shown,) = re.findall(r"```yaml\n(apiVersion: kustomize.*?)```", page, re.DOTALL)
    up = "/".join([".."] * (len(tmp_path.resolve().parts) - 1))
    (tmp_path / "kustomization.yaml").write_text(re.sub(r"(?<=- )deploy/", f"{up}{ROOT.resolve()}/deploy/", shown))
    resources = kustomize(tmp_path)
    assert {resource["metadata"]["namespace"] for resource in resources} == {"reasoning"}
    assert container(resources)["image"] == "registry.example.com/tuili:1.0"
    assert environment(resources)["MODEL_VARIANT"] == "mine"
