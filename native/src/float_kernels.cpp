// The kernels of the codec, in float32, compiled once for each instruction set: LEVEL is its name.
#include "float_kernels.hpp"

#include "vectors.hpp"

namespace lullwave {
namespace LEVEL {
namespace {

constexpr int kVectors = kTile / kWide;
// Rows of a block: with vectors of eight, 12 sums, two vectors of weights and one input fill 15 of 16 registers.
constexpr int kMostRows = kVectors == 1 ? 12 : 6;
constexpr int kAhead = 32 * 16; // floats of weights that are fetched ahead

// R rows of one panel. Every row is summed in the order of the inputs, so it has the same bits in each block.
template <int R>
void multiply_block(const float* weights, const float* bias, int inputs, const float* in, std::size_t in_step,
                    float (*out)[kTile]) {
  Wide total[R][kVectors];
  for (int r = 0; r < R; r++)
    for (int v = 0; v < kVectors; v++) total[r][v] = load_wide(bias + v * kWide);
#pragma GCC unroll 4
  for (int k = 0; k < inputs; k++, weights += kTile) {
    __builtin_prefetch(weights + kAhead);
    Wide column[kVectors];
    for (int v = 0; v < kVectors; v++) column[v] = load_wide(weights + v * kWide);
    for (int r = 0; r < R; r++) {
      const Wide x = spread(in[r * in_step + k]);
      for (int v = 0; v < kVectors; v++) total[r][v] = fused(x, column[v], total[r][v]);
    }
  }
  for (int r = 0; r < R; r++)
    for (int v = 0; v < kVectors; v++) store_wide(out[r] + v * kWide, total[r][v]);
}

// The same for `rows` rows, at most R.
template <int R>
void multiply_up_to(int rows, const float* weights, const float* bias, int inputs, const float* in, std::size_t in_step,
                    float (*out)[kTile]) {
  if (rows == R) return multiply_block<R>(weights, bias, inputs, in, in_step, out);
  if constexpr (R > 1) multiply_up_to<R - 1>(rows, weights, bias, inputs, in, in_step, out);
}

inline F8 sigmoid(F8 v) { return all(1.0f) / (exponential(-v) + 1.0f); }
inline F8 tangent(F8 v) { return all(2.0f) * sigmoid(v + v) - 1.0f; }

}  // namespace

void product(const PanelsView& m, int panel, const PanelRows& rows) {
  const float* weights = m.panels + std::size_t(panel) * m.inputs * kTile;
  const float* bias = m.bias + panel * kTile;
  const int first = panel * kTile, width = m.outputs - first < kTile ? m.outputs - first : kTile;
  const int blocks = (rows.count + kMostRows - 1) / kMostRows;
  float made[kMostRows][kTile];
  for (int block = 0, row = 0; block < blocks; block++) {
    const int here = (rows.count - row + blocks - block - 1) / (blocks - block);  // blocks of nearly one size
    const float* in = rows.in + row * rows.in_step;
    multiply_up_to<kMostRows>(here, weights, bias, m.inputs, in, rows.in_step, made);
    for (int r = 0; r < here; r++, row++) {
      const std::size_t at = std::size_t(row) * m.outputs + first;
      if (rows.added)
        for (int i = 0; i < width; i++) made[r][i] += rows.added[at + i];
      std::memcpy(rows.out + at, made[r], width * sizeof(float));
    }
  }
}

void elu(const float* x, std::size_t count, float* out) {
  std::size_t i = 0;
  for (; i + kLane <= count; i += kLane) {
    const F8 v = load(x + i);
    store(out + i, v > all(0.0f) ? v : exponential(v) - 1.0f);
  }
  float rest[kLane] = {};
  if (i == count) return;
  std::memcpy(rest, x + i, (count - i) * sizeof(float));
  elu(rest, kLane, rest);
  std::memcpy(out + i, rest, (count - i) * sizeof(float));
}

void lstm_cell(const float* sums, std::size_t sums_step, const float* gates, std::size_t gates_step, float* cells,
               float* out) {
  for (int at = 0; at < kTile; at += kLane) {
    F8 gate[4];
    for (int g = 0; g < 4; g++) gate[g] = load(sums + g * sums_step + at) + load(gates + g * gates_step + at);
    const F8 cell = fused(sigmoid(gate[1]), load(cells + at), sigmoid(gate[0]) * tangent(gate[2]));
    store(cells + at, cell);
    store(out + at, sigmoid(gate[3]) * tangent(cell));
  }
}

}  // namespace LEVEL
}  // namespace lullwave
