"""The manifest for KubeRay: Ray's version is the one that is tested, and the token is on."""

from importlib.metadata import version
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
pytest.importorskip("ray")

MANIFEST = Path(__file__).parents[2] / "deploy" / "ray" / "raycluster.yaml"


def test_every_pod_has_one_image_and_the_token_is_on():
    spec = yaml.safe_load(MANIFEST.read_text())["spec"]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    containers = [container for group in groups for container in group["template"]["spec"]["containers"]]
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["rayVersion"].split(".")[0] == version("ray").split(".")[0]
    assert len({container["image"] for container in containers}) == 1
    assert all({"requests", "limits"} <= container["resources"].keys() for container in containers)
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"  # a head that is busy loses the cluster
