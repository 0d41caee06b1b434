#include "sampling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lullwave {

namespace {

constexpr float kColdest = 1e-6f;  // lowest temperature: logits divided by less may overflow

bool before(const Ranked& a, const Ranked& b) { return a.logit != b.logit ? a.logit > b.logit : a.token < b.token; }

}  // namespace

std::int64_t draw(const float* wanted, const float* other, int size, const SamplingSettings& settings, float chance,
                  std::vector<Ranked>& room) {
  room.resize(size);
  const float guidance = settings.guidance;
  for (int i = 0; i < size; i++) {
    float logit = other && guidance != 1.0f ? other[i] + (wanted[i] - other[i]) * guidance : wanted[i];
    if (std::isnan(logit)) logit = -std::numeric_limits<float>::infinity();
    room[i] = {logit, i};
  }
  if (!(settings.temperature > 0.0f)) return std::min_element(room.begin(), room.end(), before)->token;
  const int kept = settings.top_k > 0 ? std::min(settings.top_k, size) : size;
  if (kept < size) std::nth_element(room.begin(), room.begin() + kept, room.end(), before);
  std::sort(room.begin(), room.begin() + kept, before);
  const float warm = std::max(settings.temperature, kColdest), most = room[0].logit / warm;
  if (!std::isfinite(most)) return room[0].token;
  double total = 0.0;
  for (int i = 0; i < kept; i++) total += room[i].logit = std::exp(room[i].logit / warm - most);
  double mass = 0.0;
  int held = 0;  // of the most likely tokens, those that hold the share top_p
  for (; held < kept && (held == 0 || float(mass) < settings.top_p); held++)
    mass += room[held].logit = float(room[held].logit / total);
  const float drawn = chance * float(mass);
  double seen = 0.0;
  int last = 0;
  for (int i = 0; i < held && room[i].logit > 0.0f; i++) {
    last = i;
    if (float(seen += room[i].logit) > drawn) break;
  }
  return room[last].token;
}

}  // namespace lullwave
