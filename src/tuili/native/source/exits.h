// An exit: the logits of the next token, the likeliest one, and how likely it is.
#pragma once
#include "layers.h"

namespace tuili::TUILI_SET {

struct Top {
  int32_t place;  // the first of the largest
  float value;
};

inline Top top_of(const float* x, int size) {
  constexpr int CHUNK = 128;  // the largest number is looked for in the chunk that holds it alone
  Top top{0, -INFINITY};
  for (int i = 0; i < size; i += CHUNK) {
    const float value = largest_of(x + i, std::min(CHUNK, size - i));
    if (value > top.value) top = {i, value};
  }
  while (top.place < size - 1 && x[top.place] != top.value) top.place++;
  return top;
}

// The probability of the largest of some logits.
inline float probability_of(const Top& top, const float* logits_V, int V) {
  Floats total = zero();
  each_vector(V, [&](int v, int n) { total = total + exp(load_padded(logits_V + v, n) - all(top.value)); });
  return 1.f / sum(total);
}

// Notes the likeliest of some tokens for a row. ids: of these tokens; null where they are all.
inline void find_top(const Batch& batch, int row, const float* logits_V, int V, const int32_t* ids = nullptr) {
  const Top top = top_of(logits_V, V);
  batch.best_R[row] = ids ? ids[top.place] : top.place;
  batch.top_prob_R[row] = probability_of(top, logits_V, V);
}

}  // namespace tuili::TUILI_SET
