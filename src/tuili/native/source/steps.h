// The steps of decoding as Python calls them: the trunk, one group of the layers behind it, an exit.
#pragma once
#include "depth.h"
#include "verifier.h"

namespace tuili::TUILI_SET {

inline int columns_of(const Model& model) { return 4 + model.sizes.convolution; }

// Whether a token has room in its slot, and ids that exist.
inline bool fits(const Model& model, const Slots& slots, const Token& token) {
  if (token.slot < 0 || token.slot >= slots.count) return false;
  const Slot& slot = slots.slots[token.slot];
  const Sizes& sizes = model.sizes;
  if (token.position < 0 || token.position >= std::min(slot.tokens, sizes.positions)) return false;
  const int begin = token.position - token.held;  // of the unit; each unit before it has a token or more
  if (sizes.layered && (token.held < 0 || token.unit < 0 || token.unit >= slot.units || token.unit > begin)) return false;
  return std::all_of(token.recent, token.recent + sizes.convolution, [&](int id) { return id < sizes.vocabulary; });
}

// Reads rows 0 to rows - 1: their tokens enter the slots, all before any is attended to, and hidden_RM is filled. Returns
// rows; or, if a row cannot be read, its number, before anything is done.
inline int trunk(const Batch& batch, const Slots& all_slots, int rows) {
  const Model& model = *batch.model;
  const Slot* slots = all_slots.slots;
  Workspace memory(batch.workspace, batch.workspace_bytes);
  const Call call{model, slots, {batch.table, columns_of(model), nullptr, rows}, memory, *model.threads};
  for (int row = 0; row < rows; row++)
    if (!fits(model, all_slots, call.tokens[row])) return row;
  if (model.sizes.layered)
    for (int row = 0; row < rows; row++) {
      const Token& token = call.tokens[row];
      slots[token.slot].unit_start[token.unit] = token.position - token.held;
    }
  embed(call, batch.hidden_RM);
  with_cells(model.sizes.cache, [&](auto cell) {
    layers<decltype(cell)>(call, 0, model.depth_G[0], batch.hidden_RM);
    if (model.shared.outputs) share_keys_and_values<decltype(cell)>(call, batch.hidden_RM);
  });
  return rows;
}

// f(call, states) over the first rows of `going`. Their states are gathered, so that a layer runs over whole blocks, and
// put back.
template <class F>
inline void over_rows(const Batch& batch, const Slots& slots, int going, F&& f) {
  const Model& model = *batch.model;
  const int M = model.sizes.hidden;
  Workspace memory(batch.workspace, batch.workspace_bytes);
  const Call call{model, slots.slots, {batch.table, columns_of(model), batch.going, going}, memory, *model.threads};
  float* hidden_NM = memory.take<float>(int64_t(going) * M);
  const auto state = [&](int i) { return batch.hidden_RM + int64_t(batch.going[i]) * M; };
  for (int i = 0; i < going; i++) std::copy(state(i), state(i) + M, hidden_NM + int64_t(i) * M);
  f(call, hidden_NM);
  for (int i = 0; i < going; i++) std::copy(hidden_NM + int64_t(i) * M, hidden_NM + int64_t(i + 1) * M, state(i));
}

// Takes the first rows of `going` through one group.
inline void group(const Batch& batch, const Slots& slots, int group, int going) {
  over_rows(batch, slots, going, [&](const Call& call, float* hidden_NM) {
    const int32_t* depth = call.model.depth_G + group;
    with_cells(call.model.sizes.cache, [&](auto cell) { layers<decltype(cell)>(call, depth[0], depth[1], hidden_NM); });
  });
}

// The probability, as exit number `index` has learnt it, that a row's likeliest token there is that of the full depth.
inline void confidence(const Batch& batch, const Slots& slots, int index, int going) {
  over_rows(batch, slots, going, [&](const Call& call, const float* hidden_NM) {
    float* confidence_N = call.memory.take<float>(going);
    confidences(call, call.model.exits[index], hidden_NM, confidence_N);
    for (int i = 0; i < going; i++) batch.top_prob_R[batch.going[i]] = confidence_N[i];
  });
}

// Lets rows leave at exit number `index`: deeper layers get keys and values of their states,
// and then the states become those that its adapter makes. Keys and values of adapted states would be those of states at
// full depth, which no layer in between knows.
inline void leave(const Batch& batch, const Slots& slots, int index, int going) {
  over_rows(batch, slots, going, [&](const Call& call, float* hidden_NM) {
    for (int layer = call.model.depth_G[index]; layer < call.model.sizes.layers; layer++)
      fill_keys_and_values(call, call.model.layers[layer], hidden_NM);
    adapt(call, call.model.exits[index], hidden_NM);
  });
}

// The logits of the first rows of `going`, in the rows' own places, and the likeliest token of each. Logits of tokens that
// it is not chosen among are -inf.
inline void exit(const Batch& batch, int going, int among) {
  const Model& model = *batch.model;
  const Head& head = model.heads[among];
  const int M = model.sizes.hidden, V = model.sizes.vocabulary, D = head.matrix.outputs;
  Workspace memory(batch.workspace, batch.workspace_bytes);
  float* normed_NM = memory.take<float>(int64_t(going) * M);
  for (int i = 0; i < going; i++)
    norm(batch.hidden_RM + int64_t(batch.going[i]) * M, model.final_norm_M, M, model.sizes.eps, normed_NM + int64_t(i) * M);
  const Inputs inputs = prepare(head.matrix, normed_NM, M, going, memory);
  float* logit_ND = head.id_D ? memory.take<float>(int64_t(going) * D) : nullptr;
  if (head.id_D) product(head.matrix, inputs, nullptr, going, logit_ND, D, *model.threads);
  else product(head.matrix, inputs, nullptr, going, batch.logits_RV, V, *model.threads, batch.going);
  for (int i = 0; i < going; i++) {
    float* logit_V = batch.logits_RV + int64_t(batch.going[i]) * V;
    const float* logit_D = head.id_D ? logit_ND + int64_t(i) * D : logit_V;
    find_top(batch, batch.going[i], logit_D, D, head.id_D);
    if (!head.id_D) continue;
    std::fill(logit_V, logit_V + V, -INFINITY);
    for (int d = 0; d < D; d++) logit_V[head.id_D[d]] = logit_D[d];
  }
}

// The most numbers of a row that stand between the factors of any matrix of a layer.
inline int widest_between(const Model& model) {
  int most = between(model.shared);
  for (const Layer* layer = model.layers; layer < model.layers + model.sizes.layers; layer++)
    for (const Matrix* matrix : {&layer->input, &layer->output, &layer->gate_up, &layer->down, layer->gate_up_E, layer->down_E})
      if (matrix) most = std::max(most, between(*matrix));
  return most;
}

// The most workspace that a step over so many rows takes: all that its largest layers cut, as if nothing were given back.
inline int64_t step_bytes(const Model& model, int rows) {
  const Sizes& s = model.sizes;
  const int64_t N = rows, HD = s.heads * s.head_size, Y = N * s.experts_per_token, F = s.feed_forward, X = s.positions + BLOCK;
  const int64_t heads = HD + 2 * s.kv_heads * s.head_size + 3 * s.heads;
  const int64_t low = 2 * widest_between(model) + 4 * PANEL;  // as results, and prepared for the next factor
  const int64_t of_row = low + 5 * int64_t(s.hidden) + heads + HD + 2 * F + s.experts, of_pair = low + 2 * s.expert_size + s.hidden + 16;
  const int64_t of_thread = X * (2 * (s.heads / s.kv_heads) + 16) + (s.heads / s.kv_heads) * (s.head_size + BLOCK);
  const int64_t inputs = N * (3 * s.hidden + HD + F + 4 * PANEL) + Y * (s.expert_size + PANEL);
  int64_t of_exit = 0;
  for (int g = 0; g < s.groups && model.exits; g++)
    of_exit = std::max<int64_t>(of_exit, model.exits[g].down.outputs + 2 * PANEL);
  for (const Head& head : model.heads)
    if (head.id_D || model.exits) of_exit = std::max<int64_t>(of_exit, head.matrix.outputs);
  const int64_t numbers = N * (of_row + of_exit) + Y * of_pair + inputs + of_thread * model.threads->count() +
                          2 * s.experts;
  return 4 * numbers + Workspace::ALIGNMENT * (64 + 16 * model.threads->count());
}

}  // namespace tuili::TUILI_SET
