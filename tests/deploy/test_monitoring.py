"""Alert rules and dashboard: they parse, and every metric and label in them is one that the server has."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from radio_server import serving

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS, DASHBOARD = DEPLOY / "prometheus" / "alerts.yaml", DEPLOY / "grafana" / "dashboard.json"
SCRAPED = {"up": {"job", "instance"}}  # what Prometheus adds by itself
ADDED = {"job", "instance"}  # labels that it adds to every metric


def rules() -> list[dict]:
    yaml = pytest.importorskip("yaml")
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict]:
    return json.loads(DASHBOARD.read_text())["panels"]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory) -> dict[str, set[str]]:
    """The metrics of a real server: name → its labels."""
    with serving(tmp_path_factory.mktemp("metrics")) as served:
        text = served.ask("/metrics")[1].decode()
    found: dict[str, set[str]] = dict(SCRAPED)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels, ADDED)
    return found


def test_every_metric_and_label_exists(metrics):
    expressions = [rule["expr"] for rule in rules()]
    expressions += [target["expr"] for panel in panels() for target in panel["targets"]]
    assert len(expressions) > 15
    for expression in expressions:
        used = re.findall(r"\b((?:lullwave|process)_\w+|up)\b(?:\{([^}]*)\})?", expression)
        assert used, expression
        for name, labels in used:
            assert name in metrics, expression
            assert set(re.findall(r"(\w+)\s*[=!]", labels)) <= metrics[name], expression


def test_every_text_names_labels_of_its_metric(metrics):
    for rule in rules():
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        (first, *_) = re.findall(r"\b(?:lullwave|process)_\w+|\bup\b", rule["expr"])
        assert named <= metrics[first], rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")
    for panel in panels():
        for target in panel["targets"]:
            (first, *_) = re.findall(r"\b(?:lullwave|process)_\w+", target["expr"])
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= metrics[first], panel["title"]


def test_the_dashboard_is_laid_out_without_overlap():
    shown = panels()
    assert len({panel["id"] for panel in shown}) == len(shown)
    cells = [
        (place["x"] + x, place["y"] + y)
        for panel in shown
        for place in [panel["gridPos"]]
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23  # Grafana's grid has 24 columns


@pytest.mark.slow
def test_promtool_takes_the_rules():
    """``promtool`` is in Debian's package ``prometheus``."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run(["promtool", "check", "rules", "--lint=all", ALERTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules())} rules found" in done.stdout
