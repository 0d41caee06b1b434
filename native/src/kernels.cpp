// The kernels of the decoder's products and norms, compiled once for each instruction set: LEVEL is its name.
#include "attention_kernels.hpp"
#include "float_kernels.hpp"
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
constexpr int kAhead = kTogether > 1 ? kTogether * kGroupBytes : 4096;
constexpr int kAheadOnce = 1024;  // the same, for weights that are kept out of the outer caches

// Asks the memory for weights that are needed soon. `once`: keep them out of the outer caches.
inline void fetch_ahead(const std::uint8_t* w, bool once) {
  if (kTogether == 1 && once) __builtin_prefetch(w + kAheadOnce, 0, 0);
  else __builtin_prefetch(w + kAhead);
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
  const bool once = reads_once_well && rows <= 4;  // else the next block of rows reads the tile again
  int row = 0;
  for (; row + 4 <= rows; row += 4) multiply_rows<4>(m, x, row, tile, once, out, with_gelu);
  if (rows - row == 3) multiply_rows<3>(m, x, row, tile, once, out, with_gelu);
  if (rows - row == 2) multiply_rows<2>(m, x, row, tile, once, out, with_gelu);
  if (rows - row == 1) multiply_rows<1>(m, x, row, tile, once, out, with_gelu);
}

// In the order of the products, with the same requests ahead.
std::uint64_t read(const std::uint8_t* data, std::size_t bytes) {
  constexpr std::size_t kStream = kGroupBytes, kLine = 64;
  U8 a = {}, b = {};
  const auto add = [&](const std::uint8_t* line) {
    U8 v, w;
    std::memcpy(&v, line, sizeof v);
    std::memcpy(&w, line + sizeof v, sizeof w);
    a += v;
    b ^= w;
  };
  std::size_t at = 0;
  if (kTogether > 1)
    for (; at + kTogether * kStream <= bytes; at += kTogether * kStream)
      for (std::size_t line = at; line < at + kStream; line += kLine)
        for (int i = 0; i < kTogether; i++) {
          fetch_ahead(data + line + i * kStream, false);
          add(data + line + i * kStream);
        }
  for (; at < bytes; at += kLine) add(data + at);
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
