// Attention to a past of nibbles in whole numbers: see attention_kernels.cpp.
//
// A byte of a position holds a channel of the first half of the head and the one 32 further on, so that two operations
// give the numbers of four channels of 16 keys, twice, or of 16 channels of four values, twice. High nibbles stay where
// they are in the byte, and their sums are 16 times as large. A quarter's factor is applied to its sum of products with a
// key, and to the share of a value.
#pragma once
#include "whole_attention.hpp"

#if defined(__AVX512VNNI__) && defined(__AVX512F__)
namespace lullwave {
namespace LEVEL {
namespace {

constexpr int kNibbleBytes = kHead / 2;  // of a position
constexpr int kQuarter = kHead / kQuarters;
constexpr int kZero = 8;  // the nibble that stands for 0
constexpr int kUpper = 16;  // times the number: a high nibble where it is
constexpr int kLine = 64;
constexpr int kLinesOfQuarter = kQuarter / kOrderOfKeys.width;
static_assert(kOrderOfKeys.together == kPositions && kOrderOfKeys.width == 4 && kOrderOfValues.together == 4);

// The low nibbles of 64 bytes, and the high ones, times kUpper.
inline void split_nibbles(const std::uint8_t* bytes, __m512i (&parts)[2]) {
  const __m512i both = _mm512_loadu_si512(bytes);
  parts[0] = _mm512_and_si512(both, _mm512_set1_epi8(15));
  parts[1] = _mm512_and_si512(both, _mm512_set1_epi8(std::int8_t(0xf0)));
}

inline __m512i four_of(const std::int8_t* bytes) {
  std::int32_t together;
  std::memcpy(&together, bytes, sizeof together);
  return _mm512_set1_epi32(together);
}

// What the sums of a quarter's products begin with, so that nibbles stand for what they are less kZero.
struct NibbleQuery {
  const WholeQuery& query;
  std::int32_t high[kQuarters], low[kQuarters];

  explicit NibbleQuery(const WholeQuery& query_) : query(query_) {
    for (int j = 0; j < kQuarters; j++) {
      std::int32_t highs = 0, lows = 0;
      for (int c = j * kQuarter; c < (j + 1) * kQuarter; c++) {
        highs += query.high[c];
        lows += query.low[c];
      }
      const int shift = kZero * (j < kQuarters / 2 ? 1 : kUpper);
      high[j] = -shift * highs;
      low[j] = -shift * lows;
    }
  }
};

struct NibbleKeys {
  using Query = NibbleQuery;
  static constexpr int kStored = kNibbleBytes;
  static constexpr int kSoon = kSoonNibbles;
  const std::uint8_t* at;
  const std::uint32_t* words;
  int count;

  NibbleKeys(const void* keys, const void* words_, int count_)
      : at(static_cast<const std::uint8_t*>(keys)), words(static_cast<const std::uint32_t*>(words_)), count(count_) {}

  __m512i words_of(int t) const { return _mm512_maskz_loadu_epi32(positions_of(t, count), words + t); }
  __m512 scales(int t) const {
    return _mm512_castsi512_ps(_mm512_and_si512(words_of(t), _mm512_set1_epi32(int(kScaleMask))));
  }

  // Scores of 16 keys from position `t` on, of which those from `count` on mean nothing.
  __m512i scores(const Query& wanted, int t) const {
    const WholeQuery& query = wanted.query;
    const std::uint8_t* block = at + std::size_t(t) * kNibbleBytes;
    const __m512i found = words_of(t), factor = _mm512_set1_epi32(kMostFactor);
    __m512i all_highs = _mm512_setzero_si512(), all_lows = all_highs;
#pragma GCC unroll 16
    for (int j = 0; j < kQuarters / 2; j++) {  // and the quarter two further on
      __m512i highs[2], lows[2];
#pragma GCC unroll 16
      for (int half = 0; half < 2; half++) {
        highs[half] = _mm512_set1_epi32(wanted.high[j + 2 * half]);
        lows[half] = _mm512_set1_epi32(wanted.low[j + 2 * half]);
      }
#pragma GCC unroll 16
      for (int line = j * kLinesOfQuarter; line < (j + 1) * kLinesOfQuarter; line++) {
        __m512i parts[2];
        split_nibbles(block + line * kLine, parts);
#pragma GCC unroll 16
        for (int half = 0; half < 2; half++) {
          const int c = line * kOrderOfKeys.width + half * kHead / 2;
          highs[half] = _mm512_dpbusd_epi32(highs[half], parts[half], four_of(query.high + c));
          lows[half] = _mm512_dpbusd_epi32(lows[half], parts[half], four_of(query.low + c));
        }
      }
#pragma GCC unroll 16
      for (int half = 0; half < 2; half++) {  // these sums have 15 bits, so that products of 16 bits take them
        const int bits = (j + 2 * half) * kFactorBits;
        const __m512i factors = _mm512_and_si512(bits ? _mm512_maskz_srli_epi32(kAll, found, bits) : found, factor);
        if (half) {
          highs[1] = _mm512_maskz_srai_epi32(kAll, highs[1], kFactorBits);
          lows[1] = _mm512_maskz_srai_epi32(kAll, lows[1], kFactorBits);
        }
        all_highs = _mm512_dpwssd_epi32(all_highs, highs[half], factors);
        all_lows = _mm512_dpwssd_epi32(all_lows, lows[half], factors);
      }
    }
    return _mm512_add_epi32(_mm512_maskz_slli_epi32(kAll, all_highs, 7), all_lows);
  }
};

// Values in 4 bits, and the sum of those that were added, of 16 channels each. A share has 15 bits: times a factor, it is
// divided by 16 and rounded.
struct NibbleValues {
  static constexpr int kStored = kNibbleBytes;
  static constexpr int kSoon = kSoonNibbles;
  static constexpr int kTogether = 2 * kPositions;
  static constexpr float kMost = 32767.0f;
  const std::uint8_t* at;
  const std::uint32_t* words;
  __m512i highs[kQuarters] = {}, lows[kQuarters] = {};
  __m512i all[kQuarters] = {};  // sums of the two bytes of shares: in each part of four numbers, two of low bytes first

  NibbleValues(const void* values, const void* words_)
      : at(static_cast<const std::uint8_t*>(values)), words(static_cast<const std::uint32_t*>(words_)) {}

  Wide scales(int t, int count) const {
    const __m512i found = _mm512_maskz_loadu_epi32(positions_of(t, count), words + t);
    return (Wide)_mm512_castsi512_ps(_mm512_and_si512(found, _mm512_set1_epi32(int(kScaleMask))));
  }

  // Adds 32 values from position `t` on, times shares that are whole numbers when they are rounded, 0 from `count` on.
  void add(int t, int count, const float* shares, __m512 times) {
    // 16 bits of positions t, t + 16, t + 1, t + 17 and so on
    __m512i levels[2], found[2];
    for (int i = 0; i < 2; i++) {
      const int from = t + i * kPositions;
      const __mmask16 those = from < count ? positions_of(from, count) : __mmask16(0);
      levels[i] = _mm512_maskz_cvtps_epi32(kAll, _mm512_maskz_loadu_ps(those, shares + from) * times);
      found[i] = _mm512_maskz_loadu_epi32(those, words + from);
    }
    const __m512i share = _mm512_or_si512(levels[0], _mm512_maskz_slli_epi32(kAll, levels[1], 16));
    const __m512i factors = _mm512_mask_blend_epi16(0xaaaaaaaa, found[0], _mm512_maskz_slli_epi32(kAll, found[1], 16));
    const __m512i place = _mm512_set1_epi16(std::int16_t(kMostFactor << kFactorPlace));
    const __m512i half = _mm512_set1_epi16(128), ones = _mm512_set1_epi8(1);
    // of eight numbers of 16 bits, the low bytes of the four even ones, of the four odd ones, and then the high bytes
    const __m512i order = _mm512_maskz_broadcast_i32x4(
        kAll, _mm_setr_epi8(0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15));
    alignas(64) std::int8_t bytes[kQuarters][kLine];
#pragma GCC unroll 16
    for (int j = 0; j < kQuarters; j++) {
      const int shift = kFactorPlace - j * kFactorBits;
      const __m512i moved = shift > 0 ? _mm512_maskz_slli_epi16(__mmask32(-1), factors, shift)
                                      : _mm512_maskz_srli_epi16(__mmask32(-1), factors, -shift);
      const __m512i made = _mm512_mulhrs_epi16(share, _mm512_and_si512(moved, place));
      // 256 times the upper byte plus the lower one, both signed
      const __m512i both = _mm512_xor_si512(_mm512_add_epi16(made, half), half);
      const __m512i ordered = _mm512_shuffle_epi8(both, order);
      all[j] = _mm512_dpbusd_epi32(all[j], ones, ordered);
      _mm512_store_si512(bytes[j], ordered);
    }
    asm volatile("" ::: "memory");  // bytes are read from memory four times: taking them out of registers costs more
    const std::uint8_t* from = at + std::size_t(t) * kNibbleBytes;
    if (t + kTogether <= count) {
#pragma GCC unroll 16
      for (int i = 0; i < kTogether; i += kOrderOfValues.together) add_four(from, i, bytes);
    } else {
      for (int i = 0; t + i < count; i += kOrderOfValues.together) add_four(from, i, bytes);
    }
  }

  void finish(float scale, float* out) const {
    for (int j = 0; j < kQuarters; j++) {
      alignas(64) std::int32_t sums[kPositions];
      _mm512_store_si512(sums, all[j]);
      std::int32_t high = 0, low = 0;
      for (int i = 0; i < kPositions; i++) (i & 2 ? high : low) += sums[i];
      const int times = j < kQuarters / 2 ? 1 : kUpper;
      const auto less = [](__m512i found, std::int32_t zeros) {
        return _mm512_maskz_cvtepi32_ps(kAll, _mm512_sub_epi32(found, _mm512_set1_epi32(zeros)));
      };
      _mm512_storeu_ps(out + j * kQuarter, (less(highs[j], kZero * times * high) * _mm512_set1_ps(256.0f) +
                                            less(lows[j], kZero * times * low)) *
                                               _mm512_set1_ps(scale * 16.0f / float(times)));
    }
  }

 private:
  static constexpr int kFactorPlace = 11;  // a factor times 2^11: multiplied and divided by 2^15, a sixteenth of it

  // Adds four values, `i` positions after `from`, times their shares.
  inline __attribute__((always_inline)) void add_four(const std::uint8_t* from, int i, const std::int8_t (*bytes)[kLine]) {
    const int four = i / 4 % 4 * 16 + i / kPositions * 4;
#pragma GCC unroll 16
    for (int line = 0; line < 2; line++) {
      __m512i parts[2];
      split_nibbles(from + i * kNibbleBytes + line * kLine, parts);
#pragma GCC unroll 16
      for (int half = 0; half < 2; half++) {
        const int j = line + 2 * half;
        highs[j] = _mm512_dpbusd_epi32(highs[j], parts[half], four_of(bytes[j] + four + 8));
        lows[j] = _mm512_dpbusd_epi32(lows[j], parts[half], four_of(bytes[j] + four));
      }
    }
  }
};

}  // namespace
}  // namespace LEVEL
}  // namespace lullwave
#endif
