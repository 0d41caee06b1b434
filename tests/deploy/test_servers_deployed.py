"""Units and compose files: every command, flag and variable in them exists, and their tools take them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from lullwave.cli.commands.health import health
from lullwave.cli.commands.inference import VARIABLE, build
from lullwave.settings import Settings
from lullwave.settings.variables import OTHER_VARIABLES, PREFIX, SERVER_VARIABLES

DEPLOY = Path(__file__).parents[2] / "deploy"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMPOSE = sorted((DEPLOY / "docker").glob("compose*.yaml"))


def inference_variables() -> set[str]:
    """The variables that the flags of ``lullwave inference`` read."""
    app = typer.Typer()
    app.command()(build([]))
    return {str(p.envvar) for p in typer.main.get_command(app).params if p.envvar}


@pytest.mark.parametrize("file", [*UNITS, *COMPOSE, DEPLOY / "docker" / "Dockerfile"], ids=lambda f: f.name)
def test_variables_are_read_by_somebody(file):
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OTHER_VARIABLES | inference_variables()
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b|\bINFERENCE_SERVER_[A-Z_]+\b", file.read_text()))
    assert named - known - set(SERVER_VARIABLES) == set()
    assert named
    assert len([name for name in inference_variables() if name.startswith(VARIABLE)]) > 6


@pytest.mark.parametrize("unit", UNITS, ids=lambda f: f.name)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_units(unit, tmp_path):
    text = re.sub(r"(?m)=/opt/lullwave/bin/lullwave (serve|inference|health)\b.*$", "=/bin/true", unit.read_text())
    assert "ExecStart=/bin/true" in text
    (tmp_path / unit.name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", tmp_path / unit.name], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda f: f.name)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_units_expose_little(unit):
    """``systemd-analyze security`` rates from 0, nothing exposed, to 10."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=29", unit]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


@pytest.mark.parametrize("unit", [unit for unit in UNITS if "health" not in unit.name], ids=lambda f: f.name)
def test_servers_are_started_again_for_ever(unit):
    text = unit.read_text()
    assert "\nRestart=always\n" in text
    assert "\nStartLimitIntervalSec=0\n" in text.partition("[Service]")[0]
    assert "\nExecReload=/bin/kill -HUP $MAINPID\n" in text


def probes() -> list[tuple[str, list[str]]]:
    """Every call of ``lullwave health`` in the deployment files, with its flags."""
    yaml = pytest.importorskip("yaml")
    found = [("Dockerfile", json.loads(re.search(r"(?m)^HEALTHCHECK .*CMD (\[.*\])", DOCKERFILE.read_text())[1]))]
    for file in COMPOSE:
        for service in yaml.safe_load(file.read_text())["services"].values():
            found.append((file.name, service["healthcheck"]["test"][1:]))
    for unit in UNITS:
        calls = re.findall(r"(?m)^Exec\w+=/opt/lullwave/bin/(lullwave health.*)$", unit.read_text())
        found += [(unit.name, call.split()) for call in calls]
    return found


def test_there_is_one_probe_and_its_flags_exist():
    app = typer.Typer()
    app.command()(health)
    known = {flag for p in typer.main.get_command(app).params for flag in p.opts}
    assert {name for name, _ in probes()} >= {
        "Dockerfile",
        *(f.name for f in COMPOSE),
        "lullwave.service",
        "lullwave-health.service",
        "lullwave-inference-health.service",
    }
    for name, (program, command, *flags) in probes():
        assert (program, command) == ("lullwave", "health"), name
        assert {flag for flag in flags if flag.startswith("-")} <= known, name


@pytest.mark.parametrize("server", ["lullwave", "lullwave-inference"])
def test_each_unit_is_probed_with_its_own_settings_and_restarted(server):
    """The probe reads the server's address where the server reads it, and restarts that server alone."""
    unit, probe, timer = (
        DEPLOY / "systemd" / f"{server}{end}" for end in (".service", "-health.service", "-health.timer")
    )
    own, asked = unit.read_text(), probe.read_text()
    assert set(re.findall(r"(?m)^EnvironmentFile=.*$", own)) == set(re.findall(r"(?m)^EnvironmentFile=.*$", asked))
    place = r"\bLULLWAVE_(?:INFERENCE_)?(?:HOST|PORT)=\S+"
    assert sorted(re.findall(place, own)) == sorted(re.findall(place, asked))
    assert f"systemctl try-restart {server}.service" in asked
    assert "OnUnitInactiveSec=1min" in timer.read_text()


@pytest.mark.parametrize("file", COMPOSE, ids=lambda f: f.name)
def test_containers_have_no_more_than_they_need(file):
    yaml = pytest.importorskip("yaml")
    for service in yaml.safe_load(file.read_text())["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
        assert service["restart"] == "unless-stopped"
        assert service["tmpfs"] == ["/tmp"]


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs sh")
@pytest.mark.parametrize(
    ("extras", "torch", "cpu_only"),
    [("ai", "cpu", True), ("fast,ai", "cpu", True), ("stems", "cpu", True), ("ai", "cuda", False), ("", "cpu", False)],
)
def test_the_image_takes_pytorch_for_cpus_unless_told_otherwise(extras, torch, cpu_only, tmp_path):
    """The RUN line of the Dockerfile, by the shell, with a pip that only says what it is asked for."""
    (line,) = re.findall(r"(?m)^RUN (case (?:.*\\\n)*.*)$", DOCKERFILE.read_text())
    (tmp_path / "pip").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "pip").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "EXTRAS": extras, "TORCH": torch}
    done = subprocess.run(["sh", "-ec", line], env=environment, capture_output=True, text=True, check=True)
    *before, package = done.stdout.splitlines()
    assert package == "install --no-cache-dir ." + (f"[{extras}]" if extras else "")
    assert before == (["install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch"] * cpu_only)


@pytest.mark.parametrize("unit", [unit for unit in UNITS if "health" not in unit.name], ids=lambda f: f.name)
def test_units_have_one_user_with_a_home(unit):
    """A user that systemd makes up has no home of its own; two units that share a directory must share the user."""
    text = unit.read_text()
    assert "\nDynamicUser=yes\n" in text
    assert re.search(r"(?m)^Environment=.*\bHOME=%C/lullwave\b", text)
    named = re.search(r"(?m)^User=(.+)$", text)
    assert (named[1] if named else unit.stem) == "lullwave"


def test_the_image_is_built_of_what_the_dockerfile_copies_and_of_nothing_secret():
    copied = [
        Path(word)
        for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", (DEPLOY / "docker" / "Dockerfile").read_text())
        for word in line.split()[:-1]
    ]
    ignored = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().split()
    assert copied
    assert all((DEPLOY.parent / path).exists() for path in copied)
    assert ignored[0] == "*"
    assert sorted(line[1:] for line in ignored if line[0] == "!") == sorted(map(str, copied))


@pytest.mark.parametrize("file", COMPOSE, ids=lambda f: f.name)
def test_compose_files_name_files_secrets_and_volumes_that_exist(file):
    yaml = pytest.importorskip("yaml")
    composed = yaml.safe_load(file.read_text())
    # Without a name the folder's counts: "docker", which other projects' folders are called too.
    assert composed["name"] == ("lullwave-inference" if "inference" in composed["services"] else "lullwave")
    for service in composed["services"].values():
        assert (file.parent / service["build"]["context"] / service["build"]["dockerfile"]).resolve().is_file()
        assert service["command"][0] in ("serve", "inference")
        assert set(service.get("secrets", ())) <= set(composed.get("secrets", ()))
        assert {volume.split(":")[0] for volume in service["volumes"]} <= set(composed["volumes"])
        port = {"serve": "8000:8000", "inference": "8001:8001"}[service["command"][0]]
        assert service["ports"] == [port]
