// Draws tokens from logits: guidance, temperature, top-k, top-p. `draw` in lullwave/engines/musicgen/sampling.py defines it.
#pragma once
#include <cstdint>
#include <vector>

namespace lullwave {

struct SamplingSettings {
  float guidance, temperature;
  int top_k;  // 0: all
  float top_p;
};

// Room of a draw, kept between draws.
struct Ranked {
  float logit;
  std::int32_t token;
};

// Draws one token from `size` logits: those of the prompt, and of the other row or null. `chance` is within [0, 1).
// Logits that are no numbers count as the least ones. `room` is resized as needed.
std::int64_t draw(const float* wanted, const float* other, int size, const SamplingSettings& settings, float chance,
                  std::vector<Ranked>& room);

}  // namespace lullwave
