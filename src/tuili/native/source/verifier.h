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
  Floats sums = zero(), weighted = zero();
  each_vector(V, [&](int v, int n) {
    const Floats below = load_padded(logit_V + v, n) - all(top), e = exp(below);
    sums = sums + e, weighted = fma(e, below, weighted);
  });
  const float total = sum(sums), log_total = std::log(total);
  return {logit_V[id] - top - log_total, -log_total, log_total - sum(weighted) / total};
}

struct Reader {  // of one response
  const Model& model;
  const Verifier& verifier;
  const Response& response;
  Workspace& memory;
  int Q, M, C;

  float* product_of(const Matrix& matrix, const float* x_QK, const float* bias_N) {
    return projected(matrix, x_QK, matrix.inputs, Q, memory, *model.threads, bias_N);
  }

  // What the full depth or the trunk expected in the place of each token.
  void expect(const float* state_TM, Likelihood* result_Q) {
    const int V = model.sizes.vocabulary;
    for (int first = 0; first < Q; first += LOGIT_ROWS) {
      const int rows = std::min(LOGIT_ROWS, Q - first);
      const uintptr_t mark = memory.mark();
      const float* logit_RV = projected(model.heads[ALL].matrix, state_TM + int64_t(first) * M, M, rows, memory, *model.threads);
      for (int r = 0; r < rows; r++)
        result_Q[first + r] = likelihood(logit_RV + int64_t(r) * V, V, response.id_T[first + r + 1]);
      memory.release(mark);
    }
  }

  const float* normed_channels(const float* x_QC, const float* gain_C) { return normed(x_QC, Q, gain_C, C, CHANNEL_EPS, memory); }

  // The scalars of each token, and the least of each over the spans that end there. Without a trunk the full depth stands for it.
  float* scalars(const float* full_TM, const float* trunk_TM) {
    Likelihood *full_Q = memory.take<Likelihood>(Q), *trunk_Q = trunk_TM ? memory.take<Likelihood>(Q) : full_Q;
    expect(full_TM, full_Q);
    if (trunk_TM) expect(trunk_TM, trunk_Q);
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
    for (int q = 0; q < Q; q++) {
      float* state_2M = state_Q2M + int64_t(q) * 2 * M;
      std::copy(full_TM + int64_t(q + 1) * M, full_TM + int64_t(q + 2) * M, state_2M);
      std::fill(state_2M + M, state_2M + 2 * M, 0.f);
      const int id = response.id_T[q + 1];
      if (model.embedding_VM) add_embedding(model, id, model.sizes.convolution - 1, state_2M + M);
      else unpack_output(model.heads[ALL].matrix, id, state_2M + M);
    }
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
    float* part_Q3C = product_of(block.query_key_value, normed_channels(hidden_QC, block.attention_norm_C), nullptr);
    Slot slot{};
    slot.tokens = padded(Q, BLOCK);
    slot.token_kv = memory.take<float>(int64_t(2) * H * slot.tokens * head_stride(sizes));
    Token* token_Q = memory.take<Token>(Q);
    const float scale = 1.f / std::sqrt(float(D));
    for (int q = 0; q < Q; q++) {
      token_Q[q] = {0, q, 0, 0, {0}};
      float* part_3C = part_Q3C + int64_t(q) * 3 * C;
      for (int h = 0; h < 2 * H; h++) rotate(part_3C + h * D, response.angles_TD + int64_t(q) * D, D);
      for (int c = 0; c < C; c++) part_3C[c] *= scale;
    }
    const Tokens tokens{&token_Q->slot, sizeof(Token) / sizeof(int32_t), nullptr, Q};
    store_tokens<float>(sizes, &slot, 0, tokens, part_Q3C + C, part_Q3C + 2 * C, 3 * C);
    Scratch scratch(sizes, memory);
    float* read_QC = memory.take<float>(int64_t(Q) * C);
    for (int q = 0; q < Q; q++)
      for (int h = 0; h < H; h++)
        attend<float>(sizes, slot, 0, h, token_Q[q], part_Q3C + int64_t(q) * 3 * C + h * D, nullptr, scratch, read_QC + q * C + h * D);
    add(hidden_QC, product_of(block.read, read_QC, nullptr), Q * C);
  }

  void read() {
    const float* full_TM = normed(response.full_TM, Q + 1, model.final_norm_M, M, model.sizes.eps, memory);
    const float* trunk_TM =
        response.trunk_TM ? normed(response.trunk_TM, Q, model.final_norm_M, M, model.sizes.eps, memory) : nullptr;
    float* inner_QC = product_of(verifier.scalars_in, scalars(full_TM, trunk_TM), verifier.scalars_in_bias_C);
    gelu(inner_QC, int64_t(Q) * C);
    float* hidden_QC = product_of(verifier.scalars_out, inner_QC, verifier.scalars_out_bias_C);
    add(hidden_QC, product_of(verifier.states, states(full_TM), verifier.states_bias_C), Q * C);
    for (int i = 0; i < verifier.layers; i++) {
      const VerifierLayer& block = verifier.blocks[i];
      const uintptr_t mark = memory.mark();
      attend_all(block, hidden_QC);
      float* wide = product_of(block.up, normed_channels(hidden_QC, block.norm_C), block.up_bias);
      gelu(wide, int64_t(Q) * block.up.outputs);
      add(hidden_QC, product_of(block.down, wide, block.down_bias_C), Q * C);
      memory.release(mark);
    }
    const float* logit_Q = product_of(verifier.output, normed_channels(hidden_QC, verifier.norm_C), verifier.output_bias);
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
