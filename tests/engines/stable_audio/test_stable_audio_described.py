"""The stream against a second one, written from `docs/how/stable-audio.md` with the networks of diffusers and NumPy."""

import hashlib
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import lullwave  # noqa: E402

SEED, STEPS, FIRST_STEPS = 5, 2, 1
WINDOW_S, CONTEXT_S, FIRST_S, TAIL_S = 12.0, 3.0, 2.0, 2.0
PROMPTS = ("rainy piano", "warm drums")
WINDOWS = 10
CHANGED_AT, OVER_S = 200 * 1024 + 7, 4.0  # a frame within the fourth window


class Described:
    """The stream of the page, window by window, with one change of prompt."""

    def __init__(self, checkpoint):
        self.pipeline = diffusers.StableAudio3InpaintPipeline.from_pretrained(checkpoint)
        config = self.pipeline.vae.config
        self.rate, self.hop, self.size = config.sampling_rate, self.pipeline.vae.downsampling_ratio, config.latent_dim
        self.reach = self._reach()
        self.latents = torch.zeros(self.size, 0)

    def count(self, seconds):
        return max(1, round(seconds * self.rate / self.hop))

    def _reach(self):
        """Latents on each side whose sound changes when one latent does."""
        latents = torch.randn(1, self.size, 31, generator=torch.Generator().manual_seed(1))
        other = latents.clone()
        other[..., 15] += 1.0
        changed = (self._decoded(latents) != self._decoded(other)).any(0).reshape(31, self.hop).any(1)
        return int((changed.nonzero() - 15).abs().max())

    @torch.inference_mode()
    def _decoded(self, latents):
        return self.pipeline.vae.decode(latents).sample[0]

    def noise(self, first, count, step):
        digest = hashlib.blake2b(f"{SEED}/stable-audio".encode(), digest_size=16).digest()
        key = int.from_bytes(digest, "little")
        drawn = []
        for n in range(first, first + count):
            generator = np.random.Philox(key=key, counter=np.array([0, 0, n % 2**64, step], np.uint64))
            drawn.append(np.random.Generator(generator).standard_normal(self.size, np.float32))
        return torch.from_numpy(np.array(drawn).T.copy())

    def text(self, prompt):
        states, mask = self.pipeline.encode_prompt([prompt], torch.device("cpu"), 1)
        return torch.where(mask[..., None] > 0, states, self.pipeline.transformer.prompt_padding_embedding)

    def levels(self, steps):
        """Noise levels: sigmoid(-logsnr), logsnr from -6.2 to 2 in even steps; the first is 1 and the last 0."""
        logsnr = np.linspace(-6.2, 2.0, steps + 1)
        return [1.0, *(1.0 / (1.0 + np.exp(logsnr[1:-1]))), 0.0]

    @torch.inference_mode()
    def paint(self, began):
        """Append the next window; ``began`` is the latent at which the stream began or the prompt changed."""
        start, window = self.latents.shape[1], self.count(WINDOW_S)
        kept = min(window, max(min(self.count(FIRST_S), window), 2 * (start - began)))
        context = min(self.count(CONTEXT_S), start)
        length = context + kept + self.count(TAIL_S)
        middle = (start + kept // 2) * self.hop
        share = min(1.0, max(0.0, (middle - CHANGED_AT) / (OVER_S * self.rate))) if began else 0.0
        states = (1.0 - share) * self.text(PROMPTS[0]) + share * self.text(PROMPTS[1])
        told = self.pipeline.encode_duration(length * self.hop / self.rate, torch.device("cpu"), 1, 1)
        states, mask = self.pipeline.prepare_cross_attention(states, torch.ones(states.shape[:2]), told)
        known = None
        if context:
            known = torch.zeros(1, 1 + self.size, length)
            known[0, 0, :context] = 1.0
            known[0, 1:, :context] = self.latents[:, start - context :]
        steps = FIRST_STEPS if start == began else STEPS
        levels = self.levels(steps)
        latents = self.noise(start - context, length, 0)
        for step in range(steps):
            level = torch.tensor([levels[step]], dtype=torch.float32)
            velocity = self.pipeline.transformer(latents[None], level, states, told, mask, known).sample[0]
            after = levels[step + 1]
            end = latents - levels[step] * velocity
            latents = (1.0 - after) * end + after * self.noise(start - context, length, step + 1)
        self.latents = torch.cat([self.latents, latents[:, context : context + kept].float()], 1)
        return share

    def sound(self):
        """(T, C): the sound of all latents, decoded in parts that overlap by more than the reach."""
        parts, total, size = [], self.latents.shape[1], 150
        for first in range(0, total, size):
            left, right = max(0, first - self.reach), min(total, first + size + self.reach)
            decoded = self._decoded(self.latents[None, :, left:right])
            parts.append(decoded[:, (first - left) * self.hop : (min(total, first + size) - left) * self.hop])
        return torch.cat(parts, 1).numpy().T


def test_ten_windows_with_a_change_of_prompt_equal_the_description(checkpoint):
    described = Described(checkpoint)
    for _ in range(4):
        described.paint(0)
    before = described.sound()
    began = math.ceil(CHANGED_AT / described.hop) + described.reach
    described.latents = described.latents[:, :began]
    shares = [described.paint(began) for _ in range(WINDOWS - 4)]
    assert 0.2 < shares[0] < 0.8 < shares[1] == 1.0  # so that a blend is compared, too
    expected = described.sound()
    safe = len(expected) - described.reach * described.hop  # the last ones are heard with the window that follows
    largest = 2e-5 * np.abs(expected).max() + 1e-6
    assert np.abs(before[: len(expected)][CHANGED_AT:] - expected[CHANGED_AT : len(before)]).max() > 100 * largest
    options = {"steps": STEPS, "first_steps": FIRST_STEPS, "window_s": WINDOW_S, "context_s": CONTEXT_S}
    with lullwave.load_engine("stable-audio", checkpoint=str(checkpoint), device="cpu", dtype="float32") as engine:
        assert (engine.rate, engine.hop, engine.size) == (described.rate, described.hop, described.size)
        with engine.stream(lullwave.Request(PROMPTS[0], SEED, None, options)) as playing:
            begun = playing.read(CHANGED_AT).samples
            playing.steer(PROMPTS[1], over_s=OVER_S)
            rest = playing.read(safe - CHANGED_AT - 20 * described.rate).samples
            with engine.restore(playing.snapshot()) as restored:
                last = restored.read(20 * described.rate).samples
    made = np.concatenate([begun, rest, last])
    assert made.shape == (safe, 2)
    assert np.abs(made - expected[:safe]).max() < largest
