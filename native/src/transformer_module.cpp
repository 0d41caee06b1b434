// Layers of transformers in the Python module `lullwave_native`. bfloat16 arrays come as int16 ones of the same bits.
#include "transformer_module.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "transformer.hpp"

namespace nb = nanobind;
using namespace lullwave;

namespace {

template <class T, int Dimensions> using Array = nb::ndarray<T, nb::ndim<Dimensions>, nb::c_contig, nb::device::cpu>;
template <int Dimensions> using Floats = Array<const float, Dimensions>;

void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

constexpr const char* kProductNames[kLayerProducts] = {"qkv", "out", "text_q", "text_out", "ff_in", "ff_out"};
constexpr const char* kNormNames[kLayerNorms] = {"attn", "q", "k", "text", "text_q", "ff"};

template <int Count> int index_of(const char* const (&names)[Count], const std::string& name) {
  std::string all;
  for (int i = 0; i < Count; i++) {
    if (name == names[i]) return i;
    all += (i ? ", " : "") + std::string(names[i]);
  }
  throw std::invalid_argument("name: '" + name + "'; it is one of " + all);
}

void set_product(TransformerLayer& layer, const std::string& name, const Array<const std::int16_t, 2>& weights,
                 const std::optional<Floats<1>>& bias) {
  const auto which = LayerProduct(index_of(kProductNames, name));
  const auto [inputs, outputs] = layer.shape(which);
  require(int(weights.shape(0)) == outputs && int(weights.shape(1)) == inputs, "weights: (outputs, inputs) of the layer");
  require(!bias || int(bias->shape(0)) == outputs, "bias: one for each output");
  require(!bias || (which != LayerProduct::kQueriesKeysValues && which != LayerProduct::kTextQueries),
          "bias: queries, keys and values have none");
  layer.set_product(which, reinterpret_cast<const Bf16*>(weights.data()), bias ? bias->data() : nullptr);
}

using Text = std::optional<Floats<4>>;

void run(const TransformerLayer& layer, LayerTeam& team, const Array<float, 3>& x,
         const std::optional<Floats<3>>& modulation, const Floats<2>& cos, const Floats<2>& sin, const Text& keys, const Text& values,
         const std::optional<Floats<1>>& bias, const std::optional<Floats<3>>& known) {
  const LayerSizes& sizes = layer.sizes();
  const std::size_t rows = x.shape(0), length = x.shape(1), half = cos.shape(1);
  require(int(x.shape(2)) == sizes.width, "x: (rows, positions, width)");
  require(rows * length < (1u << 24), "x: at most 2^24 positions");
  require(!modulation || (modulation->shape(0) == 6 && modulation->shape(1) == rows &&
                          int(modulation->shape(2)) == sizes.width), "modulation: (6, rows, width)");
  require(half == 0 || half == 16 || half == 32, "cos: of 0, 16 or 32 angles");
  require(cos.shape(0) >= length && sin.shape(0) == cos.shape(0) && sin.shape(1) == half, "cos, sin: (positions, angles)");
  require(keys.has_value() == values.has_value() && keys.has_value() == bias.has_value(),
          "text: keys, values and bias, or none of them");
  if (keys) {
    require(keys->shape(0) == rows && int(keys->shape(1)) == sizes.maps * sizes.heads && keys->shape(2) > 0 &&
                keys->shape(3) == kHead, "text keys: (rows, maps x heads, length, 64)");
    require(keys->shape(2) < (1u << 16), "text keys: at most 65535");
    for (int i = 0; i < 4; i++) require(values->shape(i) == keys->shape(i), "text values: of the shape of the keys");
    require(bias->shape(0) == keys->shape(2), "text bias: one for each key");
  }
  require(!known || (keys && known->shape(0) == rows && known->shape(1) <= length &&
                     int(known->shape(2)) == sizes.width), "known: (rows, at most the positions, width), with a text");
  if (!rows || !length) return;
  const LayerInput input{x.data(), int(rows), int(length), modulation ? modulation->data() : nullptr,
                         {cos.data(), sin.data(), int(half)}, keys ? keys->data() : nullptr,
                         values ? values->data() : nullptr, bias ? bias->data() : nullptr,
                         keys ? int(keys->shape(2)) : 0, known ? known->data() : nullptr,
                         known ? int(known->shape(1)) : 0};
  nb::gil_scoped_release unlocked;
  layer.run(team, input);
}

}  // namespace

void bind_transformer(nb::module_& m) {
  m.def("layer_levels", [] {
    std::vector<std::string> names;
    for (const TileKernels* kernels : usable_tile_kernels()) names.push_back(kernels->name);
    return names;
  }, "Names of the instruction sets that this CPU has for layers in bfloat16, the fastest first.");
  nb::class_<LayerTeam>(m, "LayerTeam")
      .def(nb::init<int, const std::string&>(), nb::arg("threads") = 2, nb::arg("level") = "")
      .def_prop_ro("threads", [](LayerTeam& self) { return self.team().size(); })
      .def_prop_ro("level", [](const LayerTeam& self) { return self.kernels().name; });
  nb::class_<TransformerLayer>(m, "TransformerLayer")
      .def("__init__", [](TransformerLayer* self, int width, int heads, int maps, int inner, int band, bool tanh,
                          bool sine) {
             new (self) TransformerLayer({width, heads, maps, inner, band, tanh, sine});
           }, nb::arg("width"), nb::arg("heads"), nb::arg("maps"), nb::arg("inner"), nb::arg("band") = -1,
           nb::arg("tanh") = false, nb::arg("sine") = false)
      .def("set_product", &set_product, nb::arg("name"), nb::arg("weights").noconvert(), nb::arg("bias").none() = nb::none())
      .def("set_norm", [](TransformerLayer& self, const std::string& name, std::vector<float> gamma,
                          std::vector<float> beta, float alpha, float eps) {
             self.set_norm(LayerNorm(index_of(kNormNames, name)), alpha, eps, std::move(gamma), std::move(beta));
           }, nb::arg("name"), nb::arg("gamma"), nb::arg("beta"), nb::arg("alpha") = 1.0f, nb::arg("eps") = 0.0f)
      .def("run", &run, nb::arg("team"), nb::arg("x").noconvert(), nb::arg("modulation").none(), nb::arg("cos"),
           nb::arg("sin"), nb::arg("text_keys").none() = nb::none(), nb::arg("text_values").none() = nb::none(),
           nb::arg("text_bias").none() = nb::none(), nb::arg("known").none() = nb::none());
}
