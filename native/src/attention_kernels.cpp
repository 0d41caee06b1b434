// The kernels of attention, and of keys and values in 4, 8 and 16 bits, compiled once for each instruction set: LEVEL is its
// name.
#include "attention_kernels.hpp"

#include "vectors.hpp"

namespace lullwave {
namespace LEVEL {
namespace {

// Numbers of 16 bits (IEEE 754 binary16).
inline float from_half(std::uint16_t h) {
  const std::uint32_t sign = std::uint32_t(h & 0x8000u) << 16;
  std::uint32_t bits = std::uint32_t(h & 0x7fffu) << 13;
  float f;
  if (bits < (0x0400u << 13)) {  // zero and subnormal numbers
    f = float(h & 0x3ffu) * 5.9604644775390625e-08f;
    std::memcpy(&bits, &f, sizeof bits);
  } else {
    bits += (bits >= (0x7c00u << 13) ? 224u : 112u) << 23;
  }
  bits |= sign;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}

inline std::uint16_t half_of(float f) {
  std::uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  bits &= 0x7fffffffu;
  if (bits > 0x7f800000u) return std::uint16_t(sign | 0x7e00u);
  if (bits >= 0x477ff000u) return std::uint16_t(sign | 0x7c00u);
  if (bits < 0x38800000u) {  // becomes subnormal: the sum with 0.5 rounds to multiples of 2^-24
    std::memcpy(&f, &bits, sizeof f);
    f += 0.5f;
    std::memcpy(&bits, &f, sizeof bits);
    return std::uint16_t(sign | (bits - 0x3f000000u));
  }
  bits += 0xfffu + ((bits >> 13) & 1u);
  return std::uint16_t(sign | ((bits - 0x38000000u) >> 13));
}

inline F8 load(const std::uint16_t* p) {
#if defined(__F16C__)
  return (F8)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p));
#elif defined(__ARM_FEATURE_DOTPROD)
  const float16x8_t h = vreinterpretq_f16_u16(vld1q_u16(p));
  const float32x4_t parts[2] = {vcvt_f32_f16(vget_low_f16(h)), vcvt_f32_f16(vget_high_f16(h))};
  F8 v;
  std::memcpy(&v, parts, sizeof v);
  return v;
#else
  F8 v;
  for (int i = 0; i < kLane; i++) v[i] = from_half(p[i]);
  return v;
#endif
}

inline F8 load(const std::int8_t* p) {
#if defined(__AVX2__)
  return (F8)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)));
#else
  B8 v;
  std::memcpy(&v, p, sizeof v);
  return to_float(__builtin_convertvector(v, I8));
#endif
}

// The sum of each of eight vectors.
inline F8 sums_of(const F8* v) {
#if defined(__AVX2__)
  const __m256 a = _mm256_hadd_ps((__m256)v[0], (__m256)v[1]), b = _mm256_hadd_ps((__m256)v[2], (__m256)v[3]);
  const __m256 c = _mm256_hadd_ps((__m256)v[4], (__m256)v[5]), d = _mm256_hadd_ps((__m256)v[6], (__m256)v[7]);
  const __m256 e = _mm256_hadd_ps(a, b), f = _mm256_hadd_ps(c, d);
  return (F8)_mm256_add_ps(_mm256_permute2f128_ps(e, f, 0x20), _mm256_permute2f128_ps(e, f, 0x31));
#else
  F8 out;
  for (int i = 0; i < kLane; i++) out[i] = sum(v[i]);
  return out;
#endif
}

// The first `count` of eight floats, then zeros.
inline F8 some(const float* p, int count) {
  if (count >= kLane) return load(p);
  F8 v = {};
  for (int i = 0; i < count; i++) v[i] = p[i];
  return v;
}

inline Wide load_wide(const std::uint16_t* p) {
#if defined(__AVX512F__)
  return (Wide)_mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256((const __m256i*)p));
#else
  return load(p);
#endif
}

inline Wide load_wide(const std::int8_t* p) {
#if defined(__AVX512F__)
  return (Wide)_mm512_maskz_cvtepi32_ps(0xffff, _mm512_maskz_cvtepi8_epi32(0xffff, _mm_loadu_si128((const __m128i*)p)));
#else
  return load(p);
#endif
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

// Asks the memory for the eight keys or values of `size` elements that are needed soon after `at`.
template <class Element>
inline void fetch_soon(const Element* at, int size) {
  const char* from = reinterpret_cast<const char*>(at + std::size_t(kSoon) * size);
  const std::size_t bytes = std::size_t(kLane) * size * sizeof(Element);
  for (std::size_t line = 0; line < bytes; line += Ahead::kLine) __builtin_prefetch(from + line);
}

// Products of a query with the keys at `key`; of fewer than eight, the last one fills up.
template <class Element>
inline F8 scores_of(const float* query, const Element* key, int count, int size) {
  const Element* keys[kLane];
  for (int i = 0; i < kLane; i++) keys[i] = key + std::size_t(i < count ? i : count - 1) * size;
  Wide products[kLane] = {};
  for (int c = 0; c < size; c += kWide) {
    const Wide part = load_wide(query + c);
    for (int i = 0; i < kLane; i++) products[i] = fused(part, load_wide(keys[i] + c), products[i]);
  }
  F8 parts[kLane];
  for (int i = 0; i < kLane; i++) parts[i] = halves(products[i]);
  return sums_of(parts);
}

// The values of `count` positions, each times its share and `scale`: `Count` vectors of them.
template <int Count, class Element>
inline void mix(const Element* values, const float* shares, int count, int size, float scale, Ahead& ahead, float* out) {
  Wide even[Count] = {}, odd[Count] = {};  // two sums: each addition waits for the one before
  int t = 0;
  for (; t + 2 <= count; t += 2) {
    if (t % kLane == 0) {
      ahead.fetch();
      if (t + kSoon < count) fetch_soon(values + std::size_t(t) * size, size);
    }
    const Element *first = values + std::size_t(t) * size, *second = first + size;
    const Wide a = spread(shares[t]), b = spread(shares[t + 1]);
    for (int c = 0; c < Count; c++) {
      even[c] = fused(a, load_wide(first + c * kWide), even[c]);
      odd[c] = fused(b, load_wide(second + c * kWide), odd[c]);
    }
  }
  if (t < count)
    for (int c = 0; c < Count; c++)
      even[c] = fused(spread(shares[t]), load_wide(values + std::size_t(t) * size + c * kWide), even[c]);
  for (int c = 0; c < Count; c++) {
    store_wide(out + c * kWide, (even[c] + odd[c]) * scale);
  }
}

// Size is that of a head, 0 if it is not known at compile time.
template <int Size, class Element>
void attend_to(const float* query, const Attended& to, float* scores, float* out) {
  const int size = Size ? Size : to.size, count = to.count;
  const Element* keys = static_cast<const Element*>(to.keys);
  const Element* values = static_cast<const Element*>(to.values);
  const I8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
  F8 most = all(-3.0e38f);
  Ahead ahead{to.ahead, to.ahead + to.ahead_bytes};
  for (int t = 0; t < count; t += kLane) {
    ahead.fetch();
    if (t + kSoon < count) fetch_soon(keys + std::size_t(t) * size, size);
    const int here = count - t < kLane ? count - t : kLane;
    F8 score = scores_of(query, keys + std::size_t(t) * size, here, size);
    if constexpr (sizeof(Element) == 1) score *= some(static_cast<const float*>(to.key_scales) + t, here);
    if (to.bias) score += some(to.bias + t, here);
    score = lane < here ? score : all(-3.0e38f);
    most = larger(most, score);
    store(scores + t, score);
  }
  const F8 peak = all(largest(most));
  F8 total = {};
  for (int t = 0; t < count; t += kLane) {
    F8 share = exponential(load(scores + t) - peak);
    share = lane < count - t ? share : F8{};
    total += share;
    if constexpr (sizeof(Element) == 1) share *= some(static_cast<const float*>(to.value_scales) + t, count - t);
    store(scores + t, share);
  }
  const float scale = 1.0f / sum(total);
  if constexpr (Size != 0) {
    mix<Size / kWide>(values, scores, count, size, scale, ahead, out);
  } else {
    for (int c = 0; c < size; c += kWide) mix<1>(values + c, scores, count, size, scale, ahead, out + c);
  }
}

#if defined(__AVX512VNNI__) && defined(__AVX512F__)
// Attention to bytes and nibbles in whole numbers. A query has 15 bits and a share 16, as two bytes each, so that the result differs
// from that in floats by rounding; no sum is clipped.
constexpr int kHead = kNibbleHead;  // size of a head
constexpr int kPositions = 16;    // that are computed together
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

// Keys or values in 8 bits.
struct ByteRows {
  static constexpr int kStored = kHead;  // bytes of a position
  const std::int8_t* at;
  const float* factors;

  __m512i shifted(int t) const { return _mm512_xor_si512(numbers(t), _mm512_set1_epi8(-128)); }  // unsigned: plus 128
  __m512i numbers(int t) const { return _mm512_loadu_si512(at + std::size_t(t) * kHead); }
  F8 scales(int t, int count) const { return some(factors + t, count); }
  __m512 wide_scales(int t, __mmask16 open) const { return _mm512_maskz_loadu_ps(open, factors + t); }
};

// Keys or values in 4 bits.
struct NibbleRows {
  static constexpr int kStored = kHead / 2;
  const std::uint8_t* at;
  const std::uint32_t* words;

  __m512i shifted(int t) const {
    constexpr __mmask32 kEach = __mmask32(-1);
    const __m512i pairs =
        _mm512_maskz_cvtepu8_epi16(kEach, _mm256_loadu_si256((const __m256i*)(at + std::size_t(t) * kStored)));
    const __m512i low = _mm512_set1_epi16(0x0f0f);  // bytes of nibbles
    const __m512i levels = _mm512_and_si512(_mm512_or_si512(pairs, _mm512_maskz_slli_epi16(kEach, pairs, kFactorBits)), low);
    const __m512i place = _mm512_set_epi64(0x000c000c000c000cll, 0x000c000c000c000cll, 0x0008000800080008ll,
                                           0x0008000800080008ll, 0x0004000400040004ll, 0x0004000400040004ll, 0, 0);
    const __m512i factors = _mm512_and_si512(
        _mm512_maskz_srlv_epi16(kEach, _mm512_set1_epi16(std::int16_t(words[t])), place), _mm512_set1_epi16(kMostFactor));
    // with 128 added, no byte of a product is negative and borrows from the next one
    return _mm512_add_epi16(_mm512_mullo_epi16(_mm512_sub_epi16(levels, _mm512_set1_epi8(8)), factors),
                            _mm512_set1_epi8(-128));
  }
  __m512i numbers(int t) const { return _mm512_xor_si512(shifted(t), _mm512_set1_epi8(-128)); }
  F8 scales(int t, int count) const {
    U8 bits = {};
    if (count >= kLane) std::memcpy(&bits, words + t, sizeof bits);
    for (int i = 0; count < kLane && i < count; i++) bits[i] = words[t + i];
    bits &= kScaleMask;
    F8 found;
    std::memcpy(&found, &bits, sizeof bits);
    return found;
  }
  __m512 wide_scales(int t, __mmask16 open) const {
    return _mm512_castsi512_ps(
        _mm512_and_si512(_mm512_maskz_loadu_epi32(open, words + t), _mm512_set1_epi32(int(kScaleMask))));
  }
};

// Scores of 16 keys from position `t` on; of fewer, the last one fills up.
template <class Rows>
inline __m512i whole_scores(const WholeQuery& query, const Rows& keys, int t, int count) {
  const __m512i high = _mm512_load_si512(query.high), low = _mm512_load_si512(query.low);
  __m512i products[kPositions];
  for (int i = 0; i < kPositions; i++) {
    const __m512i shifted = keys.shifted(t + (i < count ? i : count - 1));
    const __m512i upper = _mm512_dpbusd_epi32(_mm512_setzero_si512(), shifted, high);
    products[i] = _mm512_dpbusd_epi32(_mm512_maskz_slli_epi32(kAll, upper, 7), shifted, low);
  }
  return _mm512_sub_epi32(sums_of(products), _mm512_set1_epi32(128 * query.sum));
}

// Adds the values of four positions, each times its share, to the sums: those of channels 16 l + 4 i to 16 l + 4 i + 3
// stand in the part l of sums[i].
inline void add_values(const __m512i* v, std::int32_t high, std::int32_t low, __m512i* highs, __m512i* lows) {
  __m512i pairs[4], mixed[4];
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

template <class Rows>
void attend_in_whole_numbers(const float* query, const Rows& keys, const Rows& values, const Attended& to,
                             float* scores, float* out) {
  const int count = to.count;
  const WholeQuery whole(query);
  const __m512 query_scale = _mm512_set1_ps(whole.scale), least = _mm512_set1_ps(-3.0e38f);
  Ahead ahead{to.ahead, to.ahead + to.ahead_bytes};
  const auto fetch = [&](const Rows& rows, int t) {
    for (int i = 0; i < kPositions; i += kLane) {
      ahead.fetch();
      if (t + i + kSoon < count) fetch_soon(rows.at + std::size_t(t + i) * Rows::kStored, Rows::kStored);
    }
  };
  const auto open = [&](int t) { return count - t < kPositions ? __mmask16((1u << (count - t)) - 1u) : kAll; };
  Wide most = spread(-3.0e38f);
  for (int t = 0; t < count; t += kPositions) {
    fetch(keys, t);
    const __m512 exact = _mm512_maskz_cvtepi32_ps(
        kAll, whole_scores(whole, keys, t, count - t < kPositions ? count - t : kPositions));
    const __m512 scale = query_scale * keys.wide_scales(t, open(t));
    const Wide score = (Wide)_mm512_mask_mul_ps(least, open(t), exact, scale);
    most = most > score ? most : score;
    store_wide(scores + t, score);
  }
  F8 parts[2];
  std::memcpy(parts, &most, sizeof most);
  const F8 peak = all(largest(larger(parts[0], parts[1])));
  const I8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
  F8 total = {}, loudest = {};
  for (int t = 0; t < count; t += kPositions)
    for (int i = t; i < t + kPositions; i += kLane) {
      F8 share = exponential(load(scores + i) - peak);
      share = lane < count - i ? share : F8{};
      total += share;
      share *= values.scales(i, count - i);
      loudest = larger(loudest, share);
      store(scores + i, share);
    }
  const float top = largest(loudest);
  const __m512 factor = _mm512_set1_ps(top > kLeastPeak ? float(kShareLevels) / top : 0.0f);
  __m512i highs[4] = {}, lows[4] = {};
  for (int t = 0; t < count; t += kPositions) {
    fetch(values, t);
    alignas(16) std::int32_t high[4], low[4];
    const __m512i levels = _mm512_maskz_cvtps_epi32(kAll, _mm512_loadu_ps(scores + t) * factor);
    _mm_store_si128((__m128i*)high, _mm512_maskz_cvtepi32_epi8(kAll, _mm512_maskz_srli_epi32(kAll, levels, 8)));
    _mm_store_si128((__m128i*)low, _mm512_maskz_cvtepi32_epi8(kAll, levels));
    for (int i = 0; i < 4 && t + 4 * i < count; i++) {
      __m512i rows[4];
      for (int j = 0; j < 4; j++) rows[j] = values.numbers(t + 4 * i + j < count ? t + 4 * i + j : count - 1);
      add_values(rows, high[i], low[i], highs, lows);
    }
  }
  const __m512 scale = _mm512_set1_ps(top / (float(kShareLevels) * sum(total)));
  for (int i = 0; i < 4; i++) {
    alignas(64) float made[kPositions];
    _mm512_store_ps(made, (_mm512_maskz_cvtepi32_ps(kAll, highs[i]) * _mm512_set1_ps(256.0f) +
                           _mm512_maskz_cvtepi32_ps(kAll, lows[i])) * scale);
    for (int part = 0; part < 4; part++) std::memcpy(out + 16 * part + 4 * i, made + 4 * part, 4 * sizeof(float));
  }
}
#endif

}  // namespace

void to_half(const float* x, int size, std::uint16_t* out) {
  int i = 0;
#if defined(__F16C__)
  for (; i + kLane <= size; i += kLane)
    _mm_storeu_si128((__m128i*)(out + i), _mm256_cvtps_ph((__m256)load(x + i), _MM_FROUND_TO_NEAREST_INT));
#endif
  for (; i < size; i++) out[i] = half_of(x[i]);
}

float to_bytes(const float* x, int size, std::int8_t* out) {
  F8 most = {};
  for (int i = 0; i < size; i += kLane) most = larger(most, absolute(load(x + i)));
  const float peak = largest(most);
  const F8 factor = all(peak > kLeastPeak ? float(kLevels) / peak : 0.0f);
  for (int i = 0; i < size; i += kLane)
    store_bytes(out + i, __builtin_convertvector(rounded(load(x + i) * factor), I8));
  return peak / float(kLevels);
}

std::uint32_t pack_head(const float* x, int size, std::uint8_t* out) {
  constexpr float kEnd = 7.5f;  // where the peak of a quarter is put: half a step beyond the last level on one side
  const int quarter = size / kQuarters;
  float peaks[kQuarters], steps[kQuarters], most = 0;
  for (int j = 0; j < kQuarters; j++) {
    const float* from = x + j * quarter;
    F8 sizes = {};
    int c = 0;
    for (; c + kLane <= quarter; c += kLane) sizes = larger(sizes, absolute(load(from + c)));
    peaks[j] = largest(larger(sizes, absolute(some(from + c, quarter - c))));
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
    for (int i = 0; i < kLane; i += 2) *out++ = std::uint8_t(bytes[i] | bytes[i + 1] << kFactorBits);
  }
  return word;
}

void unpack_heads(const std::uint8_t* nibbles, const std::uint32_t* words, int count, int size, std::int8_t* bytes,
                  float* scales) {
  for (int t = 0; t < count; t++) {
    const std::uint32_t bits = words[t] & kScaleMask;
    std::memcpy(scales + t, &bits, sizeof bits);
  }
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
  if (size == kHead) {
    const NibbleRows rows{nibbles, words};
    for (int t = 0; t < count; t++) {
      if (t % kLane == 0 && t + kSoon < count) fetch_soon(nibbles + std::size_t(t) * rows.kStored, rows.kStored);
      _mm512_storeu_si512(bytes + std::size_t(t) * kHead, rows.numbers(t));
    }
    return;
  }
#endif
  for (int t = 0; t < count; t++)
    for (int j = 0; j < kQuarters; j++) {
      const std::int8_t factor = std::int8_t(words[t] >> (j * kFactorBits) & kMostFactor);
      for (int i = 0; i < size / kQuarters / 2; i++) {
        const std::uint8_t both = *nibbles++;
        *bytes++ = std::int8_t(((both & 15) - 8) * factor);
        *bytes++ = std::int8_t(((both >> kFactorBits) - 8) * factor);
      }
    }
}

void attend(const float* query, const Attended& to, float* scores, float* out) {
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
  if (to.size == kHead && !to.bias && to.stored == Stored::kByte) {
    const auto rows = [](const void* at, const void* scales) {
      return ByteRows{static_cast<const std::int8_t*>(at), static_cast<const float*>(scales)};
    };
    return attend_in_whole_numbers(query, rows(to.keys, to.key_scales), rows(to.values, to.value_scales), to, scores, out);
  }
  if (to.stored == Stored::kNibble) {
    const auto rows = [](const void* at, const void* words) {
      return NibbleRows{static_cast<const std::uint8_t*>(at), static_cast<const std::uint32_t*>(words)};
    };
    return attend_in_whole_numbers(query, rows(to.keys, to.key_scales), rows(to.values, to.value_scales), to, scores, out);
  }
#endif
  if (to.stored == Stored::kByte) {
    if (to.size == 64) return attend_to<64, std::int8_t>(query, to, scores, out);
    return attend_to<0, std::int8_t>(query, to, scores, out);
  }
  if (to.stored == Stored::kHalf) {
    if (to.size == 64) return attend_to<64, std::uint16_t>(query, to, scores, out);
    return attend_to<0, std::uint16_t>(query, to, scores, out);
  }
  if (to.size == 64) return attend_to<64, float>(query, to, scores, out);
  return attend_to<0, float>(query, to, scores, out);
}

}  // namespace LEVEL
}  // namespace lullwave
