"""``lullwave inference``: its flags and variables. What it serves is tested with the server."""

import subprocess
import sys


def test_the_environment_says_how_an_inference_server_loads_its_engine(environment, tmp_path):
    command = [sys.executable, "-m", "lullwave", "inference", "--engine", "birdsong", "--port", "0"]
    told = environment | {"LULLWAVE_INFERENCE_OPTION": "nests=3 eggs=4"}
    ran = subprocess.run(command, capture_output=True, env=told, cwd=tmp_path, timeout=120)
    assert ran.returncode == 2
    assert b"nests" in ran.stderr
    assert b"Traceback" not in ran.stderr
