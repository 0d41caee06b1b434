#include "matrix.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace lullwave {

Matrix::Matrix(const QuantizedWeights& w, Arena& arena) {
  if (w.outputs <= 0 || w.inputs <= 0 || w.outputs % kTile || w.inputs % kLane)
    throw std::invalid_argument("weights: " + std::to_string(w.outputs) + " x " + std::to_string(w.inputs) +
                                "; outputs must be a multiple of 16, inputs of 8");
  for (int i = 0; i < w.loud_count; i++)
    if (w.loud[i] < 0 || w.loud[i] >= w.inputs)
      throw std::invalid_argument("loud: input " + std::to_string(w.loud[i]) + " of " + std::to_string(w.inputs));
  loud_.assign(w.loud, w.loud + w.loud_count);
  const int groups = (w.inputs + kGroup - 1) / kGroup;
  const std::size_t line = kTile * sizeof(float);
  const std::size_t tile_bytes = groups * line + std::size_t(w.inputs) * kTile + w.loud_count * line;
  std::uint8_t* to = static_cast<std::uint8_t*>(arena.allocate(w.outputs / kTile * tile_bytes));
  view_ = {w.outputs, w.inputs, groups, to, tile_bytes, loud_.data(), w.loud_count};
  for (int first = 0; first < w.outputs; first += kTile) {
    for (int g = 0; g < groups; g++) {
      float* scales = reinterpret_cast<float*>(to);
      for (int i = 0; i < kTile; i++) scales[i] = w.scales[std::size_t(first + i) * groups + g];
      to += line;
      const int from = g * kGroup, until = std::min(from + kGroup, w.inputs);
      for (int at = from; at < until; at += kStep)
        for (int i = 0; i < kTile; i++)
          for (int j = 0; j < kStep; j++)
            *to++ = static_cast<std::uint8_t>(w.values[std::size_t(first + i) * w.inputs + at + j]);
    }
    for (int j = 0; j < w.loud_count; j++, to += line)
      for (int i = 0; i < kTile; i++)
        reinterpret_cast<float*>(to)[i] = w.loud_weights[std::size_t(first + i) * w.loud_count + j];
  }
}

void RowBuffer::reserve(int rows, const std::vector<const Matrix*>& matrices) {
  std::size_t inputs = 0, groups = 0, loud = 0;
  for (const Matrix* matrix : matrices) {
    inputs = std::max<std::size_t>(inputs, matrix->view().inputs);
    groups = std::max<std::size_t>(groups, matrix->view().groups);
    loud = std::max<std::size_t>(loud, matrix->view().loud_count);
  }
  values_.resize(rows * inputs);
  scales_.resize(rows * groups);
  sums_.resize(rows * groups);
  loud_.resize(rows * loud);
  scratch_.resize(inputs);
  rows_ = {values_.data(), scales_.data(), sums_.data(), loud_.data()};
}

}  // namespace lullwave
