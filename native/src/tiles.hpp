// Products, norms and attention of transformer layers in bfloat16 on one thread, as a table of functions for each
// instruction set that multiplies it. Sums are float32.
//
// A tile is 16 rows of 32 values. The left factor of a product lies in tiles: (blocks of 16 rows, blocks of 32 inputs).
// The right one lies in panels of 32 outputs: for each block of 32 inputs two tiles of 16 outputs each, in which row i
// holds the inputs 2 i and 2 i + 1 of the 16 outputs, side by side. Panels that are computed together form a group; in a
// group, slices of 1024 inputs come one after the other, and in a slice its panels, in the order of their use.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lullwave {

using Bf16 = std::uint16_t;  // the upper half of a float

constexpr int kRows = 16;       // of a tile
constexpr int kDepth = 32;      // values of a row of a tile
constexpr int kTileSize = kRows * kDepth;
constexpr int kPanel = 32;      // outputs of a panel
constexpr int kPanelTiles = 2;  // tiles of a panel for each block of inputs
constexpr int kSlice = 32;      // blocks of inputs of a slice, after which sums go to memory and come back
constexpr int kHead = 64;       // channels of a head
constexpr int kHeadTiles = kHead / kDepth;
constexpr int kValueTiles = kHead / kRows;  // tiles of the values of 32 positions

// How queries or keys are normalized, and what multiplies and is added to the result: (kHead) each.
struct HeadNorm {
  bool tanh;          // tanh(alpha·x), else x / sqrt(mean of squares + eps)
  float alpha, eps;
  const float* gamma;
  const float* beta;  // or null
};

// Rotary positions: channels i and i + half turn by the angle of (position, i). half: 0, 16 or 32.
struct Rotation {
  const float* cos;
  const float* sin;
  int half;
};

// A block of 16 queries in tiles that attends to positions `first` to `first` + 32·`steps` of keys and values, of which
// those within the band and below `count` are seen.
struct Attention {
  const Bf16* queries;
  const Bf16* keys;      // blocks of 16 positions: kHeadTiles tiles each, as panels of half the width
  const Bf16* values;    // blocks of 32 positions: kValueTiles tiles each
  const float* bias;     // (count), added to the scores, or null
  int position;          // of the first query
  int first, steps, count;
  int band;              // positions that are seen on each side; below 0: all
  float scale;           // of the scores
  float* scores;         // scratch: 16 rows of 32·steps
  Bf16* weights;         // scratch: steps tiles
};

struct TileKernels {
  const char* name;
  void (*begin)(void* state);  // before a thread calls what follows; `state`: 64 bytes that belong to it until `end`
  void (*end)(void* state);
  // (blocks x 16, inputs) times a group of panels: rows of `panels` x 32 floats.
  void (*product)(const Bf16* left, int depth_blocks, int blocks, const Bf16* group, int panels, float* out);
  // Rows of floats, normalized, times `factor`, plus `shift` (width, or null), as one block of tiles. rows <= 16.
  void (*norm)(const float* x, int rows, int width, bool tanh, float alpha, float eps, const float* factor,
               const float* shift, Bf16* tiles);
  // 16 rows of a product, `stride` floats apart, as queries, keys or values; `block`: of 16 positions.
  void (*queries)(const float* x, int stride, int position, int rows, const HeadNorm& norm, const Rotation& rotation,
                  Bf16* tiles);
  void (*keys)(const float* x, int stride, int position, int rows, const HeadNorm* norm, const Rotation& rotation,
               int block, Bf16* keys);
  void (*values)(const float* x, int stride, int rows, int block, Bf16* values);
  // 16 rows of kHead floats; added to `out` times `sign`.
  void (*attend)(const Attention& attention, float sign, float* out);
  // 16 rows of floats, of kHead channels, as kHeadTiles tiles.
  void (*to_tiles)(const float* x, Bf16* tiles);
  // activation(gates + bias) times (values + bias) of 16 rows of kHead channels, as tiles. sine: sin(pi·gate), else SiLU.
  void (*gate)(const float* values, const float* gates, int stride, const float* value_bias, const float* gate_bias,
               bool sine, Bf16* tiles);
  // Adds rows of a product, plus `bias`, times `factor` (width, each or null), to x.
  void (*add)(const float* product, int stride, int rows, int width, const float* bias, const float* factor, float* x,
              int x_stride);
};

// The kernels of this CPU, best first. Asks the system for the registers that they need.
std::vector<const TileKernels*> usable_tile_kernels();

}  // namespace lullwave
