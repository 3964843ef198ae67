// The router of a layer of experts, forward and backward, in fp32. Dimensions: those of RouteCall; R rows of a tile.
#pragma once
#include <cmath>

#include "blocks.h"
#include "calls.h"
#include "share.h"

namespace tuili::TUILI_SET::training {

constexpr int ROUTE_TILE = 192, ROUTE_COLUMNS = 64;  // tokens, and columns of the matrix's gradient

inline bool is_allowed(const RouteCall& call, int expert) { return !call.allowed_E || call.allowed_E[expert]; }
inline float sigmoid(float x) { return 1.f / (1.f + exp(all(-x))[0]); }

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
inline void choose(const RouteCall& call, int n, const float* logit_E, float* value_E, int64_t* expert_k) {
  constexpr float TAKEN = -INFINITY, FORBIDDEN = -3e38f;  // a forbidden one is taken when no other is left
  const int E = call.experts;
  const float* random_E = call.explores_N && call.explores_N[n] ? call.random_NE + int64_t(n) * E : nullptr;
  for (int j = 0; j < call.choices; j++) {
    if (j == 0) std::copy_n(logit_E, E, value_E);
    if (j == 1)
      for (int e = 0; e < E; e++) value_E[e] = value_E[e] == TAKEN ? TAKEN : random_E ? random_E[e] : logit_E[e] + call.bias_E[e];
    if (j <= 1 && call.allowed_E)
      for (int e = 0; e < E; e++) value_E[e] = is_allowed(call, e) || value_E[e] == TAKEN ? value_E[e] : FORBIDDEN;
    int best = 0;
    float top = TAKEN;
    for (int e = 0; e < E; e++) best = value_E[e] > top ? e : best, top = std::max(value_E[e], top);
    expert_k[j] = best, value_E[best] = TAKEN;
  }
}

// Some columns of the tokens of a tile in fp32; whole vectors of them may be read.
template <class Number>
inline Rows<const float> floats_of(const RouteCall& call, int first, int rows, int begin, int width, Workspace& memory) {
  const int64_t D = call.hidden, stride = padded(width, LANES);
  const Number* x = static_cast<const Number*>(call.x_ND) + first * D + begin;
  if constexpr (std::is_same_v<Number, float>)
    if (D % LANES == 0) return {x, D};
  float* wide = memory.take<float>(rows * stride);
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < width; i += LANES) store(wide + r * stride + i, floats_at(x + r * D + i, width - i));
  return {wide, stride};
}

inline int route_tiles(const RouteCall& call) { return padded(call.tokens, ROUTE_TILE) / ROUTE_TILE; }
inline int64_t route_tile_bytes(const RouteCall& call) {
  return 4 * (int64_t(ROUTE_TILE) * padded(call.hidden, ROUTE_COLUMNS) + call.choices + call.experts) + 3 * 64;
}

template <class Number>
inline void route_forward_as(const RouteCall& call) {
  const int D = call.hidden, E = call.experts, k = call.choices;
  Workspace memory(call.workspace, call.workspace_bytes);
  const Panels weight = take_panels<float>(E, D, memory);
  pack_rows<float>(Rows<const float>{call.weight_ED, D}, D, weight);
  share_items(*call.threads, route_tiles(call), route_tile_bytes(call), memory, [&](int tile, Workspace& own) {
    const int first = tile * ROUTE_TILE;
    const int rows = std::min(ROUTE_TILE, call.tokens - first);
    float *score_k = own.take<float>(k), *value_E = own.take<float>(E), *logit_RE = call.logit_NE + int64_t(first) * E;
    const Rows<const float> x = floats_of<Number>(call, first, rows, 0, D, own);
    multiply(left_rows(x.base, x.stride), rows, weight, Rows<float>{logit_RE, E});
    for (int r = 0; r < rows; r++) {
      int64_t* expert_k = call.expert_Nk + int64_t(first + r) * k;
      choose(call, first + r, logit_RE + r * E, value_E, expert_k);
      const float total = scores(call, logit_RE + r * E, expert_k, score_k);
      for (int j = 0; j < k; j++) store_number(static_cast<Number*>(call.weight_Nk) + int64_t(first + r) * k + j, score_k[j] / total);
    }
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
      const Rows<const float> x = floats_of<Number>(call, first, rows, begin, width, own);
      const auto panels = [&](const float* numbers, int outputs, int64_t stride) {  // in fp32, rows lie as if they were packed
        return Panels{(uint32_t*)numbers, outputs, rows, rows, int(stride)};
      };
      const Panels dlogits = panels(dlogit_NE + int64_t(first) * E, E, E);
      for (int column = 0; column < width; column += VECTORS_AT_ONCE * LANES) {
        const int columns = std::min(VECTORS_AT_ONCE * LANES, width - column);
        multiply(left_columns<float>(dlogits), E, panels(x.base + column, columns, x.stride), Rows<float>{call.dweight_ED + begin + column, D}, first > 0);
      }
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
