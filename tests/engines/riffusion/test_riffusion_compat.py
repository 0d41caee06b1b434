"""``compat`` against an independent implementation of Riffusion's pipeline.

``reference.py`` beside this file was written from a description of the old pipeline and shares no code with the
engine; it uses the parts of diffusers and transformers directly. Its ``run_reference`` returns the final latents,
float32 (4, H/8, W/8), scaled as the UNet sees them, and the image, uint8 (H, W, 3). Everything runs on the CPU in
float32, with the scheduler that the checkpoint names: PNDM in one test, DDIM in the other.
"""

import json
import shutil
from functools import cache
from importlib import util
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from pictures import picture  # noqa: E402

from lullwave.engines.riffusion.clip_options import DenoisingConfig, Interpolation, PromptInput  # noqa: E402
from lullwave.engines.riffusion.model.random_checkpoint import SCHEDULER  # noqa: E402
from lullwave.engines.riffusion.model.weights import load  # noqa: E402
from lullwave.engines.riffusion.pipeline import Pipeline  # noqa: E402

_FILE = Path(__file__).with_name("reference.py")

REQUESTS = {
    "between two prompts": {
        "start": {"prompt": "church bells, (warm:1.3) [piano]", "seed": 42, "denoising": 0.75, "guidance": 7.0},
        "end": {"prompt": "jazz (with ((piano))) \\(live\\)", "seed": 123, "denoising": 0.75, "guidance": 7.0},
        "alpha": 0.25,
        "num_inference_steps": 12,
    },
    "between seeds, two strengths and guidances": {
        "start": {"prompt": "techno DJ", "seed": 7, "denoising": 0.9, "guidance": 9.5},
        "end": {"prompt": "techno DJ", "seed": 8, "denoising": 0.45, "guidance": 3.0},
        "alpha": 0.5,
        "num_inference_steps": 15,
    },
    "at the end": {
        "start": {"prompt": "a", "seed": 1, "denoising": 1.0},
        "end": {"prompt": "b", "seed": 2, "denoising": 1.0},
        "alpha": 1,
        "num_inference_steps": 5,
    },
    "without guidance": {
        "start": {"prompt": "a (b:0.5)", "seed": 1, "guidance": 1.0},
        "end": {"prompt": "c", "seed": 1, "guidance": 1.0},
        "alpha": 0.75,
        "num_inference_steps": 10,
    },
    "of two long prompts": {
        "start": {"prompt": "a river (of:1.2) bright bells " * 6, "seed": 5},
        "end": {"prompt": "an [old] organ in a hall of stone " * 4, "seed": 6},
        "alpha": 0.5,
        "num_inference_steps": 6,
    },
    "without any strength": {
        "start": {"prompt": "a", "seed": 1, "denoising": 0.0},
        "end": {"prompt": "b", "seed": 2, "denoising": 0.0},
        "alpha": 0.5,
        "num_inference_steps": 6,
    },
}


# The checkpoint's scheduler, the request, and whether there is a mask: all pairs of the three.
CASES = [
    *(("PNDM", name, masked) for name in REQUESTS for masked in (False, True)),
    *(("DDIM", name, n % 2 == 1) for n, name in enumerate(REQUESTS)),
]


@cache
def pipeline_of(folder):
    return Pipeline(load(folder, torch.device("cpu"), torch.float32))


@pytest.fixture(scope="module")
def checkpoint_of(request, checkpoint, tmp_path_factory):
    if request.param == "PNDM":
        return checkpoint
    copy = shutil.copytree(checkpoint, tmp_path_factory.mktemp("ddim") / "tiny")
    shutil.rmtree(copy / "scheduler")
    settings = {key: value for key, value in SCHEDULER.items() if key != "skip_prk_steps"}
    diffusers.DDIMScheduler(**settings, clip_sample=False).save_pretrained(copy / "scheduler")
    index = json.loads((copy / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", "DDIMScheduler"]
    (copy / "model_index.json").write_text(json.dumps(index))
    return copy


@pytest.mark.parametrize(("checkpoint_of", "name", "masked"), CASES, indirect=["checkpoint_of"])
def test_compat_is_the_old_behaviour(checkpoint_of, small_mask, name, masked):
    spec = util.spec_from_file_location("riffusion_reference", _FILE)
    assert spec is not None
    assert spec.loader is not None
    reference = util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    body = REQUESTS[name]
    image = picture(144, 128, 4)  # its width is rounded down to 128
    mask = small_mask.resize(image.size) if masked else None

    latents, pixels = reference.run_reference(checkpoint_of, body, image, mask)

    pipeline = pipeline_of(checkpoint_of)
    clip = Interpolation(
        PromptInput(**body["start"]),
        PromptInput(**body["end"]),
        body["alpha"],
        num_inference_steps=body["num_inference_steps"],
    )
    config = DenoisingConfig(steps=body["num_inference_steps"], compat=True)
    found = pipeline.latents([pipeline.image_request(clip, image, mask)], config)[0]
    assert latents.shape == tuple(found.shape)
    np.testing.assert_allclose(found.numpy(), latents, rtol=2e-5, atol=2e-5 * float(np.abs(latents).max()))
    ours = np.asarray(pipeline.decode(found)).astype(int)
    assert pixels.shape == ours.shape
    assert np.abs(ours - pixels.astype(int)).max() <= 1
