// Products by the matrix unit of Intel's CPUs (AMX), compiled once for each instruction set: LEVEL is its name.
//
// An instruction multiplies 16 rows of 64 inputs by 64 inputs of 16 outputs: as the weights of a tile lie in memory. With
// 4 bits a weight is a level times the whole-number scale of its subgroup, 15 bits in all. It is split into two bytes,
// 128 times the first plus the second, and the two products are added up. All sums are exact, as in the vector kernels.
#include "matrix_unit.hpp"

#include "products.hpp"
#if defined(__AMX_INT8__)
#include "tile_registers.hpp"
#endif

namespace lullwave {
namespace LEVEL {

#if defined(__AMX_INT8__)
namespace {

constexpr int kDepth = 64;      // inputs of an instruction
constexpr int kBlock = 16;      // rows of an instruction
constexpr int kRowsOfPass = 2 * kBlock;
constexpr int kFew = 3, kFewNibbles = 7;  // rows, at most, that the vector kernels multiply faster, with 8 and with 4 bits
constexpr int kLine = 64;       // bytes of a line of a tile register
constexpr int kScaleBytes = kTile * int(sizeof(float));
constexpr int kUnits = kSubgroup / (2 * kStep);  // lines of 4-bit weights of a subgroup

// Registers: 0 to 3 sums (0 and 1 of the first block, 2 and 3 of the second), 4 and 5 the blocks' inputs, 6 and 7 weights.
void set_shapes(int first, int second) {
  TileShapes shapes;
  for (int i = 0; i < 8; i++) {
    shapes.columns[i] = kLine;
    shapes.rows[i] = std::uint8_t(i >= 6 ? kDepth / kStep : i == 2 || i == 3 || i == 5 ? second : first);
  }
  shapes.use();
}

struct alignas(64) Sums { std::int32_t of[kRowsOfPass][kTile]; };

// Sums of a group of `count` inputs with 8-bit weights.
template <bool Two>
inline void add_up(const std::uint8_t* weights, const std::int8_t* x, std::size_t x_step, int count, Sums& sums) {
  _tile_zero(0);
  if (Two) _tile_zero(2);
  for (int at = 0; at < count; at += kDepth) {
    for (int line = 0; line < kDepth / kStep; line++)
      __builtin_prefetch(weights + at * kTile + line * kLine + 4 * kGroup * kTile);
    _tile_loadd(6, weights + at * kTile, kLine);
    _tile_loadd(4, x + at, x_step);
    _tile_dpbssd(0, 4, 6);
    if (Two) {
      _tile_loadd(5, x + kBlock * x_step + at, x_step);
      _tile_dpbssd(2, 5, 6);
    }
  }
  _tile_stored(0, sums.of[0], kLine);
  if (Two) _tile_stored(2, sums.of[kBlock], kLine);
  memory_as_written();
}

// The two bytes of 4-bit weights of an instruction.
struct alignas(64) Split { std::int8_t high[kDepth * kTile], low[kDepth * kTile]; };

inline void split(__m512i levels, __m512i scales, std::int8_t* high, std::int8_t* low) {
  // in 16 bits, a level in the upper byte: the product's upper half is level x scale / 128 where the scale is doubled
  const __m512i even = _mm512_maskz_slli_epi16(__mmask32(-1), levels, 8);
  const __m512i odd = _mm512_and_si512(levels, _mm512_set1_epi16(std::int16_t(0xff00)));
  const __m512i twice = _mm512_add_epi16(scales, scales);
  const __m512i mask = _mm512_set1_epi16(0x00ff);
  const __m512i high_even = _mm512_mulhi_epi16(even, twice), high_odd = _mm512_mulhi_epi16(odd, twice);
  const __m512i low_even = _mm512_mullo_epi16(even, scales), low_odd = _mm512_mullo_epi16(odd, scales);
  const __m512i highs = _mm512_ternarylogic_epi32(  // the lower byte of the first, the upper one of the second
      mask, high_even, _mm512_maskz_slli_epi16(__mmask32(-1), high_odd, 8), 0xca);
  const __m512i lows =
      _mm512_ternarylogic_epi32(mask, _mm512_maskz_srli_epi16(__mmask32(-1), low_even, 8), low_odd, 0xca);
  _mm512_store_si512(high, highs);
  _mm512_store_si512(low, _mm512_and_si512(lows, _mm512_set1_epi8(127)));
}

// The weights of an instruction, and the scales of their subgroups.
inline void split_weights(const std::uint8_t* scales, const std::uint8_t* weights, Split& out) {
  const __m512i table = _mm512_maskz_broadcast_i32x4(__mmask16(-1), _mm_loadu_si128((const __m128i*)kNibbles));
  const __m512i low = _mm512_set1_epi8(15);
  std::int8_t *to_high = out.high, *to_low = out.low;
  for (int part = 0; part < kDepth / kSubgroup; part++) {
    const __m512i wide =
        _mm512_maskz_cvtepi8_epi32(__mmask16(-1), _mm_loadu_si128((const __m128i*)(scales + part * kTile)));
    const __m512i both_halves =  // of 32 bits
        _mm512_mask_blend_epi16(0xaaaaaaaa, wide, _mm512_maskz_slli_epi32(__mmask16(-1), wide, 16));
    for (int unit = 0; unit < kUnits; unit++, weights += kLine, to_high += 2 * kLine, to_low += 2 * kLine) {
      __builtin_prefetch(weights + 2 * kGroup * kTile);
      const __m512i both = _mm512_loadu_si512(weights);
      split(_mm512_shuffle_epi8(table, _mm512_and_si512(both, low)), both_halves, to_high, to_low);
      split(_mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_maskz_srli_epi16(__mmask32(-1), both, 4), low)), both_halves,
            to_high + kLine, to_low + kLine);
    }
  }
}

// Walks through the 4-bit weights of a tile, an instruction's at a time, and splits them before they are needed: what was
// written can be read for the matrix unit only after a while.
class SplitWeights {
 public:
  SplitWeights(const MatrixView& m, const std::uint8_t* tile) : inputs_(m.inputs), next_(tile) {
    for (int i = 0; i < kAhead; i++) split_next();
  }
  const Split& take() {
    split_next();
    return ring_[taken_++ % kRing];
  }

 private:
  static constexpr int kAhead = 2, kRing = 4;

  void split_next() {
    const int at = made_ * kDepth;
    if (at >= inputs_) return;
    if (at % kGroup == 0) {
      const int count = inputs_ - at < kGroup ? inputs_ - at : kGroup;
      scales_ = next_ + kScaleBytes;
      weights_ = scales_ + count / kSubgroup * kTile;
      next_ = weights_ + count * kTile / 2;
    }
    split_weights(scales_, weights_, ring_[made_++ % kRing]);
    scales_ += kDepth / kSubgroup * kTile;
    weights_ += kDepth * kTile / 2;
  }

  Split ring_[kRing];
  int inputs_, made_ = 0, taken_ = 0;
  const std::uint8_t *next_, *scales_ = nullptr, *weights_ = nullptr;
};

// Sums of a group of `count` inputs with 4-bit weights.
template <bool Two>
inline void add_up(SplitWeights& weights, const std::int8_t* x, std::size_t x_step, int count, Sums& sums, Sums& low) {
  _tile_zero(0);
  _tile_zero(1);
  if (Two) {
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int at = 0; at < count; at += kDepth) {
    const Split& here = weights.take();
    memory_as_written();
    _tile_loadd(6, here.high, kLine);
    _tile_loadd(7, here.low, kLine);
    _tile_loadd(4, x + at, x_step);
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    if (Two) {
      _tile_loadd(5, x + kBlock * x_step + at, x_step);
      _tile_dpbssd(2, 5, 6);
      _tile_dpbssd(3, 5, 7);
    }
  }
  _tile_stored(0, sums.of[0], kLine);
  _tile_stored(1, low.of[0], kLine);
  if (Two) {
    _tile_stored(2, sums.of[kBlock], kLine);
    _tile_stored(3, low.of[kBlock], kLine);
  }
  memory_as_written();
}

// Up to kRowsOfPass rows from `row` on.
template <bool Two>
void multiply_rows(const MatrixView& m, const Rows& x, int row, int rows, const std::uint8_t* tile, float* out,
                   bool with_gelu) {
  F8 total[kRowsOfPass][2] = {};
  Sums sums[2], lows[2];
  const int group_bytes = kScaleBytes + (m.bits == 4 ? kGroup / kSubgroup * kTile + kGroup * kTile / 2 : kGroup * kTile);
  set_shapes(Two ? kBlock : rows, Two ? rows - kBlock : rows);
  const auto add_group = [&](int g) {
    for (int r = 0; r < rows; r++) {
      Sum sum[kParts] = {_mm512_load_si512(sums[g % 2].of[r])};
      if (m.bits == 4)
        sum[0] = _mm512_add_epi32(_mm512_maskz_slli_epi32(__mmask16(-1), sum[0], 7), _mm512_load_si512(lows[g % 2].of[r]));
      const std::size_t scale = std::size_t(row + r) * m.groups + g;
      add_scaled(sum, 0, x.scales[scale], (const float*)(tile + std::size_t(g) * group_bytes), total[r]);
    }
  };
  const auto add_groups = [&](auto add_up_group) {  // the sums of a group are read while those of the next are computed
    for (int g = 0; g < m.groups; g++) {
      const int count = m.inputs - g * kGroup < kGroup ? m.inputs - g * kGroup : kGroup;
      add_up_group(g, x.values + std::size_t(row) * m.inputs + g * kGroup, count);
      if (g) add_group(g - 1);
    }
    add_group(m.groups - 1);
  };
  if (m.bits == 4) {
    SplitWeights weights(m, tile);
    add_groups([&](int g, const std::int8_t* values, int count) {
      add_up<Two>(weights, values, m.inputs, count, sums[g % 2], lows[g % 2]);
    });
  } else {
    add_groups([&](int g, const std::int8_t* values, int count) {
      add_up<Two>(tile + std::size_t(g) * group_bytes + kScaleBytes, values, m.inputs, count, sums[g % 2]);
    });
  }
  const std::uint8_t* loud = tile + m.tile_bytes - std::size_t(m.loud_count) * kScaleBytes;
  for (int r = 0; r < rows; r++) finish<1>(m, x, row + r, loud, &total[r], out, with_gelu);
}

}  // namespace

bool multiply_by_matrix_unit(const MatrixView& m, const Rows& x, int rows, const std::uint8_t* tile, float* out,
                             bool with_gelu) {
  if (m.inputs % kDepth || rows <= (m.bits == 4 ? kFewNibbles : kFew)) return false;
  alignas(64) std::uint8_t kept[sizeof(TileShapes)];
  keep_shapes(kept);
  for (int row = 0; row < rows; row += kRowsOfPass) {
    const int here = rows - row < kRowsOfPass ? rows - row : kRowsOfPass;
    if (here > kBlock) multiply_rows<true>(m, x, row, here, tile, out, with_gelu);
    else multiply_rows<false>(m, x, row, here, tile, out, with_gelu);
  }
  give_back_shapes(kept);
  return true;
}
#else
bool multiply_by_matrix_unit(const MatrixView&, const Rows&, int, const std::uint8_t*, float*, bool) { return false; }
#endif

}  // namespace LEVEL
}  // namespace lullwave
