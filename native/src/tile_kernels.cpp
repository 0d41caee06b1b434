// Kernels of transformer layers: LEVEL is the instruction set that this source is compiled for, amx or avx512_bf16.
#include <immintrin.h>

#include <cstring>

#include "tiles.hpp"
#if defined(__AMX_BF16__)
#include "tile_registers.hpp"
#endif

namespace lullwave {
namespace LEVEL {
namespace {

using V = __m512;
constexpr int kLane = 16;

inline V load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, V v) { _mm512_storeu_ps(p, v); }
inline V all(float x) { return _mm512_set1_ps(x); }
inline V fused(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
// Of two vectors, 32 values in their order.
inline __m512i narrow(V low, V high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }
inline void store_narrow(Bf16* p, V low, V high) { _mm512_storeu_si512(p, narrow(low, high)); }

// Two to the power of v <= 127: on -0.5..0.5 the polynomial of least relative error of its degree, 2.6e-6.
inline V power_of_two(V v) {
  v = _mm512_max_ps(all(-126.0f), v);
  const V n = _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const V f = _mm512_sub_ps(v, n);
  V p = fused(f, all(9.5701013e-3f), all(5.5917863e-2f));
  p = fused(p, f, all(2.4024744e-1f));
  p = fused(p, f, all(6.9312179e-1f));
  p = fused(p, f, all(9.9999928e-1f));
  return _mm512_scalef_ps(p, n);
}
constexpr float kLog2E = 1.44269504f;

inline V sigmoid(V v) {
  v = _mm512_min_ps(all(87.0f), _mm512_max_ps(all(-87.0f), v));  // in this order, what is no number stays so
  const V e = power_of_two(_mm512_mul_ps(v, all(-kLog2E)));
  const V sum = _mm512_add_ps(all(1.0f), e), near = _mm512_rcp14_ps(sum);
  return _mm512_mul_ps(near, _mm512_fnmadd_ps(sum, near, all(2.0f)));  // a step of Newton's
}
inline V hyperbolic_tangent(V v) {  // 2 sigmoid(2 v) - 1, and v where this would cancel
  const V t = fused(all(2.0f), sigmoid(_mm512_add_ps(v, v)), all(-1.0f));
  const __mmask16 small = _mm512_cmp_ps_mask(_mm512_abs_ps(v), all(0.03f), _CMP_LT_OQ);
  return _mm512_mask_blend_ps(small, t, _mm512_fnmadd_ps(_mm512_mul_ps(v, all(1.0f / 3.0f)), _mm512_mul_ps(v, v), v));
}
inline V sine_of_turn(V v) {  // sin(pi·v)
  const V n = _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const V x = _mm512_mul_ps(_mm512_sub_ps(v, n), all(3.14159265f)), s = _mm512_mul_ps(x, x);
  V p = fused(s, all(2.7557319e-6f), all(-1.9841270e-4f));  // Taylor's: on -pi/2..pi/2 its error is below 4e-6
  p = fused(p, s, all(8.3333333e-3f));
  p = fused(p, s, all(-1.6666667e-1f));
  const V value = fused(_mm512_mul_ps(p, s), x, x);
  const __mmask16 odd = _mm512_test_epi32_mask(_mm512_cvtps_epi32(n), _mm512_set1_epi32(1));
  return _mm512_mask_sub_ps(value, odd, _mm512_setzero_ps(), value);
}

#if defined(__AMX_BF16__)

void begin(void* state) {
  keep_shapes(state);
  TileShapes shapes;
  for (int i = 0; i < 8; i++) shapes.columns[i] = 64, shapes.rows[i] = kRows;
  shapes.use();
}

void end(void* state) { give_back_shapes(state); }

// Two blocks of rows, or one, times a panel.
template <bool kTwo>
inline void multiply(const Bf16* a, std::size_t next, const Bf16* b, int depth, bool more, float* c, int stride,
                     const char* ahead, int lines) {
  const std::size_t row = std::size_t(stride) * sizeof(float);
  float* below = c + kRows * std::size_t(stride);
  memory_as_written();
  if (more) {
    _tile_loadd(0, c, row);
    _tile_loadd(1, c + kRows, row);
    if (kTwo) {
      _tile_loadd(2, below, row);
      _tile_loadd(3, below + kRows, row);
    }
  } else {
    _tile_zero(0);
    _tile_zero(1);
    if (kTwo) {
      _tile_zero(2);
      _tile_zero(3);
    }
  }
  const int each = (lines + depth - 1) / depth;
  for (int k = 0; k < depth; k++) {
    _tile_loadd(4, a + k * kTileSize, 64);
    _tile_loadd(6, b + k * kPanelTiles * kTileSize, 64);
    _tile_loadd(7, b + (k * kPanelTiles + 1) * kTileSize, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if (kTwo) {
      _tile_loadd(5, a + next + k * kTileSize, 64);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    for (int i = 0; i < each; i++) _mm_prefetch(ahead + (k * each + i) * 64, _MM_HINT_T1);
  }
  _tile_stored(0, c, row);
  _tile_stored(1, c + kRows, row);
  if (kTwo) {
    _tile_stored(2, below, row);
    _tile_stored(3, below + kRows, row);
  }
  memory_as_written();
}

// (16, 64 values) times tiles: `count` (at most 4) neighbouring tiles of 16 outputs.
inline void scores_of(const Bf16* queries, const Bf16* keys, int count, float* out, std::size_t row) {
  memory_as_written();
  _tile_loadd(4, queries, 64);
  _tile_loadd(5, queries + kTileSize, 64);
  const auto key = [&](int i, int half) { return keys + (i * kHeadTiles + half) * kTileSize; };
#define LULLWAVE_SCORES(I)             \
  if (I < count) {                     \
    _tile_zero(I);                     \
    _tile_loadd(6, key(I, 0), 64);     \
    _tile_loadd(7, key(I, 1), 64);     \
    _tile_dpbf16ps(I, 4, 6);           \
    _tile_dpbf16ps(I, 5, 7);           \
    _tile_stored(I, out + I * kRows, row); \
  }
  LULLWAVE_SCORES(0)
  LULLWAVE_SCORES(1)
  LULLWAVE_SCORES(2)
  LULLWAVE_SCORES(3)
#undef LULLWAVE_SCORES
  memory_as_written();
}

inline void weighted(const Bf16* weights, const Bf16* values, int steps, float* out) {
  memory_as_written();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int k = 0; k < steps; k++) {
    const Bf16* v = values + k * kValueTiles * kTileSize;
    _tile_loadd(4, weights + k * kTileSize, 64);
    _tile_loadd(5, v, 64);
    _tile_loadd(6, v + kTileSize, 64);
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 6);
    _tile_loadd(5, v + 2 * kTileSize, 64);
    _tile_loadd(6, v + 3 * kTileSize, 64);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 6);
  }
  const std::size_t row = kHead * sizeof(float);
  _tile_stored(0, out, row);
  _tile_stored(1, out + kRows, row);
  _tile_stored(2, out + 2 * kRows, row);
  _tile_stored(3, out + 3 * kRows, row);
  memory_as_written();
}

#else

void begin(void*) {}
void end(void*) {}

// Adds the product of 16 rows and a tile of 16 outputs to `sums`.
inline void add_tile(const Bf16* a, const Bf16* b, V (&sums)[kRows]) {
  for (int k = 0; k < kDepth / 2; k++) {
    const __m512bh pair = (__m512bh)_mm512_loadu_si512(b + k * kDepth);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) {
      std::int32_t two;
      std::memcpy(&two, a + r * kDepth + 2 * k, sizeof two);
      sums[r] = _mm512_dpbf16_ps(sums[r], (__m512bh)_mm512_set1_epi32(two), pair);
    }
  }
}

inline void start(V (&sums)[kRows], bool more, const float* c, int stride) {
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) sums[r] = more ? load(c + std::size_t(r) * stride) : _mm512_setzero_ps();
}

inline void finish(const V (&sums)[kRows], float* c, int stride) {
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) store(c + std::size_t(r) * stride, sums[r]);
}

template <bool kTwo>
inline void multiply(const Bf16* a, std::size_t next, const Bf16* b, int depth, bool more, float* c, int stride,
                     const char* ahead, int lines) {
  for (int i = 0; i < lines; i++) _mm_prefetch(ahead + i * 64, _MM_HINT_T1);
  for (int block = 0; block < (kTwo ? 2 : 1); block++)
    for (int n = 0; n < kPanelTiles; n++) {
      float* to = c + block * kRows * std::size_t(stride) + n * kRows;
      V sums[kRows];
      start(sums, more, to, stride);
      for (int k = 0; k < depth; k++)
        add_tile(a + block * next + k * kTileSize, b + (k * kPanelTiles + n) * kTileSize, sums);
      finish(sums, to, stride);
    }
}

inline void scores_of(const Bf16* queries, const Bf16* keys, int count, float* out, std::size_t row) {
  for (int i = 0; i < count; i++) {
    V sums[kRows];
    start(sums, false, nullptr, 0);
    for (int half = 0; half < kHeadTiles; half++)
      add_tile(queries + half * kTileSize, keys + (i * kHeadTiles + half) * kTileSize, sums);
    finish(sums, out + i * kRows, int(row / sizeof(float)));
  }
}

inline void weighted(const Bf16* weights, const Bf16* values, int steps, float* out) {
  for (int n = 0; n < kValueTiles; n++) {
    V sums[kRows];
    start(sums, false, nullptr, 0);
    for (int k = 0; k < steps; k++) add_tile(weights + k * kTileSize, values + (k * kValueTiles + n) * kTileSize, sums);
    finish(sums, out + n * kRows, kHead);
  }
}

#endif

void product(const Bf16* left, int depth_blocks, int blocks, const Bf16* group, int panels, float* out) {
  const int stride = panels * kPanel, calls = (blocks + 1) / 2;
  const std::size_t next = std::size_t(depth_blocks) * kTileSize;
  for (int from = 0; from < depth_blocks; from += kSlice) {
    const int depth = depth_blocks - from < kSlice ? depth_blocks - from : kSlice;
    for (int panel = 0; panel < panels; panel++) {
      const std::size_t size = std::size_t(depth) * kPanelTiles * kTileSize;
      const char* ahead = reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(group) + size * sizeof(Bf16));
      const int lines = int(size * sizeof(Bf16) / 64);  // of the panel that follows, while this one is multiplied
      for (int r = 0; r < blocks; r += 2) {
        const Bf16* a = left + r * next + std::size_t(from) * kTileSize;
        float* c = out + std::size_t(r) * kRows * stride + panel * kPanel;
        const int begun = lines * (r / 2) / calls, ended = lines * (r / 2 + 1) / calls;
        const char* asked = reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(ahead) + begun * 64);
        if (r + 1 < blocks)
          multiply<true>(a, next, group, depth, from > 0, c, stride, asked, ended - begun);
        else
          multiply<false>(a, next, group, depth, from > 0, c, stride, asked, ended - begun);
      }
      group += size;
    }
  }
}

void norm(const float* x, int rows, int width, bool tanh, float alpha, float eps, const float* factor,
          const float* shift, Bf16* tiles) {
  for (int r = 0; r < kRows; r++) {
    const float* row = x + std::size_t(r) * width;
    if (r >= rows) {
      for (int c = 0; c < width; c += kDepth)
        store_narrow(tiles + c / kDepth * kTileSize + r * kDepth, _mm512_setzero_ps(), _mm512_setzero_ps());
      continue;
    }
    V scale = all(alpha);
    if (!tanh) {
      V sum = _mm512_setzero_ps(), other = _mm512_setzero_ps();
      for (int c = 0; c < width; c += kDepth) {
        const V a = load(row + c), b = load(row + c + kLane);
        sum = fused(a, a, sum);
        other = fused(b, b, other);
      }
      const float mean = _mm512_reduce_add_ps(_mm512_add_ps(sum, other)) / float(width);
      scale = all(1.0f / __builtin_sqrtf(mean + eps));
    }
    for (int c = 0; c < width; c += kDepth) {
      V two[2];
      for (int i = 0; i < 2; i++) {
        const int at = c + i * kLane;
        V y = _mm512_mul_ps(load(row + at), scale);
        if (tanh) y = hyperbolic_tangent(y);
        if (factor) y = shift ? fused(y, load(factor + at), load(shift + at)) : _mm512_mul_ps(y, load(factor + at));
        two[i] = y;
      }
      store_narrow(tiles + c / kDepth * kTileSize + r * kDepth, two[0], two[1]);
    }
  }
}

struct Row {
  V part[kHead / kLane];
};

inline Row row_of(const float* x) {
  Row row;
  for (int i = 0; i < kHead / kLane; i++) row.part[i] = load(x + i * kLane);
  return row;
}

inline void normalize(Row& row, const HeadNorm& norm) {
  V scale = all(norm.alpha);
  if (!norm.tanh) {
    V sum = _mm512_setzero_ps();
    for (const V& part : row.part) sum = fused(part, part, sum);
    scale = all(1.0f / __builtin_sqrtf(_mm512_reduce_add_ps(sum) / float(kHead) + norm.eps));
  }
  for (int i = 0; i < kHead / kLane; i++) {
    V y = _mm512_mul_ps(row.part[i], scale);
    if (norm.tanh) y = hyperbolic_tangent(y);
    const V gamma = load(norm.gamma + i * kLane);
    row.part[i] = norm.beta ? fused(y, gamma, load(norm.beta + i * kLane)) : _mm512_mul_ps(y, gamma);
  }
}

inline void rotate(Row& row, const Rotation& rotation, int position) {
  const int parts = rotation.half / kLane;
  for (int i = 0; i < parts; i++) {
    const std::size_t at = std::size_t(position) * rotation.half + i * kLane;
    const V cos = load(rotation.cos + at), sin = load(rotation.sin + at);
    const V a = row.part[i], b = row.part[i + parts];
    row.part[i] = _mm512_fmsub_ps(a, cos, _mm512_mul_ps(b, sin));
    row.part[i + parts] = fused(b, cos, _mm512_mul_ps(a, sin));
  }
}

void queries(const float* x, int stride, int position, int rows, const HeadNorm& norm, const Rotation& rotation,
             Bf16* tiles) {
  for (int r = 0; r < kRows; r++) {
    Row row = {};
    if (r < rows) {
      row = row_of(x + std::size_t(r) * stride);
      normalize(row, norm);
      rotate(row, rotation, position + r);
    }
    for (int t = 0; t < kHeadTiles; t++)
      store_narrow(tiles + t * kTileSize + r * kDepth, row.part[2 * t], row.part[2 * t + 1]);
  }
}

void keys(const float* x, int stride, int position, int rows, const HeadNorm* norm, const Rotation& rotation, int block,
          Bf16* keys) {
  const __m512i places = _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                                            _mm512_set1_epi32(kRows));
  Bf16* to = keys + std::size_t(block) * kHeadTiles * kTileSize;
  for (int r = 0; r < kRows; r++) {
    Row row = {};
    if (r < rows) {
      row = row_of(x + std::size_t(r) * stride);
      if (norm) {
        normalize(row, *norm);
        rotate(row, rotation, position + r);
      }
    }
    for (int t = 0; t < kHeadTiles; t++)
      _mm512_i32scatter_epi32(to + t * kTileSize + r * 2, places, narrow(row.part[2 * t], row.part[2 * t + 1]), 4);
  }
}

void values(const float* x, int stride, int rows, int block, Bf16* values) {
  alignas(64) static constexpr Bf16 kTurns[32] = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
                                                  8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i turns = _mm512_load_si512(kTurns);
  Bf16* to = values + std::size_t(block / 2) * kValueTiles * kTileSize + block % 2 * (kRows / 2) * kDepth;
  for (int r = 0; r < kRows; r += 2) {
    const Row even = r < rows ? row_of(x + std::size_t(r) * stride) : Row{};
    const Row odd = r + 1 < rows ? row_of(x + std::size_t(r + 1) * stride) : Row{};
    for (int t = 0; t < kValueTiles; t++)
      _mm512_storeu_si512(to + t * kTileSize + r / 2 * kDepth,
                          _mm512_permutexvar_epi16(turns, narrow(even.part[t], odd.part[t])));
  }
}

// Softmax of a row of scores over the keys low..high, counted from the first of the sequence: weights, not yet divided by
// their sum, which is returned.
inline float softmax(float* scores, int width, int first_key, int low, int high, float scale, const float* bias,
                     Bf16* weights) {
  const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const auto seen = [&](int c) {
    const __m512i key = _mm512_add_epi32(lanes, _mm512_set1_epi32(first_key + c));
    return _mm512_mask_cmple_epi32_mask(_mm512_cmpge_epi32_mask(key, _mm512_set1_epi32(low)), key, _mm512_set1_epi32(high));
  };
  const float bits = scale * kLog2E;
  V most = all(-3.0e38f);
  for (int c = 0; c < width; c += kLane) {
    const __mmask16 mask = seen(c);
    V s = _mm512_mul_ps(load(scores + c), all(bits));
    if (bias) s = fused(_mm512_maskz_loadu_ps(mask, bias + first_key + c), all(kLog2E), s);
    s = _mm512_mask_blend_ps(mask, all(-3.0e38f), s);
    store(scores + c, s);
    most = _mm512_max_ps(most, s);
  }
  const V top = all(_mm512_reduce_max_ps(most));
  V sum = _mm512_setzero_ps();
  for (int c = 0; c < width; c += kDepth) {
    V two[2];
    for (int i = 0; i < 2; i++) {
      const __mmask16 mask = seen(c + i * kLane);
      two[i] = _mm512_maskz_mov_ps(mask, power_of_two(_mm512_sub_ps(load(scores + c + i * kLane), top)));
      sum = _mm512_add_ps(sum, two[i]);
    }
    store_narrow(weights + c / kDepth * kTileSize, two[0], two[1]);
  }
  return _mm512_reduce_add_ps(sum);
}

void attend(const Attention& given, float sign, float* out) {
  const int width = given.steps * kDepth;
  const Bf16* keys = given.keys + std::size_t(given.first / kRows) * kHeadTiles * kTileSize;
  const Bf16* values = given.values + std::size_t(given.first / kDepth) * kValueTiles * kTileSize;
  for (int block = 0; block < width / kRows; block += 4) {
    const int count = width / kRows - block < 4 ? width / kRows - block : 4;
    scores_of(given.queries, keys + std::size_t(block) * kHeadTiles * kTileSize, count, given.scores + block * kRows,
              std::size_t(width) * sizeof(float));
  }
  float sums[kRows];
  for (int r = 0; r < kRows; r++) {
    const int at = given.position + r;
    const int low = given.band < 0 || at < given.band ? 0 : at - given.band;
    const int high = given.band < 0 || at + given.band >= given.count ? given.count - 1 : at + given.band;
    sums[r] = softmax(given.scores + std::size_t(r) * width, width, given.first, low, high, given.scale, given.bias,
                      given.weights + r * kDepth);
  }
  alignas(64) float made[kRows * kHead];
  weighted(given.weights, values, given.steps, made);
  for (int r = 0; r < kRows; r++) {
    const V factor = all(sums[r] > 0.0f ? sign / sums[r] : 0.0f);
    for (int c = 0; c < kHead; c += kLane) {
      float* to = out + r * kHead + c;
      store(to, fused(load(made + r * kHead + c), factor, load(to)));
    }
  }
}

void to_tiles(const float* x, Bf16* tiles) {
  for (int r = 0; r < kRows; r++)
    for (int t = 0; t < kHeadTiles; t++) {
      const float* from = x + r * kHead + t * kDepth;
      store_narrow(tiles + t * kTileSize + r * kDepth, load(from), load(from + kLane));
    }
}

void gate(const float* values, const float* gates, int stride, const float* value_bias, const float* gate_bias,
          bool sine, Bf16* tiles) {
  for (int r = 0; r < kRows; r++)
    for (int c = 0; c < kHead; c += kDepth) {
      V two[2];
      for (int i = 0; i < 2; i++) {
        const int at = c + i * kLane;
        const std::size_t from = std::size_t(r) * stride + at;
        V value = load(values + from), g = load(gates + from);
        if (value_bias) value = _mm512_add_ps(value, load(value_bias + at)), g = _mm512_add_ps(g, load(gate_bias + at));
        two[i] = _mm512_mul_ps(sine ? sine_of_turn(g) : _mm512_mul_ps(g, sigmoid(g)), value);
      }
      store_narrow(tiles + c / kDepth * kTileSize + r * kDepth, two[0], two[1]);
    }
}

void add(const float* product, int stride, int rows, int width, const float* bias, const float* factor, float* x,
         int x_stride) {
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < width; c += kLane) {
      V made = load(product + std::size_t(r) * stride + c);
      if (bias) made = _mm512_add_ps(made, load(bias + c));
      float* to = x + std::size_t(r) * x_stride + c;
      store(to, factor ? fused(made, load(factor + c), load(to)) : _mm512_add_ps(made, load(to)));
    }
}

#define LULLWAVE_NAME(level) #level
#define LULLWAVE_NAME_OF(level) LULLWAVE_NAME(level)

}  // namespace

extern const TileKernels tile_kernels;
const TileKernels tile_kernels = {LULLWAVE_NAME_OF(LEVEL), begin, end, product, norm, queries, keys, values,
                                  attend, to_tiles, gate, add};

}  // namespace LEVEL
}  // namespace lullwave
