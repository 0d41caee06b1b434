// Chooses the kernels for this CPU.
#pragma once
#include <string>
#include <vector>

#include "kernels.hpp"

namespace lullwave {

// The kernels that this CPU can run, best first; the last ones are portable.
std::vector<const Kernels*> usable_kernels();

// The kernels called `level`, or the best ones if it is empty. Throws std::invalid_argument.
const Kernels& kernels_of(const std::string& level);

// Whether this CPU has tile registers (AMX) and their products of one kind: CPUID leaf 7, EDX bits 24 and `product_bit`
// (Intel SDM). Asks the system for them: Linux gives them to a process that does (Documentation/arch/x86/xstate.rst).
bool has_tile_registers(int product_bit);
constexpr int kBf16Products = 22, kWholeProducts = 25;

}  // namespace lullwave
