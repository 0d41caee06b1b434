// The MusicGen decoder: one call runs a step of any rows through all layers.
//
// lullwave/engines/musicgen/model/decoder.py defines the same layers in Python. Rows do not depend on one another, to the
// bit, whatever the number of rows and threads.
#pragma once
#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "active_threads.hpp"
#include "kernels.hpp"
#include "matrix.hpp"
#include "team.hpp"

namespace lullwave {

struct Sizes {
  int hidden, layers, heads, ffn, codebooks, vocabulary;
  int positions;  // rows of the table of positional encodings
  bool cross;     // whether the layers attend to a prompt
  int head_size() const { return hidden / heads; }
  int outputs() const { return codebooks * vocabulary; }
};

// Products of a layer, by their place in it; `kHeads` gives the logits and belongs to no layer.
enum Product { kQkv, kOut, kCrossQuery, kCrossOut, kUp, kDown, kProducts, kHeads = kProducts };
enum NormPlace { kSelfNorm, kCrossNorm, kFfnNorm, kNorms, kFinalNorm = kNorms };

// Keys and values of the past: (layers, slots, 2, heads, length, head size) each, in 16 bits, or in 8 bits with scales
// (layers, slots, 2, heads, length), or in 4 bits with words in their place.
struct CacheView {
  Stored stored;
  void* keys;
  void* values;
  void* key_scales;  // null: 16 bits
  void* value_scales;
  int slots, length;
};

// Keys and values of a prompt: (layers, heads, count, head size) each; bias (count) or null.
struct PromptView {
  const float* keys;
  const float* values;
  const float* bias;
  int count;
};

// One row of a step.
struct StepRow {
  int slot, row, position;
  int prompt;         // its place in the list of prompts; -1: none
  bool needs_logits;
};

class Decoder {
 public:
  // `table` (codebooks x (vocabulary + 1), hidden) and `positions` (positions, hidden) stay the caller's.
  // Throws std::invalid_argument for sizes that the kernels do not take.
  Decoder(const Sizes& sizes, const Kernels& kernels, int threads, bool pinned, const float* table,
          const float* positions);

  // `layer` is ignored for kHeads and kFinalNorm. Throws std::invalid_argument for other sizes than the decoder's.
  void set_product(int layer, Product which, const QuantizedWeights& weights);
  void set_norm(int layer, NormPlace which, std::vector<float> weight, std::vector<float> bias);
  void check_complete() const;  // throws std::invalid_argument

  // Runs rows through the decoder. Their inputs are `tokens` (rows, codebooks), or `states` (rows, hidden), to which the
  // positional encodings are added. Writes (rows with needs_logits, outputs) logits. Thread-safe: one step at a time.
  // `threads`: how many compute, at most all; 0: all, or less while other processes take cores.
  // Throws std::invalid_argument for tokens, slots, positions or prompts that do not exist.
  void step(const std::vector<StepRow>& rows, const std::int64_t* tokens, const float* states, const CacheView& cache,
            const std::vector<PromptView>& prompts, float* logits, int threads = 0);

  // Reads all packed weights once, with the team: the least that a step has to do. Returns a checksum.
  std::uint64_t read_weights();

  const Sizes& sizes() const { return sizes_; }
  const Kernels& kernels() const { return kernels_; }
  int threads() const { return team_.size(); }
  int active_threads() const { return active_.kept(); }  // but for trials; fewer while others take cores
  std::size_t weight_bytes() const;

 private:
  struct Norm { std::vector<float> weight, bias; };
  struct Layer {
    std::array<Matrix, kProducts> products;
    std::array<Norm, kNorms> norms;
  };
  // Room of one thread.
  struct Worker {
    RowBuffer quantized;
    std::vector<float> normal, tile, qkv, scores;
    std::vector<std::int8_t> bytes;  // of nibbles: keys, values
    std::vector<float> scales;
  };
  struct Step;

  void check(const std::vector<StepRow>& rows, const std::int64_t* tokens, const CacheView& cache,
             const std::vector<PromptView>& prompts) const;
  void reserve(int rows, int longest, bool nibbles);
  void embed(const std::vector<StepRow>& rows, const std::int64_t* tokens, const float* states);
  void work(const Step& step, int thread);
  void self_attend(const Step& step, int layer, int thread);
  // Stores keys and values (head size) of a position, counted over the whole cache.
  void remember(const CacheView& cache, std::size_t position, const float* keys, const float* values) const;
  // What a query sees of a past in the cache, which begins at `at`.
  Attended seen_by(const CacheView& cache, std::size_t at, int count) const;
  // Makes bytes of the nibbles that `to` sees.
  Attended unpacked(const Attended& to, Worker& worker) const;
  void cross_attend(const Step& step, int layer, int thread);
  // Quantizes the rows `which` of `from`, after `norm` if it is given.
  void quantize(const Matrix& matrix, const Norm* norm, const float* from, const std::vector<int>& which, int thread);
  // Tiles of a chunk of a product.
  int chunk_of(const Matrix& matrix) const;
  // The first tile that a thread multiplies.
  int first_tile(const Matrix& matrix, int thread) const;
  // Asks the memory for tiles from `tile` on that are needed soon.
  void fetch_tiles(const Matrix& matrix, int tile) const;
  // Multiplies quantized rows and hands (row, first output, 16 results) to `put`.
  template <class Put> void multiply(const Matrix& matrix, int rows, bool gelu, int thread, Put put);
  // The product of `from` with `matrix` is added to the rows `which` of the residual stream.
  void add_product(const Matrix& matrix, const float* from, const std::vector<int>& which, int thread);
  std::vector<const Matrix*> matrices() const;

  const Sizes sizes_;
  const Kernels& kernels_;
  Arena arena_;
  const float* table_;
  const float* positions_;
  std::vector<Layer> layers_;
  Matrix heads_;
  Norm final_norm_;
  std::mutex mutex_;
  std::vector<float> x_, seen_, wide_;  // (rows, hidden), (rows, hidden), (rows, ffn)
  std::vector<Worker> workers_;
  Team team_;
  ActiveThreads active_;
};

}  // namespace lullwave
