// The tile registers of Intel's CPUs (AMX), for kernels that are compiled with them: LEVEL is the name of their
// instruction set.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace lullwave {
namespace LEVEL {
namespace {

// The compiler does not know which memory an instruction of tiles reads and writes (amxtileintrin.h of GCC 12): what is
// written before this is there for the instructions after it, and what they write is read after the next.
inline void memory_as_written() { asm volatile("" ::: "memory"); }

// The shapes of the registers, as the instruction reads them (Intel SDM, LDTILECFG).
struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start = 0, reserved[14] = {};
  std::uint16_t columns[16] = {};  // bytes
  std::uint8_t rows[16] = {};

  void use() const {
    memory_as_written();
    _tile_loadconfig(this);
  }
};
static_assert(sizeof(TileShapes) == 64);

// Keeps the shapes that another library uses on this thread in `place`, 64 bytes, and gives them back. While there are
// none, the system need not save the registers.
inline void keep_shapes(void* place) {
  _tile_storeconfig(place);
  memory_as_written();
}

inline void give_back_shapes(const void* place) {
  memory_as_written();
  if (static_cast<const TileShapes*>(place)->palette)
    _tile_loadconfig(place);
  else
    _tile_release();
}

}  // namespace
}  // namespace LEVEL
}  // namespace lullwave
