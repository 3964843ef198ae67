// The router of a layer of experts, forward and backward. Logits are as exact as fp32, also of tokens in bf16: the matrix is then
// the sum of three in bf16. Dimensions: those of RouteCall; R rows of a tile.
#pragma once
#include <cmath>

#include "../rows.h"
#include "blocks.h"
#include "calls.h"
#include "share.h"

namespace tuili::TUILI_SET::training {

constexpr int ROUTE_TILE = 192, ROUTE_COLUMNS = 64;  // tokens, and columns of the matrix's gradient
template <class Number> constexpr int ROUTE_PARTS = STEP<Number> == 2 ? 3 : 1;  // of the matrix

inline bool is_allowed(const RouteCall& call, int expert) { return !call.allowed_E || call.allowed_E[expert]; }

// Scores of a token's chosen experts: 0 for those behind the first that are not allowed. Returns their sum, as it divides.
inline float scores(const RouteCall& call, const float* logit_E, const int64_t* expert_k, float* score_k) {
  float total = 0.f;
  for (int j = 0; j < call.choices; j++) {
    const int e = int(expert_k[j]);
    score_k[j] = j && !is_allowed(call, e) ? 0.f : sigmoid<float>(all(logit_E[e]))[0];
    total += score_k[j];
  }
  return std::max(total, 1e-9f);
}

// Where the largest of some numbers stands, the first of equal ones.
inline int first_largest(const float* x, int size) {
  static constexpr float LANE[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const Floats top = all(largest_of(x, size));
  Floats left = zero();  // numbers from there on
  each_vector(size, [&](int i, int count) {
    const Floats from_here = all(float(size - i)) - load(LANE);
    left = max(load_padded(x + i, count) == top ? from_here : zero(), left);
  });
  return std::min(size - int(largest(left)), size - 1);
}

// The best allowed expert by its logit; the others by logit plus bias, or by random numbers where the token explores.
inline void choose(const RouteCall& call, int n, const float* logit_E, float* value_E, int64_t* expert_k) {
  constexpr float TAKEN = -INFINITY, FORBIDDEN = -1e29f;  // a forbidden one is taken when no other is left
  const int E = call.experts;
  const float* random_E = call.explores_N && call.explores_N[n] ? call.random_NE + int64_t(n) * E : nullptr;
  for (int j = 0; j < call.choices; j++) {
    const float *from_E = j && random_E ? random_E : logit_E, *bias_E = j && !random_E ? call.bias_E : nullptr;
    if (j <= 1) each_vector(E, [&](int i, int count) {
      store_up_to(value_E + i, load_up_to(from_E + i, count) + (bias_E ? load_up_to(bias_E + i, count) : zero()), count);
    });
    for (int e = 0; e < E && j <= 1 && call.allowed_E; e++)
      if (!is_allowed(call, e)) value_E[e] = FORBIDDEN;
    if (j == 1) value_E[expert_k[0]] = TAKEN;
    expert_k[j] = first_largest(value_E, E);
    value_E[expert_k[j]] = TAKEN;
  }
}

inline int route_tiles(const RouteCall& call) { return padded(call.tokens, ROUTE_TILE) / ROUTE_TILE; }
template <class Number>
inline int64_t route_tile_bytes(const RouteCall& call) {
  return 4 * (int64_t(ROUTE_TILE) * call.experts * ROUTE_PARTS<Number> + call.choices + call.experts) + 3 * 64 +
         4 * (panel_words<Number>(call.experts, ROUTE_TILE) + panel_words<Number>(ROUTE_COLUMNS, ROUTE_TILE));
}

// The matrix packed in all its parts: each is what those before it leave, rounded.
template <class Number>
inline Panels pack_matrix(const RouteCall& call, Workspace& memory) {
  const int size = call.experts * call.hidden, parts = ROUTE_PARTS<Number>;
  const Panels to = take_panels<Number>(parts * call.experts, call.hidden, memory);
  float* part = memory.take<float>(int64_t(parts) * size);
  for (int i = 0; i < size; i++) {
    float rest = call.weight_ED[i];
    for (int p = 0; p < parts; p++) part[p * size + i] = parts > 1 ? float_of(bf16_of(rest)) : rest, rest -= part[p * size + i];
  }
  pack_rows<Number>(Rows<const float>{part, call.hidden}, call.hidden, to);
  return to;
}

template <class Number>
inline void route_forward_as(const RouteCall& call) {
  const int D = call.hidden, E = call.experts, k = call.choices, parts = ROUTE_PARTS<Number>;
  Workspace memory(call.workspace, call.workspace_bytes);
  const Panels matrix = pack_matrix<Number>(call, memory);
  share_items(*call.threads, route_tiles(call), route_tile_bytes<Number>(call), memory, [&](int tile, Workspace& own) {
    const int first = tile * ROUTE_TILE, rows = std::min(ROUTE_TILE, call.tokens - first);
    float *score_k = own.take<float>(k), *value_E = own.take<float>(E), *part_RE = own.take<float>(int64_t(rows) * parts * E);
    multiply(left_rows(static_cast<const Number*>(call.x_ND) + int64_t(first) * D, D), rows, matrix, Rows<float>{part_RE, parts * E});
    for (int r = 0; r < rows; r++) {
      float *logit_E = call.logit_NE + int64_t(first + r) * E, *part_E = part_RE + int64_t(r) * parts * E;
      for (int e = 0; e < E; e++) logit_E[e] = parts > 1 ? part_E[e] + (part_E[E + e] + part_E[2 * E + e]) : part_E[e];
      int64_t* expert_k = call.expert_Nk + int64_t(first + r) * k;
      choose(call, first + r, logit_E, value_E, expert_k);
      const float total = scores(call, logit_E, expert_k, score_k);
      for (int j = 0; j < k; j++) store_number(static_cast<Number*>(call.weight_Nk) + int64_t(first + r) * k + j, score_k[j] / total);
    }
  });
  for (int n = 0; n < call.tokens; n++)
    for (int j = 1; j < k && (!call.real_N || call.real_N[n]); j++) call.load_E[call.expert_Nk[int64_t(n) * k + j]]++;
}

// Adds to the gradient of a token's logits what comes from the weights of its choices.
template <class Number>
inline void weights_backward(const RouteCall& call, int n, float* score_k, float* dlogit_E) {
  const int k = call.choices;
  const int64_t* expert_k = call.expert_Nk + int64_t(n) * k;
  const Number* dweight_k = static_cast<const Number*>(call.dweight_Nk) + int64_t(n) * k;
  const float total = scores(call, call.logit_NE + int64_t(n) * call.experts, expert_k, score_k);
  float common = 0.f;  // the gradient of the sum
  if (total > 1e-9f)
    for (int j = 0; j < k; j++) common += number_at(dweight_k + j) * score_k[j] / total;
  for (int j = 0; j < k; j++)
    dlogit_E[expert_k[j]] += (number_at(dweight_k + j) - common) / total * score_k[j] * (1.f - score_k[j]);
}

template <class Number>
inline void route_backward_as(const RouteCall& call) {
  const int D = call.hidden, E = call.experts, N = call.tokens;
  Workspace memory(call.workspace, call.workspace_bytes);
  const int64_t width = padded(E, STEP<Number>);
  Number* dlogit_NE = memory.take<Number>(N * width);
  const Panels matrix = columns_of<Number>(Rows<const float>{call.weight_ED, D}, E, D, memory);
  share_items(*call.threads, route_tiles(call), route_tile_bytes<Number>(call), memory, [&](int tile, Workspace& own) {
    const int first = tile * ROUTE_TILE, rows = std::min(ROUTE_TILE, N - first);
    float *score_k = own.take<float>(call.choices), *dlogit_E = own.take<float>(width);
    Number* dlogit_RE = dlogit_NE + first * width;
    for (int r = 0; r < rows; r++) {
      std::fill_n(dlogit_E, width, 0.f);
      if (call.dlogit_NE) std::copy_n(call.dlogit_NE + int64_t(first + r) * E, E, dlogit_E);
      if (call.dweight_Nk) weights_backward<Number>(call, first + r, score_k, dlogit_E);
      each_vector(int(width), [&](int i, int count) { store_numbers(dlogit_RE + r * width + i, load_up_to(dlogit_E + i, count), count); });
    }
    if (call.dx_ND) multiply(left_rows(dlogit_RE, width), rows, matrix, Rows<Number>{static_cast<Number*>(call.dx_ND) + int64_t(first) * D, D}, true);
  });
  share_items(*call.threads, padded(D, ROUTE_COLUMNS) / ROUTE_COLUMNS, route_tile_bytes<Number>(call), memory, [&](int part, Workspace& own) {
    const int begin = part * ROUTE_COLUMNS, columns = std::min(ROUTE_COLUMNS, D - begin);
    const uintptr_t mark = own.mark();
    for (int first = 0; first < N; first += ROUTE_TILE, own.release(mark)) {
      const int rows = std::min(ROUTE_TILE, N - first);
      const Number* x_RD = static_cast<const Number*>(call.x_ND) + int64_t(first) * D + begin;
      const Panels dlogits = columns_of<Number>(Rows<const Number>{dlogit_NE + first * width, width}, rows, E, own);
      const Panels inputs = columns_of<Number>(Rows<const Number>{x_RD, D}, rows, columns, own);
      multiply(left_columns<Number>(dlogits), E, inputs, Rows<float>{call.dweight_ED + begin, D}, first > 0);
    }
  });
}

template <class Number>
inline int64_t route_bytes_as(const RouteCall& call) {
  const int D = call.hidden, E = call.experts, parts = ROUTE_PARTS<Number>;
  const int64_t forward = 4 * (panel_words<Number>(parts * E, D) + int64_t(parts) * E * D);
  const int64_t backward = 4 * (panel_words<Number>(D, E) + int64_t(call.tokens) * (E + 1));
  return std::max(forward, backward) + call.threads->count() * 2 * (route_tile_bytes<Number>(call) + 63) + 4 * 64;
}

inline void route_forward(const RouteCall& call) { call.bf16 ? route_forward_as<Bf16>(call) : route_forward_as<float>(call); }
inline void route_backward(const RouteCall& call) { call.bf16 ? route_backward_as<Bf16>(call) : route_backward_as<float>(call); }
inline int64_t route_bytes(const RouteCall& call) { return call.bf16 ? route_bytes_as<Bf16>(call) : route_bytes_as<float>(call); }

}  // namespace tuili::TUILI_SET::training
