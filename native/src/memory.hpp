// Memory for packed weights, in large blocks that ask for pages of 2 MB: they need fewer address translations.
#pragma once
#include <cstddef>
#include <vector>

namespace lullwave {

class Arena {
 public:
  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Bytes aligned to a cache line, valid as long as the arena. Throws std::bad_alloc.
  void* allocate(std::size_t bytes);

 private:
  struct Block {
    void* data;
    std::size_t bytes;
  };
  std::vector<Block> blocks_;
  std::size_t used_ = 0;  // bytes of the last block
};

}  // namespace lullwave
