// The kernels of the decoder's products and norms, compiled once for each instruction set: LEVEL is its name.
#include "attention_kernels.hpp"
#include "float_kernels.hpp"
#include "matrix_unit.hpp"
#include "nibble_kernels.hpp"
#include "products.hpp"

namespace lullwave {
namespace LEVEL {
namespace {

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

#if defined(__AVX512VNNI__) && defined(__AVX512F__)
constexpr int kQuantized = 64;  // inputs that are quantized together

// Quantizes 64 inputs; returns the sums of 16 each, in the first element of each part of 128 bits.
inline __m512i quantize_64(const float* x, __m512 factor, std::int8_t* values) {
  constexpr __mmask16 kAll = __mmask16(-1);
  __m512i bytes = _mm512_setzero_si512();
  const auto levels = [&](int i) {
    return _mm512_maskz_cvtsepi32_epi8(kAll, _mm512_maskz_cvtps_epi32(kAll, _mm512_loadu_ps(x + 16 * i) * factor));
  };
  bytes = _mm512_maskz_inserti32x4(kAll, bytes, levels(0), 0);
  bytes = _mm512_maskz_inserti32x4(kAll, bytes, levels(1), 1);
  bytes = _mm512_maskz_inserti32x4(kAll, bytes, levels(2), 2);
  bytes = _mm512_maskz_inserti32x4(kAll, bytes, levels(3), 3);
  _mm512_storeu_si512(values, bytes);
  __m512i sums = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), bytes);
  sums = _mm512_add_epi32(sums, _mm512_maskz_shuffle_epi32(kAll, sums, _MM_PERM_BADC));
  return _mm512_add_epi32(sums, _mm512_maskz_shuffle_epi32(kAll, sums, _MM_PERM_CDAB));
}

// Quantizes a group of a multiple of 64 inputs; writes its sums, of 16 inputs each or of all. Returns the scale.
inline float quantize_group(const float* x, int count, bool subgroups, std::int8_t* values, std::int32_t* sums) {
  Wide most = {};
  for (int i = 0; i < count; i += kWide) {
    const Wide size = (Wide)_mm512_abs_ps((__m512)load_wide(x + i));
    most = most > size ? most : size;
  }
  F8 parts[2];
  std::memcpy(parts, &most, sizeof most);
  const float peak = largest(larger(parts[0], parts[1]));
  const __m512 factor = _mm512_set1_ps(peak > kLeastPeak ? float(kLevels) / peak : 0.0f);
  __m512i total = _mm512_setzero_si512();
  for (int i = 0; i < count; i += kQuantized) {
    const __m512i found = quantize_64(x + i, factor, values + i);
    if (subgroups) _mm512_mask_compressstoreu_epi32(sums + i / kSubgroup, 0x1111, found);
    else total = _mm512_add_epi32(total, found);
  }
  if (!subgroups) {
    std::int32_t all[16];
    _mm512_storeu_si512(all, total);
    *sums = all[0] + all[4] + all[8] + all[12];
  }
  return peak / float(kLevels);
}
#endif

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
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
    if ((to - from) % kQuantized == 0) {
      const int at = m.bits == 4 ? from / kSubgroup : g;
      out.scales[row * m.groups + g] =
          quantize_group(x + from, to - from, m.bits == 4, values + from, out.sums + std::size_t(row) * m.summed() + at);
      continue;
    }
#endif
    F8 most = {};
    for (int i = from; i < to; i += kLane) most = larger(most, absolute(load(x + i)));
    const float peak = largest(most);
    const F8 factor = all(peak > kLeastPeak ? float(kLevels) / peak : 0.0f);
    const int summed = m.bits == 4 ? kSubgroup : kGroup;
    for (int first = from; first < to; first += summed) {
      I8 total = {};
      const int end = first + summed < to ? first + summed : to;
      for (int i = first; i < end; i += kLane) {
        const I8 q = __builtin_convertvector(rounded(load(x + i) * factor), I8);
        total += q;
        store_bytes(values + i, q);
      }
      std::int32_t added = 0;
      for (int j = 0; j < kLane; j++) added += total[j];
      out.sums[std::size_t(row) * m.summed() + first / summed] = added;
    }
    out.scales[row * m.groups + g] = peak / float(kLevels);
  }
}

// The weights of four inputs, as add_products wants them.
inline void load_weights(const std::uint8_t* w, Bytes (&weights)[kParts]) {
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
  weights[0] = _mm512_xor_si512(_mm512_loadu_si512(w), _mm512_set1_epi8(-128));
#elif defined(__AVX2__)
  for (int part = 0; part < kParts; part++) {
    weights[part] = _mm256_loadu_si256((const __m256i*)(w + 32 * part));
    if (kOffset) weights[part] = _mm256_xor_si256(weights[part], _mm256_set1_epi8(-128));
  }
#elif defined(__ARM_FEATURE_DOTPROD)
  for (int part = 0; part < kParts; part++) weights[part] = vld1q_s8((const std::int8_t*)w + 16 * part);
#else
  std::memcpy(weights, w, sizeof weights);
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
      fetch_ahead<kGroupBytes>(weights + i * group_bytes, once);
      Bytes loaded[kParts];
      load_weights(weights + i * group_bytes, loaded);
      add_products<R>(loaded, values[i], at, sums[i]);
    }
  for (int i = 0; i < G; i++, tile += group_bytes)
    for (int r = 0; r < R; r++) {
      const std::size_t at = std::size_t(row + r) * m.groups + g + i;
      add_scaled(sums[i][r], kOffset * x.sums[at], x.scales[at], (const float*)tile, total[r]);
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
  finish<R>(m, x, row, tile, total, out, with_gelu);
}

void multiply(const MatrixView& m, const Rows& x, int rows, int number, float* out, bool with_gelu) {
  const std::uint8_t* tile = m.tiles + std::size_t(number) * m.tile_bytes;
  if (multiply_by_matrix_unit(m, x, rows, tile, out, with_gelu)) return;
  const bool once = reads_once_well && rows <= 4;  // else the next block of rows reads the tile again
  if (m.bits == 4) return multiply_nibbles(m, x, rows, tile, once, out, with_gelu);
  in_blocks(rows, [&](int row, auto count) { multiply_rows<count.value>(m, x, row, tile, once, out, with_gelu); });
}

// In the order of the products, with the same requests ahead: kTogether groups of so many bytes side by side, then what is
// left of the tile.
template <int GroupBytes>
std::uint64_t read_tiles(const std::uint8_t* data, std::size_t tiles, std::size_t tile_bytes, int groups) {
  constexpr std::size_t kLine = 64;
  static_assert(GroupBytes % kLine == 0);
  U8 a = {}, b = {};
  const auto add = [&](const std::uint8_t* line) {
    fetch_ahead<GroupBytes>(line, reads_once_well);
    U8 v, w;
    std::memcpy(&v, line, sizeof v);
    std::memcpy(&w, line + sizeof v, sizeof w);
    a += v;
    b ^= w;
  };
  for (std::size_t tile = 0; tile < tiles; tile++, data += tile_bytes) {
    std::size_t at = 0;
    for (int g = 0; g + kTogether <= groups; g += kTogether, at += kTogether * std::size_t(GroupBytes))
      for (std::size_t line = at; line < at + GroupBytes; line += kLine)
        for (int i = 0; i < kTogether; i++) add(data + line + std::size_t(i) * GroupBytes);
    for (; at < tile_bytes; at += kLine) add(data + at);
  }
  a += b;
  std::uint64_t total = 0;
  for (int i = 0; i < kLane; i++) total += a[i];
  return total;
}

std::uint64_t read(const MatrixView& m, int first, int end) {
  const std::uint8_t* data = m.tiles + std::size_t(first) * m.tile_bytes;
  const int groups = m.inputs / kGroup, tiles = end - first;
  return m.bits == 4 ? read_tiles<kNibbleGroupBytes>(data, tiles, m.tile_bytes, groups)
                     : read_tiles<kGroupBytes>(data, tiles, m.tile_bytes, groups);
}

#define LULLWAVE_TEXT(x) #x
#define LULLWAVE_NAME(x) LULLWAVE_TEXT(x)

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {LULLWAVE_NAME(LEVEL), quantize, to_nibbles, multiply, normalize, attend, to_half, to_bytes,
                         pack_head, unpack_heads, kNibbleHead, read, product, elu, lstm_cell};

}  // namespace LEVEL
}  // namespace lullwave
