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
  using B16 = std::uint8_t __attribute__((vector_size(16)));
  constexpr int kFew = 4;  // positions, and channels of them, that are made together
  static_assert(kFew * kFew == sizeof(B16) && kOrderOfKeys.width == kFew && kOrderOfValues.together == kFew);
  const int half = size / 2, quarter = size / kQuarters;
  for (int t = 0; t < count; t += kFew, bytes += kFew * size) {
    const int here = count - t < kFew ? count - t : kFew;
    const std::uint8_t* from = nibbles + std::size_t(t / order.together * order.together) * half + order.begin(t);
    for (int p = 0; p < here; p++) {
      const std::uint32_t bits = words[t + p] & kScaleMask;
      std::memcpy(scales + t + p, &bits, sizeof bits);
    }
    for (int j = 0; j < kQuarters / 2; j++) {
      const auto factors = [&](int which) {  // four times that of each position
        std::uint32_t found[kFew] = {};
        for (int p = 0; p < here; p++) found[p] = (words[t + p] >> (which * kFactorBits) & kMostFactor) * 0x01010101u;
        B16 made;
        std::memcpy(&made, found, sizeof made);
        return made;
      };
      const B16 low = factors(j), high = factors(j + kQuarters / 2);
      for (int i = j * quarter; i < (j + 1) * quarter; i += kFew) {
        B16 both;
        std::memcpy(&both, from + order.at(i), sizeof both);
        if (order.width == 1)  // four channels of each position
          both = __builtin_shufflevector(both, both, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        const B16 made[2] = {(both & 15) * low - 8 * low, (both >> kFactorBits) * high - 8 * high};
        for (int which = 0; which < 2; which++)
          for (int p = 0; p < here; p++)
            std::memcpy(bytes + p * size + which * half + i, reinterpret_cast<const std::uint8_t*>(&made[which]) + kFew * p,
                        kFew);
      }
    }
  }
}

}  // namespace LEVEL
}  // namespace lullwave
