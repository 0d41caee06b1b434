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
  const int bits = w.parts ? 4 : 8;
  if (bits == 4) {
    if (w.inputs % kSubgroup)
      throw std::invalid_argument("weights: " + std::to_string(w.inputs) + " inputs; with 4 bits a multiple of 16");
    const std::int8_t* end = w.values + std::size_t(w.outputs) * w.inputs;
    const auto wrong = std::find_if(w.values, end, [](std::int8_t value) { return value < 0 || value > 15; });
    if (wrong != end) throw std::invalid_argument("weights: level " + std::to_string(*wrong) + "; with 4 bits 0 to 15");
  }
  loud_.assign(w.loud, w.loud + w.loud_count);
  const int groups = (w.inputs + kGroup - 1) / kGroup;
  const std::size_t line = kTile * sizeof(float);
  const std::size_t weights = std::size_t(w.inputs) * kTile * bits / 8 + (w.parts ? w.inputs / kSubgroup * kTile : 0);
  const std::size_t tile_bytes = groups * line + weights + w.loud_count * line;
  std::uint8_t* to = static_cast<std::uint8_t*>(arena.allocate(w.outputs / kTile * tile_bytes));
  view_ = {w.outputs, w.inputs, bits, groups, to, tile_bytes, loud_.data(), w.loud_count};
  for (int first = 0; first < w.outputs; first += kTile) {
    for (int g = 0; g < groups; g++) {
      float* scales = reinterpret_cast<float*>(to);
      for (int i = 0; i < kTile; i++) scales[i] = w.scales[std::size_t(first + i) * groups + g];
      to += line;
      const int from = g * kGroup, until = std::min(from + kGroup, w.inputs);
      for (int part = from / kSubgroup; w.parts && part < until / kSubgroup; part++)
        for (int i = 0; i < kTile; i++)
          *to++ = static_cast<std::uint8_t>(w.parts[std::size_t(first + i) * (w.inputs / kSubgroup) + part]);
      for (int at = from; at < until; at += kStep * 8 / bits)
        for (int i = 0; i < kTile; i++)
          for (int j = 0; j < kStep; j++) {
            const std::int8_t* value = w.values + std::size_t(first + i) * w.inputs + at + j;
            *to++ = static_cast<std::uint8_t>(bits == 4 ? value[0] | value[kStep] << 4 : value[0]);
          }
    }
    for (int j = 0; j < w.loud_count; j++, to += line)
      for (int i = 0; i < kTile; i++)
        reinterpret_cast<float*>(to)[i] = w.loud_weights[std::size_t(first + i) * w.loud_count + j];
  }
}

void RowBuffer::reserve(int rows, const std::vector<const Matrix*>& matrices) {
  std::size_t inputs = 0, groups = 0, sums = 0, loud = 0;
  for (const Matrix* matrix : matrices) {
    inputs = std::max<std::size_t>(inputs, matrix->view().inputs);
    groups = std::max<std::size_t>(groups, matrix->view().groups);
    sums = std::max<std::size_t>(sums, matrix->view().summed());
    loud = std::max<std::size_t>(loud, matrix->view().loud_count);
  }
  values_.resize(rows * inputs);
  scales_.resize(rows * groups);
  sums_.resize(rows * sums);
  loud_.resize(rows * loud);
  scratch_.resize(inputs);
  rows_ = {values_.data(), scales_.data(), sums_.data(), loud_.data()};
}

}  // namespace lullwave
