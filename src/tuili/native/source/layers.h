// The layers of the model over the tokens of a call: embedding, attention with its projections, the dense network.
#pragma once
#include <new>

#include "attention.h"
#include "pack.h"

namespace tuili::TUILI_SET {

// What every layer of a call works with.
struct Call {
  const Model& model;
  const Slot* slots;
  Tokens tokens;
  Workspace& memory;
  Threads& threads;
};

inline float* normed(const float* x_NM, int N, const float* gain_M, int M, float eps, Workspace& memory) {
  float* normed_NM = memory.take<float>(int64_t(N) * M);
  for (int n = 0; n < N; n++) norm(x_NM + int64_t(n) * M, gain_M, M, eps, normed_NM + int64_t(n) * M);
  return normed_NM;
}
inline float* normed(const Call& call, const float* hidden_NM, const float* gain_M) {
  return normed(hidden_NM, call.tokens.count, gain_M, call.model.sizes.hidden, call.model.sizes.eps, call.memory);
}

// The product of rows that stand `stride` numbers apart with a matrix and all behind it, plus a bias: [N, outputs] in the
// workspace.
inline float* projected(const Matrix& matrix, const float* x_NK, int64_t stride, int N, Workspace& memory, Threads& threads,
                        const float* bias = nullptr) {
  const int64_t width = outputs_of(matrix);
  float* result = memory.take<float>(N * width);
  float* first = result;
  for (const Matrix* part = &matrix; part; first += part->outputs, part = part->next) {
    const uintptr_t mark = memory.mark();
    const float* x = part->inner ? projected(*part->inner, x_NK, stride, N, memory, threads) : x_NK;
    const Inputs inputs = prepare(*part, x, part->inner ? part->inputs : stride, N, memory);
    product(*part, inputs, nullptr, N, first, width, threads);
    memory.release(mark);
  }
  for (int n = 0; n < N && bias; n++) add(result + n * width, bias, width);
  return result;
}
inline float* projected(const Call& call, const Matrix& matrix, const float* x_NK, int64_t stride, const float* bias = nullptr) {
  return projected(matrix, x_NK, stride, call.tokens.count, call.memory, call.threads, bias);
}

// Adds the embedding of a token, weighted by one of the taps.
inline void add_embedding(const Model& model, int id, int tap, float* hidden_M) {
  const int64_t M = model.sizes.hidden;
  const auto add = [&](const auto* embedding_VM) {
    for (int m = 0; m < M; m++) hidden_M[m] += number(embedding_VM[id * M + m]) * model.taps_WM[tap * M + m];
  };
  if (model.embedding_is_bf16) add(static_cast<const uint16_t*>(model.embedding_VM));
  else add(static_cast<const float*>(model.embedding_VM));
}

// The embedding of each token and, weighted, of the few before it.
inline void embed(const Call& call, float* hidden_NM) {
  const int64_t M = call.model.sizes.hidden;
  std::fill(hidden_NM, hidden_NM + call.tokens.count * M, 0.f);
  for (int n = 0; n < call.tokens.count && !call.model.embedding_VM; n++)
    unpack_output(call.model.heads[ALL].matrix, std::max(call.tokens[n].recent[0], 0), hidden_NM + n * M);
  for (int n = 0; n < call.tokens.count && call.model.embedding_VM; n++)
    for (int tap = 0; tap < call.model.sizes.convolution; tap++)
      if (const int id = call.tokens[n].recent[tap]; id >= 0) add_embedding(call.model, id, tap, hidden_NM + n * M);
}

// Norms, or only scales, and turns the heads that stand one behind the other in each row.
inline void rotate_heads(const Call& call, float* head_NX, int64_t stride, int heads, const float* gain_HD) {
  const Sizes& sizes = call.model.sizes;
  const int D = sizes.head_size;
  for (int n = 0; n < call.tokens.count; n++)
    for (int h = 0; h < heads; h++) {
      float* head_D = head_NX + n * stride + h * D;
      if (sizes.head_norms) norm(head_D, gain_HD + h * D, D, sizes.eps, head_D);
      else multiply(head_D, gain_HD + h * D, D);
      rotate(head_D, call.model.angles_SD + int64_t(call.tokens[n].position) * D, D);
    }
}

// Counts the share of heads whose output is at least a tenth of the largest head's in size.
inline void count_active_heads(const Call& call, int layer, const float* read_NX) {
  const int H = call.model.sizes.heads, D = call.model.sizes.head_size;
  const Counters& counters = call.model.counters;
  float* size_H = call.memory.take<float>(H);
  for (int n = 0; n < call.tokens.count; n++) {
    for (int h = 0; h < H; h++) size_H[h] = square_sum(read_NX + (int64_t(n) * H + h) * D, D);
    const float least = std::fmax(*std::max_element(size_H, size_H + H) * 0.01f, 1e-18f);
    counters.active_share_L[layer] += double(std::count_if(size_H, size_H + H, [=](float x) { return x >= least; })) / H;
  }
  counters.tokens_L[layer] += call.tokens.count;
}

// Adds the attention of layer number `index` over its set of keys and values, which it writes first if they are its own.
template <class Cell>
inline void attention(const Call& call, int index, float* hidden_NM) {
  const Layer& layer = call.model.layers[index];
  const Sizes& sizes = call.model.sizes;
  const int N = call.tokens.count, M = sizes.hidden, H = sizes.heads, K = sizes.kv_heads, D = sizes.head_size, G = H / K;
  const int set = layer.set, own = layer.own;
  const int64_t width = outputs_of(layer.input), own_keys = own ? K * D : 0;
  const uintptr_t mark = call.memory.mark();
  const float* normed_NM = normed(call, hidden_NM, layer.attention_norm_M);
  float* projected_NX = projected(call, layer.input, normed_NM, M, layer.input_bias);
  const int64_t gate_width = layer.gates.outputs ? layer.gates.outputs : width;
  const float* gate_NX = !sizes.layered ? nullptr : projected_NX + H * D + 2 * own_keys;
  if (layer.gates.outputs) gate_NX = projected(call, layer.gates, normed_NM, M);
  rotate_heads(call, projected_NX, width, own ? H + K : H, layer.head_gain_D);
  if (own) store_tokens<Cell>(sizes, call.slots, set, call.tokens, projected_NX + H * D, projected_NX + (H + K) * D, width);

  float* read_NX = call.memory.take<float>(int64_t(N) * H * D);
  int64_t work = 0;
  for (int n = 0; n < N; n++) work += int64_t(call.tokens[n].position + 1) * H * D * 2;
  Scratch* scratch = call.memory.take<Scratch>(call.threads.count());
  for (int part = 0; part < call.threads.count(); part++) new (scratch + part) Scratch(sizes, call.memory);
  share(call.threads, N * K, work, [&](int part, int begin, int end) {
    for (int i = begin; i < end; i++) {
      const int n = i / K, head = i % K;
      const Token& token = call.tokens[n];
      const float* query_GD = projected_NX + n * width + head * G * D;
      const float* gate_G3 = gate_NX ? gate_NX + n * gate_width + head * G * 3 : nullptr;
      float* read_GD = read_NX + (int64_t(n) * H + head * G) * D;
      attend<Cell>(sizes, call.slots[token.slot], set, head, token, query_GD, gate_G3, scratch[part], read_GD);
    }
  });
  count_active_heads(call, index, read_NX);
  add(hidden_NM, projected(call, layer.output, read_NX, int64_t(H) * D, layer.output_bias), N * M);
  call.memory.release(mark);
}

// Adds a dense feed-forward network.
inline void feed_forward(const Call& call, const Layer& layer, float* hidden_NM) {
  const int N = call.tokens.count, M = call.model.sizes.hidden, F = call.model.sizes.feed_forward;
  const uintptr_t mark = call.memory.mark();
  float* gate_up_N2F = projected(call, layer.gate_up, normed(call, hidden_NM, layer.norm_M), M, layer.gate_up_bias);
  for (int n = 0; n < N; n++) gate(gate_up_N2F + int64_t(n) * 2 * F, F, 1.f);
  add(hidden_NM, projected(call, layer.down, gate_up_N2F, 2 * int64_t(F), layer.down_bias), N * M);
  call.memory.release(mark);
}

// Writes the keys and values that all layers behind the trunk share.
template <class Cell>
inline void share_keys_and_values(const Call& call, const float* hidden_NM) {
  const Model& model = call.model;
  const Sizes& sizes = model.sizes;
  const int KD = sizes.kv_heads * sizes.head_size;
  const uintptr_t mark = call.memory.mark();
  float* key_value_NX = projected(call, model.shared, normed(call, hidden_NM, model.shared_norm_M), sizes.hidden);
  rotate_heads(call, key_value_NX, 2 * KD, sizes.kv_heads, model.shared_head_norm_KD);
  store_tokens<Cell>(sizes, call.slots, model.depth_G[0], call.tokens, key_value_NX, key_value_NX + KD, 2 * KD);
  call.memory.release(mark);
}

}  // namespace tuili::TUILI_SET
