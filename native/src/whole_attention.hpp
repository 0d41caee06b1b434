// Attention to a past of bytes in whole numbers, and what all attention to the past shares: see attention_kernels.cpp.
#pragma once
#include "attention_kernels.hpp"
#include "vectors.hpp"

namespace lullwave {
namespace LEVEL {
namespace {

// The first `count` of eight floats, then zeros.
inline F8 some(const float* p, int count) {
  if (count >= kLane) return load(p);
  F8 v = {};
  for (int i = 0; i < count; i++) v[i] = p[i];
  return v;
}

// Asks the memory, a few lines at a time, for what is needed after the attention.
struct Ahead {
  static constexpr int kLine = 64, kLines = 8;  // bytes; lines for eight keys or values, which take as long to compute
  const std::uint8_t* at;
  const std::uint8_t* end;

  void fetch() {
    for (int i = 0; i < kLines && at < end; i++, at += kLine) __builtin_prefetch(at, 0, 2);
  }
};

constexpr int kSoon = 48;  // keys or values that are asked for before they are needed
constexpr int kSoonNibbles = 96;

// Asks the memory for the eight keys or values of `size` elements that are needed so many positions after `at`.
template <class Element>
inline void fetch_soon(const Element* at, int size, int soon = kSoon) {
  const char* from = reinterpret_cast<const char*>(at + std::size_t(soon) * size);
  const std::size_t bytes = std::size_t(kLane) * size * sizeof(Element);
  for (std::size_t line = 0; line < bytes; line += Ahead::kLine) __builtin_prefetch(from + line);
}

#if defined(__AVX512VNNI__) && defined(__AVX512F__)
// A query has 15 bits and a share 16, as two bytes each, so that the result differs from that in floats by rounding; no sum
// is clipped.
constexpr int kHead = kNibbleHead;  // size of a head
constexpr int kPositions = 16;      // that are computed together
constexpr int kQueryLevels = 127 * 128 + 127, kShareLevels = 65535;
constexpr __mmask16 kAll = __mmask16(-1);

// The sum of each of 16 vectors.
inline __m512i sums_of(const __m512i* v) {
  __m512i parts[4];
  for (int i = 0; i < 4; i++) {
    __m512i pairs[2];
    for (int j = 0; j < 2; j++) {
      const __m512i a = v[4 * i + 2 * j], b = v[4 * i + 2 * j + 1];
      pairs[j] = _mm512_add_epi32(_mm512_maskz_unpacklo_epi32(kAll, a, b), _mm512_maskz_unpackhi_epi32(kAll, a, b));
    }
    parts[i] = _mm512_add_epi32(_mm512_maskz_unpacklo_epi64(0xff, pairs[0], pairs[1]),
                                _mm512_maskz_unpackhi_epi64(0xff, pairs[0], pairs[1]));
  }
  __m512i halves[2];
  for (int i = 0; i < 2; i++)
    halves[i] = _mm512_add_epi32(_mm512_maskz_shuffle_i32x4(kAll, parts[2 * i], parts[2 * i + 1], 0x88),
                                 _mm512_maskz_shuffle_i32x4(kAll, parts[2 * i], parts[2 * i + 1], 0xdd));
  return _mm512_add_epi32(_mm512_maskz_shuffle_i32x4(kAll, halves[0], halves[1], 0x88),
                          _mm512_maskz_shuffle_i32x4(kAll, halves[0], halves[1], 0xdd));
}

// A query as 128 times `high` plus `low`, times `scale`.
struct WholeQuery {
  alignas(64) std::int8_t high[kHead], low[kHead];
  std::int32_t sum;  // of its values
  float scale;

  explicit WholeQuery(const float* query) {
    F8 most = {};
    for (int c = 0; c < kHead; c += kLane) most = larger(most, absolute(load(query + c)));
    const float peak = largest(most);
    const F8 factor = all(peak > kLeastPeak ? float(kQueryLevels) / peak : 0.0f);
    scale = peak / float(kQueryLevels);
    I8 total = {};
    for (int c = 0; c < kHead; c += kLane) {
      const I8 value = __builtin_convertvector(rounded(load(query + c) * factor), I8);
      store_bytes(high + c, value >> 7);
      store_bytes(low + c, value & 127);
      total += value;
    }
    sum = 0;
    for (int i = 0; i < kLane; i++) sum += total[i];
  }
};

// Of 16 positions from `t` on, those below `count`.
inline __mmask16 positions_of(int t, int count) {
  return count - t < kPositions ? __mmask16((1u << (count - t)) - 1u) : kAll;
}

// Keys in 8 bits.
struct ByteKeys {
  using Query = WholeQuery;
  static constexpr int kStored = kHead;  // bytes of a position
  static constexpr int kSoon = LEVEL::kSoon;
  const std::int8_t* at;
  const float* factors;
  int count;

  ByteKeys(const void* keys, const void* scales, int count_)
      : at(static_cast<const std::int8_t*>(keys)), factors(static_cast<const float*>(scales)), count(count_) {}

  __m512 scales(int t) const { return _mm512_maskz_loadu_ps(positions_of(t, count), factors + t); }

  // Scores of 16 keys from position `t` on; of fewer, the last one fills up.
  __m512i scores(const Query& query, int t) const {
    const __m512i high = _mm512_load_si512(query.high), low = _mm512_load_si512(query.low);
    __m512i products[kPositions];
    for (int i = 0; i < kPositions; i++) {
      const std::int8_t* key = at + std::size_t(t + i < count ? t + i : count - 1) * kHead;
      const __m512i shifted = _mm512_xor_si512(_mm512_loadu_si512(key), _mm512_set1_epi8(-128));  // unsigned: plus 128
      const __m512i upper = _mm512_dpbusd_epi32(_mm512_setzero_si512(), shifted, high);
      products[i] = _mm512_dpbusd_epi32(_mm512_maskz_slli_epi32(kAll, upper, 7), shifted, low);
    }
    return _mm512_sub_epi32(sums_of(products), _mm512_set1_epi32(128 * query.sum));
  }
};

// Adds the values of four positions, each times its share, to the sums: those of channels 16 l + 4 i to 16 l + 4 i + 3
// stand in the part l of sums[i].
inline void add_values(const std::int8_t* const* rows, std::int32_t high, std::int32_t low, __m512i* highs, __m512i* lows) {
  __m512i v[4], pairs[4], mixed[4];
  for (int i = 0; i < 4; i++) v[i] = _mm512_loadu_si512(rows[i]);
  for (int i = 0; i < 2; i++) {
    pairs[i] = i ? _mm512_maskz_unpackhi_epi8(__mmask64(-1), v[0], v[1]) : _mm512_maskz_unpacklo_epi8(__mmask64(-1), v[0], v[1]);
    pairs[2 + i] = i ? _mm512_maskz_unpackhi_epi8(__mmask64(-1), v[2], v[3]) : _mm512_maskz_unpacklo_epi8(__mmask64(-1), v[2], v[3]);
  }
  for (int i = 0; i < 2; i++) {
    mixed[2 * i] = _mm512_maskz_unpacklo_epi16(__mmask32(-1), pairs[i], pairs[2 + i]);
    mixed[2 * i + 1] = _mm512_maskz_unpackhi_epi16(__mmask32(-1), pairs[i], pairs[2 + i]);
  }
  for (int i = 0; i < 4; i++) {
    highs[i] = _mm512_dpbusd_epi32(highs[i], _mm512_set1_epi32(high), mixed[i]);
    lows[i] = _mm512_dpbusd_epi32(lows[i], _mm512_set1_epi32(low), mixed[i]);
  }
}

// Values in 8 bits, and the sum of those that were added.
struct ByteValues {
  static constexpr int kStored = kHead;
  static constexpr int kSoon = LEVEL::kSoon;
  static constexpr int kTogether = kPositions;
  static constexpr float kMost = float(kShareLevels);  // that the largest share is multiplied by
  const std::int8_t* at;
  const float* factors;
  __m512i highs[4] = {}, lows[4] = {};

  ByteValues(const void* values, const void* scales)
      : at(static_cast<const std::int8_t*>(values)), factors(static_cast<const float*>(scales)) {}

  Wide scales(int t, int count) const { return (Wide)_mm512_maskz_loadu_ps(positions_of(t, count), factors + t); }

  // Adds kTogether values from position `t` on, times shares that are whole numbers when they are multiplied and rounded,
  // 0 from `count` on.
  void add(int t, int count, const float* shares, __m512 times) {
    alignas(16) std::int32_t high[4], low[4];
    const __m512i levels = _mm512_maskz_cvtps_epi32(kAll, _mm512_loadu_ps(shares + t) * times);
    _mm_store_si128((__m128i*)high, _mm512_maskz_cvtepi32_epi8(kAll, _mm512_maskz_srli_epi32(kAll, levels, 8)));
    _mm_store_si128((__m128i*)low, _mm512_maskz_cvtepi32_epi8(kAll, levels));
    for (int i = 0; i < 4 && t + 4 * i < count; i++) {
      const std::int8_t* rows[4];
      for (int j = 0; j < 4; j++) rows[j] = at + std::size_t(t + 4 * i + j < count ? t + 4 * i + j : count - 1) * kHead;
      add_values(rows, high[i], low[i], highs, lows);
    }
  }

  void finish(float scale, float* out) const {
    for (int i = 0; i < 4; i++) {
      alignas(64) float made[kPositions];
      _mm512_store_ps(made, (_mm512_maskz_cvtepi32_ps(kAll, highs[i]) * _mm512_set1_ps(256.0f) +
                             _mm512_maskz_cvtepi32_ps(kAll, lows[i])) * _mm512_set1_ps(scale));
      for (int part = 0; part < 4; part++) std::memcpy(out + 16 * part + 4 * i, made + 4 * part, 4 * sizeof(float));
    }
  }
};

template <class Keys, class Values>
void attend_in_whole_numbers(const float* query, const Keys& keys, Values values, const Attended& to, float* scores,
                             float* out) {
  const int count = to.count;
  const WholeQuery whole(query);
  const typename Keys::Query wanted(whole);
  const __m512 query_scale = _mm512_set1_ps(whole.scale), least = _mm512_set1_ps(-3.0e38f);
  Ahead ahead{to.ahead, to.ahead + to.ahead_bytes};
  const auto fetch = [&](const auto& rows, int t, int positions) {
    for (int i = 0; i < positions; i += kLane) {
      ahead.fetch();
      if (t + i + rows.kSoon < count) fetch_soon(rows.at + std::size_t(t + i) * rows.kStored, rows.kStored, rows.kSoon);
    }
  };
  Wide most = spread(-3.0e38f);
  for (int t = 0; t < count; t += kPositions) {
    fetch(keys, t, kPositions);
    const __m512 exact = _mm512_maskz_cvtepi32_ps(kAll, keys.scores(wanted, t));
    const Wide score = (Wide)_mm512_mask_mul_ps(least, positions_of(t, count), exact, query_scale * keys.scales(t));
    most = most > score ? most : score;
    store_wide(scores + t, score);
  }
  const Wide peak = spread(largest(most));
  Wide total = {}, loudest = {};
  for (int t = 0; t < count; t += kPositions) {
    const Wide share = (Wide)_mm512_maskz_mov_ps(positions_of(t, count), (__m512)exponential(load_wide(scores + t) - peak));
    total += share;
    const Wide scaled = share * values.scales(t, count);
    loudest = larger(loudest, scaled);
    store_wide(scores + t, scaled);
  }
  const float top = largest(loudest);
  const __m512 factor = _mm512_set1_ps(top > kLeastPeak ? Values::kMost / top : 0.0f);
  for (int t = 0; t < count; t += values.kTogether) {
    fetch(values, t, values.kTogether);
    values.add(t, count, scores, factor);
  }
  values.finish(top / (Values::kMost * sum(halves(total))), out);
}
#endif

}  // namespace
}  // namespace LEVEL
}  // namespace lullwave
