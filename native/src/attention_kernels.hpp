// The kernels of attention and of stored keys and values: see kernels.hpp.
#pragma once
#include "kernels.hpp"

namespace lullwave {
namespace LEVEL {

#if defined(__AVX512VNNI__) && defined(__AVX512F__)
constexpr int kNibbleHead = 64;  // the size of heads of which `attend` takes nibbles
#else
constexpr int kNibbleHead = 0;
#endif

void attend(const float* query, const Attended& to, float* scores, float* out);
void to_half(const float* x, int size, std::uint16_t* out);
float to_bytes(const float* x, int size, std::int8_t* out);
std::uint32_t pack_head(const float* x, int size, NibbleOrder order, std::uint8_t* out);
void unpack_heads(const std::uint8_t* nibbles, const std::uint32_t* words, int count, int size, NibbleOrder order,
                  std::int8_t* bytes, float* scales);

}  // namespace LEVEL
}  // namespace lullwave
