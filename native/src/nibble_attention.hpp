// Attention to a past of nibbles in whole numbers: see attention_kernels.cpp.
//
// A byte of a position holds a channel of the first half of the head and the one 32 further on, so that two operations give
// the numbers of 32 channels of two keys, or of 16 channels of four values. A quarter's factor is applied to its sum of
// products with a key, and to the share of a value.
#pragma once
#include "whole_attention.hpp"

#if defined(__AVX512VNNI__) && defined(__AVX512F__)
namespace lullwave {
namespace LEVEL {
namespace {

constexpr int kNibbleBytes = kHead / 2;  // of a position
constexpr int kQuarter = kHead / kQuarters;
constexpr int kZero = 8;  // the nibble that stands for 0

// The nibbles of 64 bytes: the low ones, then the high ones.
inline void split_nibbles(const std::uint8_t* bytes, __m512i (&parts)[2]) {
  const __m512i both = _mm512_loadu_si512(bytes), low = _mm512_set1_epi8(15);
  parts[0] = _mm512_and_si512(both, low);
  parts[1] = _mm512_and_si512(_mm512_maskz_srli_epi16(__mmask32(-1), both, 4), low);
}

// In each quarter of a register, the sums of four vectors' quarters.
inline __m512i sums_of_quarters(const __m512i* v) {
  __m512i pairs[2];
  for (int i = 0; i < 2; i++)
    pairs[i] = _mm512_add_epi32(_mm512_maskz_unpacklo_epi32(kAll, v[2 * i], v[2 * i + 1]),
                                _mm512_maskz_unpackhi_epi32(kAll, v[2 * i], v[2 * i + 1]));
  return _mm512_add_epi32(_mm512_maskz_unpacklo_epi64(0xff, pairs[0], pairs[1]),
                          _mm512_maskz_unpackhi_epi64(0xff, pairs[0], pairs[1]));
}

// In each quarter of a register, the sum of its four numbers, four times.
inline __m512i sum_within_quarters(__m512i v) {
  v = _mm512_add_epi32(v, _mm512_maskz_shuffle_epi32(kAll, v, _MM_PERM_BADC));
  return _mm512_add_epi32(v, _mm512_maskz_shuffle_epi32(kAll, v, _MM_PERM_CDAB));
}

// The factors of 16 words, each shifted by so many bits.
inline __m512i factors_of(__m512i words, __m512i shifts) {
  return _mm512_and_si512(_mm512_maskz_srlv_epi32(kAll, words, shifts), _mm512_set1_epi32(kMostFactor));
}

// A query twice, for two keys: the channels of the low nibbles and those of the high ones.
struct NibbleQuery {
  __m512i high[2], low[2];
  __m512i zero[2];  // sums of quarters 0, 1, 0, 1 and 2, 3, 2, 3, times kZero

  explicit NibbleQuery(const WholeQuery& query) {
    const __m512i ones = _mm512_set1_epi8(1), none = _mm512_setzero_si512();
    const __m512i highs = _mm512_dpbusd_epi32(none, ones, _mm512_load_si512(query.high));
    __m512i sums = _mm512_dpbusd_epi32(_mm512_maskz_slli_epi32(kAll, highs, 7), ones, _mm512_load_si512(query.low));
    sums = _mm512_mullo_epi32(sum_within_quarters(sums), _mm512_set1_epi32(kZero));
    zero[0] = _mm512_maskz_shuffle_i32x4(kAll, sums, sums, 0x44);
    zero[1] = _mm512_maskz_shuffle_i32x4(kAll, sums, sums, 0xee);
    for (int i = 0; i < 2; i++) {
      high[i] = _mm512_maskz_broadcast_i64x4(0xff, _mm256_load_si256((const __m256i*)query.high + i));
      low[i] = _mm512_maskz_broadcast_i64x4(0xff, _mm256_load_si256((const __m256i*)query.low + i));
    }
  }
};

struct NibbleKeys {
  using Query = NibbleQuery;
  static constexpr int kStored = kNibbleBytes;
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
  __m512i scores(const Query& query, int t) const {
    const __m512i order = _mm512_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6, 1, 3, 5, 7, 1, 3, 5, 7);  // of the sums of quarters
    const __m512i shifts = _mm512_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 0, 4, 4, 4, 4), eight = _mm512_set1_epi32(8);
    const __m512i found = words_of(t);
    __m512i sums[2];
    for (int i = 0; i < 2; i++) {  // eight keys
      __m512i products[2][4];
      for (int j = 0; j < 4; j++) {  // pairs of keys; the last one fills up
        const int pair = t + 8 * i + 2 * j;
        __m512i parts[2];
        split_nibbles(at + std::size_t(pair < count ? pair : (count - 1) / 2 * 2) * kNibbleBytes, parts);
        for (int half = 0; half < 2; half++) {
          const __m512i upper = _mm512_dpbusd_epi32(_mm512_setzero_si512(), parts[half], query.high[half]);
          products[half][j] = _mm512_dpbusd_epi32(_mm512_maskz_slli_epi32(kAll, upper, 7), parts[half], query.low[half]);
        }
      }
      const __m512i which = i ? _mm512_add_epi32(order, eight) : order;
      const __m512i theirs = _mm512_maskz_permutexvar_epi32(kAll, which, found);
      __m512i scaled[2];
      for (int half = 0; half < 2; half++) {
        const __m512i factors = factors_of(theirs, half ? _mm512_add_epi32(shifts, eight) : shifts);
        scaled[half] =
            _mm512_mullo_epi32(_mm512_sub_epi32(sums_of_quarters(products[half]), query.zero[half]), factors);
      }
      sums[i] = _mm512_add_epi32(scaled[0], scaled[1]);
    }
    const __m512i first = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 16, 24, 17, 25, 18, 26, 19, 27);
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(4));
    return _mm512_add_epi32(_mm512_maskz_permutex2var_epi32(kAll, sums[0], first, sums[1]),
                            _mm512_maskz_permutex2var_epi32(kAll, sums[0], second, sums[1]));
  }
};

// Values in 4 bits, and the sum of those that were added, of 16 channels each.
struct NibbleValues {
  static constexpr int kStored = kNibbleBytes;
  static constexpr float kMost = float(kShareLevels) / float(kMostFactor);
  const std::uint8_t* at;
  const std::uint32_t* words;
  __m512i highs[kQuarters] = {}, lows[kQuarters] = {};
  __m512i all_highs = {}, all_lows = {};  // shares

  NibbleValues(const void* values, const void* words_)
      : at(static_cast<const std::uint8_t*>(values)), words(static_cast<const std::uint32_t*>(words_)) {}

  F8 scales(int t, int count) const {
    U8 bits = {};
    if (count >= kLane) std::memcpy(&bits, words + t, sizeof bits);
    for (int i = 0; count < kLane && i < count; i++) bits[i] = words[t + i];
    bits &= kScaleMask;
    F8 found;
    std::memcpy(&found, &bits, sizeof bits);
    return found;
  }

  void add(int t, int count, __m512 shares) {
    alignas(64) std::uint8_t high[kQuarters][kPositions], low[kQuarters][kPositions];
    const __m512i found = _mm512_maskz_loadu_epi32(positions_of(t, count), words + t);
    for (int j = 0; j < kQuarters; j++) {
      const __m512i factors = factors_of(found, _mm512_set1_epi32(j * kFactorBits));
      const __m512i levels = _mm512_maskz_cvtps_epi32(kAll, shares * _mm512_maskz_cvtepi32_ps(kAll, factors));
      _mm_store_si128((__m128i*)high[j], _mm512_maskz_cvtepi32_epi8(kAll, _mm512_maskz_srli_epi32(kAll, levels, 8)));
      _mm_store_si128((__m128i*)low[j], _mm512_maskz_cvtepi32_epi8(kAll, levels));
    }
    const __m512i ones = _mm512_set1_epi8(1);
    all_highs = _mm512_dpbusd_epi32(all_highs, _mm512_load_si512(high), ones);
    all_lows = _mm512_dpbusd_epi32(all_lows, _mm512_load_si512(low), ones);
    for (int i = 0; i < kPositions && t + i < count; i += kTogetherInValues) {
      for (int line = 0; line < 2; line++) {
        __m512i parts[2];
        split_nibbles(at + std::size_t(t + i) * kNibbleBytes + line * sizeof(__m512i), parts);
        for (int half = 0; half < 2; half++) {
          const int j = line + 2 * half;
          highs[j] = _mm512_dpbusd_epi32(highs[j], four(high[j] + i), parts[half]);
          lows[j] = _mm512_dpbusd_epi32(lows[j], four(low[j] + i), parts[half]);
        }
      }
    }
  }

  void finish(float scale, float* out) const {
    const auto less = [](__m512i sums, __m512i shares) {
      return _mm512_maskz_cvtepi32_ps(kAll, _mm512_sub_epi32(sums, _mm512_mullo_epi32(shares, _mm512_set1_epi32(kZero))));
    };
    alignas(64) std::int32_t high[kQuarters][4], low[kQuarters][4];
    _mm512_store_si512(high, sum_within_quarters(all_highs));
    _mm512_store_si512(low, sum_within_quarters(all_lows));
    for (int j = 0; j < kQuarters; j++)
      _mm512_storeu_ps(out + j * kQuarter, (less(highs[j], _mm512_set1_epi32(high[j][0])) * _mm512_set1_ps(256.0f) +
                                            less(lows[j], _mm512_set1_epi32(low[j][0]))) * _mm512_set1_ps(scale));
  }

 private:
  static __m512i four(const std::uint8_t* shares) {
    std::int32_t both;
    std::memcpy(&both, shares, sizeof both);
    return _mm512_set1_epi32(both);
  }
};

}  // namespace
}  // namespace LEVEL
}  // namespace lullwave
#endif
