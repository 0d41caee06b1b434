#include "transformer.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace lullwave {

namespace {

constexpr int kMostBlocks = 32;  // of rows that go through a product together: their slice stays in the second cache
constexpr int kHeadPanels = kHead / kPanel;
constexpr int kWideGroup = 8;    // panels of a group of a product with many inputs

int blocks_of(int rows) { return (rows + kRows - 1) / kRows; }

template <class T> void grow(std::vector<T>& buffer, std::size_t count) {
  if (buffer.size() < count) buffer.resize(count);
}

void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

int checked(int threads) {
  require(threads >= 1 && threads <= 256, "threads: 1 to 256");
  return threads;
}

const TileKernels& tile_kernels_of(const std::string& level) {
  std::string names;
  for (const TileKernels* kernels : usable_tile_kernels()) {
    if (level.empty() || level == kernels->name) return *kernels;
    names += (names.empty() ? "" : ", ") + std::string(kernels->name);
  }
  throw std::invalid_argument("level: '" + level + "'; for layers in bfloat16 this CPU has " +
                              (names.empty() ? "none" : names));
}

}  // namespace

PanelMatrix::PanelMatrix(const Bf16* weights, const float* bias, int outputs, int inputs, const std::vector<int>& panels,
                         int group, Arena& arena)
    : groups_(int(panels.size()) / group), panels_(group), depth_blocks_(inputs / kDepth) {
  data_ = static_cast<Bf16*>(arena.allocate(std::size_t(outputs) * inputs * sizeof(Bf16)));
  if (bias) bias_.assign(bias, bias + outputs);
  Bf16* to = data_;
  for (int g = 0; g < groups_; g++)
    for (int from = 0; from < depth_blocks_; from += kSlice)
      for (int p = 0; p < group; p++)
        for (int k = from; k < std::min(depth_blocks_, from + kSlice); k++)
          for (int tile = 0; tile < kPanelTiles; tile++, to += kTileSize)
            for (int n = 0; n < kRows; n++) {
              const int output = panels[g * group + p] + tile * kRows + n;
              const Bf16* row = weights + std::size_t(output) * inputs + k * kDepth;
              for (int i = 0; i < kDepth; i++) to[i / 2 * kDepth + n * 2 + i % 2] = row[i];
            }
}

LayerTeam::LayerTeam(int threads, const std::string& level)
    : scratch(checked(threads)), kernels_(tile_kernels_of(level)), team_(threads, false) {}

TransformerLayer::TransformerLayer(const LayerSizes& sizes) : sizes_(sizes) {
  require(sizes.width > 0 && sizes.width % kHead == 0 && sizes.width <= 1 << 16, "width: a multiple of 64, at most 65536");
  require(sizes.heads > 0 && sizes.heads <= 1024, "heads: 1 to 1024");
  require(sizes.band < 1 << 24, "band: below 2^24, or below 0 for all positions");
  require(sizes.maps == 1 || sizes.maps == 2, "maps: 1 or 2");
  require(sizes.inner > 0 && sizes.inner % kHead == 0 && sizes.inner <= 1 << 18, "inner: a multiple of 64, at most 262144");
}

std::pair<int, int> TransformerLayer::shape(LayerProduct which) const {
  const int attended = sizes_.heads * kHead;
  switch (which) {
    case LayerProduct::kQueriesKeysValues: return {sizes_.width, (2 * sizes_.maps + 1) * attended};
    case LayerProduct::kTextQueries: return {sizes_.width, sizes_.maps * attended};
    case LayerProduct::kFeedIn: return {sizes_.width, 2 * sizes_.inner};
    case LayerProduct::kFeedOut: return {sizes_.inner, sizes_.width};
    default: return {attended, sizes_.width};
  }
}

void TransformerLayer::set_product(LayerProduct which, const Bf16* weights, const float* bias) {
  const auto [inputs, outputs] = shape(which);
  std::vector<int> panels;
  int group = kHeadPanels;
  const auto add = [&](int first) {
    for (int i = 0; i < kHeadPanels; i++) panels.push_back(first + i * kPanel);
  };
  if (which == LayerProduct::kQueriesKeysValues || which == LayerProduct::kTextQueries) {
    const int parts = outputs / (sizes_.heads * kHead);  // a head's lie side by side
    for (int head = 0; head < sizes_.heads; head++)
      for (int part = 0; part < parts; part++) add((part * sizes_.heads + head) * kHead);
    group *= parts;
  } else if (which == LayerProduct::kFeedIn) {
    for (int at = 0; at < sizes_.inner; at += kHead) {
      add(at);
      add(sizes_.inner + at);
    }
    group *= 2;
  } else {
    for (int at = 0; at < outputs; at += kHead) add(at);
    while (group < kWideGroup && inputs > kSlice * kDepth && outputs % (2 * group * kPanel) == 0) group *= 2;
  }
  products_[int(which)] = std::make_unique<PanelMatrix>(weights, bias, outputs, inputs, panels, group, arena_);
}

void TransformerLayer::set_norm(LayerNorm which, float alpha, float eps, std::vector<float> gamma,
                                std::vector<float> beta) {
  const bool of_head =
      which == LayerNorm::kQueries || which == LayerNorm::kKeys || which == LayerNorm::kTextQueries;
  const std::size_t size = of_head ? kHead : sizes_.width;
  require(gamma.size() == size || (gamma.empty() && !of_head), "gamma: a value for each channel of the norm");
  require(beta.empty() || beta.size() == size, "beta: a value for each channel of the norm");
  norms_[int(which)] = {alpha, eps, std::move(gamma), std::move(beta), true};
}

bool TransformerLayer::complete(bool text) const {
  using P = LayerProduct;
  using N = LayerNorm;
  for (P one : {P::kQueriesKeysValues, P::kOut, P::kFeedIn, P::kFeedOut})
    if (!products_[int(one)]) return false;
  for (N one : {N::kAttention, N::kQueries, N::kKeys, N::kFeed})
    if (!norms_[int(one)].set) return false;
  return !text || (products_[int(P::kTextQueries)] && products_[int(P::kTextOut)] && norms_[int(N::kText)].set &&
                   norms_[int(N::kTextQueries)].set);
}

// Positions are counted in blocks of 16, of which the last of each row may be partly empty.
struct TransformerLayer::Pass {
  LayerTeam& team;
  const LayerInput& input;
  int row_blocks;  // of a row
  int blocks;      // of all rows

  const TileKernels& kernels() const { return team.kernels(); }
  int row(int block) const { return block / row_blocks; }
  int position(int block) const { return block % row_blocks * kRows; }
  int count(int block) const { return std::min(kRows, input.length - position(block)); }
  std::size_t place(int block) const { return std::size_t(row(block)) * input.length + position(block); }
};

// Makes room for every thread, before they begin: what fails here is told.
void TransformerLayer::reserve(const Pass& pass) const {
  const std::size_t maps = sizes_.maps, steps = (pass.input.length + kDepth - 1) / kDepth;
  const std::size_t text = (pass.input.text_length + kDepth - 1) / kDepth, most = std::max(steps, text);
  int panels = 0;
  for (const auto& product : products_) panels = std::max(panels, product ? product->panels() : 0);
  for (LayerTeam::Scratch& own : pass.team.scratch) {
    grow(own.product, std::size_t(kMostBlocks) * kRows * panels * kPanel);
    grow(own.queries, maps * pass.row_blocks * kHeadTiles * kTileSize);
    grow(own.keys, maps * most * 2 * kHeadTiles * kTileSize);
    grow(own.values, maps * most * kValueTiles * kTileSize);
    grow(own.scores, most * kRows * kDepth);
    grow(own.weights, most * kTileSize);
  }
}

HeadNorm TransformerLayer::head_norm(LayerNorm which) const {
  const Norm& norm = norms_[int(which)];
  return {sizes_.tanh, norm.alpha, norm.eps, norm.gamma.data(), norm.beta.empty() ? nullptr : norm.beta.data()};
}

// Inputs of the products that follow. factor, shift: (B, width), else those of the norm.
void TransformerLayer::normalize(Pass& pass, int thread, LayerNorm which, const float* factor, const float* shift) const {
  const Norm& norm = norms_[int(which)];
  const int width = sizes_.width;
  const float* gamma = norm.gamma.empty() ? nullptr : norm.gamma.data();
  const float* beta = norm.beta.empty() ? nullptr : norm.beta.data();
  for (int block = thread; block < pass.blocks; block = pass.team.team().next()) {
    const std::size_t row = std::size_t(pass.row(block)) * width;
    pass.kernels().norm(pass.input.x + pass.place(block) * width, pass.count(block), width, sizes_.tanh, norm.alpha,
                        norm.eps, factor ? factor + row : gamma, factor ? shift + row : beta,
                        pass.team.inputs.data() + std::size_t(block) * width * kRows);
  }
}

// Self-attention, a head of a row at a time, from the inputs to tiles of what is attended.
void TransformerLayer::attend(Pass& pass, int thread) const {
  const TileKernels& kernels = pass.kernels();
  const PanelMatrix& matrix = *products_[int(LayerProduct::kQueriesKeysValues)];
  const HeadNorm query_norm = head_norm(LayerNorm::kQueries), key_norm = head_norm(LayerNorm::kKeys);
  LayerTeam::Scratch& own = pass.team.scratch[thread];
  const int maps = sizes_.maps, depth = matrix.depth_blocks(), stride = matrix.panels() * kPanel;
  const int steps = (pass.input.length + kDepth - 1) / kDepth;  // of 32 positions
  const std::size_t queries_size = std::size_t(pass.row_blocks) * kHeadTiles * kTileSize;
  const std::size_t keys_size = std::size_t(steps) * 2 * kHeadTiles * kTileSize;
  const int jobs = pass.input.rows * sizes_.heads;
  for (int job = thread; job < jobs; job = pass.team.team().next()) {
    const int row = job / sizes_.heads, head = job % sizes_.heads, start = row * pass.row_blocks;
    for (int from = 0; from < pass.row_blocks; from += kMostBlocks) {
      const int count = std::min(kMostBlocks, pass.row_blocks - from);
      kernels.product(pass.team.inputs.data() + std::size_t(start + from) * sizes_.width * kRows, depth, count,
                      matrix.group(head), matrix.panels(), own.product.data());
      for (int i = 0; i < count; i++) {
        const float* made = own.product.data() + std::size_t(i) * kRows * stride;
        const int block = from + i, position = block * kRows, rows = pass.count(start + block);
        for (int map = 0; map < maps; map++) {
          kernels.queries(made + map * kHead, stride, position, rows, query_norm, pass.input.rotation,
                          own.queries.data() + map * queries_size + std::size_t(block) * kHeadTiles * kTileSize);
          kernels.keys(made + (maps + map) * kHead, stride, position, rows, &key_norm, pass.input.rotation, block,
                       own.keys.data() + map * keys_size);
        }
        kernels.values(made + 2 * maps * kHead, stride, rows, block, own.values.data());
      }
    }
    if (pass.row_blocks % 2) {  // keys and values are read in steps of two blocks
      for (int map = 0; map < maps; map++)
        kernels.keys(nullptr, 0, 0, 0, nullptr, {}, pass.row_blocks, own.keys.data() + map * keys_size);
      kernels.values(nullptr, 0, 0, pass.row_blocks, own.values.data());
    }
    for (int block = 0; block < pass.row_blocks; block++) {
      const int position = block * kRows;
      int first = 0, last = steps;
      if (sizes_.band >= 0) {
        first = std::max(0, position - sizes_.band) / kDepth;
        last = std::min(steps, (position + kRows - 1 + sizes_.band) / kDepth + 1);
      }
      alignas(64) float out[kRows * kHead] = {};
      for (int map = 0; map < maps; map++)
        kernels.attend({own.queries.data() + map * queries_size + std::size_t(block) * kHeadTiles * kTileSize,
                        own.keys.data() + map * keys_size, own.values.data(), nullptr, position, first * kDepth,
                        last - first, pass.input.length, sizes_.band, 0.125f, own.scores.data(), own.weights.data()},
                       map ? -1.0f : 1.0f, out);
      kernels.to_tiles(out, pass.team.attended.data() +
                                (std::size_t(start + block) * sizes_.heads + head) * kHeadTiles * kTileSize);
    }
  }
}

// The same for attention to the text.
void TransformerLayer::attend_to_text(Pass& pass, int thread) const {
  const TileKernels& kernels = pass.kernels();
  const PanelMatrix& matrix = *products_[int(LayerProduct::kTextQueries)];
  const HeadNorm query_norm = head_norm(LayerNorm::kTextQueries);
  const Rotation none = {nullptr, nullptr, 0};
  LayerTeam::Scratch& own = pass.team.scratch[thread];
  const int maps = sizes_.maps, depth = matrix.depth_blocks(), stride = matrix.panels() * kPanel;
  const int length = pass.input.text_length, steps = (length + kDepth - 1) / kDepth;
  const std::size_t keys_size = std::size_t(steps) * 2 * kHeadTiles * kTileSize;
  const std::size_t values_size = std::size_t(steps) * kValueTiles * kTileSize;
  const int jobs = pass.input.rows * sizes_.heads;
  for (int job = thread; job < jobs; job = pass.team.team().next()) {
    const int row = job / sizes_.heads, head = job % sizes_.heads, start = row * pass.row_blocks;
    for (int map = 0; map < maps; map++) {
      const std::size_t at = (std::size_t(row) * maps * sizes_.heads + map * sizes_.heads + head) * length * kHead;
      for (int block = 0; block < 2 * steps; block++) {
        const int rows = std::clamp(length - block * kRows, 0, kRows);
        const std::size_t from = at + std::size_t(rows ? block : 0) * kRows * kHead;
        kernels.keys(pass.input.text_keys + from, kHead, 0, rows, nullptr, none, block, own.keys.data() + map * keys_size);
        kernels.values(pass.input.text_values + from, kHead, rows, block, own.values.data() + map * values_size);
      }
    }
    for (int from = 0; from < pass.row_blocks; from += kMostBlocks) {
      const int count = std::min(kMostBlocks, pass.row_blocks - from);
      kernels.product(pass.team.inputs.data() + std::size_t(start + from) * sizes_.width * kRows, depth, count,
                      matrix.group(head), matrix.panels(), own.product.data());
      for (int i = 0; i < count; i++) {
        const int block = start + from + i;
        alignas(64) float out[kRows * kHead] = {};
        for (int map = 0; map < maps; map++) {
          kernels.queries(own.product.data() + std::size_t(i) * kRows * stride + map * kHead, stride, 0, pass.count(block),
                          query_norm, none, own.queries.data());
          kernels.attend({own.queries.data(), own.keys.data() + map * keys_size, own.values.data() + map * values_size,
                          pass.input.text_bias, 0, 0, steps, length, -1, 0.125f, own.scores.data(), own.weights.data()},
                         map ? -1.0f : 1.0f, out);
        }
        kernels.to_tiles(out, pass.team.attended.data() +
                                  (std::size_t(block) * sizes_.heads + head) * kHeadTiles * kTileSize);
      }
    }
  }
}

// Adds a product of tiles, times the gate (B, width) if there is one, to what goes through the layer.
void TransformerLayer::project(Pass& pass, int thread, LayerProduct which, const std::vector<Bf16>& tiles,
                               const float* gate, bool known) const {
  const TileKernels& kernels = pass.kernels();
  const PanelMatrix& matrix = *products_[int(which)];
  LayerTeam::Scratch& own = pass.team.scratch[thread];
  const int stride = matrix.panels() * kPanel, depth = matrix.depth_blocks();
  const int jobs = (pass.blocks + kMostBlocks - 1) / kMostBlocks * matrix.groups();
  for (int job = thread; job < jobs; job = pass.team.team().next()) {
    const int from = job / matrix.groups() * kMostBlocks, column = job % matrix.groups() * stride;
    const int count = std::min(kMostBlocks, pass.blocks - from);
    kernels.product(tiles.data() + std::size_t(from) * depth * kTileSize, depth, count,
                    matrix.group(job % matrix.groups()), matrix.panels(), own.product.data());
    for (int i = 0; i < count; i++) {
      const int block = from + i, row = pass.row(block);
      float* x = pass.input.x + pass.place(block) * sizes_.width + column;
      kernels.add(own.product.data() + std::size_t(i) * kRows * stride, stride, pass.count(block), stride,
                  matrix.bias() ? matrix.bias() + column : nullptr,
                  gate ? gate + std::size_t(row) * sizes_.width + column : nullptr, x, sizes_.width);
      if (!known) continue;
      const int begin = pass.input.length - pass.input.known_length;  // the first position that something is known of
      const int skipped = std::clamp(begin - pass.position(block), 0, pass.count(block));
      const std::size_t at = std::size_t(row) * pass.input.known_length + pass.position(block) + skipped - begin;
      if (skipped < pass.count(block))
        kernels.add(pass.input.known + at * sizes_.width + column, sizes_.width, pass.count(block) - skipped, stride,
                    nullptr, nullptr, x + std::size_t(skipped) * sizes_.width, sizes_.width);
    }
  }
}

// The gated half of the feed-forward layer, from the inputs to tiles.
void TransformerLayer::feed(Pass& pass, int thread) const {
  const TileKernels& kernels = pass.kernels();
  const PanelMatrix& matrix = *products_[int(LayerProduct::kFeedIn)];
  LayerTeam::Scratch& own = pass.team.scratch[thread];
  const int stride = matrix.panels() * kPanel, depth = matrix.depth_blocks();
  const int jobs = (pass.blocks + kMostBlocks - 1) / kMostBlocks * matrix.groups();
  for (int job = thread; job < jobs; job = pass.team.team().next()) {
    const int from = job / matrix.groups() * kMostBlocks, group = job % matrix.groups();
    const int count = std::min(kMostBlocks, pass.blocks - from);
    kernels.product(pass.team.inputs.data() + std::size_t(from) * depth * kTileSize, depth, count, matrix.group(group),
                    matrix.panels(), own.product.data());
    for (int i = 0; i < count; i++) {
      const float* made = own.product.data() + std::size_t(i) * kRows * stride;
      const float* bias = matrix.bias() ? matrix.bias() + group * kHead : nullptr;
      kernels.gate(made, made + kHead, stride, bias, bias ? bias + sizes_.inner : nullptr, sizes_.sine,
                   pass.team.gated.data() +
                       (std::size_t(from + i) * (sizes_.inner / kDepth) + group * kHeadTiles) * kTileSize);
    }
  }
}

void TransformerLayer::run(LayerTeam& team, const LayerInput& input) const {
  require(complete(input.text_keys != nullptr), "the layer lacks products or norms");
  const std::lock_guard<std::mutex> one_at_a_time(team.busy);
  Pass pass{team, input, blocks_of(input.length), blocks_of(input.length) * input.rows};
  reserve(pass);
  const std::size_t rows = std::size_t(pass.blocks) * kRows;
  grow(team.inputs, rows * sizes_.width);
  grow(team.attended, rows * sizes_.heads * kHead);
  grow(team.gated, rows * sizes_.inner);
  const auto modulation = [&](int which) {
    return input.modulation ? input.modulation + std::size_t(which) * input.rows * sizes_.width : nullptr;
  };
  team.team().run([&](int thread) {
    alignas(64) char state[64];
    const auto wait = [&] { team.team().barrier(thread); };
    team.kernels().begin(state);
    normalize(pass, thread, LayerNorm::kAttention, modulation(0), modulation(1));
    wait();
    attend(pass, thread);
    wait();
    project(pass, thread, LayerProduct::kOut, team.attended, modulation(2), false);
    wait();
    if (input.text_keys) {
      normalize(pass, thread, LayerNorm::kText, nullptr, nullptr);
      wait();
      attend_to_text(pass, thread);
      wait();
      project(pass, thread, LayerProduct::kTextOut, team.attended, nullptr, input.known != nullptr);
      wait();
    }
    normalize(pass, thread, LayerNorm::kFeed, modulation(3), modulation(4));
    wait();
    feed(pass, thread);
    wait();
    project(pass, thread, LayerProduct::kFeedOut, team.gated, modulation(5), false);
    team.kernels().end(state);
  });
}

}  // namespace lullwave
