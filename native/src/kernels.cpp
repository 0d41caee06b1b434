// The kernels of the decoder, compiled once for each instruction set: LEVEL is its name.
#include "float_kernels.hpp"
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

// Stores eight whole numbers within -127..127.
inline void store_bytes(std::int8_t* to, I8 v) {
#if defined(__AVX2__)
  const __m128i low = _mm256_castsi256_si128((__m256i)v), high = _mm256_extracti128_si256((__m256i)v, 1);
  const __m128i shorts = _mm_packs_epi32(low, high);
  _mm_storel_epi64((__m128i*)to, _mm_packs_epi16(shorts, shorts));
#else
  const B8 bytes = __builtin_convertvector(v, B8);
  std::memcpy(to, &bytes, sizeof bytes);
#endif
}

void to_half(const float* x, int size, std::uint16_t* out) {
  int i = 0;
#if defined(__F16C__)
  for (; i + kLane <= size; i += kLane)
    _mm_storeu_si128((__m128i*)(out + i), _mm256_cvtps_ph((__m256)load(x + i), _MM_FROUND_TO_NEAREST_INT));
#endif
  for (; i < size; i++) out[i] = half_of(x[i]);
}

// x times the normal distribution function, by Abramowitz and Stegun 7.1.26: 1.5e-7 off at most.
inline F8 gelu(F8 x) {
  const F8 z = absolute(x) * 0.70710678f;
  const F8 t = all(1.0f) / fused(z, all(0.3275911f), all(1.0f));
  F8 p = all(1.061405429f);
  p = fused(p, t, all(-1.453152027f));
  p = fused(p, t, all(1.421413741f));
  p = fused(p, t, all(-0.284496736f));
  p = fused(p, t, all(0.254829592f));
  const F8 rest = p * t * exponential(-(z * z));  // 1 - erf(z)
  return x * 0.5f * (x < all(0.0f) ? rest : all(2.0f) - rest);
}

void normalize(const float* x, const float* weight, const float* bias, int size, float* out) {
  F8 total = {};
  for (int i = 0; i < size; i += kLane) total += load(x + i);
  const F8 mean = all(sum(total) / float(size));
  F8 squares = {};
  for (int i = 0; i < size; i += kLane) {
    const F8 off = load(x + i) - mean;
    squares = fused(off, off, squares);
  }
  const float variance = sum(squares) / float(size) + 1e-5f;
  const F8 scale = all(1.0f / __builtin_sqrtf(variance));
  for (int i = 0; i < size; i += kLane)
    store(out + i, fused((load(x + i) - mean) * scale, load(weight + i), load(bias + i)));
}

float to_bytes(const float* x, int size, std::int8_t* out) {
  F8 most = {};
  for (int i = 0; i < size; i += kLane) most = larger(most, absolute(load(x + i)));
  const float peak = largest(most);
  const F8 factor = all(peak > 0.0f ? float(kLevels) / peak : 0.0f);
  for (int i = 0; i < size; i += kLane)
    store_bytes(out + i, __builtin_convertvector(rounded(load(x + i) * factor), I8));
  return peak / float(kLevels);
}

void quantize(const MatrixView& m, const float* x, int row, const Rows& out, float* scratch) {
  std::int8_t* values = out.values + std::size_t(row) * m.inputs;
  if (m.loud_count) {
    std::memcpy(scratch, x, sizeof(float) * m.inputs);
    for (int i = 0; i < m.loud_count; i++) {
      out.loud[row * m.loud_count + i] = x[m.loud[i]];
      scratch[m.loud[i]] = 0.0f;
    }
    x = scratch;
  }
  for (int g = 0; g < m.groups; g++) {
    const int from = g * kGroup, to = from + kGroup < m.inputs ? from + kGroup : m.inputs;
    F8 most = {};
    for (int i = from; i < to; i += kLane) most = larger(most, absolute(load(x + i)));
    const float peak = largest(most);
    const F8 factor = all(peak > 0.0f ? float(kLevels) / peak : 0.0f);
    I8 total = {};
    for (int i = from; i < to; i += kLane) {
      const I8 q = __builtin_convertvector(rounded(load(x + i) * factor), I8);
      total += q;
      store_bytes(values + i, q);
    }
    std::int32_t added = 0;
    for (int j = 0; j < kLane; j++) added += total[j];
    out.scales[row * m.groups + g] = peak / float(kLevels);
    out.sums[row * m.groups + g] = added;
  }
}

#if defined(__AVX512VNNI__) && defined(__AVX512F__)
using Sum = __m512i;
constexpr int kParts = 1;  // registers that hold the sums of one row
#elif defined(__AVX2__)
using Sum = __m256i;
constexpr int kParts = 2;
#elif defined(__ARM_FEATURE_DOTPROD)
using Sum = int32x4_t;
constexpr int kParts = 4;
#else
struct Sum { std::int32_t v[kTile]; };
constexpr int kParts = 1;
#endif
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
constexpr int kOffset = 128;  // added to the weights: the instruction multiplies unsigned by signed bytes
#else
constexpr int kOffset = 0;
#endif

#if defined(__AVX512VNNI__) && defined(__AVX512F__)
constexpr int kTogether = 4;  // groups that are read side by side: more requests to the memory, and shorter chains of sums
#elif defined(__AVXVNNI__)
constexpr int kTogether = 2;
#else
constexpr int kTogether = 1;
#endif
constexpr int kGroupBytes = kTile * (kGroup + int(sizeof(float)));
// Bytes of weights that are fetched ahead: where groups are read side by side, those that follow them.
constexpr int kAhead = kTogether > 1 ? kTogether * kGroupBytes : 1024;

// Asks the memory for weights that are needed soon. `once`: they are not needed again before the next step.
inline void fetch_ahead(const std::uint8_t* w, [[maybe_unused]] bool once) {
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
  // Intel's CPUs fetch half as fast if they are told to keep the data out of the outer caches.
  __builtin_prefetch(w + kAhead);
#else
  if (once) __builtin_prefetch(w + kAhead, 0, 0);
  else __builtin_prefetch(w + kAhead);
#endif
}

inline std::int32_t four(const std::int8_t* x) { std::int32_t v; std::memcpy(&v, x, sizeof v); return v; }

// Adds the products of four inputs with the weights of a tile to the sums of R rows.
template <int R>
inline void accumulate(const std::uint8_t* w, const std::int8_t* const* x, int at, Sum (*sums)[kParts]) {
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
  const __m512i weights = _mm512_xor_si512(_mm512_loadu_si512(w), _mm512_set1_epi8(-128));
  for (int r = 0; r < R; r++)
    sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], weights, _mm512_set1_epi32(four(x[r] + at)));
#elif defined(__AVX2__)
  for (int part = 0; part < kParts; part++) {
    const __m256i weights = _mm256_loadu_si256((const __m256i*)(w + 32 * part));
#if defined(__AVXVNNI__)
    const __m256i shifted = _mm256_xor_si256(weights, _mm256_set1_epi8(-128));
    for (int r = 0; r < R; r++)
      sums[r][part] = _mm256_dpbusd_avx_epi32(sums[r][part], shifted, _mm256_set1_epi32(four(x[r] + at)));
#else
    // |w| times sign(w) x: two products of at most 127 x 127 fit in 16 bits, nothing is clipped
    const __m256i size = _mm256_abs_epi8(weights), ones = _mm256_set1_epi16(1);
    for (int r = 0; r < R; r++) {
      const __m256i inputs = _mm256_sign_epi8(_mm256_set1_epi32(four(x[r] + at)), weights);
      sums[r][part] = _mm256_add_epi32(sums[r][part], _mm256_madd_epi16(_mm256_maddubs_epi16(size, inputs), ones));
    }
#endif
  }
#elif defined(__ARM_FEATURE_DOTPROD)
  for (int part = 0; part < kParts; part++) {
    const int8x16_t weights = vld1q_s8((const std::int8_t*)w + 16 * part);
    for (int r = 0; r < R; r++)
      sums[r][part] = vdotq_s32(sums[r][part], weights, vreinterpretq_s8_s32(vdupq_n_s32(four(x[r] + at))));
  }
#else
  const std::int8_t* weights = (const std::int8_t*)w;
  for (int r = 0; r < R; r++)
    for (int i = 0; i < kTile; i++)
      for (int j = 0; j < kStep; j++) sums[r][0].v[i] += int(weights[kStep * i + j]) * int(x[r][at + j]);
#endif
}

// Adds `count` inputs of each of G groups, the first being `g`, to the totals of R rows; returns where the next one begins.
template <int R, int G>
inline const std::uint8_t* add_groups(const MatrixView& m, const Rows& x, int row, int g, int count,
                                      const std::uint8_t* tile, bool once, F8 (*total)[2]) {
  const std::size_t group_bytes = kTile * (sizeof(float) + std::size_t(count));
  const std::int8_t* values[G][R];
  Sum sums[G][R][kParts];
  std::memset(sums, 0, sizeof sums);
  for (int i = 0; i < G; i++)
    for (int r = 0; r < R; r++) values[i][r] = x.values + std::size_t(row + r) * m.inputs + (g + i) * kGroup;
  const std::uint8_t* weights = tile + kTile * sizeof(float);
#pragma GCC unroll 4
  for (int at = 0; at < count; at += kStep, weights += kTile * kStep)
    for (int i = 0; i < G; i++) {
      fetch_ahead(weights + i * group_bytes, once);
      accumulate<R>(weights + i * group_bytes, values[i], at, sums[i]);
    }
  for (int i = 0; i < G; i++, tile += group_bytes)
    for (int r = 0; r < R; r++) {
      I8 exact[2];
      static_assert(sizeof exact == sizeof sums[i][r]);
      std::memcpy(exact, sums[i][r], sizeof exact);
      const std::size_t at = std::size_t(row + r) * m.groups + g + i;
      for (int half = 0; half < 2; half++)
        total[r][half] = fused(to_float(exact[half] - kOffset * x.sums[at]) * x.scales[at],
                               load((const float*)tile + half * kLane), total[r][half]);
    }
  return tile;
}

template <int R>
void multiply_rows(const MatrixView& m, const Rows& x, int row, const std::uint8_t* tile, bool once, float* out,
                   bool with_gelu) {
  F8 total[R][2] = {};
  const int whole = m.inputs / kGroup;  // groups
  int g = 0;
  for (; g + kTogether <= whole; g += kTogether)
    tile = add_groups<R, kTogether>(m, x, row, g, kGroup, tile, once, total);
  for (; g < m.groups; g++)
    tile = add_groups<R, 1>(m, x, row, g, g < whole ? kGroup : m.inputs - g * kGroup, tile, once, total);
  for (int j = 0; j < m.loud_count; j++, tile += kTile * sizeof(float))
    for (int r = 0; r < R; r++)
      for (int half = 0; half < 2; half++)
        total[r][half] = fused(all(x.loud[std::size_t(row + r) * m.loud_count + j]),
                               load((const float*)tile + half * kLane), total[r][half]);
  for (int r = 0; r < R; r++)
    for (int half = 0; half < 2; half++)
      store(out + (row + r) * kTile + half * kLane, with_gelu ? gelu(total[r][half]) : total[r][half]);
}

void multiply(const MatrixView& m, const Rows& x, int rows, int number, float* out, bool with_gelu) {
  const std::uint8_t* tile = m.tiles + std::size_t(number) * m.tile_bytes;
  const bool once = rows <= 4;  // else the next block of rows reads the tile again
  int row = 0;
  for (; row + 4 <= rows; row += 4) multiply_rows<4>(m, x, row, tile, once, out, with_gelu);
  if (rows - row == 3) multiply_rows<3>(m, x, row, tile, once, out, with_gelu);
  if (rows - row == 2) multiply_rows<2>(m, x, row, tile, once, out, with_gelu);
  if (rows - row == 1) multiply_rows<1>(m, x, row, tile, once, out, with_gelu);
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

// Size is that of a head, 0 if it is not known at compile time.
template <int Size, class Element>
void attend_to(const float* query, const Attended& to, float* scores, float* out) {
  const int size = Size ? Size : to.size, count = to.count;
  const Element* keys = static_cast<const Element*>(to.keys);
  const Element* values = static_cast<const Element*>(to.values);
  const I8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
  F8 most = all(-3.0e38f);
  for (int t = 0; t < count; t += kLane) {
    const int here = count - t < kLane ? count - t : kLane;
    const Element* key = keys + std::size_t(t) * size;
    F8 products[kLane] = {};
    if (here == kLane) {
      for (int c = 0; c < size; c += kLane) {
        const F8 part = load(query + c);
        for (int i = 0; i < kLane; i++) products[i] = fused(part, load(key + i * size + c), products[i]);
      }
    } else {
      for (int i = 0; i < here; i++)
        for (int c = 0; c < size; c += kLane) products[i] = fused(load(query + c), load(key + i * size + c), products[i]);
    }
    F8 score = sums_of(products);
    if constexpr (sizeof(Element) == 1) score *= some(to.key_scales + t, here);
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
    if constexpr (sizeof(Element) == 1) share *= some(to.value_scales + t, count - t);
    store(scores + t, share);
  }
  const float scale = 1.0f / sum(total);
  if constexpr (Size != 0) {
    constexpr int kCount = Size / kLane;
    F8 mixed[kCount] = {};
    for (int t = 0; t < count; t++) {
      const F8 share = all(scores[t]);
      for (int c = 0; c < kCount; c++)
        mixed[c] = fused(share, load(values + std::size_t(t) * Size + c * kLane), mixed[c]);
    }
    for (int c = 0; c < kCount; c++) store(out + c * kLane, mixed[c] * scale);
  } else {
    for (int c = 0; c < size; c += kLane) {
      F8 mixed = {};
      for (int t = 0; t < count; t++) mixed = fused(all(scores[t]), load(values + std::size_t(t) * size + c), mixed);
      store(out + c, mixed * scale);
    }
  }
}

void attend(const float* query, const Attended& to, float* scores, float* out) {
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

std::uint64_t read(const std::uint8_t* data, std::size_t bytes) {
  U8 a = {}, b = {};
  for (std::size_t i = 0; i < bytes; i += 64) {
    U8 v, w;
    std::memcpy(&v, data + i, sizeof v);
    std::memcpy(&w, data + i + 32, sizeof w);
    a += v;
    b ^= w;
  }
  a += b;
  std::uint64_t total = 0;
  for (int i = 0; i < kLane; i++) total += a[i];
  return total;
}

#define LULLWAVE_TEXT(x) #x
#define LULLWAVE_NAME(x) LULLWAVE_TEXT(x)

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {LULLWAVE_NAME(LEVEL), quantize, multiply, normalize, attend, to_half, to_bytes, read,
                         product, elu, lstm_cell};

}  // namespace LEVEL
}  // namespace lullwave
