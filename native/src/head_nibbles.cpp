// Keys and values as nibbles, and bytes of them, compiled once for each instruction set: LEVEL is its name.
#include "attention_kernels.hpp"
#include "vectors.hpp"

namespace lullwave {
namespace LEVEL {

std::uint32_t pack_head(const float* x, int size, NibbleOrder order, std::uint8_t* out) {
  constexpr float kEnd = 7.5f;  // where the peak of a quarter is put: half a step beyond the last level on one side
  const int quarter = size / kQuarters;
  float peaks[kQuarters], steps[kQuarters], most = 0;
  for (int j = 0; j < kQuarters; j++) {
    const float* from = x + j * quarter;
    F8 sizes = {};
    int c = 0;
    for (; c + kLane <= quarter; c += kLane) sizes = larger(sizes, absolute(load(from + c)));
    F8 rest = {};
    for (int i = 0; c + i < quarter; i++) rest[i] = from[c + i];
    peaks[j] = largest(larger(sizes, absolute(rest)));
    most = peaks[j] > most ? peaks[j] : most;
  }
  std::uint32_t word = 0;
  float scale = 0;
  if (most > kLeastPeak) {
    const float exact = most / (kEnd * float(kMostFactor));
    std::memcpy(&word, &exact, sizeof word);
    word = (word + ~kScaleMask) & kScaleMask;  // rounded up
    std::memcpy(&scale, &word, sizeof scale);
  }
  for (int j = 0; j < kQuarters; j++) {
    float factor = rounded(all(scale > 0 ? peaks[j] / (kEnd * scale) : 0.0f))[0];
    factor = factor > 1.0f ? factor : 1.0f;
    factor = factor < float(kMostFactor) ? factor : float(kMostFactor);
    word |= std::uint32_t(factor) << (j * kFactorBits);
    steps[j] = scale > 0 ? 1.0f / (scale * factor) : 0.0f;
  }
  for (int c = 0; c < size; c += kLane) {
    F8 step = all(steps[c / quarter]);
    for (int i = 0; quarter % kLane && i < kLane; i++) step[i] = steps[(c + i) / quarter];
    const F8 levels = larger(smaller(rounded(load(x + c) * step), all(7.0f)), all(-8.0f)) + 8.0f;
    std::int8_t bytes[kLane];
    store_bytes(bytes, __builtin_convertvector(levels, I8));
    const bool second = c >= size / 2;  // half of the head
    for (int i = 0; i < kLane; i++) {
      std::uint8_t& both = out[order.at(c + i - (second ? size / 2 : 0))];
      both = std::uint8_t(second ? both | bytes[i] << kFactorBits : bytes[i]);
    }
  }
  return word;
}

void unpack_heads(const std::uint8_t* nibbles, const std::uint32_t* words, int count, int size, NibbleOrder order,
                  std::int8_t* bytes, float* scales) {
  constexpr int kPiece = 16;  // bytes that are put side by side first: the rest is done in vectors
  const int half = size / 2, quarter = size / kQuarters;
  for (int t = 0; t < count; t++, bytes += size) {
    const std::uint32_t bits = words[t] & kScaleMask;
    std::memcpy(scales + t, &bits, sizeof bits);
    const std::uint8_t* from = nibbles + std::size_t(t / order.together * order.together) * half + order.begin(t);
    for (int j = 0; j < kQuarters / 2; j++) {
      const auto factor = [&](int which) { return int(words[t] >> (which * kFactorBits) & kMostFactor); };
      const int low = factor(j), high = factor(j + kQuarters / 2);
      for (int at = j * quarter; at < (j + 1) * quarter; at += kPiece) {
        const int here = (j + 1) * quarter - at < kPiece ? (j + 1) * quarter - at : kPiece;
        std::uint8_t both[kPiece] = {};
        for (int i = 0; i < here; i += order.width) {
          if (order.width == kOrderOfKeys.width) std::memcpy(both + i, from + order.at(at + i), kOrderOfKeys.width);
          else both[i] = from[order.at(at + i)];
        }
        for (int i = 0; i < here; i++) {
          bytes[at + i] = std::int8_t(((both[i] & 15) - 8) * low);
          bytes[half + at + i] = std::int8_t(((both[i] >> kFactorBits) - 8) * high);
        }
      }
    }
  }
}

}  // namespace LEVEL
}  // namespace lullwave
