// Exercises the layers in bfloat16: a row depends neither on its company nor on the number of threads, and a layer without
// its weights or with impossible sizes is refused.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>

#include "transformer.hpp"

using namespace lullwave;

namespace {

constexpr int kRowCount = 2, kTextLength = 41, kKnown = 9, kHalf = 16;

std::mt19937 generator(2);

std::vector<float> noise(std::size_t count, float size = 1.0f) {
  std::normal_distribution<float> normal;
  std::vector<float> out(count);
  for (float& x : out) x = size * normal(generator);
  return out;
}

std::vector<Bf16> weights(std::size_t outputs, std::size_t inputs) {
  const std::vector<float> exact = noise(outputs * inputs, 0.1f);
  std::vector<Bf16> out(exact.size());
  for (std::size_t i = 0; i < exact.size(); i++) {
    std::uint32_t bits;
    std::memcpy(&bits, &exact[i], sizeof bits);
    out[i] = Bf16(bits >> 16);
  }
  return out;
}

void fill(TransformerLayer& layer, bool text) {
  for (int i = 0; i < kLayerProducts; i++) {
    const auto which = LayerProduct(i);
    if (!text && (which == LayerProduct::kTextQueries || which == LayerProduct::kTextOut)) continue;
    const auto [inputs, outputs] = layer.shape(which);
    const bool biased = which == LayerProduct::kFeedIn || which == LayerProduct::kFeedOut;
    layer.set_product(which, weights(outputs, inputs).data(), biased ? noise(outputs).data() : nullptr);
  }
  for (int i = 0; i < kLayerNorms; i++) {
    const auto which = LayerNorm(i);
    const bool of_head = which == LayerNorm::kQueries || which == LayerNorm::kKeys || which == LayerNorm::kTextQueries;
    const int size = of_head ? kHead : layer.sizes().width;
    layer.set_norm(which, 0.7f, 1e-5f, noise(size), layer.sizes().tanh ? noise(size) : std::vector<float>());
  }
}

bool check(const TileKernels& kernels, const LayerSizes& sizes, int length) {
  const bool text = sizes.band < 0;
  TransformerLayer layer(sizes);
  fill(layer, text);
  const std::size_t size = std::size_t(length) * sizes.width, parts = std::size_t(sizes.maps) * sizes.heads * kTextLength * kHead;
  const int known = std::min(kKnown, length);
  const std::vector<float> x = noise(kRowCount * size), modulation = noise(6 * kRowCount * std::size_t(sizes.width)),
                           cos = noise(std::size_t(length) * kHalf), sin = noise(std::size_t(length) * kHalf),
                           keys = noise(kRowCount * parts), values = noise(kRowCount * parts), bias = noise(kTextLength),
                           knowledge = noise(std::size_t(kRowCount) * known * sizes.width);
  // Rows from `first` on, of which there are `rows`.
  const auto made = [&](LayerTeam& team, int first, int rows) {
    std::vector<float> out(x.begin() + first * size, x.begin() + (first + rows) * size), own;
    for (int part = 0; part < 6; part++)
      for (int r = first; r < first + rows; r++) {
        const float* from = modulation.data() + (std::size_t(part) * kRowCount + r) * sizes.width;
        own.insert(own.end(), from, from + sizes.width);
      }
    layer.run(team, {out.data(), rows, length, text ? own.data() : nullptr, {cos.data(), sin.data(), kHalf},
                     text ? keys.data() + first * parts : nullptr, text ? values.data() + first * parts : nullptr,
                     text ? bias.data() : nullptr, text ? kTextLength : 0,
                     text ? knowledge.data() + std::size_t(first) * known * sizes.width : nullptr, text ? known : 0});
    return out;
  };
  LayerTeam one(1, kernels.name), three(3, kernels.name);
  const std::vector<float> together = made(one, 0, kRowCount);
  bool fine = together == made(three, 0, kRowCount);
  for (int row = 0; row < kRowCount; row++) {
    const std::vector<float> alone = made(three, row, 1);
    fine &= std::memcmp(alone.data(), together.data() + row * size, size * sizeof(float)) == 0;
  }
  for (float value : together) fine &= value - value == 0.0f;
  std::printf("%s, a layer of %d channels, %d positions: %s\n", kernels.name, sizes.width, length, fine ? "fine" : "WRONG");
  return fine;
}

bool refused() {
  int errors = 0;
  const auto attempt = [&](auto&& action) {
    try {
      action();
    } catch (const std::invalid_argument&) {
      errors++;
    }
  };
  attempt([] { TransformerLayer({100, 1, 1, 64, -1, false, false}); });
  attempt([] { TransformerLayer({64, 1, 3, 64, -1, false, false}); });
  attempt([] { TransformerLayer({64, 1, 1, 100, -1, false, false}); });
  attempt([] { TransformerLayer({64, 1, 1, 64, 2147483647, false, false}); });
  attempt([] { LayerTeam(1, "unknown"); });
  attempt([] { LayerTeam(0, ""); });
  attempt([] { LayerTeam(1000000, ""); });
  return errors == 7;
}

}  // namespace

bool check_layers() {
  bool fine = refused();
  for (const TileKernels* kernels : usable_tile_kernels())
    for (int length : {1, 16, 33, 530}) {
      fine &= check(*kernels, {128, 2, 1, 192, -1, false, false}, length);
      fine &= check(*kernels, {64, 3, 2, 64, 17, true, true}, length);
    }
  return fine;
}
