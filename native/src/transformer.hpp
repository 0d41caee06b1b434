// A transformer layer in bfloat16 on a team of threads: self-attention within a band or over all, attention to a text,
// and a gated feed-forward layer, each added to what goes through the layer, which is float32.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "memory.hpp"
#include "team.hpp"
#include "tiles.hpp"

namespace lullwave {

// Weights in bfloat16, (outputs, inputs), packed in groups of panels. Inputs and outputs are multiples of 32.
class PanelMatrix {
 public:
  // `panels`: for each panel in the order of the groups, its first output; `group`: how many a group has.
  // `bias`: (outputs) or null.
  PanelMatrix(const Bf16* weights, const float* bias, int outputs, int inputs, const std::vector<int>& panels, int group,
              Arena& arena);

  int groups() const { return groups_; }
  int panels() const { return panels_; }  // of a group
  int depth_blocks() const { return depth_blocks_; }
  const Bf16* group(int index) const {
    return data_ + std::size_t(index) * panels_ * kPanelTiles * kTileSize * depth_blocks_;
  }
  const float* bias() const { return bias_.empty() ? nullptr : bias_.data(); }

 private:
  int groups_, panels_, depth_blocks_;
  Bf16* data_;
  std::vector<float> bias_;
};

struct LayerSizes {
  int width, heads, maps, inner;  // maps: 2 with differential attention (Ye et al. 2024), else 1
  int band;                       // positions that self-attention sees on each side; below 0: all
  bool tanh;                      // norms are tanh norms, else root-mean-square norms
  bool sine;                      // the gate's activation is sin(pi·x), else SiLU
};

enum class LayerProduct { kQueriesKeysValues, kOut, kTextQueries, kTextOut, kFeedIn, kFeedOut };
constexpr int kLayerProducts = 6;
enum class LayerNorm { kAttention, kQueries, kKeys, kText, kTextQueries, kFeed };
constexpr int kLayerNorms = 6;

// What a layer is called with; B rows of T positions.
struct LayerInput {
  float* x;                 // (B, T, width), changed in place
  int rows, length;
  const float* modulation;  // (6, B, width) or null: factor, summand, gate of the attention, and of the feed-forward layer
  Rotation rotation;        // of T positions
  const float* text_keys;   // (B, maps x heads, L, kHead) or null, normalized
  const float* text_values; // the same
  const float* text_bias;   // (L)
  int text_length;
  const float* known;       // (B, known, width) or null: added to the last positions after the attention to the text
  int known_length;
};

// Threads and the memory that layers share. A layer waits until the one before it is done.
class LayerTeam {
 public:
  // `threads`: 1 to 256. `level`: of usable_tile_kernels, or empty for the best. Throws std::invalid_argument.
  LayerTeam(int threads, const std::string& level);

  Team& team() { return team_; }
  const TileKernels& kernels() const { return kernels_; }

  struct Scratch {  // of a thread
    std::vector<float> product, scores, out;
    std::vector<Bf16> queries, keys, values, weights;
  };
  std::mutex busy;
  std::vector<Scratch> scratch;
  std::vector<Bf16> inputs, attended, gated;  // tiles

 private:
  const TileKernels& kernels_;
  Team team_;
};

class TransformerLayer {
 public:
  // Throws std::invalid_argument for sizes that the kernels do not know.
  explicit TransformerLayer(const LayerSizes& sizes);

  const LayerSizes& sizes() const { return sizes_; }
  // Inputs and outputs of a product.
  std::pair<int, int> shape(LayerProduct which) const;
  void set_product(LayerProduct which, const Bf16* weights, const float* bias);
  // gamma, beta: of the width or kHead; either may be empty.
  void set_norm(LayerNorm which, float alpha, float eps, std::vector<float> gamma, std::vector<float> beta);
  bool complete(bool text) const;

  void run(LayerTeam& team, const LayerInput& input) const;

 private:
  struct Norm {
    float alpha = 1.0f, eps = 0.0f;
    std::vector<float> gamma, beta;
    bool set = false;
  };
  struct Pass;

  void reserve(const Pass& pass) const;
  HeadNorm head_norm(LayerNorm which) const;
  void normalize(Pass& pass, int thread, LayerNorm which, const float* factor, const float* shift) const;
  void attend(Pass& pass, int thread) const;
  void attend_to_text(Pass& pass, int thread) const;
  void project(Pass& pass, int thread, LayerProduct which, const std::vector<Bf16>& tiles, const float* gate,
               bool known) const;
  void feed(Pass& pass, int thread) const;

  LayerSizes sizes_;
  Arena arena_;
  std::unique_ptr<PanelMatrix> products_[kLayerProducts];
  Norm norms_[kLayerNorms];
};

}  // namespace lullwave
