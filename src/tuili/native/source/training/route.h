// The router of a layer of experts, forward and backward, in fp32. Dimensions: those of RouteCall; R rows of a tile.
#pragma once
#include <cmath>

#include "blocks.h"
#include "calls.h"
#include "share.h"

namespace tuili::TUILI_SET::training {

constexpr int ROUTE_TILE = 192, ROUTE_COLUMNS = 64;  // tokens, and columns of the matrix's gradient

inline bool is_allowed(const RouteCall& call, int expert) { return !call.allowed_E || call.allowed_E[expert]; }
inline float sigmoid(float x) { return 1.f / (1.f + std::exp(-x)); }

// Scores of a token's chosen experts: 0 for those behind the first that are not allowed. Returns their sum, as it divides.
inline float scores(const RouteCall& call, const float* logit_E, const int64_t* expert_k, float* score_k) {
  float total = 0.f;
  for (int j = 0; j < call.choices; j++) {
    const int e = int(expert_k[j]);
    score_k[j] = j && !is_allowed(call, e) ? 0.f : sigmoid(logit_E[e]);
    total += score_k[j];
  }
  return std::max(total, 1e-9f);
}

// The best allowed expert by its logit; the others by logit plus bias, or by random numbers where the token explores.
inline void choose(const RouteCall& call, int n, const float* logit_E, int64_t* expert_k) {
  for (int j = 0; j < call.choices; j++) {
    int best = -1;
    float top = 0.f;
    for (int e = 0; e < call.experts; e++) {
      const bool explores = j && call.explores_N && call.explores_N[n];
      float value = explores ? call.random_NE[int64_t(n) * call.experts + e] : logit_E[e] + (j ? call.bias_E[e] : 0.f);
      if (!is_allowed(call, e)) value = -INFINITY;
      if (std::find(expert_k, expert_k + j, e) == expert_k + j && (best < 0 || value > top)) best = e, top = value;
    }
    expert_k[j] = best;
  }
}

// f(first, rows, x_RD in fp32) for the tokens of a tile.
template <class Number, class F>
inline void with_floats(const RouteCall& call, int first, Workspace& memory, F&& f) {
  const int D = call.hidden, rows = std::min(ROUTE_TILE, call.tokens - first);
  const Number* x_RD = static_cast<const Number*>(call.x_ND) + int64_t(first) * D;
  if constexpr (std::is_same_v<Number, float>) return f(rows, x_RD);
  else {
    float* wide_RD = memory.take<float>(int64_t(rows) * D);
    for (int r = 0; r < rows; r++)
      each_vector(D, [&](int i, int count) { store_up_to(wide_RD + int64_t(r) * D + i, floats_at(x_RD + int64_t(r) * D + i, count), count); });
    f(rows, static_cast<const float*>(wide_RD));
  }
}

inline int route_tiles(const RouteCall& call) { return padded(call.tokens, ROUTE_TILE) / ROUTE_TILE; }
inline int64_t route_tile_bytes(const RouteCall& call) {
  return 4 * (int64_t(ROUTE_TILE) * (call.hidden + call.choices) + panel_words<float>(call.experts, ROUTE_TILE) +
              panel_words<float>(ROUTE_COLUMNS, ROUTE_TILE)) + 4 * 64;
}

template <class Number>
inline void route_forward_as(const RouteCall& call) {
  const int D = call.hidden, E = call.experts, k = call.choices;
  Workspace memory(call.workspace, call.workspace_bytes);
  const Panels weight = take_panels<float>(E, D, memory);
  pack_rows<float>(Rows<const float>{call.weight_ED, D}, D, weight);
  share_items(*call.threads, route_tiles(call), route_tile_bytes(call), memory, [&](int tile, Workspace& own) {
    const int first = tile * ROUTE_TILE;
    float* score_k = own.take<float>(k);
    with_floats<Number>(call, first, own, [&](int rows, const float* x_RD) {
      float* logit_RE = call.logit_NE + int64_t(first) * E;
      multiply(left_rows(x_RD, D), rows, weight, Rows<float>{logit_RE, E});
      for (int r = 0; r < rows; r++) {
        int64_t* expert_k = call.expert_Nk + int64_t(first + r) * k;
        choose(call, first + r, logit_RE + r * E, expert_k);
        const float total = scores(call, logit_RE + r * E, expert_k, score_k);
        for (int j = 0; j < k; j++) store_number(static_cast<Number*>(call.weight_Nk) + int64_t(first + r) * k + j, score_k[j] / total);
      }
    });
  });
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
  float* dlogit_NE = memory.take<float>(int64_t(N) * E);
  const Panels weight = take_panels<float>(D, E, memory);
  pack_columns<float>(Rows<const float>{call.weight_ED, D}, E, weight);
  share_items(*call.threads, route_tiles(call), route_tile_bytes(call), memory, [&](int tile, Workspace& own) {
    const int first = tile * ROUTE_TILE, rows = std::min(ROUTE_TILE, N - first);
    float *score_k = own.take<float>(call.choices), *dlogit_RE = dlogit_NE + int64_t(first) * E;
    if (call.dlogit_NE) std::copy_n(call.dlogit_NE + int64_t(first) * E, rows * E, dlogit_RE);
    else std::fill_n(dlogit_RE, rows * E, 0.f);
    if (call.dweight_Nk)
      for (int r = 0; r < rows; r++) weights_backward<Number>(call, first + r, score_k, dlogit_RE + r * E);
    if (call.dx_ND) multiply(left_rows<float>(dlogit_RE, E), rows, weight, Rows<Number>{static_cast<Number*>(call.dx_ND) + int64_t(first) * D, D});
  });
  if (!call.dweight_ED) return;
  share_items(*call.threads, padded(D, ROUTE_COLUMNS) / ROUTE_COLUMNS, route_tile_bytes(call), memory, [&](int part, Workspace& own) {
    const int begin = part * ROUTE_COLUMNS, width = std::min(ROUTE_COLUMNS, D - begin);
    const uintptr_t mark = own.mark();
    for (int first = 0; first < N; first += ROUTE_TILE, own.release(mark)) {
      const int rows = std::min(ROUTE_TILE, N - first);
      const Panels dlogits = take_panels<float>(E, rows, own), inputs = take_panels<float>(width, rows, own);
      pack_columns<float>(Rows<const float>{dlogit_NE + int64_t(first) * E, E}, rows, dlogits);
      pack_columns<float>(Rows<const Number>{static_cast<const Number*>(call.x_ND) + int64_t(first) * D + begin, D}, rows, inputs);
      multiply(left_columns<float>(dlogits), E, inputs, Rows<float>{call.dweight_ED + begin, D}, first > 0);
    }
  });
}

inline void route_forward(const RouteCall& call) { call.bf16 ? route_forward_as<Bf16>(call) : route_forward_as<float>(call); }
inline void route_backward(const RouteCall& call) { call.bf16 ? route_backward_as<Bf16>(call) : route_backward_as<float>(call); }
inline int64_t route_bytes(const RouteCall& call) {
  const int64_t panels = std::max(panel_words<float>(call.experts, call.hidden), panel_words<float>(call.hidden, call.experts));
  const int64_t logits = int64_t(call.tokens) * call.experts;
  return 4 * (panels + logits) + call.threads->count() * 2 * (route_tile_bytes(call) + 63) + 4 * 64;
}

}  // namespace tuili::TUILI_SET::training
