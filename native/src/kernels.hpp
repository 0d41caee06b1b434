// The arithmetic of the decoder's steps and of the codec on one thread, as a table of functions for each instruction set.
//
// Weights lie in tiles of 16 output channels. A tile holds, for each group of 256 inputs, the 16 scales and then the
// weights, four inputs of one output side by side; after the groups come the float weights of the loud inputs.
// With 4 bits, the whole-number scales of the subgroups, 16 each, stand between scales and weights; a weight is the number
// of a level, and a byte holds that of an input in its low half and that of the input four further on in its high half.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lullwave {

constexpr int kTile = 16;    // output channels that are computed together
constexpr int kGroup = 256;  // inputs that share a scale; sums of a group are exact in float32
constexpr int kSubgroup = 16;  // inputs of 4-bit weights that share a whole-number scale within their group
constexpr int kGroupBytes = kTile * (int(sizeof(float)) + kGroup);  // of a tile, with the scales
constexpr int kNibbleGroupBytes = kTile * (int(sizeof(float)) + kGroup / kSubgroup + kGroup / 2);
constexpr int kStep = 4;     // inputs that one instruction adds up
constexpr int kLevels = 127; // weights and inputs are quantized to -127..127
constexpr std::int8_t kNibbles[16] = {-127, -105, -78, -59, -44, -30, -18, -8, 0, 9, 20, 33, 47, 63, 80, 100};  // of 4 bits
constexpr float kLeastPeak = 1e-30f;  // of values that are quantized: the reciprocal of less may overflow
constexpr int kLane = 8;     // floats of a vector; sizes of states are multiples of it

// A packed matrix of `outputs` rows and `inputs` columns.
struct MatrixView {
  int outputs, inputs;
  int bits;  // of a weight: 8 or 4
  int groups;
  const std::uint8_t* tiles;
  std::size_t tile_bytes;
  const std::int32_t* loud;  // inputs that are multiplied in float
  int loud_count;
  int summed() const { return bits == 4 ? inputs / kSubgroup : groups; }  // sums of a row's values
};

// Quantized inputs of a product.
struct Rows {
  std::int8_t* values;   // (rows, inputs)
  float* scales;         // (rows, groups)
  std::int32_t* sums;    // (rows, groups), with 4 bits (rows, subgroups): sums of the values
  float* loud;           // (rows, loud inputs)
};

// How keys and values are stored. Bytes have a scale for each position of a head, and so have nibbles: numbers -8..7,
// plus 8, of a channel of the head's first half in the low half of a byte and of that of its second half in the high half.
// They are multiplied by a factor 1..15 for each quarter of the head's channels, which makes bytes of them. The scale, a
// bfloat16, and the four factors, the first one lowest, are the upper and the lower half of a word.
enum class Stored { kFloat, kHalf, kByte, kNibble };
constexpr int kQuarters = 4;
constexpr int kFactorBits = 4;
constexpr std::uint32_t kMostFactor = 15, kScaleMask = 0xffff0000u;

// In which order the bytes of nibbles stand: first `width` bytes of one position, then those of all positions of a block of
// `together`, then the following bytes. One instruction adds up four bytes: of a key with four of a query, of one channel of
// four values with four shares.
struct NibbleOrder {
  int together, width;
  // Where in a block the bytes of a position begin, and where its byte `i` stands from there.
  int begin(int position) const { return position % together * width; }
  int at(int i) const { return i / width * width * together + i % width; }
};
constexpr NibbleOrder kOrderOfKeys{16, 4}, kOrderOfValues{4, 1};
constexpr int kNibbleBlock = 16;  // positions: the length of a cache of nibbles is a multiple of it
constexpr int kMostPositions = 1 << 16;  // of a cache of integers: sums over more could leave 32 bits

// Keys and values that one query attends to: (count, size) each.
struct Attended {
  const void* keys;
  const void* values;
  const float* bias;  // (count) or null
  int count, size;
  Stored stored;
  const void* key_scales;    // (count) floats of bytes or words of nibbles, else null
  const void* value_scales;  // as those of keys
  const std::uint8_t* ahead;  // what is needed afterwards: asked for while this is computed, as far as time allows
  std::size_t ahead_bytes;
};

// A matrix of floats: panels of 16 outputs, (inputs, 16) each, the last one filled up with zeros.
struct PanelsView {
  int outputs, inputs;
  const float* panels;
  const float* bias;  // outputs, rounded up to a multiple of 16
};

// Rows of a product; those of the inputs are `in_step` floats apart and may reach into the following ones.
struct PanelRows {
  const float* in;
  std::size_t in_step;
  const float* added;  // (count, outputs) or null
  float* out;          // (count, outputs)
  int count;
};

// Whether the CPU is faster at reading data once if it is told so. AMD's Zen 3 is; Intel's read half as fast then.
extern const bool reads_once_well;

struct Kernels {
  const char* name;
  // Quantizes one row of inputs; `scratch` holds as many floats as the row.
  void (*quantize)(const MatrixView& matrix, const float* x, int row, const Rows& out, float* scratch);
  // Quantizes the weights of one output to numbers of levels, and to scales of subgroups and groups.
  void (*to_nibbles)(const float* weights, int inputs, std::int8_t* values, std::int8_t* parts, float* scales);
  // The outputs of one tile, (rows, 16), through GELU if asked for.
  void (*multiply)(const MatrixView& matrix, const Rows& x, int rows, int tile, float* out, bool gelu);
  // Layer normalization with its affine part.
  void (*normalize)(const float* x, const float* weight, const float* bias, int size, float* out);
  // Softmax attention of one scaled query; `scores` holds count floats, rounded up to a multiple of 16. Keys and values
  // are nibbles only where `size` is `nibble_head`.
  void (*attend)(const float* query, const Attended& to, float* scores, float* out);
  void (*to_half)(const float* x, int size, std::uint16_t* out);
  // Quantizes to -127..127; returns the scale.
  float (*to_bytes)(const float* x, int size, std::int8_t* out);
  // Quantizes to nibbles; returns their word. `out` is where the position begins in its block.
  std::uint32_t (*pack_head)(const float* x, int size, NibbleOrder order, std::uint8_t* out);
  // Makes bytes and their scales of the nibbles of `count` positions.
  void (*unpack_heads)(const std::uint8_t* nibbles, const std::uint32_t* words, int count, int size, NibbleOrder order,
                       std::int8_t* bytes, float* scales);
  int nibble_head;  // the size of heads of which `attend` takes nibbles; 0: of none
  // A sum over some tiles of a matrix, for measuring how fast memory can be read.
  std::uint64_t (*read)(const MatrixView& matrix, int first, int end);
  // The outputs of one panel in float32: bias + matrix times row + `added`.
  void (*product)(const PanelsView& matrix, int panel, const PanelRows& rows);
  // ELU: x where it is positive, else e^x - 1; `out` may be `x`.
  void (*elu)(const float* x, std::size_t count, float* out);
  // 16 units of an LSTM: `sums` and `gates` of input, forget, update and output lie so many floats apart and are added.
  void (*lstm_cell)(const float* sums, std::size_t sums_step, const float* gates, std::size_t gates_step, float* cells,
                    float* out);
};

}  // namespace lullwave
