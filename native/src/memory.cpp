#include "memory.hpp"

#include <algorithm>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace lullwave {

namespace {
constexpr std::size_t kLine = 64;            // bytes of a cache line
constexpr std::size_t kHugePage = 1u << 21;  // bytes
constexpr std::size_t kBlock = 1u << 25;     // bytes of a block; what is not written of it takes no memory

std::size_t rounded(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }
}  // namespace

Arena::~Arena() {
  for (const Block& block : blocks_) ::operator delete(block.data, std::align_val_t(kHugePage));
}

void* Arena::allocate(std::size_t bytes) {
  bytes = rounded(bytes, kLine);
  if (blocks_.empty() || used_ + bytes > blocks_.back().bytes) {
    const std::size_t size = std::max(kBlock, rounded(bytes, kHugePage));
    void* data = ::operator new(size, std::align_val_t(kHugePage));
    blocks_.push_back({data, size});
    used_ = 0;
#if defined(__linux__)
    madvise(data, size, MADV_HUGEPAGE);
#endif
  }
  void* found = static_cast<char*>(blocks_.back().data) + used_;
  used_ += bytes;
  return found;
}

}  // namespace lullwave
