// Exercises the decoder and the codec's layers without Python, for the sanitizers: `make native-sanitize`. Exits with 1 if
// a row depends on its company, on the number of threads, on how its past was computed or on how it was divided, or if
// logits are off those of the portable kernels by more than roundings in another order. `make native-arm` runs it emulated.
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>
#include <thread>

#include "codec.hpp"
#include "cpu.hpp"
#include "decoder.hpp"
#include "sampling.hpp"

using namespace lullwave;

bool check_layers();  // check_layers.cpp

namespace {

// Groups side by side, alone, and a part of one; the second fits the matrix unit and the attention to bytes.
constexpr Sizes kOfModels[] = {{96, 2, 3, 1360, 4, 60, 40, true}, {128, 2, 2, 1344, 4, 60, 40, true}};
Sizes sizes = kOfModels[0];
constexpr int kLength = 48, kSlots = 4;
constexpr double kRounding = 0.02;  // relative L2

std::mt19937 generator(1);

std::vector<float> noise(std::size_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> out(count);
  for (float& x : out) x = normal(generator);
  return out;
}

void set_random(const Kernels& kernels, int bits, Decoder& decoder, int layer, Product which, int outputs, int inputs) {
  const std::size_t groups = (inputs + kGroup - 1) / kGroup;
  std::vector<std::int8_t> values(std::size_t(outputs) * inputs);
  for (std::int8_t& value : values) value = std::int8_t(int(generator() % 255) - 127);
  const std::vector<float> scales(outputs * groups, 0.002f), loud_weights = noise(std::size_t(outputs) * 2);
  const std::int32_t loud[] = {3, inputs - 1};
  QuantizedWeights weights{outputs, inputs, values.data(), scales.data(), 2, loud, loud_weights.data(), nullptr};
  if (bits == 8) return decoder.set_product(layer, which, weights);
  const std::vector<float> exact = noise(std::size_t(outputs) * inputs);
  std::vector<std::int8_t> parts(std::size_t(outputs) * (inputs / kSubgroup));
  std::vector<float> found(outputs * groups);
  for (int i = 0; i < outputs; i++)
    kernels.to_nibbles(&exact[std::size_t(i) * inputs], inputs, &values[std::size_t(i) * inputs],
                       &parts[std::size_t(i) * (inputs / kSubgroup)], &found[i * groups]);
  weights.scales = found.data();
  weights.parts = parts.data();
  decoder.set_product(layer, which, weights);
}

struct Model {
  int seeded = (generator.seed(7), 7);  // first: every model gets the same numbers
  std::vector<float> table = noise(4 * 61 * sizes.hidden), positions = noise(40 * sizes.hidden);
  std::vector<float> keys = noise(2 * 5 * sizes.hidden), values = noise(keys.size()), bias = noise(5);
  Decoder decoder;

  Model(const Kernels& kernels, int bits, int threads, bool pinned)
      : decoder(sizes, kernels, threads, pinned, table.data(), positions.data()) {
    for (int l = 0; l < sizes.layers; l++) {
      const int d = sizes.hidden, outputs[] = {3 * d, d, d, d, sizes.ffn, d};
      for (int i = 0; i < kProducts; i++)
        set_random(kernels, bits, decoder, l, Product(i), outputs[i], i == kDown ? sizes.ffn : d);
      for (int i = 0; i < kNorms; i++) decoder.set_norm(l, NormPlace(i), noise(d), noise(d));
    }
    set_random(kernels, bits, decoder, 0, kHeads, sizes.outputs(), sizes.hidden);
    decoder.set_norm(0, kFinalNorm, noise(sizes.hidden), noise(sizes.hidden));
  }
};

struct Past {
  int bits;
  std::vector<std::uint8_t> keys, values;
  std::vector<std::uint32_t> key_scales, value_scales;  // as wide as the floats of bytes
  explicit Past(int bits_) : bits(bits_), keys(std::size_t(2) * kSlots * 2 * sizes.hidden * kLength * bits / 8), values(keys.size()) {
    if (bits < 16) key_scales.resize(std::size_t(2) * kSlots * 2 * sizes.heads * kLength);
    value_scales.resize(key_scales.size());
  }
  CacheView view() {
    return {bits == 4 ? Stored::kNibble : bits == 8 ? Stored::kByte : Stored::kHalf, keys.data(), values.data(),
            bits < 16 ? key_scales.data() : nullptr, bits < 16 ? value_scales.data() : nullptr, kSlots, kLength};
  }
};

std::vector<float> run(Model& model, Past& past, const std::vector<StepRow>& rows, int threads = 0) {
  std::vector<std::int64_t> tokens;
  for (const StepRow& row : rows)
    for (int k = 0; k < 4; k++) tokens.push_back((row.position * 7 + k * 13 + row.slot) % 61);
  std::size_t needing = 0;
  for (const StepRow& row : rows) needing += row.needs_logits;
  std::vector<float> logits(needing * sizes.outputs());
  model.decoder.step(rows, tokens.data(), nullptr, past.view(),
                     {{model.keys.data(), model.values.data(), model.bias.data(), 5}}, logits.data(), threads);
  return logits;
}

bool same(const std::vector<float>& a, const float* b) { return !std::memcmp(a.data(), b, a.size() * sizeof(float)); }

const Kernels& portable() {
  for (const Kernels* kernels : usable_kernels())
    if (!std::strcmp(kernels->name, "portable")) return *kernels;
  throw std::logic_error("no portable kernels");
}

// Whether logits are those of the portable kernels, but for what sums in another order round to the neighbouring level.
bool near(const std::vector<float>& logits, const std::vector<float>& expected) {
  double off = 0, all = 0;
  for (std::size_t i = 0; i < logits.size(); i++) {
    off += double(logits[i] - expected[i]) * double(logits[i] - expected[i]);
    all += double(expected[i]) * double(expected[i]);
  }
  return off < kRounding * kRounding * all;
}

bool check(const Kernels& kernels, int weight_bits, int kept_bits) {
  Model one(kernels, weight_bits, 1, false), team(kernels, weight_bits, 3, true);
  Past alone(kept_bits), company(kept_bits), again(kept_bits);
  bool fine = true;
  std::vector<StepRow> all;
  for (int p = 0; p < 30; p++) {
    const std::vector<float> first = run(one, alone, {{0, 0, p, 0, true}, {0, 1, p, -1, true}});
    const std::vector<float> both =
        run(team, company, {{2, 0, 30 - p, -1, false}, {0, 0, p, 0, true}, {0, 1, p, -1, true}, {1, 0, p / 2, 0, true},
                            {3, 1, p, 0, p % 2 == 0}}, 1 + p % 3);
    fine &= same(first, both.data());
    all.push_back({0, 0, p, 0, p == 29});
  }
  const std::vector<float> last = run(one, again, all), stepped = run(one, alone, {{0, 0, 29, 0, true}});
  fine &= same(stepped, last.data());
  Model plain(portable(), weight_bits, 1, false);
  Past other(kept_bits);
  fine &= near(last, run(plain, other, all));
  for (const StepRow& wrong : std::vector<StepRow>{{4, 0, 0, -1, true}, {0, 2, 0, -1, true}, {0, 0, 40, -1, true},
                                                   {0, 0, 0, 1, true}, {-1, 0, 0, -1, true}}) {
    try {
      run(one, alone, {wrong});
      fine = false;
    } catch (const std::invalid_argument&) {
    }
  }
  std::vector<std::thread> callers;  // steps of several callers wait for one another
  for (int i = 0; i < 3; i++)
    callers.emplace_back([&, i] {
      for (int p = 0; p < 20; p++) {
        run(team, company, {{i, 0, p, 0, true}}, (i + p) % 4);
        if (team.decoder.active_threads() > 3) std::abort();
      }
    });
  for (std::thread& caller : callers) caller.join();
  team.decoder.read_weights();
  std::printf("%s, heads of %d, weights of %d bits, keys and values of %d: %s\n", kernels.name, sizes.head_size(),
              weight_bits, kept_bits, fine ? "fine" : "WRONG");
  return fine;
}

// Draws from logits that rise: with the largest chance the least token that is kept, without any the likeliest.
bool check_draws() {
  std::vector<float> logits(50), other(50);
  for (int i = 0; i < 50; i++) logits[i] = 0.1f * float(i);
  std::vector<Ranked> room;
  const bool fine = draw(logits.data(), other.data(), 50, {2.0f, 1.0f, 10, 1.0f}, 0.9999999f, room) == 40 &&
                    draw(logits.data(), nullptr, 50, {1.0f, 0.0f, 0, 1.0f}, 0.5f, room) == 49 &&
                    draw(logits.data(), nullptr, 50, {1.0f, 1.0f, 0, 1e-3f}, 0.9f, room) == 49;
  std::printf("draws: %s\n", fine ? "fine" : "WRONG");
  return fine;
}

// The codec's layers: whole, and in three parts with another number of threads.
bool check_codec(const Kernels& kernels) {
  CodecTeam one(kernels, 1, false), team(kernels, 3, true);
  bool fine = true;
  for (const int outputs : {1, 40}) {
    constexpr int kTaps = 3, kWidth = 5, kRows = 150, kMade = kRows - kTaps + 1;
    const std::vector<float> x = noise(kRows * kWidth), added = noise(std::size_t(kMade) * outputs);
    const FloatMatrix matrix(noise(std::size_t(outputs) * kTaps * kWidth).data(), noise(outputs).data(), outputs,
                             kTaps * kWidth);
    std::vector<float> whole(added.size()), parts(added.size());
    one.multiply(matrix, kTaps, {{{nullptr, 0}, {x.data(), kRows}, {nullptr, 0}}},
                 {{{nullptr, 0}, {added.data(), kMade}}}, whole.data());
    for (const int middle : {1, 140}) {
      const int before = (kRows - middle) / 2;
      team.multiply(matrix, kTaps,
                    {{{x.data(), before}, {x.data() + before * kWidth, middle},
                      {x.data() + (before + middle) * kWidth, kRows - before - middle}}},
                    {{{added.data(), 2}, {added.data() + 2 * outputs, kMade - 2}}}, parts.data());
      fine &= same(whole, parts.data());
    }
    team.elu(x.data(), 33, parts.data());
  }
  constexpr int kSize = 32, kSteps = 6, kBatch = 2;
  Arena arena;
  const std::vector<std::int8_t> values(4 * kSize * kSize, 3);
  const std::vector<float> scales(4 * kSize, 0.01f), gates = noise(kBatch * kSteps * 4 * kSize);
  const Matrix weights({4 * kSize, kSize, values.data(), scales.data(), 0, nullptr, nullptr, nullptr}, arena);
  std::vector<float> h(kBatch * kSize), c(h), out(kBatch * kSteps * kSize), same_h(h), same_c(c), same_out(out);
  one.lstm(weights, gates.data(), kBatch, kSteps, h.data(), c.data(), out.data());
  team.lstm(weights, gates.data(), kBatch, kSteps, same_h.data(), same_c.data(), same_out.data());
  fine &= same(h, same_h.data()) && same(c, same_c.data()) && same(out, same_out.data());
  std::printf("%s, codec: %s\n", kernels.name, fine ? "fine" : "WRONG");
  return fine;
}

}  // namespace

// Arguments: instruction sets of the decoder's kernels; none: all that this CPU has, and the layers.
int main(int count, char** names) {
  bool fine = check_draws();
  if (count == 1) fine &= check_layers();
  for (const Kernels* kernels : usable_kernels()) {
    bool wanted = count == 1;
    for (int i = 1; i < count; i++) wanted |= !std::strcmp(names[i], kernels->name);
    if (!wanted) continue;
    for (const Sizes& one : kOfModels) {
      sizes = one;
      for (int bits : {8, 4})
        for (int kept_bits : {16, 8, 4}) fine &= check(*kernels, bits, kept_bits);
    }
    fine &= check_codec(*kernels);
  }
  return fine ? 0 : 1;
}
