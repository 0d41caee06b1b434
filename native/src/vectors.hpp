// Vectors of eight floats in GCC's and Clang's extension, for the kernels: LEVEL is the name of the instruction set that the
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
inline F8 larger(F8 a, F8 b) { return a > b ? a : b; }
inline F8 smaller(F8 a, F8 b) { return a < b ? a : b; }

inline F8 fused(F8 a, F8 b, F8 c) {
#if defined(__FMA__)
  return (F8)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
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

// Rounds to the nearest integer, halves to even; |v| < 2^22.
inline F8 rounded(F8 v) { return (v + 12582912.0f) - 12582912.0f; }

// e to the power of v, with the polynomial of Cephes (Moshier 1989), expf: 2 units in the last place.
inline F8 exponential(F8 v) {
  v = larger(smaller(v, all(88.0f)), all(-87.0f));
  const F8 n = rounded(v * 1.44269504f);
  v = fused(n, all(-0.693359375f), v);
  v = fused(n, all(2.12194440e-4f), v);
  F8 p = all(1.9875691500e-4f);
  p = fused(p, v, all(1.3981999507e-3f));
  p = fused(p, v, all(8.3334519073e-3f));
  p = fused(p, v, all(4.1665795894e-2f));
  p = fused(p, v, all(1.6666665459e-1f));
  p = fused(p, v, all(5.0000001201e-1f));
  p = fused(p, v * v, v) + 1.0f;
  return p * as_float((__builtin_convertvector(n, I8) + 127) << 23);
}

}  // namespace
}  // namespace LEVEL
}  // namespace lullwave
