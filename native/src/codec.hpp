// What takes time in the codec: products of the rows of a sequence, ELU and LSTM, by a team of threads.
//
// lullwave/engines/musicgen/model/codec.py defines the layers. A sequence is (rows, width), one row after the other. So a
// convolution of length `taps` is a product with rows of taps x width that overlap, and nothing has to be copied.
#pragma once
#include <array>
#include <mutex>
#include <vector>

#include "kernels.hpp"
#include "matrix.hpp"
#include "memory.hpp"
#include "team.hpp"

namespace lullwave {

class FloatMatrix {
 public:
  // Packs `weights` (outputs, inputs) and `bias` (outputs). Throws std::invalid_argument for sizes below 1.
  FloatMatrix(const float* weights, const float* bias, int outputs, int inputs);
  const PanelsView& view() const { return view_; }
  int panels() const { return (view_.outputs + kTile - 1) / kTile; }

 private:
  Arena arena_;
  std::vector<float> bias_;
  PanelsView view_{};
};

// Rows of a sequence; parts of it are joined in the order of their array.
struct Part {
  const float* data;
  int rows;
};

// Thread-safe: one call at a time.
class CodecTeam {
 public:
  CodecTeam(const Kernels& kernels, int threads, bool pinned) : kernels_(kernels), team_(threads, pinned) {}

  // Output t is bias + matrix times rows t to t + taps - 1 of `input` + row t of `added`, of which there may be none.
  // The matrix has taps x width inputs. Writes (rows - taps + 1, outputs).
  // Throws std::invalid_argument if there are fewer rows than taps or too few to add.
  void multiply(const FloatMatrix& matrix, int taps, const std::array<Part, 3>& input, const std::array<Part, 2>& added,
                float* out);

  void elu(const float* x, std::size_t count, float* out);

  // An LSTM layer: `weights` (4 x size, size) are the recurrent ones; `gates` (batch, steps, 4 x size) are input, forget,
  // update and output without them. Changes h and c (batch, size); writes `out` (batch, steps, size).
  // Throws std::invalid_argument for weights of another shape or a size that is no multiple of 16.
  void lstm(const Matrix& weights, const float* gates, int batch, int steps, float* h, float* c, float* out);

 private:
  const Kernels& kernels_;
  std::mutex mutex_;
  Team team_;
};

}  // namespace lullwave
