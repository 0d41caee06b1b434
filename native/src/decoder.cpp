#include "decoder.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <string>

namespace lullwave {

namespace {

constexpr int kSlotRows = 2;        // rows of a cache slot: prompted, and unprompted or negative
constexpr int kChunksPerThread = 16;  // of a product: small enough that no thread waits long for the last one
constexpr std::size_t kFetched = 1 << 15;  // bytes, at most, that a thread asks for before it needs them
constexpr std::size_t kCacheLine = 64;

[[noreturn]] void refuse(const std::string& what, long long value, const std::string& allowed) {
  throw std::invalid_argument(what + ": " + std::to_string(value) + "; allowed: " + allowed);
}

void in_range(const std::string& what, long long value, long long least, long long most) {
  if (value < least || value > most) refuse(what, value, std::to_string(least) + " to " + std::to_string(most));
}

std::vector<int> first(std::size_t count) {
  std::vector<int> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

int bits_of(Stored stored) { return stored == Stored::kNibble ? 4 : stored == Stored::kByte ? 8 : 16; }

// Asks the memory for the beginning of `data`, while other work is done.
void fetch(const std::uint8_t* data, std::size_t bytes) {
  for (std::size_t at = 0; at < std::min(bytes, kFetched); at += kCacheLine) __builtin_prefetch(data + at, 0, 2);
}

constexpr int kMostSize = 1 << 20, kMostCodebooks = 1 << 10;  // of a model: no product of two of them exceeds an int

}  // namespace

struct Decoder::Step {
  const std::vector<StepRow>& rows;
  const CacheView& cache;
  const std::vector<PromptView>& prompts;
  float* logits;
  std::vector<int> all, prompted, needing;  // rows, rows with a prompt, rows that need logits
  std::vector<int> by_past;  // rows, those next to one another that share keys and values: they stay in the core's cache
};

Decoder::Decoder(const Sizes& sizes, const Kernels& kernels, int threads, bool pinned, const float* table,
                 const float* positions)
    : sizes_(sizes), kernels_(kernels), table_(table), positions_(positions),
      team_((in_range("threads", threads, 1, 256), threads), pinned), active_(threads) {
  in_range("layers", sizes.layers, 1, 1024);
  in_range("heads", sizes.heads, 1, 1024);
  in_range("hidden", sizes.hidden, 1, kMostSize);
  in_range("ffn", sizes.ffn, 1, kMostSize);
  in_range("codebooks", sizes.codebooks, 1, kMostCodebooks);
  in_range("vocabulary", sizes.vocabulary, 1, kMostSize);
  if (sizes.hidden % (kTile * sizes.heads))
    refuse("hidden", sizes.hidden, "a multiple of 16 times the heads");
  if (sizes.ffn % kTile) refuse("ffn", sizes.ffn, "a multiple of 16");
  if (sizes.outputs() % kTile)
    refuse("vocabulary", sizes.vocabulary, "codebooks times vocabulary a multiple of 16");
  in_range("positions", sizes.positions, 1, 1 << 24);
  layers_.resize(sizes.layers);
  workers_.resize(team_.size());
}

void Decoder::set_product(int layer, Product which, const QuantizedWeights& weights) {
  const int d = sizes_.hidden;
  const int outputs[] = {3 * d, d, d, d, sizes_.ffn, d, sizes_.outputs()};
  in_range("product", which, 0, kHeads);
  if (which != kHeads) in_range("layer", layer, 0, sizes_.layers - 1);
  in_range("outputs", weights.outputs, outputs[which], outputs[which]);
  const int inputs = which == kDown ? sizes_.ffn : d;
  in_range("inputs", weights.inputs, inputs, inputs);
  std::lock_guard<std::mutex> lock(mutex_);
  (which == kHeads ? heads_ : layers_[layer].products[which]) = Matrix(weights, arena_);
}

void Decoder::set_norm(int layer, NormPlace which, std::vector<float> weight, std::vector<float> bias) {
  in_range("norm", which, 0, kFinalNorm);
  if (which != kFinalNorm) in_range("layer", layer, 0, sizes_.layers - 1);
  in_range("size of the norm", static_cast<long long>(weight.size()), sizes_.hidden, sizes_.hidden);
  in_range("size of the norm", static_cast<long long>(bias.size()), sizes_.hidden, sizes_.hidden);
  std::lock_guard<std::mutex> lock(mutex_);
  (which == kFinalNorm ? final_norm_ : layers_[layer].norms[which]) = {std::move(weight), std::move(bias)};
}

void Decoder::check_complete() const {
  bool complete = !heads_.empty() && !final_norm_.weight.empty();
  for (const Layer& layer : layers_) {
    for (int i = 0; i < kProducts; i++)
      complete &= !layer.products[i].empty() || (!sizes_.cross && (i == kCrossQuery || i == kCrossOut));
    for (int i = 0; i < kNorms; i++) complete &= !layer.norms[i].weight.empty() || (!sizes_.cross && i == kCrossNorm);
  }
  if (!complete) throw std::invalid_argument("the decoder lacks weights: set every product and norm first");
}

std::vector<const Matrix*> Decoder::matrices() const {
  std::vector<const Matrix*> found;
  for (const Layer& layer : layers_)
    for (const Matrix& matrix : layer.products)
      if (!matrix.empty()) found.push_back(&matrix);
  found.push_back(&heads_);
  return found;
}

std::size_t Decoder::weight_bytes() const {
  std::size_t bytes = 0;
  for (const Matrix* matrix : matrices()) bytes += matrix->tiles() * matrix->view().tile_bytes;
  return bytes;
}

void Decoder::check(const std::vector<StepRow>& rows, const std::int64_t* tokens, const CacheView& cache,
                    const std::vector<PromptView>& prompts) const {
  check_complete();
  for (const StepRow& row : rows) {
    in_range("slot", row.slot, 0, cache.slots - 1);
    in_range("row", row.row, 0, kSlotRows - 1);
    in_range("position", row.position, 0, std::min(cache.length, sizes_.positions) - 1);
    in_range("prompt", row.prompt, -1, static_cast<long long>(sizes_.cross ? prompts.size() : 0) - 1);
  }
  if (tokens)
    for (std::size_t i = 0; i < rows.size() * sizes_.codebooks; i++) in_range("token", tokens[i], 0, sizes_.vocabulary);
}

void Decoder::reserve(int rows, int longest, bool nibbles) {
  const std::size_t d = sizes_.hidden;
  const std::vector<const Matrix*> all = matrices();
  x_.resize(rows * d);
  seen_.resize(rows * d);
  wide_.resize(rows * std::size_t(sizes_.ffn));
  for (Worker& worker : workers_) {
    worker.quantized.reserve(rows, all);
    worker.normal.resize(d);
    worker.tile.resize(std::size_t(rows) * kTile);
    worker.qkv.resize(rows * std::size_t(3 * sizes_.head_size()));
    worker.scores.resize((std::size_t(longest) + kTile - 1) / kTile * kTile);
    if (nibbles) {
      worker.bytes.resize(std::size_t(2) * longest * sizes_.head_size());
      worker.scales.resize(std::size_t(2) * longest);
    }
  }
}

void Decoder::embed(const std::vector<StepRow>& rows, const std::int64_t* tokens, const float* states) {
  const std::size_t d = sizes_.hidden, k = sizes_.codebooks;
  for (std::size_t r = 0; r < rows.size(); r++) {
    float* x = x_.data() + r * d;
    std::fill(x, x + d, 0.0f);
    if (states) std::copy(states + r * d, states + (r + 1) * d, x);
    for (std::size_t c = 0; tokens && c < k; c++) {
      const float* entry = table_ + (c * (sizes_.vocabulary + 1) + std::size_t(tokens[r * k + c])) * d;
      for (std::size_t i = 0; i < d; i++) x[i] += entry[i];
    }
    const float* position = positions_ + std::size_t(rows[r].position) * d;
    for (std::size_t i = 0; i < d; i++) x[i] += position[i];
  }
}

void Decoder::step(const std::vector<StepRow>& rows, const std::int64_t* tokens, const float* states,
                   const CacheView& cache, const std::vector<PromptView>& prompts, float* logits, int threads) {
  if (rows.empty()) return;
  std::lock_guard<std::mutex> lock(mutex_);
  check(rows, tokens, cache, prompts);
  in_range("threads", threads, 0, team_.size());
  Step step{rows, cache, prompts, logits, first(rows.size()), {}, {}, first(rows.size())};
  std::stable_sort(step.by_past.begin(), step.by_past.end(), [&](int a, int b) {
    return rows[a].slot != rows[b].slot ? rows[a].slot < rows[b].slot : rows[a].row < rows[b].row;
  });
  int longest = 0;
  for (int r : step.all) {
    longest = std::max(longest, rows[r].position + 1);
    if (rows[r].prompt >= 0) {
      step.prompted.push_back(r);
      longest = std::max(longest, prompts[rows[r].prompt].count);
    }
    if (rows[r].needs_logits) step.needing.push_back(r);
  }
  reserve(static_cast<int>(rows.size()), longest, cache.stored == Stored::kNibble);
  embed(rows, tokens, states);
  const auto began = std::chrono::steady_clock::now();
  const double cpu = thread_seconds();
  team_.run([&](int thread) { work(step, thread); }, threads ? threads : active_.count(static_cast<int>(rows.size())));
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;
  if (!threads && cpu >= 0) active_.took(wall.count(), thread_seconds() - cpu, static_cast<int>(rows.size()));
}

void Decoder::work(const Step& step, int thread) {
  const int per_head = sizes_.head_size() / kTile, head = sizes_.heads * thread / team_.active();
  for (int l = 0; l < sizes_.layers; l++) {
    const Layer& layer = layers_[l];
    const auto end_phase = [&](const Matrix& next, int tile) {
      fetch_tiles(next, tile);
      team_.barrier(thread);
    };
    self_attend(step, l, thread);
    end_phase(layer.products[kOut], first_tile(layer.products[kOut], thread));
    add_product(layer.products[kOut], seen_.data(), step.all, thread);
    if (!step.prompted.empty()) {
      end_phase(layer.products[kCrossQuery], head * per_head);
      cross_attend(step, l, thread);
      end_phase(layer.products[kCrossOut], first_tile(layer.products[kCrossOut], thread));
      add_product(layer.products[kCrossOut], seen_.data(), step.prompted, thread);
    }
    end_phase(layer.products[kUp], first_tile(layer.products[kUp], thread));
    quantize(layer.products[kUp], &layer.norms[kFfnNorm], x_.data(), step.all, thread);
    multiply(layer.products[kUp], static_cast<int>(step.all.size()), true, thread,
             [&](int r, int at, const float* made) {
               std::copy(made, made + kTile, wide_.data() + r * std::size_t(sizes_.ffn) + at);
             });
    end_phase(layer.products[kDown], first_tile(layer.products[kDown], thread));
    add_product(layer.products[kDown], wide_.data(), step.all, thread);
    if (l + 1 < sizes_.layers) end_phase(layers_[l + 1].products[kQkv], head * per_head);
    else end_phase(heads_, first_tile(heads_, thread));
  }
  if (step.needing.empty()) return;
  quantize(heads_, &final_norm_, x_.data(), step.needing, thread);
  multiply(heads_, static_cast<int>(step.needing.size()), false, thread, [&](int r, int at, const float* made) {
    std::copy(made, made + kTile, step.logits + r * std::size_t(sizes_.outputs()) + at);
  });
}

void Decoder::quantize(const Matrix& matrix, const Norm* norm, const float* from, const std::vector<int>& which,
                       int thread) {
  Worker& worker = workers_[thread];
  const int inputs = matrix.view().inputs;
  for (std::size_t i = 0; i < which.size(); i++) {
    const float* x = from + std::size_t(which[i]) * inputs;
    if (norm) {
      kernels_.normalize(x, norm->weight.data(), norm->bias.data(), inputs, worker.normal.data());
      x = worker.normal.data();
    }
    kernels_.quantize(matrix.view(), x, static_cast<int>(i), worker.quantized.rows(), worker.quantized.scratch());
  }
}

int Decoder::chunk_of(const Matrix& matrix) const {
  return std::max(1, matrix.tiles() / (kChunksPerThread * team_.active()));
}

int Decoder::first_tile(const Matrix& matrix, int thread) const {
  const int unit = chunk_of(matrix), chunks = (matrix.tiles() + unit - 1) / unit;
  return chunks * thread / team_.active() * unit;
}

void Decoder::fetch_tiles(const Matrix& matrix, int tile) const {
  const MatrixView& m = matrix.view();
  if (tile < matrix.tiles()) fetch(m.tiles + tile * m.tile_bytes, (matrix.tiles() - tile) * m.tile_bytes);
}

template <class Put>
void Decoder::multiply(const Matrix& matrix, int rows, bool gelu, int thread, Put put) {
  Worker& worker = workers_[thread];
  const int tiles = matrix.tiles(), unit = chunk_of(matrix), chunks = (tiles + unit - 1) / unit;
  for (int chunk; (chunk = team_.next(thread, chunks)) < chunks;)
    for (int tile = chunk * unit; tile < std::min((chunk + 1) * unit, tiles); tile++) {
      kernels_.multiply(matrix.view(), worker.quantized.rows(), rows, tile, worker.tile.data(), gelu);
      for (int r = 0; r < rows; r++) put(r, tile * kTile, worker.tile.data() + r * kTile);
    }
}

void Decoder::add_product(const Matrix& matrix, const float* from, const std::vector<int>& which, int thread) {
  const std::vector<int> compact = first(which.size());
  quantize(matrix, nullptr, from, compact, thread);
  multiply(matrix, static_cast<int>(which.size()), false, thread, [&](int r, int at, const float* made) {
    float* x = x_.data() + std::size_t(which[r]) * sizes_.hidden + at;
    for (int i = 0; i < kTile; i++) x[i] += made[i];
  });
}

void Decoder::self_attend(const Step& step, int l, int thread) {
  const Matrix& matrix = layers_[l].products[kQkv];
  Worker& worker = workers_[thread];
  const int size = sizes_.head_size(), rows = static_cast<int>(step.rows.size()), per_head = size / kTile;
  quantize(matrix, &layers_[l].norms[kSelfNorm], x_.data(), step.all, thread);
  const CacheView& cache = step.cache;
  const std::size_t bytes = std::size_t(size) * bits_of(cache.stored) / 8;
  const auto past = [&](int r, int head) {  // the first position of this row and head
    const StepRow& row = step.rows[r];
    return (((std::size_t(l) * cache.slots + row.slot) * kSlotRows + row.row) * sizes_.heads + head) * cache.length;
  };
  for (int head = team_.next(thread, sizes_.heads), following; head < sizes_.heads; head = following) {
    for (int i = 0; i < rows; i++) {  // they arrive during the product
      const int r = step.by_past[i];
      if (i + 1 < rows && past(step.by_past[i + 1], head) == past(r, head)) continue;
      for (const void* kept : {cache.keys, cache.values})
        fetch(static_cast<const std::uint8_t*>(kept) + past(r, head) * bytes, step.rows[r].position * bytes);
    }
    for (int part = 0; part < 3; part++)  // queries, keys, values
      for (int i = 0; i < per_head; i++) {
        const int tile = (part * sizes_.heads + head) * per_head + i;
        kernels_.multiply(matrix.view(), worker.quantized.rows(), rows, tile, worker.tile.data(), false);
        for (int r = 0; r < rows; r++)
          std::copy_n(worker.tile.data() + r * kTile, kTile, &worker.qkv[std::size_t(3 * r + part) * size + i * kTile]);
      }
    following = team_.next(thread, sizes_.heads);
    for (int r = 0; r < rows; r++)
      remember(cache, past(r, head) + step.rows[r].position, &worker.qkv[std::size_t(3 * r + 1) * size],
               &worker.qkv[std::size_t(3 * r + 2) * size]);
    Attended shared{};  // a past, as bytes if attention takes no nibbles
    for (int i = 0, last = -1; i < rows; i++) {  // last: of the rows that see the same past
      const int r = step.by_past[i];
      const std::size_t at = past(r, head);
      if (i > last) {
        int longest = step.rows[r].position + 1;
        for (last = i; last + 1 < rows && past(step.by_past[last + 1], head) == at; last++)
          longest = std::max(longest, step.rows[step.by_past[last + 1]].position + 1);
        shared = seen_by(cache, at, longest);
        if (cache.stored == Stored::kNibble && size != kernels_.nibble_head)
          shared = unpacked(shared, worker);
      }
      Attended to = shared;
      to.count = step.rows[r].position + 1;
      if (following < sizes_.heads && i < 3) {  // the next head's weights for queries, keys or values
        to.ahead = matrix.view().tiles + std::size_t(i * sizes_.heads + following) * per_head * matrix.view().tile_bytes;
        to.ahead_bytes = per_head * matrix.view().tile_bytes;
      }
      kernels_.attend(&worker.qkv[std::size_t(3 * r) * size], to, worker.scores.data(),
                      seen_.data() + std::size_t(r) * sizes_.hidden + head * size);
    }
  }
}

void Decoder::remember(const CacheView& cache, std::size_t position, const float* keys, const float* values) const {
  const int size = sizes_.head_size();
  const std::size_t at = position * size;
  const auto keep = [&](const float* x, void* kept, void* scales, NibbleOrder order) {
    if (cache.stored == Stored::kHalf)
      kernels_.to_half(x, size, static_cast<std::uint16_t*>(kept) + at);
    else if (cache.stored == Stored::kByte)
      static_cast<float*>(scales)[position] = kernels_.to_bytes(x, size, static_cast<std::int8_t*>(kept) + at);
    else
      static_cast<std::uint32_t*>(scales)[position] = kernels_.pack_head(
          x, size, order, static_cast<std::uint8_t*>(kept) + position / order.together * order.together * size / 2 +
                              order.begin(int(position % order.together)));
  };
  keep(keys, cache.keys, cache.key_scales, kOrderOfKeys);
  keep(values, cache.values, cache.value_scales, kOrderOfValues);
}

Attended Decoder::seen_by(const CacheView& cache, std::size_t at, int count) const {
  const int size = sizes_.head_size();
  const auto from = [](void* begin, std::size_t bytes) { return begin ? static_cast<const char*>(begin) + bytes : nullptr; };
  const std::size_t row = at * size * bits_of(cache.stored) / 8, scale = at * sizeof(float);
  return {from(cache.keys, row), from(cache.values, row), nullptr, count, size, cache.stored,
          from(cache.key_scales, scale), from(cache.value_scales, scale), nullptr, 0};
}

Attended Decoder::unpacked(const Attended& to, Worker& worker) const {
  const auto unpack = [&](const void* nibbles, const void* words, NibbleOrder order, std::int8_t* bytes,
                          float* scales) {
    kernels_.unpack_heads(static_cast<const std::uint8_t*>(nibbles), static_cast<const std::uint32_t*>(words), to.count,
                          to.size, order, bytes, scales);
  };
  std::int8_t* values = worker.bytes.data() + std::size_t(to.count) * to.size;
  float* value_scales = worker.scales.data() + to.count;
  unpack(to.keys, to.key_scales, kOrderOfKeys, worker.bytes.data(), worker.scales.data());
  unpack(to.values, to.value_scales, kOrderOfValues, values, value_scales);
  return {worker.bytes.data(), values, nullptr, to.count, to.size, Stored::kByte, worker.scales.data(), value_scales,
          nullptr, 0};
}

void Decoder::cross_attend(const Step& step, int l, int thread) {
  const Matrix& matrix = layers_[l].products[kCrossQuery];
  Worker& worker = workers_[thread];
  const int size = sizes_.head_size(), rows = static_cast<int>(step.prompted.size()), per_head = size / kTile;
  quantize(matrix, &layers_[l].norms[kCrossNorm], x_.data(), step.prompted, thread);
  for (int head; (head = team_.next(thread, sizes_.heads)) < sizes_.heads;) {
    for (int i = 0; i < per_head; i++) {
      kernels_.multiply(matrix.view(), worker.quantized.rows(), rows, head * per_head + i, worker.tile.data(), false);
      for (int r = 0; r < rows; r++)
        std::copy_n(worker.tile.data() + r * kTile, kTile, &worker.qkv[std::size_t(r) * size + i * kTile]);
    }
    for (int r = 0; r < rows; r++) {
      const PromptView& prompt = step.prompts[step.rows[step.prompted[r]].prompt];
      const std::size_t at = (std::size_t(l) * sizes_.heads + head) * prompt.count * size;
      kernels_.attend(&worker.qkv[std::size_t(r) * size],
                      {prompt.keys + at, prompt.values + at, prompt.bias, prompt.count, size, Stored::kFloat,
                       nullptr, nullptr, nullptr, 0},
                      worker.scores.data(), seen_.data() + std::size_t(r) * sizes_.hidden + head * size);
    }
  }
}

std::uint64_t Decoder::read_weights() {
  std::lock_guard<std::mutex> lock(mutex_);
  const std::vector<const Matrix*> all = matrices();
  std::atomic<std::uint64_t> total{0};
  team_.run([&](int thread) {
    for (const Matrix* matrix : all) {
      const int tiles = matrix->tiles(), unit = chunk_of(*matrix), chunks = (tiles + unit - 1) / unit;
      for (int chunk; (chunk = team_.next(thread, chunks)) < chunks;)
        total += kernels_.read(matrix->view(), chunk * unit, std::min((chunk + 1) * unit, tiles));
      team_.barrier(thread);
    }
  });
  return total;
}

}  // namespace lullwave
