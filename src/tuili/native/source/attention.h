// Attention of single tokens to their past: one pass over keys and one over values for all readings.
//
// Layered attention reads the means of closed units, the tokens of a window with the text's first one, and the tokens of
// the best units; gates blend the three. A token may belong to two readings, so its weight is the sum of both. Only
// blocks of 16 keys, and only values, that some reading needs are touched. Plain attention is a window over everything.
//
// Dimensions beside those of step.h: G = H / K query heads of a key/value head, X columns of scores: whole blocks.
#pragma once
#include "readings.h"

namespace tuili::TUILI_SET {

constexpr int BLOCK_VECTORS = BLOCK / LANES;
constexpr int BLOCKS_AT_ONCE = LANES >= 16 ? 2 : 1;  // as many sums as there are registers
constexpr int MAX_HEADS_AT_ONCE = 4;
constexpr float MIN_SUM = 1e-30f;  // a reading whose every weight vanishes beside another's gives 0 and no NaN

// The products of G queries with the keys of B blocks. A sum runs over the even and over the odd numbers of a head, so that
// an addition need not wait for the one before it.
template <class Cell, int G, int B>
inline void score_blocks(const float* query_GD, int D, const Cell* keys, int64_t stride, const int32_t* blocks,
                         const float* scales, float* score_GX, int64_t X) {
  Floats total[2][B][G][BLOCK_VECTORS];
  for (int turn = 0; turn < 2; turn++)
    for (int b = 0; b < B; b++)
      for (int g = 0; g < G; g++)
        for (int v = 0; v < BLOCK_VECTORS; v++) total[turn][b][g][v] = zero();
  const Cell* key[B];
  for (int b = 0; b < B; b++) key[b] = keys + blocks[b] * stride;
  for (int d = 0; d < D; d += 2)
    for (int turn = 0; turn < 2; turn++) {
      Floats query[G];
      for (int g = 0; g < G; g++) query[g] = all(query_GD[g * D + d + turn]);
      for (int b = 0; b < B; b++)
        for (int v = 0; v < BLOCK_VECTORS; v++) {
          const Floats cells = load_cells(key[b] + (d + turn) * BLOCK + v * LANES);
          for (int g = 0; g < G; g++) total[turn][b][g][v] = fma(query[g], cells, total[turn][b][g][v]);
        }
    }
  for (int b = 0; b < B; b++)
    for (int g = 0; g < G; g++)
      for (int v = 0; v < BLOCK_VECTORS; v++) {
        Floats score = total[0][b][g][v] + total[1][b][g][v];
        if constexpr (scaled<Cell>) score = score * load(scales + blocks[b] * BLOCK + v * LANES);
        store(score_GX + g * X + b * BLOCK + v * LANES, score);
      }
}

template <class Cell, int G>
inline void score(const float* query_GD, int D, const Cell* keys, int64_t stride, const int32_t* blocks, int count,
                  const float* scales, float* score_GX, int64_t X) {
  int done = 0;
  for (; done + BLOCKS_AT_ONCE <= count; done += BLOCKS_AT_ONCE)
    score_blocks<Cell, G, BLOCKS_AT_ONCE>(query_GD, D, keys, stride, blocks + done, scales, score_GX + done * BLOCK, X);
  for (; done < count; done++)
    score_blocks<Cell, G, 1>(query_GD, D, keys, stride, blocks + done, scales, score_GX + done * BLOCK, X);
}

// Adds the weighted values of some runs of tokens to G outputs, C vectors of each.
template <class Cell, int G, int C>
inline void mix_vectors(const float* weight_GX, int64_t X, const Cell* values, int64_t stride, const Run* runs, int count,
                        float* mixed_GP, int64_t P) {
  Floats total[2][G][C];  // of tokens in turn, so that a sum need not wait for the one before it
  for (int g = 0; g < G; g++)
    for (int c = 0; c < C; c++) total[0][g][c] = load(mixed_GP + g * P + c * LANES), total[1][g][c] = zero();
  for (const Run* run = runs; run < runs + count; run++) {
    const Cell* value = values + run->begin * stride;
    const float *weight = weight_GX + run->column, *end = weight + (run->end - run->begin);
    const auto read = [&](int turn) {
      for (int c = 0; c < C; c++) {
        const Floats cells = load_cells(value + c * LANES);
        for (int g = 0; g < G; g++) total[turn][g][c] = fma(all(weight[g * X]), cells, total[turn][g][c]);
      }
      weight++, value += stride;
    };
    while (weight + 2 <= end) read(0), read(1);
    if (weight < end) read(0);
  }
  for (int g = 0; g < G; g++)
    for (int c = 0; c < C; c++) store(mixed_GP + g * P + c * LANES, total[0][g][c] + total[1][g][c]);
}

template <class Cell, int G>
inline void mix(const float* weight_GX, int64_t X, const Cell* values, int P, const Run* runs, int count, float* mixed_GP) {
  int p = 0;
  for (; p + 2 * LANES <= P; p += 2 * LANES)
    mix_vectors<Cell, G, 2>(weight_GX, X, values + p, P, runs, count, mixed_GP + p, P);
  for (; p < P; p += LANES) mix_vectors<Cell, G, 1>(weight_GX, X, values + p, P, runs, count, mixed_GP + p, P);
}

// Replaces scores [X] by e^(score - the largest) and returns their sum. X is a multiple of BLOCK.
inline float exponentials(float* score_X, int X) {
  const Floats top = all(largest_of(score_X, X));
  Floats total = zero();
  for (int x = 0; x < X; x += LANES) {
    const Floats e = exp(load(score_X + x) - top);
    store(score_X + x, e);
    total = total + e;
  }
  return sum(total);
}

// The shares [G][3] of the readings, from the gates of G heads.
inline void blend(Scratch& s, const float* gate_G3, int G) {
  for (int g = 0; g < G; g++) {
    const float top = std::fmax(gate_G3[g * 3], std::fmax(gate_G3[g * 3 + 1], gate_G3[g * 3 + 2]));
    for (int i = 0; i < 3; i++) s.gate_G3[g * 3 + i] = gate_G3[g * 3 + i] - top;
  }
  for (int i = 0; i < 3 * G; i += LANES) store(s.gate_G3 + i, exp(load(s.gate_G3 + i)));
  for (float* gate_3 = s.gate_G3; gate_3 < s.gate_G3 + 3 * G; gate_3 += 3) {
    const float share = 1.f / (gate_3[0] + gate_3[1] + gate_3[2]);
    for (int i = 0; i < 3; i++) gate_3[i] *= share;
  }
}

// Turns the scores of one head into the weights of values, by its gates where the attention is layered.
template <class Cell>
inline void weigh(Scratch& s, const float* gate_3, float* unit_score_U, int U, float* score_X, int X, const float* scales) {
  for (int x = 0; x < X; x += LANES) store(score_X + x, min(load(score_X + x), load(s.limit_X + x)));
  const float all_sum = exponentials(score_X, X);
  float near_weight = 1.f / all_sum, far_weight = 0.f;
  if (gate_3) {
    Floats near = zero(), far = zero();
    for (int x = 0; x < X; x += LANES) {
      const Floats e = load(score_X + x);
      near = fma(e, load(s.near_X + x), near), far = fma(e, load(s.far_X + x), far);
    }
    const Floats unit_weight = all(gate_3[0] / exponentials(unit_score_U, U));
    for (int u = 0; u < U; u += LANES) store(unit_score_U + u, load(unit_score_U + u) * unit_weight);
    near_weight = gate_3[1] / std::fmax(sum(near), MIN_SUM);
    far_weight = gate_3[2] / std::fmax(sum(far), MIN_SUM);
  }
  for (int block = 0; block < X / BLOCK; block++)
    for (int v = 0; v < BLOCK_VECTORS; v++) {
      const int x = block * BLOCK + v * LANES;
      Floats weight = fma(load(s.near_X + x), all(near_weight), load(s.far_X + x) * all(far_weight));
      weight = weight * load(score_X + x);
      if constexpr (scaled<Cell>) weight = weight * load(scales + s.blocks[block] * BLOCK + v * LANES);
      store(score_X + x, weight);
    }
}

// f(g, std::integral_constant<int, n>) for groups of n query heads.
template <class F>
inline void each_heads(int G, F&& f) {
  int g = 0;
  for (; g + MAX_HEADS_AT_ONCE <= G; g += MAX_HEADS_AT_ONCE) f(g, std::integral_constant<int, MAX_HEADS_AT_ONCE>());
  switch (G - g) {
    case 3: return f(g, std::integral_constant<int, 3>());
    case 2: return f(g, std::integral_constant<int, 2>());
    case 1: return f(g, std::integral_constant<int, 1>());
  }
}

// What the G query heads of one key/value head read for one token. Its own key and value are stored.
template <class Cell>
inline void attend(const Sizes& sizes, const Slot& slot, int set, int head, const Token& token, const float* query_GD,
                   const float* gate_G3, Scratch& s, float* read_GD) {
  const int G = sizes.heads / sizes.kv_heads, D = sizes.head_size, P = head_stride(sizes), end = token.position + 1;
  const int units = sizes.layered ? std::max(1, token.unit) : 0, U = padded(units, BLOCK);
  const int near = sizes.layered ? std::max(0, end - sizes.window) : 0;
  int chosen = 0;
  if (sizes.layered) {
    blend(s, gate_G3, G);
    for (int block = 0; block < U / BLOCK; block++) s.blocks[block] = block;
    const float* keys = units_of(sizes, slot, set, KEY, head);
    each_heads(G, [&](int g, auto n) {
      score<float, n>(query_GD + g * D, D, keys, BLOCK * P, s.blocks, U / BLOCK, nullptr, s.unit_score_GU + g * U, U);
    });
    if (units > sizes.top_units) chosen = choose_units(s, sizes, slot, units, G, U);
    else s.chosen[chosen++] = {0, token.unit ? token.position - token.held : 1, 0};
    for (int g = 0; g < G; g++) std::fill(s.unit_score_GU + g * U + units, s.unit_score_GU + (g + 1) * U, -INFINITY);
  }
  int blocks;
  const int runs = list_runs(s, chosen, near, end, blocks), X = blocks * BLOCK;
  mask_columns(s, runs, chosen, near, X);

  const Cell *keys = tokens_of<Cell>(sizes, slot, set, KEY, head), *values = tokens_of<Cell>(sizes, slot, set, VALUE, head);
  const float *key_scales = scales_of(sizes, slot, set, KEY, head), *value_scales = scales_of(sizes, slot, set, VALUE, head);
  std::fill(s.mixed_GP, s.mixed_GP + G * P, 0.f);
  each_heads(G, [&](int g, auto n) {
    float *score_GX = s.score_GX + int64_t(g) * X, *unit_GU = s.unit_score_GU + int64_t(g) * U, *mixed = s.mixed_GP + g * P;
    score<Cell, n>(query_GD + g * D, D, keys, BLOCK * P, s.blocks, blocks, key_scales, score_GX, X);
    for (int i = 0; i < n; i++)
      weigh<Cell>(s, gate_G3 ? s.gate_G3 + (g + i) * 3 : nullptr, unit_GU + i * U, U, score_GX + i * X, X, value_scales);
    mix<Cell, n>(score_GX, X, values, P, s.runs, runs, mixed);
    if (const Run all_units = {0, units, 0}; units)
      mix<float, n>(unit_GU, U, units_of(sizes, slot, set, VALUE, head), P, &all_units, 1, mixed);
  });
  for (int g = 0; g < G; g++) std::copy(s.mixed_GP + g * P, s.mixed_GP + g * P + D, read_GD + g * D);
}

}  // namespace tuili::TUILI_SET
