// The kernels in float32, for the table in kernels.cpp.
#pragma once
#include "kernels.hpp"

namespace lullwave {
namespace LEVEL {

void product(const PanelsView& matrix, int panel, const PanelRows& rows);
void elu(const float* x, std::size_t count, float* out);
void lstm_cell(const float* sums, std::size_t sums_step, const float* gates, std::size_t gates_step, float* cells,
               float* out);

}  // namespace LEVEL
}  // namespace lullwave
