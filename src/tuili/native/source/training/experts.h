// A layer of experts, forward and backward: sorted by expert, then each expert over the tokens that chose it, tile by tile,
// so that what passes between its products stays in the cache. Dimensions: those of ExpertsCall; R rows of a tile.
#pragma once
#include "blocks.h"
#include "calls.h"
#include "share.h"

namespace tuili::TUILI_SET::training {

constexpr int FORWARD_TILE = 192, BACKWARD_TILE = 576;  // rows at most; multiples of those of every block

struct Sorted {
  explicit Sorted(const ExpertsCall& call)
      : begin_E(call.sorting), token_X(begin_E + call.experts + 1), place_X(token_X + call.tokens * call.choices) {}
  int32_t *begin_E, *token_X, *place_X;  // place: of the pairs in their own order
};
inline void sort_pairs(const ExpertsCall& call, const Sorted& to) {
  const int X = call.tokens * call.choices, E = call.experts;
  std::fill(to.begin_E, to.begin_E + E + 1, 0);
  for (int pair = 0; pair < X; pair++) to.place_X[pair] = to.begin_E[call.expert_Nk[pair] + 1]++;
  for (int e = 0; e < E; e++) to.begin_E[e + 1] += to.begin_E[e];
  for (int pair = 0; pair < X; pair++) {
    to.place_X[pair] += to.begin_E[call.expert_Nk[pair]];
    to.token_X[to.place_X[pair]] = pair / call.choices;
  }
}

// f(first, rows) for tiles of about equal size.
template <class F>
inline void each_tile(int begin, int end, int most, F&& f) {
  const int tiles = (end - begin + most - 1) / most, size = tiles ? ((end - begin + tiles - 1) / tiles + 23) / 24 * 24 : 0;
  for (int first = begin; first < end; first += size) f(first, std::min(size, end - first));
}

// Each token's sum over its pairs, which lie far apart: those of a token some way ahead are fetched meanwhile.
template <class Number>
inline void sum_pairs(const ExpertsCall& call, const Number* pair_XD, const int32_t* place_X, Number* sum_ND) {
  constexpr int AHEAD = 4;
  const int D = call.hidden, k = call.choices;
  share_rows(*call.threads, call.tokens, [&](int begin, int end) {
    for (int n = begin; n < end; n++) {
      const int32_t* place_k = place_X + int64_t(n) * k;
      for (int j = 0; j < k && n + AHEAD < end; j++) fetch(pair_XD + int64_t(place_k[AHEAD * k + j]) * D, D);
      each_vector(D, [&](int i, int count) {
        Floats sum = zero();
        for (int j = 0; j < k; j++) sum += floats_at(pair_XD + int64_t(place_k[j]) * D + i, count);
        store_numbers(sum_ND + int64_t(n) * D + i, sum, count);
      });
    }
  });
}

// The weights of sorted pairs.
template <class Number>
inline float* sorted_weights(const ExpertsCall& call, const Sorted& sorted, Workspace& memory) {
  const int X = call.tokens * call.choices;
  float* weight_X = memory.take<float>(X);
  for (int pair = 0; pair < X; pair++) weight_X[sorted.place_X[pair]] = number_at(static_cast<const Number*>(call.weight_Nk) + pair);
  return weight_X;
}

// What one expert takes of the workspace: backward's, which is more than forward's.
template <class Number>
inline int64_t tile_bytes(const ExpertsCall& call) {
  const int D = call.hidden, F = call.size;
  const auto panels = [](int outputs, int inputs) { return 4 * panel_words<Number>(outputs, inputs) + 64; };
  const auto tile = [&](int size, size_t bytes) { return int64_t(bytes) * BACKWARD_TILE * size + 64; };
  return panels(2 * F, D) + panels(D, 2 * F) + panels(F, D) + panels(D, F) + tile(F, sizeof(float)) + tile(3 * F, sizeof(Number)) + 64 +
         panels(2 * F, BACKWARD_TILE) + 2 * panels(D, BACKWARD_TILE) + panels(F, BACKWARD_TILE);
}

template <class Number>
inline void experts_forward_as(const ExpertsCall& call) {
  const int64_t D = call.hidden, F = call.size, X = int64_t(call.tokens) * call.choices;
  Workspace memory(call.workspace, call.workspace_bytes);
  const Sorted sorted(call);
  sort_pairs(call, sorted);
  const float* weight_X = sorted_weights<Number>(call, sorted, memory);
  const Number* x_ND = static_cast<const Number*>(call.x_ND);
  Number *gate_up_X2F = static_cast<Number*>(call.gate_up_X2F), *out_XD = memory.take<Number>(X * D);
  share_items(*call.threads, call.experts, tile_bytes<Number>(call), memory, [&](int e, Workspace& own) {
    const int begin = sorted.begin_E[e], end = sorted.begin_E[e + 1];
    if (begin == end) return;
    const Panels gate_up = take_panels<Number>(2 * F, D, own), down = take_panels<Number>(D, F, own);
    pack_rows<Number>(Rows<const float>{call.gate_up_E2FD + e * 2 * F * D, D}, D, gate_up);
    pack_rows<Number>(Rows<const float>{call.down_EDF + e * D * F, F}, F, down);
    Number* active_RF = own.take<Number>(FORWARD_TILE * F);
    each_tile(begin, end, FORWARD_TILE, [&](int first, int rows) {
      Number* gate_up_R2F = gate_up_X2F + first * 2 * F;
      multiply(left_rows(x_ND, D, sorted.token_X + first), rows, gate_up, Rows<Number>{gate_up_R2F, 2 * F});
      for (int r = 0; r < rows; r++) {
        const Number* gate_F = gate_up_R2F + r * 2 * F;
        each_vector(int(F), [&](int i, int count) {
          const Floats gate = floats_at(gate_F + i, count), up = floats_at(gate_F + F + i, count);
          store_numbers(active_RF + r * F + i, gate * sigmoid<Number>(gate) * up * all(weight_X[first + r]), count);
        });
      }
      multiply(left_rows(active_RF, F), rows, down, Rows<Number>{out_XD + first * D, D});
    });
  });
  sum_pairs(call, out_XD, sorted.place_X, static_cast<Number*>(call.out_ND));
}

// Backward through the weighted gated unit of one row: from its gates and inputs and the gradient of its result. Gives the
// gradient of the weight, and writes the result anew.
template <class Number>
inline float gate_backward(const Number* gate_up_2F, const float* dactive_F, float weight, int F, Number* active_F, Number* dgate_up_2F) {
  Floats dweight = zero();
  each_vector(F, [&](int i, int count) {
    const Floats gate = floats_at(gate_up_2F + i, count), up = floats_at(gate_up_2F + F + i, count);
    const Floats open = sigmoid<Number>(gate), swish = gate * open, active = swish * up;
    const Floats dresult = floats_at(dactive_F + i, count), dactive = dresult * all(weight);
    dweight = fma(dresult, active, dweight);
    store_numbers(active_F + i, active * all(weight), count);
    store_numbers(dgate_up_2F + i, dactive * up * fma(swish, all(1.f) - open, open), count);
    store_numbers(dgate_up_2F + F + i, dactive * swish, count);
  });
  return sum(dweight);
}

template <class Number>
inline void experts_backward_as(const ExpertsCall& call) {
  const int64_t D = call.hidden, F = call.size, X = int64_t(call.tokens) * call.choices;
  Workspace memory(call.workspace, call.workspace_bytes);
  const Sorted sorted(call);
  const float* weight_X = sorted_weights<Number>(call, sorted, memory);
  const Number *x_ND = static_cast<const Number*>(call.x_ND), *dout_ND = static_cast<const Number*>(call.dout_ND);
  const Number* gate_up_X2F = static_cast<const Number*>(call.gate_up_X2F);
  Number* dx_XD = memory.take<Number>(X * D);
  float* dweight_X = memory.take<float>(X);
  share_items(*call.threads, call.experts, tile_bytes<Number>(call), memory, [&](int e, Workspace& own) {
    const int begin = sorted.begin_E[e], end = sorted.begin_E[e + 1];
    const bool of_weights = call.dgate_up_E2FD;
    float* const dgate_up_2FD = of_weights ? call.dgate_up_E2FD + e * 2 * F * D : nullptr;
    float* const ddown_DF = of_weights ? call.ddown_EDF + e * D * F : nullptr;
    if (begin == end && of_weights) std::fill_n(dgate_up_2FD, 2 * F * D, 0.f), std::fill_n(ddown_DF, D * F, 0.f);
    if (begin == end) return;
    const Panels down = columns_of<Number>(Rows<const float>{call.down_EDF + e * D * F, F}, D, F, own);
    Panels gate_up{};
    if (call.dx_ND) gate_up = columns_of<Number>(Rows<const float>{call.gate_up_E2FD + e * 2 * F * D, D}, 2 * F, D, own);
    float* dactive_RF = own.take<float>(BACKWARD_TILE * F);
    Number *active_RF = own.take<Number>(BACKWARD_TILE * F), *dgate_up_R2F = own.take<Number>(BACKWARD_TILE * 2 * F);
    const uintptr_t mark = own.mark();
    each_tile(begin, end, BACKWARD_TILE, [&](int first, int rows) {
      const int32_t* token_R = sorted.token_X + first;
      multiply(left_rows(dout_ND, D, token_R), rows, down, Rows<float>{dactive_RF, F});
      for (int r = 0; r < rows; r++)
        dweight_X[first + r] = gate_backward(gate_up_X2F + (first + r) * 2 * F, dactive_RF + r * F, weight_X[first + r], int(F),
                                             active_RF + r * F, dgate_up_R2F + r * 2 * F);
      if (call.dx_ND) multiply(left_rows(dgate_up_R2F, 2 * F), rows, gate_up, Rows<Number>{dx_XD + first * D, D});
      if (!of_weights) return;
      own.release(mark);
      const Panels dgates = columns_of<Number>(Rows<const Number>{dgate_up_R2F, 2 * F}, rows, 2 * F, own);
      const Panels inputs = columns_of<Number>(Rows<const Number>{x_ND, D, token_R}, rows, D, own);
      multiply(left_columns<Number>(dgates), 2 * F, inputs, Rows<float>{dgate_up_2FD, D}, first > begin);
      const Panels douts = columns_of<Number>(Rows<const Number>{dout_ND, D, token_R}, rows, D, own);
      const Panels actives = columns_of<Number>(Rows<const Number>{active_RF, F}, rows, F, own);
      multiply(left_columns<Number>(douts), D, actives, Rows<float>{ddown_DF, F}, first > begin);
    });
  });
  if (call.dx_ND) sum_pairs(call, dx_XD, sorted.place_X, static_cast<Number*>(call.dx_ND));
  for (int pair = 0; pair < X; pair++) store_number(static_cast<Number*>(call.dweight_Nk) + pair, dweight_X[sorted.place_X[pair]]);
}

inline void experts_forward(const ExpertsCall& call) { call.bf16 ? experts_forward_as<Bf16>(call) : experts_forward_as<float>(call); }
inline void experts_backward(const ExpertsCall& call) { call.bf16 ? experts_backward_as<Bf16>(call) : experts_backward_as<float>(call); }
inline int64_t experts_bytes(const ExpertsCall& call) {
  const int64_t X = int64_t(call.tokens) * call.choices;
  const int64_t tile = call.bf16 ? tile_bytes<Bf16>(call) : tile_bytes<float>(call);
  return X * (8 + call.hidden * (call.bf16 ? 2 : 4)) + std::min(call.threads->count(), call.experts) * (tile + 63) + 4 * 64;
}

}  // namespace tuili::TUILI_SET::training
