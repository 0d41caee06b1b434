// The kernels of attention, and of keys and values in 8 and 16 bits, compiled once for each instruction set: LEVEL is its
// name.
#include "attention_kernels.hpp"

#include "nibble_attention.hpp"
#include "whole_attention.hpp"

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

void attend(const float* query, const Attended& to, float* scores, float* out) {
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
  if (to.size == kHead && !to.bias && to.stored == Stored::kByte)
    return attend_in_whole_numbers(query, ByteKeys(to.keys, to.key_scales, to.count), ByteValues(to.values, to.value_scales),
                                   to, scores, out);
  if (to.stored == Stored::kNibble)
    return attend_in_whole_numbers(query, NibbleKeys(to.keys, to.key_scales, to.count),
                                   NibbleValues(to.values, to.value_scales), to, scores, out);
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
