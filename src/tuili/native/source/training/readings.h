// What the queries of one document read in training: its units and tokens as columns, and masks over them for each query.
//
// Columns hold the means of the document's closed units first, then its tokens up to the last query's; each part is filled
// up to a multiple of 16 columns, which no query reads.
#pragma once
#include "../readings.h"
#include "attention_calls.h"

namespace tuili::TUILI_SET::training {

constexpr int COLUMN_UNIT = 16;

struct Document {
  const int32_t* unit_S;  // of the row
  int first, tokens, first_unit, units;

  Document(const AttentionCall& call, int row, int first_token, int last_token)
      : unit_S(call.unit_BS + int64_t(row) * call.tokens), first(first_token), tokens(last_token - first_token + 1),
        first_unit(unit_S[first_token]), units(units_before(last_token)) {}

  // Those that a query reads: the closed ones, and always the first.
  int units_before(int token) const { return std::max(1, unit_S[token] - first_unit); }
  int unit_columns() const { return padded(units, COLUMN_UNIT); }
  int columns_until(int token) const { return unit_columns() + padded(token - first + 1, COLUMN_UNIT); }
  int columns() const { return columns_until(first + tokens - 1); }
};

inline Ints places(int first) {
  Ints lane;
  for (int i = 0; i < LANES; i++) lane[i] = i;
  return lane + first;
}
inline Floats ones(Ints truth) { return floats(-truth); }  // 1 where it is true, else 0

// Masks of 0 and 1 for some queries of a document. One covers units and near tokens, the other the tokens of chosen units.
class Masks {
 public:
  Masks(const AttentionCall& call, int queries, int most_columns, Workspace& memory) : width_(most_columns) {
    near_IX_ = memory.take<float>(int64_t(queries) * width_), far_IX_ = memory.take<float>(int64_t(queries) * width_);
    begin_U_ = memory.take<int32_t>(call.tokens + 1), total_U_ = memory.take<int32_t>(call.tokens);
  }
  const float* near(int query) const { return near_IX_ + query * width_; }
  const float* far(int query) const { return far_IX_ + query * width_; }

  // Units of a document: the token of it with which each begins. The first is the document's first token alone.
  int begin(int unit) const { return begin_U_[unit]; }
  void open(const Document& document) {
    int units = 0;
    for (int t = 0; t < document.tokens; t++)
      if (document.unit_S[document.first + t] - document.first_unit == units) begin_U_[units++] = t;
    begin_U_[units] = document.tokens;
  }

  // `score_GX` are the products of the query's heads with the columns; from those with units follow the best units.
  void fill(const AttentionCall& call, const Document& document, int query, int token, const float* score_GX, int columns) {
    const int units = document.units_before(token), tokens = token - document.first + 1, U = document.unit_columns();
    const bool chooses = units > call.top_units;
    float *near_X = near_IX_ + query * width_, *far_X = far_IX_ + query * width_;
    for (int x = 0; x < U; x += LANES) store(near_X + x, ones(places(x) < units)), store(far_X + x, zero());
    near_X += U, far_X += U;
    const int window_begin = tokens - call.window, far_end = chooses ? 0 : std::min(begin_U_[units], tokens);
    for (int x = 0; x < columns - U; x += LANES) {
      const Ints t = places(x);
      store(near_X + x, ones((t < tokens) & ((t >= window_begin) | (t == 0)))), store(far_X + x, ones(t < far_end));
    }
    if (!chooses) return;
    const int32_t least = least_total(score_GX, call.heads / call.kv_heads, units, call.top_units);
    for (int u = 0; u < units; u++)
      if (total_U_[u] >= least) std::fill(far_X + begin_U_[u], far_X + begin_U_[u + 1], 1.f);
  }

 private:
  // What the sum of the heads' scores reaches for as many units as are read.
  int32_t least_total(const float* score_GX, int G, int units, int wanted) {
    for (int u = 0; u < units; u++) {
      float total = 0.f;
      for (int g = 0; g < G; g++) total += score_GX[int64_t(g) * width_ + u];
      total_U_[u] = sortable(total);
    }
    return reached_by(total_U_, units, wanted);
  }

  int64_t width_;
  float *near_IX_, *far_IX_;
  int32_t *begin_U_, *total_U_;  // the first token of each unit, counted in the document; and how well units score
};

}  // namespace tuili::TUILI_SET::training
