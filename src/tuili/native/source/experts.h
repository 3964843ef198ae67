// The experts of a reasoning layer: routing, then each expert over the rows that chose it, where they stand.
//
// Dimensions beside those of step.h: k experts of each token, Y = N * k pairs of a token and an expert, sorted by expert.
#pragma once
#include "layers.h"

namespace tuili::TUILI_SET {

struct Choice {
  int32_t expert;
  float weight;
};

// The best expert by its logit, the others by logit plus bias; their weights are sigmoids over their sum. In rising order of
// experts, so that the outputs of a token are added in one order whatever rows stand beside it.
inline void choose_experts(const float* logit_E, const float* bias_E, int E, int k, Choice* choice_k) {
  float total = 0.f;
  for (int i = 0; i < k; i++) {
    int best = -1;
    float top = 0.f;
    for (int e = 0; e < E; e++) {
      const float value = i ? logit_E[e] + bias_E[e] : logit_E[e];
      const bool taken = std::any_of(choice_k, choice_k + i, [=](const Choice& choice) { return choice.expert == e; });
      if (!taken && (best < 0 || value > top)) best = e, top = value;
    }
    choice_k[i] = {best, 1.f / (1.f + std::exp(-logit_E[best]))};
    total += choice_k[i].weight;
  }
  for (int i = 0; i < k; i++) choice_k[i].weight /= std::fmax(total, 1e-9f);
  std::sort(choice_k, choice_k + k, [](const Choice& a, const Choice& b) { return a.expert < b.expert; });
}

// The pairs of all tokens, sorted by expert.
struct Pairs {
  int32_t* begin_E;   // [E + 1]: the first pair of each expert
  int32_t* row_Y;     // the token of each pair
  float* weight_Y;
  int32_t* own_Y;     // 0, 1, 2, …
  int32_t* place_Nk;  // the pairs of each token
};

inline Pairs sort_pairs(const Choice* choice_Nk, int N, int k, int E, Workspace& memory) {
  const int Y = N * k;
  const Pairs pairs{memory.take<int32_t>(E + 1), memory.take<int32_t>(Y), memory.take<float>(Y), memory.take<int32_t>(Y),
                    memory.take<int32_t>(Y)};
  int32_t* next_E = memory.take<int32_t>(E);
  std::fill(next_E, next_E + E, 0);
  for (int y = 0; y < Y; y++) next_E[choice_Nk[y].expert]++, pairs.own_Y[y] = y;
  pairs.begin_E[0] = 0;
  for (int e = 0; e < E; e++) pairs.begin_E[e + 1] = pairs.begin_E[e] + next_E[e], next_E[e] = pairs.begin_E[e];
  for (int y = 0; y < Y; y++) {
    const int place = next_E[choice_Nk[y].expert]++;
    pairs.row_Y[place] = y / k, pairs.weight_Y[place] = choice_Nk[y].weight, pairs.place_Nk[y] = place;
  }
  return pairs;
}

// f(expert, first pair, pairs, threads) for every expert that some token chose: a thread for each, or all for each.
template <class F>
inline void each_expert(const Call& call, const Pairs& pairs, int64_t work, F&& f) {
  const int E = call.model.sizes.experts;
  const auto run = [&](int e, Threads& threads) {
    const int first = pairs.begin_E[e], count = pairs.begin_E[e + 1] - first;
    if (count) f(e, first, count, threads);
  };
  int active = 0;
  for (int e = 0; e < E; e++) active += pairs.begin_E[e + 1] > pairs.begin_E[e];
  if (work < WORTH_SHARING || active < call.threads.count()) {
    for (int e = 0; e < E; e++) run(e, call.threads);
  } else {
    Threads alone(1);
    call.threads.run(E, [&](int e) { run(e, alone); });
  }
}

// Rows that experts read: one for each pair where they are sorted, else one for each token.
struct ExpertInputs {
  float* x;
  int64_t stride;
  bool sorted;
};

// What the matrices of the experts, and those that make their inputs, make of rows. One that all experts have in common runs
// over all rows at once.
inline ExpertInputs products(const Call& call, const Pairs& pairs, const Matrix* matrix_E, ExpertInputs rows) {
  const Sizes& sizes = call.model.sizes;
  const int N = call.tokens.count, Y = N * sizes.experts_per_token, E = sizes.experts;
  if (matrix_E->inner) rows = products(call, pairs, matrix_E->inner, rows);
  const bool common = E > 1 && matrix_E[0].panels == matrix_E[1].panels;
  const int outputs = matrix_E->outputs, read = rows.sorted ? Y : N, made = common ? read : Y;
  float* result = call.memory.take<float>(int64_t(made) * outputs);
  const Inputs inputs = prepare(*matrix_E, rows.x, rows.stride, read, call.memory);
  const int32_t* row_Y = rows.sorted ? pairs.own_Y : pairs.row_Y;
  if (common) product(*matrix_E, inputs, nullptr, read, result, outputs, call.threads);
  else each_expert(call, pairs, int64_t(Y) * matrix_E->inputs * outputs, [&](int e, int first, int count, Threads& threads) {
    product(matrix_E[e], inputs, row_Y + first, count, result + int64_t(first) * outputs, outputs, threads);
  });
  return {result, outputs, rows.sorted || !common};
}

// Adds the experts of the reasoning layer number `index`.
inline void experts(const Call& call, int index, float* hidden_NM) {
  const Layer& layer = call.model.layers[index];
  const Sizes& sizes = call.model.sizes;
  const int N = call.tokens.count, M = sizes.hidden, E = sizes.experts, k = sizes.experts_per_token, Y = N * k;
  const int F = sizes.expert_size;
  const uintptr_t mark = call.memory.mark();
  float* normed_NM = normed(call, hidden_NM, layer.norm_M);
  const float* logit_NE = projected(call, layer.router, normed_NM, M);
  Choice* choice_Nk = call.memory.take<Choice>(Y);
  for (int n = 0; n < N; n++) choose_experts(logit_NE + n * E, layer.router_bias_E, E, k, choice_Nk + n * k);
  const Pairs pairs = sort_pairs(choice_Nk, N, k, E, call.memory);
  int64_t* tokens_E = call.model.counters.expert_tokens_LE + int64_t(index - call.model.depth_G[0]) * E;
  for (int e = 0; e < E; e++) tokens_E[e] += pairs.begin_E[e + 1] - pairs.begin_E[e];

  const ExpertInputs gate_up = products(call, pairs, layer.gate_up_E, {normed_NM, M, false});
  for (int y = 0; y < Y; y++) gate(gate_up.x + int64_t(y) * 2 * F, F, pairs.weight_Y[y]);
  const float* output_YM = products(call, pairs, layer.down_E, {gate_up.x, 2 * F, true}).x;
  for (int y = 0; y < Y; y++) add(hidden_NM + int64_t(y / k) * M, output_YM + int64_t(pairs.place_Nk[y]) * M, M);
  call.memory.release(mark);
}

}  // namespace tuili::TUILI_SET
