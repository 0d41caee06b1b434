// The kernels of attention and of stored keys and values: see kernels.hpp.
#pragma once
#include "kernels.hpp"

namespace lullwave {
namespace LEVEL {

void attend(const float* query, const Attended& to, float* scores, float* out);
void to_half(const float* x, int size, std::uint16_t* out);
float to_bytes(const float* x, int size, std::int8_t* out);

}  // namespace LEVEL
}  // namespace lullwave
