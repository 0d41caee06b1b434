"""Whatever JSON is sent, it is understood or refused by name: every field, fuzzed."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from lullwave.engines.riffusion import legacy_api
from lullwave.engines.riffusion.clip_options import Interpolation, PromptInput
from lullwave.errors import InvalidInput
from lullwave.server.routes.riffusion import _json, _unwrapped

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["og_beat", "", "../x", "/etc/passwd", "mask_top_third_75", "nowhere", "a" * 101])
ENDS = st.fixed_dictionaries(
    {"prompt": st.text(max_size=30) | ANYTHING, "seed": st.integers(-5, 2**70) | ANYTHING},
    optional={
        "negative_prompt": st.none() | st.text(max_size=10) | ANYTHING,
        "denoising": st.floats(0, 1) | ANYTHING,
        "guidance": st.floats(0, 20) | ANYTHING,
    },
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "start": ENDS | ANYTHING,
        "end": ENDS | ANYTHING,
        "alpha": st.floats(0, 1) | st.integers(0, 1) | ANYTHING,
        "num_inference_steps": st.integers(1, 60) | ANYTHING,
        "seed_image_id": NAMES | ANYTHING,
        "mask_image_id": NAMES | st.none() | ANYTHING,
        "unknown": ANYTHING,
    },
)


@settings(max_examples=400, deadline=None)
@given(BODIES)
def test_bodies_are_understood_or_refused_by_name(body):
    clip, refused = None, None
    try:
        clip = legacy_api.parse(body)
    except InvalidInput as error:
        refused = error
    if refused is not None:
        assert refused.field
        assert json.dumps(str(refused)).encode()  # it can be sent
        return
    assert isinstance(clip, Interpolation)
    for end in (clip.start, clip.end):
        assert isinstance(end, PromptInput)
        end.prompt.encode()
        assert 0 <= end.denoising <= 1
    assert 0 <= clip.strength <= 1
    assert 0 <= clip.guidance <= 100
    assert clip.mask_image_id != ""
    assert "/" not in clip.seed_image_id


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda s: s.encode("utf-8", "surrogatepass")))
def test_bytes_are_a_json_object_or_refused(data):
    try:
        body, _ = _unwrapped(_json(data))
    except InvalidInput:
        return
    assert isinstance(body, dict)
