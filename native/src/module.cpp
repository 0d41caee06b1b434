// The Python module `lullwave_native`. Arrays are checked here or by the decoder; wrong ones raise ValueError or TypeError.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>

#include "codec.hpp"
#include "cpu.hpp"
#include "decoder.hpp"
#include "sampling.hpp"
#include "transformer_module.hpp"

namespace nb = nanobind;
using namespace lullwave;

namespace {

template <class T, int Dimensions> using Array = nb::ndarray<T, nb::ndim<Dimensions>, nb::c_contig, nb::device::cpu>;
using Parts = std::optional<Array<const std::int8_t, 2>>;  // scales of subgroups: the weights have 4 bits
using CacheArray = nb::ndarray<nb::ndim<6>, nb::c_contig, nb::device::cpu>;
using ScaleArray = nb::ndarray<nb::ndim<5>, nb::c_contig, nb::device::cpu>;  // floats, or words of nibbles

void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

QuantizedWeights checked(const Array<const std::int8_t, 2>& values, const Array<const float, 2>& scales,
                         const Array<const std::int32_t, 1>& loud, const Array<const float, 2>& loud_weights,
                         const Parts& parts) {
  const std::size_t outputs = values.shape(0), inputs = values.shape(1);
  require(outputs < (1u << 24) && inputs < (1u << 24), "weights: at most 2^24 outputs and inputs");
  require(scales.shape(0) == outputs && scales.shape(1) == (inputs + kGroup - 1) / kGroup,
          "scales: (outputs, groups of 256 inputs)");
  require(loud_weights.shape(0) == outputs && loud_weights.shape(1) == loud.shape(0) && loud.shape(0) <= inputs,
          "loud weights: (outputs, loud inputs)");
  require(!parts || (parts->shape(0) == outputs && parts->shape(1) == inputs / kSubgroup),
          "parts: (outputs, subgroups of 16 inputs)");
  return {int(outputs), int(inputs), values.data(), scales.data(), int(loud.shape(0)), loud.data(),
          loud_weights.data(), parts ? parts->data() : nullptr};
}

// One product with quantized weights: of an LSTM, and for tests of the kernels.
class Linear {
 public:
  Linear(const QuantizedWeights& weights, const std::string& level)
      : matrix_(weights, arena_), kernels_(kernels_of(level)) {}

  const Matrix& matrix() const { return matrix_; }

  void multiply(const Array<const float, 2>& x, const Array<float, 2>& out, bool gelu) {
    const int rows = int(x.shape(0));
    require(int(x.shape(1)) == matrix_.view().inputs && out.shape(0) == x.shape(0) &&
                int(out.shape(1)) == matrix_.view().outputs, "shapes: (rows, inputs) and (rows, outputs)");
    RowBuffer buffer;
    buffer.reserve(rows, {&matrix_});
    for (int r = 0; r < rows; r++)
      kernels_.quantize(matrix_.view(), x.data() + std::size_t(r) * x.shape(1), r, buffer.rows(), buffer.scratch());
    std::vector<float> made(std::size_t(rows) * kTile);
    for (int tile = 0; tile < matrix_.tiles(); tile++) {
      kernels_.multiply(matrix_.view(), buffer.rows(), rows, tile, made.data(), gelu);
      for (int r = 0; r < rows; r++)
        std::copy_n(&made[r * kTile], kTile, out.data() + std::size_t(r) * out.shape(1) + tile * kTile);
    }
  }

 private:
  Arena arena_;
  Matrix matrix_;
  const Kernels& kernels_;
};

// Quantizes weights to 4 bits.
void to_nibbles(const Array<const float, 2>& weights, const Array<std::int8_t, 2>& values,
                const Array<std::int8_t, 2>& parts, const Array<float, 2>& scales, const std::string& level) {
  const std::size_t outputs = weights.shape(0), inputs = weights.shape(1);
  require(inputs > 0 && inputs % kSubgroup == 0 && inputs < (1u << 24), "weights: a multiple of 16 inputs");
  require(values.shape(0) == outputs && values.shape(1) == inputs, "values: as the weights");
  require(parts.shape(0) == outputs && parts.shape(1) == inputs / kSubgroup, "parts: (outputs, subgroups of 16 inputs)");
  const std::size_t groups = (inputs + kGroup - 1) / kGroup;
  require(scales.shape(0) == outputs && scales.shape(1) == groups, "scales: (outputs, groups of 256 inputs)");
  const Kernels& kernels = kernels_of(level);
  nb::gil_scoped_release unlocked;
  for (std::size_t i = 0; i < outputs; i++)
    kernels.to_nibbles(weights.data() + i * inputs, int(inputs), values.data() + i * inputs,
                       parts.data() + i * (inputs / kSubgroup), scales.data() + i * groups);
}

// Keys and values of a prompt; keeps the arrays alive.
class Prompt {
 public:
  Prompt(Array<const float, 4> keys, Array<const float, 4> values, std::optional<Array<const float, 1>> bias)
      : keys_(std::move(keys)), values_(std::move(values)), bias_(std::move(bias)) {
    for (int i = 0; i < 4; i++)
      require(keys_.shape(i) == values_.shape(i), "prompt: keys and values of one shape (layers, heads, count, size)");
    require(keys_.shape(2) >= 1 && keys_.shape(2) < (1u << 24), "prompt: at least one token");
    require(!bias_ || bias_->shape(0) == keys_.shape(2), "prompt: one bias for each token");
  }

  PromptView view(const Sizes& sizes) const {
    require(int(keys_.shape(0)) == sizes.layers && int(keys_.shape(1)) == sizes.heads &&
                int(keys_.shape(3)) == sizes.head_size(), "prompt: of another model");
    return {keys_.data(), values_.data(), bias_ ? bias_->data() : nullptr, int(keys_.shape(2))};
  }

 private:
  Array<const float, 4> keys_, values_;
  std::optional<Array<const float, 1>> bias_;
};

// The keys and values of all slots; keeps the arrays alive.
class Cache {
 public:
  Cache(CacheArray keys, CacheArray values, std::optional<ScaleArray> key_scales, std::optional<ScaleArray> value_scales)
      : keys_(std::move(keys)), values_(std::move(values)), key_scales_(std::move(key_scales)),
        value_scales_(std::move(value_scales)) {
    const nb::dlpack::dtype half{std::uint8_t(nb::dlpack::dtype_code::Float), 16, 1};
    require(bool(key_scales_) == bool(value_scales_), "cache: scales for keys and values, or for none");
    require(keys_.dtype() == values_.dtype() && (!key_scales_ || key_scales_->dtype() == value_scales_->dtype()),
            "cache: keys as values");
    const bool nibbles = keys_.dtype() == nb::dtype<std::uint8_t>();
    stored_ = nibbles ? Stored::kNibble : key_scales_ ? Stored::kByte : Stored::kHalf;
    if (!key_scales_)
      require(keys_.dtype() == half, "cache: of dtype float16, or with scales");
    else
      require((keys_.dtype() == nb::dtype<std::int8_t>() && key_scales_->dtype() == nb::dtype<float>()) ||
                  (nibbles && key_scales_->dtype() == nb::dtype<std::int32_t>()),
              "cache: of dtype int8 with scales in float32, or of uint8 with words in int32");
    for (int i = 0; key_scales_ && i < 5; i++)
      require(key_scales_->shape(i) == keys_.shape(i) && value_scales_->shape(i) == keys_.shape(i),
              "cache: a scale for each position of a head");
    require(!nibbles || keys_.shape(4) % kNibbleBlock == 0, "cache: of uint8, a length that is a multiple of 16");
    require(stored_ == Stored::kHalf || keys_.shape(4) <= kMostPositions, "cache: of integers, at most 65536 positions");
    for (int i = 0; i < 6; i++)
      require(keys_.shape(i) == values_.shape(i), "cache: (layers, slots, 2, heads, length, size), keys as values");
    require(keys_.shape(2) == 2 && keys_.shape(4) < (1u << 24) && keys_.shape(1) < (1u << 24), "cache: two rows a slot");
  }

  CacheView view(const Sizes& sizes) const {
    require(int(keys_.shape(0)) == sizes.layers && int(keys_.shape(3)) == sizes.heads &&
                int(keys_.shape(5)) * (stored_ == Stored::kNibble ? 2 : 1) == sizes.head_size(), "cache: of another model");
    return {stored_, keys_.data(), values_.data(), key_scales_ ? key_scales_->data() : nullptr,
            value_scales_ ? value_scales_->data() : nullptr, int(keys_.shape(1)), int(keys_.shape(4))};
  }

 private:
  CacheArray keys_, values_;
  std::optional<ScaleArray> key_scales_, value_scales_;
  Stored stored_;
};

using Rows3 = Array<const float, 3>;  // (batch, rows, width)

// The team of the codec. A part of a sequence that is None has no rows.
class PyCodecTeam {
 public:
  PyCodecTeam(int threads, bool pinned, const std::string& level)
      : team_(kernels_of(level), (require(threads >= 1 && threads <= 256, "threads: 1 to 256"), threads), pinned) {}

  void multiply(const FloatMatrix& matrix, int taps, const std::optional<Rows3>& before, const Rows3& x,
                const std::optional<Rows3>& after, const std::optional<Rows3>& added_before,
                const std::optional<Rows3>& added, const Array<float, 3>& out) {
    const PanelsView& m = matrix.view();
    const std::size_t batch = x.shape(0), outputs = m.outputs;
    require(taps > 0 && x.shape(2) * taps == std::size_t(m.inputs), "x: (batch, rows, inputs / taps)");
    std::size_t rows = 0;
    for (const Rows3* part : {before ? &*before : nullptr, &x, after ? &*after : nullptr}) {
      if (!part) continue;
      require(part->shape(0) == batch && part->shape(2) == x.shape(2), "before, x, after: of one batch and width");
      rows += part->shape(1);
    }
    for (const std::optional<Rows3>* part : {&added_before, &added})
      require(!*part || ((*part)->shape(0) == batch && (*part)->shape(2) == outputs), "added: (batch, rows, outputs)");
    require(rows >= std::size_t(taps) && rows < (1u << 24), "rows: at least as many as taps");
    require(out.shape(0) == batch && out.shape(1) == rows - taps + 1 && out.shape(2) == outputs,
            "out: (batch, rows - taps + 1, outputs)");
    nb::gil_scoped_release unlocked;
    for (std::size_t b = 0; b < batch; b++)
      team_.multiply(matrix, taps, {part(before, b), part(x, b), part(after, b)},
                     {part(added_before, b), part(added, b)}, out.data() + b * out.shape(1) * outputs);
  }

  void elu(const Rows3& x, const Array<float, 3>& out) {
    for (int i = 0; i < 3; i++) require(x.shape(i) == out.shape(i), "x and out: of one shape");
    nb::gil_scoped_release unlocked;
    team_.elu(x.data(), x.size(), out.data());
  }

  void lstm(const Linear& weights, const Rows3& gates, const Array<float, 2>& h, const Array<float, 2>& c,
            const Array<float, 3>& out) {
    const std::size_t batch = gates.shape(0), steps = gates.shape(1), size = weights.matrix().view().inputs;
    require(gates.shape(2) == 4 * size && batch < (1u << 16) && steps < (1u << 24), "gates: (batch, steps, 4 x size)");
    for (const Array<float, 2>* state : {&h, &c})
      require(state->shape(0) == batch && state->shape(1) == size, "h and c: (batch, size)");
    require(out.shape(0) == batch && out.shape(1) == steps && out.shape(2) == size, "out: (batch, steps, size)");
    nb::gil_scoped_release unlocked;
    team_.lstm(weights.matrix(), gates.data(), int(batch), int(steps), h.data(), c.data(), out.data());
  }

 private:
  static Part part(const std::optional<Rows3>& rows, std::size_t b) {
    return rows ? part(*rows, b) : Part{nullptr, 0};
  }
  static Part part(const Rows3& rows, std::size_t b) {
    return {rows.data() + b * rows.shape(1) * rows.shape(2), int(rows.shape(1))};
  }

  CodecTeam team_;
};

class PyDecoder {
 public:
  PyDecoder(int hidden, int layers, int heads, int ffn, int codebooks, int vocabulary, bool cross,
            Array<const float, 2> table, Array<const float, 2> positions, int threads, bool pinned,
            const std::string& level)
      : table_(std::move(table)), positions_(std::move(positions)) {
    require(static_cast<long long>(table_.shape(0)) == codebooks * (vocabulary + 1LL) && int(table_.shape(1)) == hidden,
            "table: (codebooks x (vocabulary + 1), hidden)");
    require(int(positions_.shape(1)) == hidden, "positions: (count, hidden)");
    const Sizes sizes{hidden, layers, heads, ffn, codebooks, vocabulary, int(positions_.shape(0)), cross};
    decoder_ = std::make_unique<Decoder>(sizes, kernels_of(level), threads, pinned, table_.data(), positions_.data());
  }

  void set_product(int layer, int which, const Array<const std::int8_t, 2>& values, const Array<const float, 2>& scales,
                   const Array<const std::int32_t, 1>& loud, const Array<const float, 2>& loud_weights,
                   const Parts& parts) {
    decoder_->set_product(layer, Product(which), checked(values, scales, loud, loud_weights, parts));
  }

  void set_norm(int layer, int which, const Array<const float, 1>& weight, const Array<const float, 1>& bias) {
    decoder_->set_norm(layer, NormPlace(which), {weight.data(), weight.data() + weight.size()},
                       {bias.data(), bias.data() + bias.size()});
  }

  void step(const Cache& cache, const Array<const std::int32_t, 2>& rows,
            const std::optional<Array<const std::int64_t, 2>>& tokens, const std::optional<Array<const float, 2>>& states,
            const std::vector<const Prompt*>& prompts, const Array<float, 2>& logits, int threads) {
    const Sizes& sizes = decoder_->sizes();
    require(rows.shape(1) == 5, "rows: (rows, 5): slot, row, position, prompt or -1, whether logits are needed");
    require(rows.shape(0) <= 4096, "rows: at most 4096");
    require(tokens.has_value() != states.has_value(), "tokens or states");
    require(!tokens || (tokens->shape(0) == rows.shape(0) && int(tokens->shape(1)) == sizes.codebooks),
            "tokens: (rows, codebooks)");
    require(!states || (states->shape(0) == rows.shape(0) && int(states->shape(1)) == sizes.hidden),
            "states: (rows, hidden)");
    std::vector<StepRow> steps;
    std::size_t needing = 0;
    for (std::size_t r = 0; r < rows.shape(0); r++) {
      const std::int32_t* row = rows.data() + 5 * r;
      steps.push_back({row[0], row[1], row[2], row[3], row[4] != 0});
      needing += row[4] != 0;
    }
    require(logits.shape(0) == needing && int(logits.shape(1)) == sizes.outputs(),
            "logits: (rows that need them, codebooks x vocabulary)");
    std::vector<PromptView> views;
    for (const Prompt* prompt : prompts) {
      require(prompt != nullptr, "prompts: None");
      views.push_back(prompt->view(sizes));
    }
    const CacheView view = cache.view(sizes);
    nb::gil_scoped_release unlocked;
    decoder_->step(steps, tokens ? tokens->data() : nullptr, states ? states->data() : nullptr, view, views,
                   logits.data(), threads);
  }

  std::uint64_t read_weights() { return decoder_->read_weights(); }
  std::size_t weight_bytes() const { return decoder_->weight_bytes(); }
  const char* level() const { return decoder_->kernels().name; }
  int threads() const { return decoder_->threads(); }
  int active_threads() const { return decoder_->active_threads(); }

 private:
  Array<const float, 2> table_, positions_;
  std::unique_ptr<Decoder> decoder_;
};

// Attention of one query to bytes, for tests of the kernels.
void attend(const Array<const float, 1>& query, const Array<const std::int8_t, 2>& keys,
            const Array<const float, 1>& key_scales, const Array<const std::int8_t, 2>& values,
            const Array<const float, 1>& value_scales, const Array<float, 1>& out, const std::string& level) {
  const std::size_t count = keys.shape(0), size = keys.shape(1);
  require(count > 0 && count <= kMostPositions && size > 0 && size % kTile == 0,
          "keys: (at most 65536, a multiple of 16)");
  require(values.shape(0) == count && values.shape(1) == size, "values: as the keys");
  require(key_scales.shape(0) == count && value_scales.shape(0) == count, "scales: (count)");
  require(query.shape(0) == size && out.shape(0) == size, "query and out: the size of the keys");
  std::vector<float> scores((count + kTile - 1) / kTile * kTile);
  kernels_of(level).attend(query.data(),
                           {keys.data(), values.data(), nullptr, int(count), int(size), Stored::kByte, key_scales.data(),
                            value_scales.data(), nullptr, 0},
                           scores.data(), out.data());
}

// Softmax attention to a past of nibbles, for tests of the kernels.
void attend_nibbles(const Array<const float, 1>& query, const Array<const std::uint8_t, 2>& keys,
                    const Array<const std::int32_t, 1>& key_words, const Array<const std::uint8_t, 2>& values,
                    const Array<const std::int32_t, 1>& value_words, int count, const Array<float, 1>& out,
                    const std::string& level) {
  const std::size_t length = keys.shape(0), size = query.shape(0);
  const Kernels& kernels = kernels_of(level);
  require(size > 0 && size % kTile == 0 && size < (1u << 24), "query: a multiple of 16");
  require(length % kNibbleBlock == 0 && length <= kMostPositions, "keys: a multiple of 16 positions, at most 65536");
  require(keys.shape(1) * 2 == size && values.shape(1) * 2 == size && values.shape(0) == length,
          "keys and values: (positions, size / 2)");
  require(key_words.shape(0) == length && value_words.shape(0) == length, "words: (positions)");
  require(count >= 1 && std::size_t(count) <= length, "count: 1 to the number of positions");
  require(out.shape(0) == size, "out: as the query");
  std::vector<float> scores(length);
  Attended to{keys.data(), values.data(), nullptr, count, int(size), Stored::kNibble, key_words.data(), value_words.data(),
              nullptr, 0};
  std::vector<std::int8_t> bytes(2 * length * size);
  std::vector<float> scales(2 * length);
  if (int(size) != kernels.nibble_head) {
    kernels.unpack_heads(keys.data(), reinterpret_cast<const std::uint32_t*>(key_words.data()), count, int(size),
                         kOrderOfKeys, bytes.data(), scales.data());
    kernels.unpack_heads(values.data(), reinterpret_cast<const std::uint32_t*>(value_words.data()), count, int(size),
                         kOrderOfValues, bytes.data() + length * size, scales.data() + length);
    to = {bytes.data(), bytes.data() + length * size, nullptr, count, int(size), Stored::kByte, scales.data(),
          scales.data() + length, nullptr, 0};
  }
  kernels.attend(query.data(), to, scores.data(), out.data());
}

// Quantizes keys or values to nibbles, and makes bytes of them, for tests of the kernels.
void pack_nibbles(const Array<const float, 2>& x, const Array<std::uint8_t, 2>& nibbles, const Array<std::int32_t, 1>& words,
                bool values, const std::string& level) {
  const std::size_t count = x.shape(0), size = x.shape(1);
  require(size > 0 && size % kTile == 0 && size < (1u << 24), "x: (count, a multiple of 16)");
  require(nibbles.shape(0) == count && 2 * nibbles.shape(1) == size, "nibbles: (count, size / 2)");
  require(words.shape(0) == count, "words: (count)");
  const NibbleOrder order = values ? kOrderOfValues : kOrderOfKeys;
  require(count % order.together == 0, "x: a multiple of 16 positions; of values, of four");
  for (std::size_t i = 0; i < count; i++) {
    std::uint8_t* out = nibbles.data() + i / order.together * order.together * size / 2 + order.begin(int(i % order.together));
    words.data()[i] = std::int32_t(kernels_of(level).pack_head(x.data() + i * size, int(size), order, out));
  }
}

void unpack_nibbles(const Array<const std::uint8_t, 2>& nibbles, const Array<const std::int32_t, 1>& words,
                    const Array<std::int8_t, 2>& bytes, const Array<float, 1>& scales, bool values, const std::string& level) {
  const std::size_t count = bytes.shape(0), size = bytes.shape(1);
  require(size > 0 && size % kTile == 0 && size < (1u << 24) && count < (1u << 24), "bytes: (count, a multiple of 16)");
  require(nibbles.shape(0) == count && 2 * nibbles.shape(1) == size, "nibbles: (count, size / 2)");
  require(words.shape(0) == count && scales.shape(0) == count, "words and scales: (count)");
  const NibbleOrder order = values ? kOrderOfValues : kOrderOfKeys;
  require(count % order.together == 0, "bytes: a multiple of 16 positions; of values, of four");
  kernels_of(level).unpack_heads(nibbles.data(), reinterpret_cast<const std::uint32_t*>(words.data()), int(count), int(size),
                                 order, bytes.data(), scales.data());
}

// Draws the tokens of songs, each of which has one row of logits or two.
void draw_songs(const Array<const float, 3>& logits, const Array<const std::int32_t, 1>& rows,
                const Array<const float, 2>& settings, const Array<const float, 2>& chance,
                const Array<std::int64_t, 2>& tokens) {
  const std::size_t songs = rows.shape(0), books = logits.shape(1), size = logits.shape(2);
  std::size_t all = 0;
  for (std::size_t i = 0; i < songs; i++) {
    require(rows.data()[i] == 1 || rows.data()[i] == 2, "rows: one or two for each song");
    all += rows.data()[i];
  }
  require(logits.shape(0) == all && size > 0 && size < (1u << 24), "logits: (rows of all songs, codebooks, vocabulary)");
  require(settings.shape(0) == songs && settings.shape(1) == 4,
          "settings: (songs, 4): guidance, temperature, top-k, top-p");
  require(chance.shape(0) == songs && chance.shape(1) == books && tokens.shape(0) == songs && tokens.shape(1) == books,
          "chance and tokens: (songs, codebooks)");
  nb::gil_scoped_release unlocked;
  std::vector<Ranked> room;
  const float* wanted = logits.data();
  for (std::size_t i = 0; i < songs; i++) {
    const float* of = settings.data() + 4 * i;
    const SamplingSettings chosen{of[0], of[1], int(std::clamp(of[2], 0.0f, float(size))), of[3]};
    for (std::size_t k = 0; k < books; k++)
      tokens.data()[i * books + k] = draw(wanted + k * size, rows.data()[i] == 2 ? wanted + (books + k) * size : nullptr,
                                          int(size), chosen, chance.data()[i * books + k], room);
    wanted += rows.data()[i] * books * size;
  }
}

}  // namespace

NB_MODULE(lullwave_native, m) {
  nb::set_leak_warnings(false);  // engines may live until the interpreter ends
  m.doc() = "The decoder step of MusicGen with 8-bit or 4-bit weights, the layers of its codec, and transformer layers in "
            "bfloat16, for CPUs.";
  m.def("levels", [] {
    std::vector<std::string> names;
    for (const Kernels* kernels : usable_kernels()) names.push_back(kernels->name);
    return names;
  }, "Names of the instruction sets that this CPU has kernels for, the fastest first.");
  bind_transformer(m);
  m.def("to_nibbles", &to_nibbles, nb::arg("weights"), nb::arg("values").noconvert(), nb::arg("parts").noconvert(),
        nb::arg("scales").noconvert(), nb::arg("level") = "",
        "Quantizes weights (outputs, inputs) to numbers of levels, scales of 16 inputs and scales of 256 inputs.");
  m.def("attend", &attend, nb::arg("query"), nb::arg("keys"), nb::arg("key_scales"), nb::arg("values"),
        nb::arg("value_scales"), nb::arg("out").noconvert(), nb::arg("level") = "",
        "Softmax attention of one scaled query to keys and values in 8 bits.");
  m.def("attend_nibbles", &attend_nibbles, nb::arg("query"), nb::arg("keys"), nb::arg("key_words"), nb::arg("values"),
        nb::arg("value_words"), nb::arg("count"), nb::arg("out").noconvert(), nb::arg("level") = "",
        "Softmax attention of one scaled query to the first keys and values in 4 bits.");
  m.def("pack_nibbles", &pack_nibbles, nb::arg("x"), nb::arg("nibbles").noconvert(), nb::arg("words").noconvert(),
        nb::arg("values") = false, nb::arg("level") = "",
        "Quantizes keys or values (count, size) to nibbles and their words.");
  m.def("unpack_nibbles", &unpack_nibbles, nb::arg("nibbles"), nb::arg("words"), nb::arg("bytes").noconvert(),
        nb::arg("scales").noconvert(), nb::arg("values") = false, nb::arg("level") = "",
        "Makes bytes and their scales of the nibbles of keys or values.");
  m.def("draw", &draw_songs, nb::arg("logits"), nb::arg("rows"), nb::arg("settings"), nb::arg("chance"),
        nb::arg("tokens").noconvert(), "Draws tokens (songs, codebooks) from logits (rows, codebooks, vocabulary).");
  nb::class_<Linear>(m, "Linear")
      .def("__init__", [](Linear* self, const Array<const std::int8_t, 2>& values, const Array<const float, 2>& scales,
                          const Array<const std::int32_t, 1>& loud, const Array<const float, 2>& loud_weights,
                          const std::string& level, const Parts& parts) {
             new (self) Linear(checked(values, scales, loud, loud_weights, parts), level);
           }, nb::arg("values"), nb::arg("scales"), nb::arg("loud"), nb::arg("loud_weights"), nb::arg("level") = "",
           nb::arg("parts") = nb::none())
      .def("multiply", &Linear::multiply, nb::arg("x"), nb::arg("out").noconvert(), nb::arg("gelu") = false);
  nb::class_<Prompt>(m, "Prompt")
      .def(nb::init<Array<const float, 4>, Array<const float, 4>, std::optional<Array<const float, 1>>>(),
           nb::arg("keys"), nb::arg("values"), nb::arg("bias").none());
  nb::class_<Cache>(m, "Cache")
      .def(nb::init<CacheArray, CacheArray, std::optional<ScaleArray>, std::optional<ScaleArray>>(),
           nb::arg("keys").noconvert(), nb::arg("values").noconvert(), nb::arg("key_scales").noconvert() = nb::none(),
           nb::arg("value_scales").noconvert() = nb::none());
  nb::class_<FloatMatrix>(m, "FloatMatrix")
      .def("__init__", [](FloatMatrix* self, const Array<const float, 2>& weights, const Array<const float, 1>& bias) {
             require(bias.shape(0) == weights.shape(0), "bias: one for each output");
             require(weights.shape(0) < (1u << 24) && weights.shape(1) < (1u << 24), "weights: at most 2^24 a side");
             new (self) FloatMatrix(weights.data(), bias.data(), int(weights.shape(0)), int(weights.shape(1)));
           }, nb::arg("weights"), nb::arg("bias"));
  nb::class_<PyCodecTeam>(m, "CodecTeam")
      .def(nb::init<int, bool, const std::string&>(), nb::arg("threads") = 2, nb::arg("pinned") = false,
           nb::arg("level") = "")
      .def("multiply", &PyCodecTeam::multiply, nb::arg("matrix"), nb::arg("taps"), nb::arg("before").none(), nb::arg("x"),
           nb::arg("after").none(), nb::arg("added_before").none(), nb::arg("added").none(), nb::arg("out").noconvert())
      .def("elu", &PyCodecTeam::elu, nb::arg("x"), nb::arg("out").noconvert())
      .def("lstm", &PyCodecTeam::lstm, nb::arg("weights"), nb::arg("gates"), nb::arg("h").noconvert(),
           nb::arg("c").noconvert(), nb::arg("out").noconvert());
  nb::class_<ActiveThreads>(m, "ActiveThreads", "Chooses how many threads of a decoder compute.")
      .def(nb::init<int>(), nb::arg("most"))
      .def("count", &ActiveThreads::count, nb::arg("rows"))
      .def("took", &ActiveThreads::took, nb::arg("wall"), nb::arg("cpu"), nb::arg("rows"));
  nb::class_<PyDecoder>(m, "Decoder")
      .def(nb::init<int, int, int, int, int, int, bool, Array<const float, 2>, Array<const float, 2>, int, bool,
                    const std::string&>(),
           nb::arg("hidden"), nb::arg("layers"), nb::arg("heads"), nb::arg("ffn"), nb::arg("codebooks"),
           nb::arg("vocabulary"), nb::arg("cross"), nb::arg("table"), nb::arg("positions"), nb::arg("threads") = 2,
           nb::arg("pinned") = false, nb::arg("level") = "")
      .def("set_product", &PyDecoder::set_product, nb::arg("layer"), nb::arg("which"), nb::arg("values"),
           nb::arg("scales"), nb::arg("loud"), nb::arg("loud_weights"), nb::arg("parts") = nb::none())
      .def("set_norm", &PyDecoder::set_norm)
      .def("step", &PyDecoder::step, nb::arg("cache"), nb::arg("rows"), nb::arg("tokens").none(),
           nb::arg("states").none(), nb::arg("prompts"), nb::arg("logits").noconvert(), nb::arg("threads") = 0)
      .def("read_weights", &PyDecoder::read_weights, nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("weight_bytes", &PyDecoder::weight_bytes)
      .def_prop_ro("level", &PyDecoder::level)
      .def_prop_ro("threads", &PyDecoder::threads)
      .def_prop_ro("active_threads", &PyDecoder::active_threads);
}
