#include "codec.hpp"

#include <algorithm>
#include <stdexcept>

namespace lullwave {

namespace {

constexpr int kGates = 4;          // of an LSTM
constexpr int kRowsOfChunk = 48;   // of a product: their inputs stay in the cache of a core
constexpr int kChunksPerThread = 16;
constexpr std::size_t kEluChunk = 1 << 14;  // floats

int rows_of(const std::array<Part, 3>& parts) { return parts[0].rows + parts[1].rows + parts[2].rows; }

// Outputs whose inputs lie in one piece, and what is added to them, too.
using Segment = PanelRows;

// Cuts the outputs of a product into segments. Where rows of several parts are needed together, they are copied to `room`.
std::vector<Segment> segments(const std::array<Part, 3>& input, int width, int taps, const std::array<Part, 2>& added,
                              int outputs, float* out, std::vector<float>& room) {
  const int rows = rows_of(input), total = rows - taps + 1, before = input[0].rows;
  int direct = before, until = before + input[1].rows - taps + 1;  // outputs that need only the middle part
  if (until <= direct || total <= kRowsOfChunk) direct = until = total;  // short ones in one piece
  // copied rows: 0 to direct + taps - 2, then until to the end
  const int head = direct ? direct + taps - 1 : 0, tail = until < total ? rows - until : 0;
  room.resize(std::size_t(head + tail) * width);
  const auto copy = [&](int from, int count, float* to) {
    int at = 0;
    for (const Part& part : input) {
      const int first = std::max(from, at), last = std::min(from + count, at + part.rows);
      if (first < last)
        std::copy(part.data + std::size_t(first - at) * width, part.data + std::size_t(last - at) * width,
                  to + std::size_t(first - from) * width);
      at += part.rows;
    }
  };
  copy(0, head, room.data());
  copy(until, tail, room.data() + std::size_t(head) * width);

  const bool adds = added[0].rows + added[1].rows > 0;
  std::vector<int> cuts{0, direct, until, total};
  if (adds) cuts.push_back(std::min(added[0].rows, total));
  std::sort(cuts.begin(), cuts.end());
  std::vector<Segment> found;
  for (std::size_t i = 0; i + 1 < cuts.size(); i++) {
    const int t = cuts[i], count = cuts[i + 1] - t;
    if (!count) continue;
    const float* in = t < direct ? room.data() + std::size_t(t) * width
                      : t < until ? input[1].data + std::size_t(t - before) * width
                                  : room.data() + std::size_t(head + t - until) * width;
    const float* add = nullptr;
    if (adds)
      add = t < added[0].rows ? added[0].data + std::size_t(t) * outputs
                              : added[1].data + std::size_t(t - added[0].rows) * outputs;
    found.push_back({in, std::size_t(width), add, out + std::size_t(t) * outputs, count});
  }
  return found;
}

// The rows `from` to `from` + `count` of a segment.
PanelRows part_of(const Segment& all, int outputs, int from, int count) {
  const std::size_t at = std::size_t(from) * outputs;
  return {all.in + from * all.in_step, all.in_step, all.added ? all.added + at : nullptr, all.out + at, count};
}

}  // namespace

FloatMatrix::FloatMatrix(const float* weights, const float* bias, int outputs, int inputs) {
  if (outputs < 1 || inputs < 1) throw std::invalid_argument("matrix: no outputs or no inputs");
  const int panels = (outputs + kTile - 1) / kTile;
  float* to = static_cast<float*>(arena_.allocate(sizeof(float) * panels * inputs * kTile));
  bias_.assign(std::size_t(panels) * kTile, 0.0f);
  std::copy(bias, bias + outputs, bias_.begin());
  view_ = {outputs, inputs, to, bias_.data()};
  for (int first = 0; first < outputs; first += kTile)
    for (int k = 0; k < inputs; k++)
      for (int i = first; i < first + kTile; i++) *to++ = i < outputs ? weights[std::size_t(i) * inputs + k] : 0.0f;
}

void CodecTeam::multiply(const FloatMatrix& matrix, int taps, const std::array<Part, 3>& input,
                         const std::array<Part, 2>& added, float* out) {
  const PanelsView& m = matrix.view();
  if (taps < 1 || m.inputs % taps) throw std::invalid_argument("taps: the inputs of the matrix are no multiple of them");
  if (rows_of(input) < taps) throw std::invalid_argument("rows: fewer than taps");
  const int add = added[0].rows + added[1].rows;
  if (add && add < rows_of(input) - taps + 1) throw std::invalid_argument("added: fewer rows than outputs");
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<float> room;
  std::vector<PanelRows> work;
  for (const Segment& all : segments(input, m.inputs / taps, taps, added, m.outputs, out, room))
    for (int from = 0; from < all.count; from += kRowsOfChunk)
      work.push_back(part_of(all, m.outputs, from, std::min(kRowsOfChunk, all.count - from)));
  const int wanted = kChunksPerThread * team_.size(), rows = static_cast<int>(work.size()), panels = matrix.panels();
  const int unit = std::max(1, panels / std::max(1, wanted / rows));  // panels of a chunk
  const int per_panels = (panels + unit - 1) / unit;
  team_.run([&](int thread) {
    for (int chunk; (chunk = team_.next(thread, rows * per_panels)) < rows * per_panels;) {
      const int first = chunk % per_panels * unit;
      for (int panel = first; panel < std::min(first + unit, panels); panel++)
        kernels_.product(m, panel, work[chunk / per_panels]);
    }
  });
}

void CodecTeam::elu(const float* x, std::size_t count, float* out) {
  std::lock_guard<std::mutex> lock(mutex_);
  const int chunks = static_cast<int>((count + kEluChunk - 1) / kEluChunk);
  team_.run([&](int thread) {
    for (int chunk; (chunk = team_.next(thread, chunks)) < chunks;) {
      const std::size_t from = chunk * kEluChunk;
      kernels_.elu(x + from, std::min(kEluChunk, count - from), out + from);
    }
  });
}

void CodecTeam::lstm(const Matrix& weights, const float* gates, int batch, int steps, float* h, float* c, float* out) {
  const MatrixView& m = weights.view();
  const std::size_t size = m.inputs;
  if (m.inputs % kTile || m.outputs != kGates * m.inputs)
    throw std::invalid_argument("lstm: the weights must be (4 x size, size), the size a multiple of 16");
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<RowBuffer> buffers(team_.size());
  std::vector<std::vector<float>> sums(team_.size());
  for (int i = 0; i < team_.size(); i++) {
    buffers[i].reserve(batch, {&weights});
    sums[i].resize(std::size_t(kGates) * batch * kTile);
  }
  const int units = m.inputs / kTile;
  team_.run([&](int thread) {
    const Rows& rows = buffers[thread].rows();
    float* made = sums[thread].data();
    for (int t = 0; t < steps; t++) {
      for (int b = 0; b < batch; b++)
        kernels_.quantize(m, t ? out + (std::size_t(b) * steps + t - 1) * size : h + b * size, b, rows,
                          buffers[thread].scratch());
      for (int unit; (unit = team_.next(thread, units)) < units;) {
        for (int g = 0; g < kGates; g++)
          kernels_.multiply(m, rows, batch, g * units + unit, made + std::size_t(g) * batch * kTile, false);
        for (int b = 0; b < batch; b++) {
          const std::size_t at = std::size_t(b) * steps + t, from = std::size_t(unit) * kTile;
          kernels_.lstm_cell(made + b * kTile, std::size_t(batch) * kTile, gates + at * kGates * size + from, size,
                             c + b * size + from, out + at * size + from);
        }
      }
      team_.barrier(thread);
    }
  });
  for (int b = 0; steps && b < batch; b++)
    std::copy_n(out + (std::size_t(b) * steps + steps - 1) * size, size, h + b * size);
}

}  // namespace lullwave
