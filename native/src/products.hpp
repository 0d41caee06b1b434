// What products with weights of 8 and of 4 bits share: sums of bytes, scales, loud inputs, GELU.
#pragma once
#include "vectors.hpp"

namespace lullwave {
namespace LEVEL {
namespace {

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

#if defined(__AVX512VNNI__) && defined(__AVX512F__)
using Sum = __m512i;
using Bytes = __m512i;
constexpr int kParts = 1;  // registers that hold the sums of one row, and the bytes of a step of its tile
#elif defined(__AVX2__)
using Sum = __m256i;
using Bytes = __m256i;
constexpr int kParts = 2;
#elif defined(__ARM_FEATURE_DOTPROD)
using Sum = int32x4_t;
using Bytes = int8x16_t;
constexpr int kParts = 4;
#else
struct Sum { std::int32_t v[kTile]; };
struct Bytes { std::int8_t v[kTile * kStep]; };
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

// Asks the memory for weights that are needed soon: where groups are read side by side, for those that follow the
// kTogether groups of so many bytes. `once`: keep them out of the outer caches.
template <int GroupBytes>
inline void fetch_ahead(const std::uint8_t* w, bool once) {
  constexpr int kAhead = kTogether > 1 ? kTogether * GroupBytes : 4096, kAheadOnce = 1024;  // bytes
  if (kTogether == 1 && once) __builtin_prefetch(w + kAheadOnce, 0, 0);
  else if (kTogether > 1) __builtin_prefetch(w + kAhead, 0, 2);  // the core's outer cache takes more requests at once
  else __builtin_prefetch(w + kAhead);
}

inline std::int32_t four(const std::int8_t* x) { std::int32_t v; std::memcpy(&v, x, sizeof v); return v; }

// Adds the products of four inputs with the weights of a tile, from `at` on in each row, to the sums of R rows. The
// weights are within -127..127, or shifted by kOffset.
template <int R>
inline void add_products(const Bytes (&weights)[kParts], const std::int8_t* const* x, int at, Sum (*sums)[kParts]) {
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
  for (int r = 0; r < R; r++)
    sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], weights[0], _mm512_set1_epi32(four(x[r] + at)));
#elif defined(__AVX2__)
  for (int part = 0; part < kParts; part++) {
#if defined(__AVXVNNI__)
    for (int r = 0; r < R; r++)
      sums[r][part] = _mm256_dpbusd_avx_epi32(sums[r][part], weights[part], _mm256_set1_epi32(four(x[r] + at)));
#else
    // |w| times sign(w) x: two products of at most 127 x 127 fit in 16 bits, nothing is clipped
    const __m256i size = _mm256_abs_epi8(weights[part]), ones = _mm256_set1_epi16(1);
    for (int r = 0; r < R; r++) {
      const __m256i inputs = _mm256_sign_epi8(_mm256_set1_epi32(four(x[r] + at)), weights[part]);
      sums[r][part] = _mm256_add_epi32(sums[r][part], _mm256_madd_epi16(_mm256_maddubs_epi16(size, inputs), ones));
    }
#endif
  }
#elif defined(__ARM_FEATURE_DOTPROD)
  for (int part = 0; part < kParts; part++)
    for (int r = 0; r < R; r++)
      sums[r][part] = vdotq_s32(sums[r][part], weights[part], vreinterpretq_s8_s32(vdupq_n_s32(four(x[r] + at))));
#else
  for (int r = 0; r < R; r++)
    for (int i = 0; i < kTile; i++)
      for (int j = 0; j < kStep; j++) sums[r][0].v[i] += int(weights[0].v[kStep * i + j]) * int(x[r][at + j]);
#endif
}

// Adds whole-number sums, times the scales of weights and inputs, to a row's total.
inline void add_scaled(const Sum (&sums)[kParts], std::int32_t correction, float input_scale, const float* scales,
                       F8 (&total)[2]) {
  I8 exact[2];
  static_assert(sizeof exact == sizeof sums);
  std::memcpy(exact, sums, sizeof exact);
  for (int half = 0; half < 2; half++)
    total[half] = fused(to_float(exact[half] - correction) * input_scale, load(scales + half * kLane), total[half]);
}

// Adds the loud inputs, whose weights begin at `weights`, to the totals of R rows and writes them from `row` on.
template <int R>
inline void finish(const MatrixView& m, const Rows& x, int row, const std::uint8_t* weights, F8 (*total)[2], float* out,
                   bool with_gelu) {
  for (int j = 0; j < m.loud_count; j++, weights += kTile * sizeof(float))
    for (int r = 0; r < R; r++)
      for (int half = 0; half < 2; half++)
        total[r][half] = fused(all(x.loud[std::size_t(row + r) * m.loud_count + j]),
                               load((const float*)weights + half * kLane), total[r][half]);
  for (int r = 0; r < R; r++)
    for (int half = 0; half < 2; half++)
      store(out + (row + r) * kTile + half * kLane, with_gelu ? gelu(total[r][half]) : total[r][half]);
}

// Calls `block`, which is told how many rows as a type, for blocks of up to four rows.
template <int R> struct Count { static constexpr int value = R; };
template <class Block>
inline void in_blocks(int rows, Block block) {
  int row = 0;
  for (; row + 4 <= rows; row += 4) block(row, Count<4>());
  if (rows - row == 3) block(row, Count<3>());
  if (rows - row == 2) block(row, Count<2>());
  if (rows - row == 1) block(row, Count<1>());
}

}  // namespace
}  // namespace LEVEL
}  // namespace lullwave
