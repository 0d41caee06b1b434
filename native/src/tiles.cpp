#include "tiles.hpp"

#include "cpu.hpp"

#if defined(LULLWAVE_AVX512_BF16)
#include <cpuid.h>
#endif

namespace lullwave {

#if defined(LULLWAVE_AMX)
namespace amx { extern const TileKernels tile_kernels; }
#endif
#if defined(LULLWAVE_AVX512_BF16)
namespace avx512_bf16 { extern const TileKernels tile_kernels; }
#endif

namespace {

#if defined(LULLWAVE_AVX512_BF16)
// Intel SDM, CPUID leaf 7: subleaf 1, EAX bit 5. The compiler's own test of AVX-512 asks the system, too.
bool has_avx512_bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("fma") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1u);
}
#endif

}  // namespace

std::vector<const TileKernels*> usable_tile_kernels() {
  std::vector<const TileKernels*> found;
#if defined(LULLWAVE_AVX512_BF16)
  if (!has_avx512_bf16()) return found;
#if defined(LULLWAVE_AMX)
  if (has_tile_registers(kBf16Products)) found.push_back(&amx::tile_kernels);
#endif
  found.push_back(&avx512_bf16::tile_kernels);
#endif
  return found;
}

}  // namespace lullwave
