// How deep tokens go: the layers that they run; and, where each layer has keys and values of its own, how an exit tells
// whether a token may leave, and what it gives to the layers that it does not run.
//
// Dimensions beside those of step.h: X numbers of a row, C channels.
#pragma once
#include "exits.h"
#include "experts.h"

namespace tuili::TUILI_SET {

// Runs the layers from `begin` to `end` - 1.
template <class Cell>
inline void layers(const Call& call, int begin, int end, float* hidden_NM) {
  for (int index = begin; index < end; index++) {
    attention<Cell>(call, index, hidden_NM);
    if (call.model.layers[index].gate_up_E) experts(call, index, hidden_NM);
    else feed_forward(call, call.model.layers[index], hidden_NM);
  }
}

// Adds to each state what the adapter of an exit makes of it.
inline void adapt(const Call& call, const Exit& exit, float* hidden_NM) {
  const int N = call.tokens.count, M = call.model.sizes.hidden;
  const uintptr_t mark = call.memory.mark();
  const float* low_NX = projected(call, exit.down, normed(call, hidden_NM, exit.plain_M), M);
  add(hidden_NM, projected(call, exit.up, low_NX, exit.down.outputs), N * M);
  call.memory.release(mark);
}

// The probability, as an exit has learnt it, that the token of the largest of these logits is that of the full depth.
inline float confidence_of(const Exit& exit, const float* logit_X, int X) {
  const Top top = top_of(logit_X, X);
  const float* behind = logit_X + top.place + 1;
  const float second = std::max(top_of(logit_X, top.place).value, top_of(behind, X - top.place - 1).value);
  const float log_prob = std::log(probability_of(top, logit_X, X)), lead = top.value - second;
  float logit = *exit.outer_bias;
  for (int c = 0; c < exit.channels; c++) {
    const float inner = exit.inner_C2[2 * c] * log_prob + exit.inner_C2[2 * c + 1] * lead + exit.inner_bias_C[c];
    logit += exit.outer_C[c] * inner / (1.f + std::exp(-inner));
  }
  return 1.f / (1.f + std::exp(-logit));
}

// The confidence of each of some states at an exit: confidence_N.
inline void confidences(const Call& call, const Exit& exit, const float* hidden_NM, float* confidence_N) {
  const int N = call.tokens.count, M = call.model.sizes.hidden;
  const Matrix& common = call.model.common;
  float* adapted_NM = call.memory.take<float>(int64_t(N) * M);
  std::copy(hidden_NM, hidden_NM + int64_t(N) * M, adapted_NM);
  adapt(call, exit, adapted_NM);
  const float* logit_NX = projected(call, common, normed(call, adapted_NM, call.model.final_norm_M), M);
  for (int i = 0; i < N; i++) confidence_N[i] = confidence_of(exit, logit_NX + int64_t(i) * common.outputs, common.outputs);
}

// The outputs of a matrix, and of all behind it, from the panel on that holds output number `first`.
inline Matrix from_panel_of(Matrix matrix, int first) {
  for (; first >= matrix.outputs; matrix = *matrix.next) first -= matrix.outputs;
  first = first / PANEL * PANEL;
  matrix.panels = static_cast<const char*>(matrix.panels) + int64_t(first) * steps_of(matrix) * step_bytes(matrix.format);
  if (matrix.scale_N) matrix.scale_N += first, matrix.sum_N += first;
  matrix.outputs -= first;
  return matrix;
}

// Gives a layer the keys and values of tokens that do not run it.
inline void fill_keys_and_values(const Call& call, const Layer& layer, const float* hidden_NM) {
  const Sizes& sizes = call.model.sizes;
  const int HD = sizes.heads * sizes.head_size, KD = sizes.kv_heads * sizes.head_size;
  const uintptr_t mark = call.memory.mark();
  const Matrix matrix = from_panel_of(layer.input, HD);
  const int width = outputs_of(matrix), first = outputs_of(layer.input) - width;
  float* projected_NX = projected(call, matrix, normed(call, hidden_NM, layer.attention_norm_M), sizes.hidden,
                                  layer.input_bias ? layer.input_bias + first : nullptr);
  float* key_NX = projected_NX + HD - first;
  rotate_heads(call, key_NX, width, sizes.kv_heads, layer.head_gain_D + HD);
  with_cells(sizes.cache, [&](auto cell) {
    store_tokens<decltype(cell)>(sizes, call.slots, layer.set, call.tokens, key_NX, key_NX + KD, width);
  });
  call.memory.release(mark);
}

}  // namespace tuili::TUILI_SET
