// What one token reads with the heads of one key/value head: which units, which runs of tokens, and for which reading.
//
// Dimensions beside those of step.h: G = H / K query heads of a key/value head, X columns of scores: whole blocks of 16.
#pragma once
#include <algorithm>

#include "cache.h"
#include "workspace.h"

namespace tuili::TUILI_SET {

struct Run {  // of tokens that are read; the scores of the first stand in this column
  int32_t begin, end, column;
};

// The memory of one thread: scores and masks of the columns, and lists of what is read.
struct Scratch {
  float *unit_score_GU, *score_GX, *limit_X, *near_X, *far_X, *gate_G3, *mixed_GP;
  int32_t *total_U, *blocks;
  Run *chosen, *runs;

  Scratch(const Sizes& sizes, Workspace& memory) {
    const int G = sizes.heads / sizes.kv_heads, X = padded(sizes.positions, BLOCK);
    unit_score_GU = memory.take<float>(sizes.layered ? int64_t(G) * X : 0);
    score_GX = memory.take<float>(int64_t(G) * X);
    limit_X = memory.take<float>(X), near_X = memory.take<float>(X), far_X = memory.take<float>(X);
    total_U = memory.take<int32_t>(X);
    gate_G3 = memory.take<float>(padded(3 * G, BLOCK));
    mixed_GP = memory.take<float>(int64_t(G) * head_stride(sizes));
    chosen = memory.take<Run>(X);
    runs = memory.take<Run>(X + 2);
    blocks = memory.take<int32_t>(X / BLOCK);
  }
};

// Lists a run for each stretch of tokens that is read, and the blocks that hold their keys. Returns the number of runs.
// `chosen` units are read, the tokens from `near` to `end`, and the first one.
inline int list_runs(Scratch& s, int chosen, int near, int end, int& block_count) {
  int count = 0;
  const auto append = [&](int from, int to) {
    if (from >= to) return;
    if (count && from <= s.runs[count - 1].end) s.runs[count - 1].end = std::max(to, s.runs[count - 1].end);
    else s.runs[count++] = {from, to, 0};
  };
  append(0, std::min(1, near));
  for (int i = 0; i < chosen; i++) append(s.chosen[i].begin, std::min(s.chosen[i].end, near));
  append(near, end);
  block_count = 0;
  for (Run* run = s.runs; run < s.runs + count; run++) {
    int block = run->begin / BLOCK;
    if (block_count && s.blocks[block_count - 1] == block) block_count--;
    run->column = block_count * BLOCK + run->begin % BLOCK;
    for (; block * BLOCK < run->end; block++) s.blocks[block_count++] = block;
  }
  return count;
}

// Fills the masks of the columns: 1 or 0 for the window and for the chosen units. Where nothing is read the limit of a
// score is -inf, which covers whatever stands there.
inline void mask_columns(Scratch& s, int runs, int chosen, int near, int X) {
  std::fill(s.limit_X, s.limit_X + X, -INFINITY);
  std::fill(s.near_X, s.near_X + X, 0.f);
  std::fill(s.far_X, s.far_X + X, 0.f);
  for (const Run* run = s.runs; run < s.runs + runs; run++)
    std::fill(s.limit_X + run->column, s.limit_X + run->column + run->end - run->begin, INFINITY);
  const Run& last = s.runs[runs - 1];
  std::fill(s.near_X + last.column + near - last.begin, s.near_X + last.column + last.end - last.begin, 1.f);
  s.near_X[s.runs[0].column] = 1.f;  // the text's first token
  const Run* run = s.runs;
  for (const Run* unit = s.chosen; unit < s.chosen + chosen; unit++) {
    while (run->end <= unit->begin) run++;
    float* far = s.far_X + run->column - run->begin;
    std::fill(far + unit->begin, far + unit->end, 1.f);
  }
}

// Numbers as integers of the same order, NaN among them, so that they can be sorted whatever they are.
inline int32_t sortable(float number) {
  int32_t bits;
  std::memcpy(&bits, &number, 4);
  return bits < 0 ? bits ^ 0x7fffffff : bits;
}

// The largest number that at least `wanted` of the numbers reach. Without branches on them, it is faster than sorting.
inline int32_t reached_by(const int32_t* number_U, int units, int wanted) {
  const auto extremes = std::minmax_element(number_U, number_U + units);
  int64_t low = *extremes.first, high = int64_t(*extremes.second) + 1;  // enough reach low, too few reach high
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    int reaching = 0;
    for (int u = 0; u < units; u++) reaching += number_U[u] >= int32_t(middle);
    (reaching < wanted ? high : low) = middle;
    if (reaching == wanted) break;
  }
  return int32_t(low);
}

// The best units by the sum of the heads' scores, those that equal the last of them too, as runs of tokens in order.
inline int choose_units(Scratch& s, const Sizes& sizes, const Slot& slot, int units, int G, int64_t U) {
  for (int u = 0; u < units; u++) {
    float total = 0.f;
    for (int g = 0; g < G; g++) total += s.unit_score_GU[g * U + u];
    s.total_U[u] = sortable(total);
  }
  const int32_t least = reached_by(s.total_U, units, sizes.top_units);
  int count = 0;
  for (int u = 0; u < units; u++)
    if (s.total_U[u] >= least) s.chosen[count++] = {slot.unit_start[u], slot.unit_start[u + 1], 0};
  return count;
}

}  // namespace tuili::TUILI_SET
