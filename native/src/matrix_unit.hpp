// Products by the matrix unit of Intel's CPUs (AMX), for the table in kernels.cpp.
#pragma once
#include "kernels.hpp"

namespace lullwave {
namespace LEVEL {

// Computes the outputs of the tile at `tile`, as Kernels::multiply, and tells whether it did: it leaves to the vector
// kernels what they do faster, and sizes that do not fit. The results have the same bits.
bool multiply_by_matrix_unit(const MatrixView& matrix, const Rows& x, int rows, const std::uint8_t* tile, float* out,
                             bool gelu);

}  // namespace LEVEL
}  // namespace lullwave
