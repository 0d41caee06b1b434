"""Check deploy/ray/raycluster.yaml against the schema of KubeRay's ``RayCluster``, without a cluster.

    curl -O https://raw.githubusercontent.com/ray-project/kuberay/v1.5.1/helm-chart/kuberay-operator/crds/ray.io_rayclusters.yaml
    python tools/check_raycluster.py ray.io_rayclusters.yaml

Fields that the schema does not have are errors, as with ``kubectl apply --validate=strict``. Needs the extra ``ray``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jsonschema
import yaml

MANIFEST = Path(__file__).parents[1] / "deploy" / "ray" / "raycluster.yaml"


def closed(schema: Any) -> Any:
    """A schema of Kubernetes as one of JSON that allows no fields but its own."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    if "properties" not in schema:
        return {key: closed(value) for key, value in schema.items()}
    others = {key: closed(value) for key, value in schema.items() if key != "properties"}
    if not schema.get("x-kubernetes-preserve-unknown-fields"):
        others.setdefault("additionalProperties", False)
    return {**others, "properties": {name: closed(value) for name, value in schema["properties"].items()}}


def faults(crd: dict[str, Any], manifest: dict[str, Any]) -> list[str]:
    """What a custom resource definition does not allow in a manifest, one line each."""
    _, _, name = manifest["apiVersion"].partition("/")
    version = next((one for one in crd["spec"]["versions"] if one["name"] == name), None)
    if version is None or manifest["kind"] != crd["spec"]["names"]["kind"]:
        return [f"there is no {manifest['kind']} {manifest['apiVersion']}"]
    schema = closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}  # Kubernetes' own
    errors = jsonschema.Draft4Validator(schema).iter_errors(manifest)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = faults(yaml.safe_load(Path(sys.argv[1]).read_text()), yaml.safe_load(MANIFEST.read_text()))
    print("\n".join(found) or "it is valid")
    sys.exit(bool(found))
