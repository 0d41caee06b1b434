// Products with weights of 4 bits, compiled once for each instruction set: LEVEL is its name.
//
// Weights become bytes by a look-up in the register that holds the 16 levels. The sum of a subgroup times its whole-number
// scale is at most 16 x 127^3, that of a group 16 times as much: both are exact in 32 bits.
#include "nibble_kernels.hpp"

#include "products.hpp"

namespace lullwave {
namespace LEVEL {
namespace {

constexpr int kLine = 64;                             // bytes of a cache line, and of the weights of two steps of a tile
constexpr int kUnits = kSubgroup / (2 * kStep);       // pairs of steps of a subgroup
constexpr int kHead = int(sizeof(float)) * kTile + kGroup / kSubgroup * kTile;  // bytes of a group's scales
static_assert(kHead + kGroup * kTile / 2 == kNibbleGroupBytes && kHead % kLine == 0 && kSubgroup % (2 * kStep) == 0);

// The levels in every part of a register.
inline Bytes levels() {
#if defined(__AVX2__)
  const __m128i shift = _mm_set1_epi8(kOffset ? -128 : 0);
  const __m128i found = _mm_xor_si128(_mm_loadu_si128((const __m128i*)kNibbles), shift);
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
  return _mm512_maskz_broadcast_i32x4(__mmask16(-1), found);
#else
  return _mm256_broadcastsi128_si256(found);
#endif
#elif defined(__ARM_FEATURE_DOTPROD)
  return vld1q_s8(kNibbles);
#else
  return {};
#endif
}

// The weights of two steps, as add_products wants them.
inline void load_nibbles(const std::uint8_t* w, Bytes table, Bytes (&first)[kParts], Bytes (&second)[kParts]) {
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
  const __m512i both = _mm512_loadu_si512(w), low = _mm512_set1_epi8(15);
  first[0] = _mm512_shuffle_epi8(table, _mm512_and_si512(both, low));
  second[0] = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_maskz_srli_epi16(__mmask32(-1), both, 4), low));
#elif defined(__AVX2__)
  for (int part = 0; part < kParts; part++) {
    const __m256i both = _mm256_loadu_si256((const __m256i*)(w + 32 * part)), low = _mm256_set1_epi8(15);
    first[part] = _mm256_shuffle_epi8(table, _mm256_and_si256(both, low));
    second[part] = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(both, 4), low));
  }
#elif defined(__ARM_FEATURE_DOTPROD)
  for (int part = 0; part < kParts; part++) {
    const uint8x16_t both = vld1q_u8(w + 16 * part);
    first[part] = vqtbl1q_s8(table, vandq_u8(both, vdupq_n_u8(15)));
    second[part] = vqtbl1q_s8(table, vshrq_n_u8(both, 4));
  }
#else
  (void)table;
  for (int i = 0; i < kTile * kStep; i++) {
    first[0].v[i] = kNibbles[w[i] & 15];
    second[0].v[i] = kNibbles[w[i] >> 4];
  }
#endif
}

// The 16 scales of a subgroup.
inline void load_scales(const std::uint8_t* from, Sum (&scales)[kParts]) {
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
  scales[0] = _mm512_maskz_cvtepi8_epi32(__mmask16(-1), _mm_loadu_si128((const __m128i*)from));
#elif defined(__AVX2__)
  for (int part = 0; part < kParts; part++)
    scales[part] = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)(from + kLane * part)));
#elif defined(__ARM_FEATURE_DOTPROD)
  const int8x16_t bytes = vld1q_s8((const std::int8_t*)from);
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
  scales[0] = vmovl_s16(vget_low_s16(low));
  scales[1] = vmovl_s16(vget_high_s16(low));
  scales[2] = vmovl_s16(vget_low_s16(high));
  scales[3] = vmovl_s16(vget_high_s16(high));
#else
  for (int i = 0; i < kTile; i++) scales[0].v[i] = (std::int8_t)from[i];
#endif
}

// Begins the sums of a subgroup, so that the shift of the weights is taken away again.
inline void begin(std::int32_t correction, Sum (&sums)[kParts]) {
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
  sums[0] = _mm512_set1_epi32(-correction);
#elif defined(__AVX2__)
  for (Sum& sum : sums) sum = _mm256_set1_epi32(-correction);
#else
  (void)correction;
  std::memset(sums, 0, sizeof sums);
#endif
}

inline void add_times(const Sum (&sums)[kParts], const Sum (&scales)[kParts], Sum (&total)[kParts]) {
  for (int part = 0; part < kParts; part++) {
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
    total[part] = _mm512_add_epi32(total[part], _mm512_mullo_epi32(sums[part], scales[part]));
#elif defined(__AVX2__)
    total[part] = _mm256_add_epi32(total[part], _mm256_mullo_epi32(sums[part], scales[part]));
#elif defined(__ARM_FEATURE_DOTPROD)
    total[part] = vmlaq_s32(total[part], sums[part], scales[part]);
#else
    for (int i = 0; i < kTile; i++) total[part].v[i] += sums[part].v[i] * scales[part].v[i];
#endif
  }
}

// Adds `count` inputs of each of G groups, the first being `g`, to the totals of R rows; returns where the next one begins.
template <int R, int G>
inline const std::uint8_t* add_groups(const MatrixView& m, const Rows& x, int row, int g, int count,
                                      const std::uint8_t* tile, bool once, F8 (*total)[2]) {
  const int scale_bytes = count / kSubgroup * kTile;
  const std::size_t group_bytes = kTile * sizeof(float) + scale_bytes + std::size_t(count) * kTile / 2;
  const Bytes table = levels();
  const std::int8_t* values[G][R];
  const std::int32_t* offsets[G][R];
  Sum groups[G][R][kParts];
  std::memset(groups, 0, sizeof groups);
  for (int i = 0; i < G; i++) {
    for (int at = 0; at < kHead; at += kLine) fetch_ahead<kNibbleGroupBytes>(tile + i * group_bytes + at, once);
    for (int r = 0; r < R; r++) {
      values[i][r] = x.values + std::size_t(row + r) * m.inputs + (g + i) * kGroup;
      offsets[i][r] = x.sums + std::size_t(row + r) * m.summed() + (g + i) * (kGroup / kSubgroup);
    }
  }
  const std::uint8_t* scales = tile + kTile * sizeof(float);
  const std::uint8_t* weights = scales + scale_bytes;
  for (int part = 0; part < count / kSubgroup; part++, scales += kTile, weights += kUnits * kLine)
    for (int i = 0; i < G; i++) {
      Sum sums[R][kParts], factors[kParts];
      for (int r = 0; r < R; r++) begin(kOffset * offsets[i][r][part], sums[r]);
      for (int unit = 0; unit < kUnits; unit++) {
        const std::uint8_t* from = weights + i * group_bytes + unit * kLine;
        const int at = part * kSubgroup + unit * 2 * kStep;
        Bytes first[kParts], second[kParts];
        fetch_ahead<kNibbleGroupBytes>(from, once);
        load_nibbles(from, table, first, second);
        add_products<R>(first, values[i], at, sums);
        add_products<R>(second, values[i], at + kStep, sums);
      }
      load_scales(scales + i * group_bytes, factors);
      for (int r = 0; r < R; r++) add_times(sums[r], factors, groups[i][r]);
    }
  for (int i = 0; i < G; i++, tile += group_bytes)
    for (int r = 0; r < R; r++)
      add_scaled(groups[i][r], 0, x.scales[std::size_t(row + r) * m.groups + g + i], (const float*)tile, total[r]);
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
  finish<R>(m, x, row, tile, total, out, with_gelu);
}

constexpr float kEnds[] = {1.1f, 1.0f, 0.9f, 0.8f};  // where the largest weight is put, in units of the first level

inline float reciprocal(float x) { return x != 0.0f ? 1.0f / x : 0.0f; }

// The nearest levels and their numbers.
inline void nearest(F8 x, F8& level, I8& number) {
  level = all(kNibbles[0]);
  number = I8{};
  for (int i = 1; i < 16; i++) {
    const I8 above = x > all(0.5f * float(kNibbles[i - 1] + kNibbles[i]));
    number -= above;
    level += as_float(as_int(all(float(kNibbles[i] - kNibbles[i - 1]))) & above);
  }
}

// The scale of least squared error of a subgroup, of those that are tried.
float best_scale(const float* weights) {
  float largest = weights[0];
  for (int i = 1; i < kSubgroup; i++)
    if (__builtin_fabsf(weights[i]) > __builtin_fabsf(largest)) largest = weights[i];
  float best = 0.0f, gained = 0.0f;  // squares that the levels account for
  for (const float end : kEnds) {
    const F8 factor = all(float(kNibbles[0]) * end * reciprocal(largest));
    F8 products = {}, squares = {}, level;
    I8 number;
    for (int i = 0; i < kSubgroup; i += kLane) {
      nearest(load(weights + i) * factor, level, number);
      products += load(weights + i) * level;
      squares += level * level;
    }
    const float product = sum(products), scale = product * reciprocal(sum(squares));  // least squares for these levels
    if (product * scale > gained) {
      best = scale;
      gained = product * scale;
    }
  }
  return best;
}

}  // namespace

void to_nibbles(const float* weights, int inputs, std::int8_t* values, std::int8_t* parts, float* scales) {
  for (int from = 0; from < inputs; from += kGroup, scales++) {
    const int until = from + kGroup < inputs ? from + kGroup : inputs;
    float wished[kGroup / kSubgroup], most = 0.0f;
    for (int at = from, i = 0; at < until; at += kSubgroup, i++) {
      wished[i] = best_scale(weights + at);
      most = __builtin_fabsf(wished[i]) > most ? __builtin_fabsf(wished[i]) : most;
    }
    *scales = most / float(kLevels);
    for (int at = from, i = 0; at < until; at += kSubgroup, i++) {
      float part = rounded(all(wished[i] * reciprocal(*scales)))[0];
      if (part == 0.0f) part = float((wished[i] > 0.0f) - (wished[i] < 0.0f));
      *parts++ = std::int8_t(part);
      const F8 factor = all(reciprocal(part * *scales));
      for (int j = at; j < at + kSubgroup; j += kLane) {
        F8 level;
        I8 number;
        nearest(load(weights + j) * factor, level, number);
        store_bytes(values + j, number);
      }
    }
  }
}

void multiply_nibbles(const MatrixView& m, const Rows& x, int rows, const std::uint8_t* tile, bool once, float* out,
                      bool with_gelu) {
  in_blocks(rows, [&](int row, auto count) { multiply_rows<count.value>(m, x, row, tile, once, out, with_gelu); });
}

}  // namespace LEVEL
}  // namespace lullwave
