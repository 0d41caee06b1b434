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

}  // namespace lullwave
