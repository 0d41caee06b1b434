// Products with weights of 4 bits, for the table in kernels.cpp.
#pragma once
#include "kernels.hpp"

namespace lullwave {
namespace LEVEL {

// The outputs of the tile at `tile`, as Kernels::multiply; `once`: the weights are kept out of the outer caches.
void multiply_nibbles(const MatrixView& matrix, const Rows& x, int rows, const std::uint8_t* tile, bool once, float* out,
                      bool gelu);

void to_nibbles(const float* weights, int inputs, std::int8_t* values, std::int8_t* parts, float* scales);

}  // namespace LEVEL
}  // namespace lullwave
