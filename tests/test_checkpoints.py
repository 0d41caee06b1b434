"""Models pulled from a small hub on loopback: complete, interrupted and resumed, refused, listed, removed."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("huggingface_hub")

from lullwave import checkpoints
from lullwave.errors import CheckpointError, NotFound

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = bytes(range(256)) * 4000
FILES = {
    "config.json": b'{"model_type": "musicgen"}',
    "tokenizer.json": b"{}",
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"the same again",
    "compression_state_dict.bin": b"another program's",
    "README.md": b"words",
}


class Hub(ThreadingHTTPServer):
    """The few pages of the hub that its client asks for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Page)
        self.cut_after = None  # bytes of the weights after which the connection breaks
        self.ranges = []
        self.fetched = []
        self.sizes = {name: len(data) for name, data in FILES.items()}


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/someone/model"):
            siblings = [{"rfilename": n, "size": self.server.sizes[n]} for n in FILES]
            siblings[2]["lfs"] = {"sha256": hashlib.sha256(WEIGHTS).hexdigest(), "size": 1, "pointerSize": 1}
            page = {"id": "someone/model", "sha": COMMIT, "siblings": siblings, "tags": ["license:cc-by-nc-4.0"]}
            self.send(200, json.dumps(page).encode(), body)
        elif found := re.fullmatch(r"/someone/model/resolve/[^/]+/(.+)", path):
            self.file(found[1], body)
        else:
            self.send(404, b"{}", body, {"X-Error-Code": "RepoNotFound"})

    def file(self, name, body):
        data = FILES[name]
        marks = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        start = 0
        if asked := self.headers.get("Range"):
            start = int(re.match(r"bytes=(\d+)-", asked)[1])
            marks["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if body:
            self.server.fetched.append(name)
            if start:
                self.server.ranges.append((name, start))
        cut = self.server.cut_after if body and name == "model.safetensors" else None
        self.send(206 if start else 200, data[start:], body, marks, cut)

    def send(self, status, data, body, marks=None, cut=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(marks or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data[:cut])
        if cut is not None:
            self.wfile.flush()
            self.connection.shutdown(2)
            self.close_connection = True


@pytest.fixture
def hub(monkeypatch, tmp_path):
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("LULLWAVE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_model_is_pulled_listed_found_and_removed(hub):
    seen = []
    got = checkpoints.pull("someone/model", lambda name, done, total: seen.append((name, done, total)))
    wanted = {"config.json", "tokenizer.json", "model.safetensors"}
    assert wanted == set(hub.fetched)
    assert (got.path / "model.safetensors").read_bytes() == WEIGHTS
    total = sum(len(FILES[name]) for name in wanted)
    assert seen[-1][1:] == (total, total)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert (got.licence, got.revision, got.bytes) == ("cc-by-nc-4.0", COMMIT, total)
    assert checkpoints.installed() == [got]
    hub.fetched.clear()
    assert checkpoints.locate("someone/model") == got.path
    assert checkpoints.locate("someone/model", offline=True) == got.path
    assert hub.fetched == []
    checkpoints.remove("someone/model")
    assert checkpoints.installed() == []
    with pytest.raises(NotFound):
        checkpoints.remove("someone/model")


def test_an_interrupted_pull_is_an_error_and_the_next_one_resumes(hub, tmp_path):
    hub.cut_after = 0
    with pytest.raises(CheckpointError, match="run it again"):
        checkpoints.pull("someone/model")
    assert checkpoints.installed() == []
    with pytest.raises(CheckpointError, match="lullwave models pull someone/model"):
        checkpoints.locate("someone/model", offline=True)
    part = tmp_path / "models" / "someone--model" / "model.safetensors.incomplete"
    part.write_bytes(WEIGHTS[:70_000])
    hub.cut_after = 300_000
    got = checkpoints.pull("someone/model")
    assert [start for name, start in hub.ranges if name == "model.safetensors"] == [70_000, 370_000, 670_000, 970_000]
    assert (got.path / "model.safetensors").read_bytes() == WEIGHTS
    assert not part.exists()


def test_a_file_with_another_hash_is_deleted(hub, tmp_path):
    part = tmp_path / "models" / "someone--model" / "model.safetensors.incomplete"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    with pytest.raises(CheckpointError, match="SHA-256 differ"):
        checkpoints.pull("someone/model")
    assert checkpoints.pull("someone/model").path == part.parent


def test_locating_pulls_unless_offline(hub, monkeypatch, caplog):
    with pytest.raises(CheckpointError, match="lullwave models pull someone/model"):
        checkpoints.locate("someone/model", offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match="downloads are off"):
        checkpoints.locate("someone/model")
    assert hub.fetched == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with caplog.at_level("INFO"):
        assert (checkpoints.locate("someone/model") / "config.json").is_file()
    told = [record.getMessage() for record in caplog.records if record.name == "lullwave.checkpoints"]
    assert "someone/model is not installed" in told[0]
    assert "licence: cc-by-nc-4.0" in told[0]
    assert told[-1].startswith("someone/model: 100 %")


def test_errors_say_why_a_model_cannot_be_pulled(hub, monkeypatch):
    with pytest.raises(CheckpointError, match="no model 'someone/else'"):
        checkpoints.pull("someone/else")
    with pytest.raises(CheckpointError, match="neither a directory"):
        checkpoints.locate("no such thing")
    with pytest.raises(CheckpointError):
        checkpoints.locate("../up")
    hub.sizes["model.safetensors"] = 10**18
    with pytest.raises(CheckpointError, match="LULLWAVE_MODELS_DIR"):
        checkpoints.pull("someone/model")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(CheckpointError, match="run it again"):
        checkpoints.pull("someone/model")


def test_a_directory_or_a_file_is_itself(tmp_path):
    assert checkpoints.locate(str(tmp_path)) == tmp_path
    file = tmp_path / "one.safetensors"
    file.touch()
    assert checkpoints.locate(str(file)) == file


def test_each_folder_is_pulled_in_its_best_form():
    """As published: full and fp16 beside one another, fp16 alone, shards, older formats, training states."""
    forms = {
        "unet/": ["diffusion_pytorch_model.fp16-00001-of-00002.safetensors", "diffusion_pytorch_model.fp16.bin"],
        "vae/": ["diffusion_pytorch_model.bin", "diffusion_pytorch_model.fp16.safetensors"],
        "text_encoder/": ["model-00001-of-00002.fp16.safetensors"],
        "safety_checker/": ["model.safetensors", "model.fp16.safetensors", "pytorch_model.bin"],
        "": ["model_index.json", "og_beat.png", "v1-5-pruned.ckpt", "unet_ema.safetensors", "model.safetensors"],
    }
    chosen = checkpoints._chosen({folder + name: 1 for folder, names in forms.items() for name in names})
    assert set(chosen) == {
        "unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
        "vae/diffusion_pytorch_model.bin",
        "text_encoder/model-00001-of-00002.fp16.safetensors",
        "safety_checker/model.safetensors",
        "model_index.json",
        "og_beat.png",
    }


def test_of_a_modular_pipeline_only_the_folders_that_its_index_names_are_pulled(hub, monkeypatch):
    parts = {"transformer": [None, None, {"subfolder": "transformer"}], "text": [None, None, {"subfolder": "encoder"}]}
    files = {
        "modular_model_index.json": json.dumps({"_class_name": "X", **parts}).encode(),
        "encoder/model.safetensors": b"a",
        "qwen/config.json": b"{}",
        "qwen/model-00001-of-00001.safetensors": b"for another program",
        "transformer/config.json": b"{}",
        "transformer/diffusion_pytorch_model.safetensors": b"b",
    }
    monkeypatch.setattr(hub, "sizes", hub.sizes | {name: len(data) for name, data in files.items()})
    for name, data in files.items():
        monkeypatch.setitem(FILES, name, data)
    place = checkpoints.pull("someone/model").path
    found = {str(file.relative_to(place)) for file in place.rglob("*") if file.is_file()}
    assert found == {name for name in files if not name.startswith("qwen")} | {
        "config.json",
        "tokenizer.json",
        "lullwave-model.json",
    }
    monkeypatch.setitem(FILES, "modular_model_index.json", b"[" + files["modular_model_index.json"][1:])
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoints.pull("someone/model")


def test_weights_under_other_names_are_told(hub, monkeypatch):
    monkeypatch.delitem(FILES, "model.safetensors")
    monkeypatch.delitem(FILES, "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"but: compression_state_dict\.bin"):
        checkpoints.pull("someone/model")
