"""The manifest for KubeRay: Ray's version is the one that is tested, the token is on, and what its check refuses."""

import runpy
from importlib.metadata import version
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
pytest.importorskip("ray")

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "deploy" / "ray" / "raycluster.yaml"


def test_every_pod_has_one_image_and_the_token_is_on():
    spec = yaml.safe_load(MANIFEST.read_text())["spec"]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    containers = [container for group in groups for container in group["template"]["spec"]["containers"]]
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["rayVersion"].split(".")[0] == version("ray").split(".")[0]
    assert len({container["image"] for container in containers}) == 1
    assert all({"requests", "limits"} <= container["resources"].keys() for container in containers)
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"  # a head that is busy loses the cluster


def test_the_check_against_kuberays_schema_refuses_unknown_fields_and_wrong_values():
    faults = runpy.run_path(str(ROOT / "tools" / "check_raycluster.py"))["faults"]
    properties = {
        "mode": {"type": "string", "enum": ["disabled", "token"]},
        "cpu": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        "params": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {}},
    }
    spec = {"type": "object", "required": ["mode"], "properties": properties}
    fields = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "spec": spec}
    schema = {"openAPIV3Schema": {"type": "object", "properties": fields}}
    crd = {"spec": {"names": {"kind": "RayCluster"}, "versions": [{"name": "v1", "schema": schema}]}}

    def found(kind="RayCluster", version="v1", **spec):
        manifest = {"apiVersion": f"ray.io/{version}", "kind": kind, "metadata": {"name": "x"}, "spec": spec}
        return [line.partition(":")[0] for line in faults(crd, manifest)]

    assert found(mode="token", cpu=1, params={"a": "b"}, free={"b": 1}) == []
    assert found(mode="token", cpu="500m") == []
    assert found(cpu=1) == found(mode="token", other=1) == ["spec"]
    assert found(mode="tokens") == ["spec.mode"]
    assert found(mode="token", cpu=1.5) == ["spec.cpu"]
    assert found(mode="token", params={"num-cpus": 0}) == ["spec.params.num-cpus"]
    assert found(version="v2", mode="token") == ["there is no RayCluster ray.io/v2"]
    assert found(kind="RayJob", mode="token") == ["there is no RayJob ray.io/v1"]
