// A matrix of 8-bit or 4-bit weights, packed for the kernels, and inputs quantized for it.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels.hpp"
#include "memory.hpp"

namespace lullwave {

// Quantized weights as Python hands them over, row-major. The loud columns of `values` are zero.
struct QuantizedWeights {
  int outputs, inputs;
  const std::int8_t* values;    // (outputs, inputs); with 4 bits, numbers of levels
  const float* scales;          // (outputs, groups)
  int loud_count;
  const std::int32_t* loud;     // (loud_count), columns
  const float* loud_weights;    // (outputs, loud_count)
  const std::int8_t* parts = nullptr;  // (outputs, inputs / 16): scales of subgroups, if the weights have 4 bits
};

class Matrix {
 public:
  Matrix() = default;
  // Packs weights into memory of the arena. Throws std::invalid_argument for sizes that the kernels do not take.
  Matrix(const QuantizedWeights& weights, Arena& arena);

  const MatrixView& view() const { return view_; }
  bool empty() const { return view_.outputs == 0; }
  int tiles() const { return view_.outputs / kTile; }

 private:
  MatrixView view_{};
  std::vector<std::int32_t> loud_;
};

// Room for the quantized rows of one product, on one thread.
class RowBuffer {
 public:
  // Makes room for `rows` rows of a product with any of `matrices`.
  void reserve(int rows, const std::vector<const Matrix*>& matrices);
  const Rows& rows() const { return rows_; }
  float* scratch() { return scratch_.data(); }

 private:
  std::vector<std::int8_t> values_;
  std::vector<float> scales_, loud_, scratch_;
  std::vector<std::int32_t> sums_;
  Rows rows_{};
};

}  // namespace lullwave
