// The verifier: what the full depth and the trunk thought of each token of a response, and a small network over that.
// It computes what model/verifier.py does, in fp32; only logits come in the number format of the model's head.
//
// Dimensions beside those of step.h: T tokens of the response and the one before, Q = T - 1, S scalars, C channels.
#pragma once
#include "exits.h"

namespace tuili::TUILI_SET {

constexpr int SCALARS = 6;
constexpr int SPANS = 4;  // 4, 8, 16 and all tokens so far
constexpr int SPAN_TOKENS[SPANS] = {4, 8, 16, 1 << 30};
constexpr float MIN_LOG_PROBABILITY = -15.f, LOG_PROBABILITY_SCALE = 3.f;
constexpr float CHANNEL_EPS = 1.1920929e-7f;  // of torch's norms
constexpr int LOGIT_ROWS = 16;                // rows whose logits are held at once

struct Likelihood {
  float token, top, entropy;  // the log-probabilities of a token and of the likeliest one
};

inline Likelihood likelihood(const float* logit_V, int V, int id) {
  const float top = largest_of(logit_V, V);
  Floats sums = zero(), weighted_sums = zero();
  int v = 0;
  for (; v + LANES <= V; v += LANES) {
    const Floats below = load(logit_V + v) - all(top), e = exp(below);
    sums = sums + e, weighted_sums = fma(e, below, weighted_sums);
  }
  float total = sum(sums), weighted = sum(weighted_sums);
  for (; v < V; v++) total += std::exp(logit_V[v] - top), weighted += std::exp(logit_V[v] - top) * (logit_V[v] - top);
  const float log_total = std::log(total);
  return {logit_V[id] - top - log_total, -log_total, log_total - weighted / total};
}

struct Reader {  // of one response
  const Model& model;
  const Verifier& verifier;
  const Response& response;
  Workspace& memory;
  int Q, M, C;

  float* product_of(const Matrix& matrix, const float* x_QK, const float* bias_N) {
    float* result = memory.take<float>(int64_t(Q) * matrix.outputs);
    const Inputs inputs = prepare(matrix.format, x_QK, matrix.inputs, Q, matrix.inputs, memory);
    product(matrix, inputs, nullptr, Q, result, matrix.outputs, *model.threads);
    if (bias_N)
      for (int q = 0; q < Q; q++) add(result + int64_t(q) * matrix.outputs, bias_N, matrix.outputs);
    return result;
  }

  // What the full depth or the trunk expected in the place of each token.
  void expect(const float* state_TM, Likelihood* result_Q) {
    const int V = model.sizes.vocabulary;
    for (int first = 0; first < Q; first += LOGIT_ROWS) {
      const int rows = std::min(LOGIT_ROWS, Q - first);
      const uintptr_t mark = memory.mark();
      float* logit_RV = memory.take<float>(int64_t(rows) * V);
      const Inputs inputs = prepare(model.head.format, state_TM + int64_t(first) * M, M, rows, M, memory);
      product(model.head, inputs, nullptr, rows, logit_RV, V, *model.threads);
      for (int r = 0; r < rows; r++)
        result_Q[first + r] = likelihood(logit_RV + int64_t(r) * V, V, response.id_T[first + r + 1]);
      memory.release(mark);
    }
  }

  float* normed(const float* x_TM, int T, const float* gain, int size, float eps) {
    float* result = memory.take<float>(int64_t(T) * size);
    for (int t = 0; t < T; t++) norm(x_TM + int64_t(t) * size, gain, size, eps, result + int64_t(t) * size);
    return result;
  }

  // The scalars of each token, and the least of each over the spans that end there.
  float* scalars(const float* full_TM, const float* trunk_TM) {
    Likelihood *full_Q = memory.take<Likelihood>(Q), *trunk_Q = memory.take<Likelihood>(Q);
    expect(full_TM, full_Q), expect(trunk_TM, trunk_Q);
    constexpr int WIDTH = SCALARS * (1 + SPANS);
    float* scalar_QX = memory.take<float>(int64_t(Q) * WIDTH);
    for (int q = 0; q < Q; q++) {
      const Likelihood &full = full_Q[q], &trunk = trunk_Q[q];
      float* scalar_X = scalar_QX + q * WIDTH;
      const float log[] = {full.token, full.top, full.token - full.top, trunk.token, trunk.token - trunk.top};
      for (int s = 0; s < SCALARS - 1; s++) scalar_X[s] = std::fmax(log[s], MIN_LOG_PROBABILITY) / LOG_PROBABILITY_SCALE;
      scalar_X[SCALARS - 1] = -full.entropy;
      for (int span = 0; span < SPANS; span++)
        for (int s = 0; s < SCALARS; s++) {
          float least = scalar_X[s];
          const int place = SCALARS * (1 + span) + s;
          if (span == SPANS - 1) least = q ? std::fmin(least, scalar_X[place - WIDTH]) : least;
          else
            for (int back = 1; back < SPAN_TOKENS[span] && back <= q; back++)
              least = std::fmin(least, scalar_X[s - back * WIDTH]);
          scalar_X[place] = least;
        }
    }
    return scalar_QX;
  }

  // The state of each token beside its embedding.
  float* states(const float* full_TM) {
    float* state_Q2M = memory.take<float>(int64_t(Q) * 2 * M);
    const float scale = std::sqrt(float(M));
    with_embedding(model, [&](const auto* embedding_VM) {
      for (int q = 0; q < Q; q++) {
        float* state_2M = state_Q2M + int64_t(q) * 2 * M;
        std::copy(full_TM + int64_t(q + 1) * M, full_TM + int64_t(q + 2) * M, state_2M);
        const auto* embedding_M = embedding_VM + int64_t(response.id_T[q + 1]) * M;
        for (int m = 0; m < M; m++) state_2M[M + m] = scale * number(embedding_M[m]);
      }
    });
    return state_Q2M;
  }

  void gelu(float* x, int64_t count) {
    for (int64_t i = 0; i < count; i++) x[i] = 0.5f * x[i] * (1.f + std::erf(x[i] * 0.70710678f));
  }

  // Plain causal attention over the response, which stands in a slot of its own.
  void attend_all(const VerifierLayer& block, float* hidden_QC) {
    const int H = verifier.heads, D = C / H;
    Sizes sizes{};
    sizes.heads = sizes.kv_heads = H, sizes.head_size = D, sizes.positions = Q;
    float* part_Q3C = product_of(block.query_key_value, normed(hidden_QC, Q, block.attention_norm_C, C, CHANNEL_EPS), nullptr);
    Slot slot{};
    slot.tokens = padded(Q, BLOCK);
    slot.token_kv = memory.take<float>(int64_t(2) * H * slot.tokens * head_stride(sizes));
    int32_t* table = memory.take<int32_t>(int64_t(Q) * 5);
    const float scale = 1.f / std::sqrt(float(D));
    for (int q = 0; q < Q; q++) {
      const int32_t row[] = {0, q, 0, 0, 0};
      std::copy(row, row + 5, table + q * 5);
      float* part_3C = part_Q3C + int64_t(q) * 3 * C;
      for (int h = 0; h < 2 * H; h++) rotate(part_3C + h * D, response.angles_TD + int64_t(q) * D, D);
      for (int c = 0; c < C; c++) part_3C[c] *= scale;
    }
    const Tokens tokens{table, 5, nullptr, Q};
    store_tokens<float>(sizes, &slot, 0, tokens, part_Q3C + C, part_Q3C + 2 * C, 3 * C);
    Scratch scratch(sizes, memory);
    float* read_QC = memory.take<float>(int64_t(Q) * C);
    for (int q = 0; q < Q; q++)
      for (int h = 0; h < H; h++)
        attend<float>(sizes, slot, 0, h, tokens[q], part_Q3C + int64_t(q) * 3 * C + h * D, nullptr, scratch, read_QC + q * C + h * D);
    add(hidden_QC, product_of(block.read, read_QC, nullptr), Q * C);
  }

  void read() {
    const float* full_TM = normed(response.full_TM, Q + 1, model.final_norm_M, M, model.sizes.eps);
    const float* trunk_TM = normed(response.trunk_TM, Q, model.final_norm_M, M, model.sizes.eps);
    float* inner_QC = product_of(verifier.scalars_in, scalars(full_TM, trunk_TM), verifier.scalars_in_bias_C);
    gelu(inner_QC, int64_t(Q) * C);
    float* hidden_QC = product_of(verifier.scalars_out, inner_QC, verifier.scalars_out_bias_C);
    add(hidden_QC, product_of(verifier.states, states(full_TM), verifier.states_bias_C), Q * C);
    for (int i = 0; i < verifier.layers; i++) {
      const VerifierLayer& block = verifier.blocks[i];
      const uintptr_t mark = memory.mark();
      attend_all(block, hidden_QC);
      float* wide = product_of(block.up, normed(hidden_QC, Q, block.norm_C, C, CHANNEL_EPS), block.up_bias);
      gelu(wide, int64_t(Q) * block.up.outputs);
      add(hidden_QC, product_of(block.down, wide, block.down_bias_C), Q * C);
      memory.release(mark);
    }
    const float* logit_Q = product_of(verifier.output, normed(hidden_QC, Q, verifier.norm_C, C, CHANNEL_EPS), verifier.output_bias);
    std::copy(logit_Q, logit_Q + Q, response.logit_Q);
  }
};

inline void verify(const Model& model, const Verifier& verifier, const Response& response) {
  Workspace memory(response.workspace, response.workspace_bytes);
  Reader{model, verifier, response, memory, response.tokens - 1, model.sizes.hidden, verifier.channels}.read();
}

// The most workspace that `verify` takes for a response of T tokens, the one before it included.
inline int64_t verify_bytes(const Model& model, const Verifier& verifier, int tokens) {
  const int64_t T = padded(tokens, BLOCK), M = model.sizes.hidden, C = verifier.channels;
  const int64_t of_token = 4 * M + 32 * C + 2 * BLOCK * int64_t(verifier.heads) + 128;
  const int64_t logits = LOGIT_ROWS * (int64_t(model.sizes.vocabulary) + 2 * M + 4 * PANEL);
  return 4 * (T * of_token + logits) + Workspace::ALIGNMENT * 128;
}

}  // namespace tuili::TUILI_SET
