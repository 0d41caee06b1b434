// Vectors of eight floats, and of as many as a register holds, in GCC's and Clang's extension, for the kernels: LEVEL is the name of the instruction set that the
// including source is compiled for. Includes no templates of the standard library: the linker could choose a copy of them
// that was compiled for a CPU that this one is not.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#endif

#include "kernels.hpp"

namespace lullwave {
namespace LEVEL {
namespace {

using F8 = float __attribute__((vector_size(32)));
using I8 = std::int32_t __attribute__((vector_size(32)));
using B8 = signed char __attribute__((vector_size(8)));
using U8 = std::uint32_t __attribute__((vector_size(32)));

inline F8 load(const float* p) { F8 v; std::memcpy(&v, p, sizeof v); return v; }
inline void store(float* p, F8 v) { std::memcpy(p, &v, sizeof v); }
inline F8 all(float x) { return F8{x, x, x, x, x, x, x, x}; }
inline F8 to_float(I8 v) { return __builtin_convertvector(v, F8); }
inline F8 as_float(I8 v) { F8 out; std::memcpy(&out, &v, sizeof out); return out; }
inline I8 as_int(F8 v) { I8 out; std::memcpy(&out, &v, sizeof out); return out; }
inline F8 absolute(F8 v) { return as_float(as_int(v) & 0x7fffffff); }
template <class V> inline V larger(V a, V b) { return a > b ? a : b; }
template <class V> inline V smaller(V a, V b) { return a < b ? a : b; }

inline F8 fused(F8 a, F8 b, F8 c) {
#if defined(__FMA__)
  return (F8)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

// Vectors as long as the registers, for what is computed most. kTile and the size of a head are multiples of them.
// Where an instruction has a mask, all of it is set: without one, GCC 12 warns of its own header.
#if defined(__AVX512F__)
using Wide = float __attribute__((vector_size(64)));
inline Wide load_wide(const float* p) { return (Wide)_mm512_loadu_ps(p); }
inline void store_wide(float* p, Wide v) { _mm512_storeu_ps(p, (__m512)v); }
inline Wide spread(float x) { return (Wide)_mm512_set1_ps(x); }
inline Wide fused(Wide a, Wide b, Wide c) { return (Wide)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
inline F8 halves(Wide v) {  // their sum
  F8 parts[2];
  std::memcpy(parts, &v, sizeof v);
  return parts[0] + parts[1];
}
#else
using Wide = F8;
inline Wide load_wide(const float* p) { return load(p); }
inline void store_wide(float* p, Wide v) { store(p, v); }
inline Wide spread(float x) { return all(x); }
inline F8 halves(Wide v) { return v; }
#endif
constexpr int kWide = sizeof(Wide) / sizeof(float);
static_assert(kTile % kWide == 0);

// Stores eight whole numbers within -127..127.
inline void store_bytes(std::int8_t* to, I8 v) {
#if defined(__AVX2__)
  const __m128i low = _mm256_castsi256_si128((__m256i)v), high = _mm256_extracti128_si256((__m256i)v, 1);
  const __m128i shorts = _mm_packs_epi32(low, high);
  _mm_storel_epi64((__m128i*)to, _mm_packs_epi16(shorts, shorts));
#else
  const B8 bytes = __builtin_convertvector(v, B8);
  std::memcpy(to, &bytes, sizeof bytes);
#endif
}

inline float sum(F8 v) {
  const F8 a = v + __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
  const F8 b = a + __builtin_shufflevector(a, a, 2, 3, 0, 1, 6, 7, 4, 5);
  return b[0] + b[1];
}

inline float largest(F8 v) {
  float most = v[0];
  for (int i = 1; i < kLane; i++) most = v[i] > most ? v[i] : most;
  return most;
}
#if defined(__AVX512F__)
inline float largest(Wide v) {
  F8 parts[2];
  std::memcpy(parts, &v, sizeof v);
  return largest(larger(parts[0], parts[1]));
}
#endif

// Rounds to the nearest integer, halves to even; |v| < 2^22.
template <class V> inline V rounded(V v) { return (v + 12582912.0f) - 12582912.0f; }

// e to the power of v, with the polynomial of Cephes (Moshier 1989), expf: 2 units in the last place.
template <class V> inline V exponential(V v) {
  using Integers = decltype(v < v);
  const auto each = [](float x) { return V{} + x; };
  v = larger(smaller(v, each(88.0f)), each(-87.0f));
  const V n = rounded(v * 1.44269504f);
  v = fused(n, each(-0.693359375f), v);
  v = fused(n, each(2.12194440e-4f), v);
  V p = each(1.9875691500e-4f);
  p = fused(p, v, each(1.3981999507e-3f));
  p = fused(p, v, each(8.3334519073e-3f));
  p = fused(p, v, each(4.1665795894e-2f));
  p = fused(p, v, each(1.6666665459e-1f));
  p = fused(p, v, each(5.0000001201e-1f));
  p = fused(p, v * v, v) + 1.0f;
  const Integers power = (__builtin_convertvector(n, Integers) + 127) << 23;
  V factor;
  std::memcpy(&factor, &power, sizeof factor);
  return p * factor;
}

}  // namespace
}  // namespace LEVEL
}  // namespace lullwave
