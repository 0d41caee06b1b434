#include "cpu.hpp"

#include <stdexcept>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(LULLWAVE_NEON) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace lullwave {

#if defined(LULLWAVE_AVX2)
const bool reads_once_well = (__builtin_cpu_init(), __builtin_cpu_is("amd"));
#else
const bool reads_once_well = true;
#endif

namespace portable { extern const Kernels kernels; }
#if defined(LULLWAVE_AVX2)
namespace avx2 { extern const Kernels kernels; }
namespace avx512_vnni { extern const Kernels kernels; }
#endif
#if defined(LULLWAVE_AVX512_AMX)
namespace avx512_amx { extern const Kernels kernels; }
#endif
#if defined(LULLWAVE_AVX_VNNI)
namespace avx_vnni { extern const Kernels kernels; }
#endif
#if defined(LULLWAVE_NEON)
namespace neon { extern const Kernels kernels; }
#endif

namespace {

#if defined(LULLWAVE_AVX_VNNI)
// AVX-VNNI: CPUID leaf 7, subleaf 1, EAX bit 4 (Intel SDM); the compiler's own test does not know it in every version.
bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1u);
}
#endif

}  // namespace

bool has_tile_registers(int product_bit) {
#if defined(__x86_64__) && defined(__linux__)
  constexpr long kAskPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  constexpr int kTiles = 24;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> kTiles & 1u) && (d >> product_bit & 1u) &&
         syscall(SYS_arch_prctl, kAskPermission, kTileData) == 0;
#else
  (void)product_bit;
  return false;
#endif
}

std::vector<const Kernels*> usable_kernels() {
  std::vector<const Kernels*> found;
#if defined(LULLWAVE_AVX2)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
#if defined(LULLWAVE_AVX512_AMX)
  if (avx512 && has_tile_registers(kWholeProducts)) found.push_back(&avx512_amx::kernels);
#endif
  if (avx512) found.push_back(&avx512_vnni::kernels);
#if defined(LULLWAVE_AVX_VNNI)
  if (avx2 && has_avx_vnni()) found.push_back(&avx_vnni::kernels);
#endif
  if (avx2) found.push_back(&avx2::kernels);
#endif
#if defined(LULLWAVE_NEON)
#if defined(__linux__)
  if ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) && (getauxval(AT_HWCAP) & HWCAP_ASIMDHP)) found.push_back(&neon::kernels);
#else  // every Apple CPU has them
  found.push_back(&neon::kernels);
#endif
#endif
  found.push_back(&portable::kernels);
  return found;
}

const Kernels& kernels_of(const std::string& level) {
  std::string names;
  for (const Kernels* kernels : usable_kernels()) {
    if (level.empty() || level == kernels->name) return *kernels;
    names += (names.empty() ? "" : ", ") + std::string(kernels->name);
  }
  throw std::invalid_argument("level: '" + level + "'; this CPU has " + names);
}

}  // namespace lullwave
