// Layered attention of training, forward and backward: all queries of a document, a tile of them at a time.
//
// A tile's rows are the queries' heads that share a key/value head. Their scores with the document's columns (readings.h)
// stand in the cache, up to the tile's last query. One exponential of each score serves the three readings, whose sums
// differ. The backward pass makes the scores anew. Documents and key/value heads are independent of one another, and a
// key's gradient grows in the order of the queries, so results are the same bits for any number of threads.
//
// Dimensions beside those of calls.h: G = H / K query heads of a key/value head, R rows of a tile, X columns.
#pragma once
#include "../attention.h"
#include "blocks.h"
#include "readings.h"
#include "share.h"

namespace tuili::TUILI_SET::training {

constexpr int TILE_ROWS = 64;

template <class Number>
inline Number* numbers_of(const HeadTensor& tensor, int64_t row, int64_t token, int64_t head) {
  return static_cast<Number*>(tensor.numbers) + row * tensor.row + token * tensor.token + head * tensor.head;
}

inline int tile_queries(const AttentionCall& call) { return std::max(1, TILE_ROWS / (call.heads / call.kv_heads)); }
inline int most_columns(const AttentionCall& call) { return 2 * padded(call.tokens, COLUMN_UNIT) + COLUMN_UNIT; }  // odd lines

// The memory for one item of the job.
template <class Number>
struct Desk {
  const AttentionCall& call;
  int G, D;
  int64_t width;  // of a row of columns
  Masks masks;
  float *score_RX, *slope_RX, *out_RD, *d_key_XD, *d_value_XD;
  Number *gathered_XD, *query_RD, *d_read_RD, *rounded_RX;
  Panels key, value, key_down, value_down;           // the document's
  Panels query_down, d_read_down, weight, slope;  // the tile's, whose reduction runs over rows

  Desk(const AttentionCall& of, Workspace& memory)
      : call(of), G(of.heads / of.kv_heads), D(of.head_size), width(most_columns(of)),
        masks(of, tile_queries(of), int(width), memory) {
    const int R = tile_queries(call) * G, X = int(width);
    score_RX = memory.take<float>(R * width), slope_RX = memory.take<float>(R * width);
    rounded_RX = memory.take<Number>(R * width);
    out_RD = memory.take<float>(int64_t(R) * D);
    d_key_XD = memory.take<float>(width * D), d_value_XD = memory.take<float>(width * D);
    gathered_XD = memory.take<Number>(width * D);
    query_RD = memory.take<Number>(int64_t(R) * D), d_read_RD = memory.take<Number>(int64_t(R) * D);
    key = take_panels<Number>(X, D, memory), value = take_panels<Number>(X, D, memory);
    key_down = take_panels<Number>(D, X, memory), value_down = take_panels<Number>(D, X, memory);
    query_down = take_panels<Number>(D, R, memory), d_read_down = take_panels<Number>(D, R, memory);
    weight = take_panels<Number>(X, R, memory), slope = take_panels<Number>(X, R, memory);
  }
};

// Some queries of one document, and the heads of one key/value head.
struct Tile {
  int row, head;  // of the batch; of keys and values
  const Document& document;
  const int32_t *order, *column_Q;  // the queries
  int queries, columns;
  int query(int i) const { return order[i]; }
  int token(int i) const { return column_Q[order[i]]; }
};

// The first `outputs` of a packed operand, or its first steps.
inline Panels first_outputs(Panels panels, int outputs) { return panels.outputs = outputs, panels; }
template <class Number>
inline Panels first_inputs(Panels panels, int inputs) { return panels.steps = steps_for<Number>(inputs), panels; }

// Adds a row to a sum, times a factor.
template <class Number>
inline void add_row(float* sum_D, const Number* row_D, float factor, int size) {
  each_vector(size, [&](int i, int n) {
    store_up_to(sum_D + i, fma(floats_at(row_D + i, n), all(factor), load_up_to(sum_D + i, n)), n);
  });
}
template <class Number>
inline void store_row(Number* to, const float* from, int size) {
  each_vector(size, [&](int i, int n) { store_numbers(to + i, load_up_to(from + i, n), n); });
}
// The keys or values of a document's columns, one behind the other, with zeros between. Those of a unit are a mean.
template <class Number>
inline Rows<const Number> gather(Desk<Number>& desk, const Document& document, int row, int head, const HeadTensor& tensor) {
  const int D = desk.D;
  const auto place = [&](int column) { return desk.gathered_XD + int64_t(column) * D; };
  const auto number = [&](int t) { return numbers_of<Number>(tensor, row, document.first + t, head); };
  std::fill(place(0), place(document.columns()), Number(0));
  for (int t = 0; t < document.tokens; t++) std::copy(number(t), number(t) + D, place(document.unit_columns() + t));
  for (int u = 0; u < document.units; u++) {
    const int begin = desk.masks.begin(u), end = desk.masks.begin(u + 1);
    std::fill(desk.out_RD, desk.out_RD + D, 0.f);
    for (int t = begin; t < end; t++) add_row(desk.out_RD, number(t), 1.f / float(end - begin), D);
    store_row(place(u), desk.out_RD, D);
  }
  return {desk.gathered_XD, D};
}

// The queries' numbers of a tensor as rows: query by query, head by head.
template <class Number>
inline void gather(const Desk<Number>& desk, const Tile& tile, const HeadTensor& tensor, Number* to_RD) {
  for (int i = 0; i < tile.queries; i++)
    for (int g = 0; g < desk.G; g++, to_RD += desk.D) {
      const Number* from = numbers_of<Number>(tensor, tile.row, tile.query(i), tile.head * desk.G + g);
      std::copy(from, from + desk.D, to_RD);
    }
}
template <class Number>
inline void scatter(const Desk<Number>& desk, const Tile& tile, const HeadTensor& tensor) {
  const float* from = desk.out_RD;
  for (int i = 0; i < tile.queries; i++)
    for (int g = 0; g < desk.G; g++, from += desk.D)
      store_row(numbers_of<Number>(tensor, tile.row, tile.query(i), tile.head * desk.G + g), from, desk.D);
}

// The scores of a tile, and what its queries may read.
template <class Number>
inline void score(Desk<Number>& desk, const Tile& tile) {
  const int G = desk.G, R = tile.queries * G;
  gather(desk, tile, desk.call.tensors.query, desk.query_RD);
  multiply<Number>(left_rows<Number>(desk.query_RD, desk.D), R, first_outputs(desk.key, tile.columns),
                   Rows<float>{desk.score_RX, desk.width});
  for (int i = 0; i < tile.queries; i++)
    desk.masks.fill(desk.call, tile.document, i, tile.token(i), desk.score_RX + i * G * desk.width, tile.columns);
}

// The shares of the readings, from the three logits of a gate.
struct Shares {
  float unit, near, far;
  template <class Number>
  explicit Shares(const Number* gate_3) {
    float x[3];
    for (int i = 0; i < 3; i++) x[i] = number(gate_3[i]);
    const float top = std::max(x[0], std::max(x[1], x[2]));
    for (float& one : x) one = std::exp(one - top);
    const float total = x[0] + x[1] + x[2];
    unit = x[0] / total, near = x[1] / total, far = x[2] / total;
  }
};

// One row of a tile: scores of its columns, which become exponentials, and its masks.
struct Row {
  float* score_X;
  const float *near_X, *far_X;
  int units, columns;  // where the columns of units end, and those of tokens
};
struct ReadingSums { float top, unit, near, far; };  // the largest score; then one over each reading's sum of exponentials

inline float top_of(const Row& row) {
  Floats top = all(-1e30f);
  for (int x = 0; x < row.columns; x += LANES) {
    const Floats read = load(row.near_X + x) + load(row.far_X + x), score = load(row.score_X + x);
    top = max(read > zero() ? score : all(-1e30f), top);
  }
  return largest(top);
}
// f(x, exponential) for some columns. An exponential is never above 1, whatever the score that no reading counts.
template <class F>
inline void each_exponential(const Row& row, int begin, int end, float scale, float top, F&& f) {
  for (int x = begin; x < end; x += LANES)
    f(x, exp(min(fma(load(row.score_X + x), all(scale), all(-top * scale)), zero())));
}

inline ReadingSums weigh(const Row& row, float scale) {
  const float top = top_of(row);
  Floats unit = zero(), near = zero(), far = zero();
  each_exponential(row, 0, row.units, scale, top, [&](int x, Floats e) {
    unit = fma(e, load(row.near_X + x), unit);
    store(row.score_X + x, e);
  });
  each_exponential(row, row.units, row.columns, scale, top, [&](int x, Floats e) {
    near = fma(e, load(row.near_X + x), near), far = fma(e, load(row.far_X + x), far);
    store(row.score_X + x, e);
  });
  const auto inverse = [](Floats total) { return 1.f / std::fmax(sum(total), MIN_SUM); };
  return {top, inverse(unit), inverse(near), inverse(far)};
}

template <class Number>
inline void forward(Desk<Number>& desk, const Tile& tile) {
  const AttentionCall& call = desk.call;
  const int G = desk.G, D = desk.D, R = tile.queries * G, U = tile.document.unit_columns();
  score(desk, tile);
  for (int r = 0; r < R; r++) {
    const int i = r / G, head = tile.head * G + r % G;
    const Row row{desk.score_RX + r * desk.width, desk.masks.near(i), desk.masks.far(i), U, tile.columns};
    const ReadingSums sums = weigh(row, 1.f / std::sqrt(float(D)));
    std::memcpy(call.sums_BQH4 + ((int64_t(tile.row) * call.queries + tile.query(i)) * call.heads + head) * 4, &sums, sizeof sums);
    const Shares share(numbers_of<Number>(call.tensors.gate, tile.row, tile.query(i), head));
    Number* weight_X = desk.rounded_RX + r * desk.width;
    const Floats unit = all(share.unit * sums.unit), near = all(share.near * sums.near), far = all(share.far * sums.far);
    for (int x = 0; x < U; x += LANES)
      store_numbers(weight_X + x, load(row.score_X + x) * load(row.near_X + x) * unit, LANES);
    for (int x = U; x < tile.columns; x += LANES) {
      const Floats part = fma(load(row.near_X + x), near, load(row.far_X + x) * far);
      store_numbers(weight_X + x, load(row.score_X + x) * part, LANES);
    }
  }
  multiply<Number>(left_rows<Number>(desk.rounded_RX, desk.width), R, first_inputs<Number>(desk.value_down, tile.columns),
                   Rows<float>{desk.out_RD, D});
  scatter(desk, tile, call.tensors.read);
}

// How the weight of a row's value follows from its exponential, and the slope of its score from that and the slope of the
// weight: each reading adds share * probability * (slope of the weight - its mean over the reading).
struct Slopes {
  Row row;
  const float* slope_X;  // of the weights
  float scale, weight[3], shift[3];  // of units, near and far tokens

  // Both for LANES columns, of units or of tokens.
  void at(int x, bool token, Floats& weight_at, Floats& slope_at) const {
    const Floats e = load(row.score_X + x), near = load(row.near_X + x), far = load(row.far_X + x);
    const int i = token ? 1 : 0;
    weight_at = e * fma(near, all(weight[i]), far * all(weight[2]));
    const Floats mean = e * fma(near, all(shift[i]), far * all(shift[2]));
    slope_at = (weight_at * load(slope_X + x) - mean) * all(scale);
  }
};

// The slopes of one row, whose scores become exponentials; writes the gradient of its gate.
template <class Number>
inline Slopes slopes(Desk<Number>& desk, const Tile& tile, int r) {
  const AttentionCall& call = desk.call;
  const int i = r / desk.G, head = tile.head * desk.G + r % desk.G, U = tile.document.unit_columns();
  Slopes s{{desk.score_RX + r * desk.width, desk.masks.near(i), desk.masks.far(i), U, tile.columns},
           desk.slope_RX + r * desk.width, 1.f / std::sqrt(float(desk.D)), {}, {}};
  ReadingSums sums;
  std::memcpy(&sums, call.sums_BQH4 + ((int64_t(tile.row) * call.queries + tile.query(i)) * call.heads + head) * 4, sizeof sums);
  Floats unit = zero(), near = zero(), far = zero();
  each_exponential(s.row, 0, U, s.scale, sums.top, [&](int x, Floats e) {
    unit = fma(e * load(s.row.near_X + x), load(s.slope_X + x), unit);
    store(s.row.score_X + x, e);
  });
  each_exponential(s.row, U, tile.columns, s.scale, sums.top, [&](int x, Floats e) {
    const Floats slope = e * load(s.slope_X + x);
    near = fma(slope, load(s.row.near_X + x), near), far = fma(slope, load(s.row.far_X + x), far);
    store(s.row.score_X + x, e);
  });
  const float mean[3] = {sum(unit) * sums.unit, sum(near) * sums.near, sum(far) * sums.far};
  const Shares share(numbers_of<Number>(call.tensors.gate, tile.row, tile.query(i), head));
  s.weight[0] = share.unit * sums.unit, s.weight[1] = share.near * sums.near, s.weight[2] = share.far * sums.far;
  for (int reading = 0; reading < 3; reading++) s.shift[reading] = s.weight[reading] * mean[reading];
  const float all_means = share.unit * mean[0] + share.near * mean[1] + share.far * mean[2];
  const float d_gate_3[3] = {share.unit * (mean[0] - all_means), share.near * (mean[1] - all_means), share.far * (mean[2] - all_means)};
  store_row(numbers_of<Number>(call.gradients.gate, tile.row, tile.query(i), head), d_gate_3, 3);
  return s;
}

// Weights and slopes of a tile, row by row for the queries' gradient, and as panels over rows for that of keys and values.
template <class Number>
inline void spread(Desk<Number>& desk, const Tile& tile) {
  const int R = tile.queries * desk.G, U = tile.document.unit_columns();
  for (int r = 0; r < R; r += STEP<Number>) {
    const Slopes one = slopes(desk, tile, r), other = STEP<Number> == 2 && r + 1 < R ? slopes(desk, tile, r + 1) : one;
    const int64_t step = int64_t(r / STEP<Number>) * PANEL_WIDTH;
    Number* slope_X = desk.rounded_RX + r * desk.width;
    for (int x = 0; x < tile.columns; x += LANES) {
      Floats weight, slope, next_weight = zero(), next_slope = zero();
      one.at(x, x >= U, weight, slope);
      store_numbers(slope_X + x, slope, LANES);
      if (STEP<Number> == 2 && r + 1 < R) {
        other.at(x, x >= U, next_weight, next_slope);
        store_numbers(slope_X + desk.width + x, next_slope, LANES);
      }
      const auto put = [&](const Panels& panels, Floats first, Floats second) {
        const Words words = STEP<Number> == 1 ? Words(first) : bf16_bits(first) | bf16_bits(second) << 16;
        std::memcpy(panels.at(x) + step, &words, sizeof words);
      };
      put(desk.weight, weight, next_weight), put(desk.slope, slope, next_slope);
    }
  }
}

template <class Number>
inline void backward(Desk<Number>& desk, const Tile& tile) {
  const AttentionCall& call = desk.call;
  const int D = desk.D, R = tile.queries * desk.G, X = tile.columns;
  score(desk, tile);
  gather(desk, tile, call.gradients.read, desk.d_read_RD);
  multiply<Number>(left_rows<Number>(desk.d_read_RD, D), R, first_outputs(desk.value, X), Rows<float>{desk.slope_RX, desk.width});
  spread(desk, tile);
  multiply<Number>(left_rows<Number>(desk.rounded_RX, desk.width), R, first_inputs<Number>(desk.key_down, X), Rows<float>{desk.out_RD, D});
  scatter(desk, tile, call.gradients.query);
  const auto add_products = [&](const Panels& of_columns, const Number* of_rows, Panels& down, float* sum_XD) {
    down = first_inputs<Number>(down, R);
    pack_columns<Number>(Rows<const Number>{of_rows, D}, R, down);
    const Panels left = first_inputs<Number>(first_outputs(of_columns, X), R);
    multiply<Number>(left_columns<Number>(left), X, down, Rows<float>{sum_XD, D}, true);
  };
  add_products(desk.slope, desk.query_RD, desk.query_down, desk.d_key_XD);
  add_products(desk.weight, desk.d_read_RD, desk.d_read_down, desk.d_value_XD);
}

// Stores the gradients of a document's keys or values: its tokens' own, and their share in those of unit means.
template <class Number>
inline void store_sums(Desk<Number>& desk, const Document& document, int row, int head, float* sum_XD, const HeadTensor& tensor) {
  const int D = desk.D;
  float* sum_SD = sum_XD + int64_t(document.unit_columns()) * D;
  for (int u = 0; u < document.units; u++) {
    const int begin = desk.masks.begin(u), end = desk.masks.begin(u + 1);
    for (int t = begin; t < end; t++) add_row(sum_SD + int64_t(t) * D, sum_XD + int64_t(u) * D, 1.f / float(end - begin), D);
  }
  for (int t = 0; t < document.tokens; t++)
    store_row(numbers_of<Number>(tensor, row, document.first + t, head), sum_SD + int64_t(t) * D, D);
}

// All queries of one document with the heads of one key/value head.
template <bool BACKWARD, class Number>
inline void attend(Desk<Number>& desk, int row, int head, const int32_t* order, int queries) {
  const AttentionCall& call = desk.call;
  const AttentionTensors &tensors = call.tensors, &gradients = call.gradients;
  const int32_t* column_Q = call.column_BQ + int64_t(row) * call.queries;
  const int last = column_Q[order[queries - 1]];
  const Document document(call, row, call.start_BS[int64_t(row) * call.tokens + last], last);
  const int X = document.columns(), D = desk.D;
  desk.masks.open(document);
  const auto keys = gather(desk, document, row, head, tensors.key);
  pack_rows<Number>(keys, D, desk.key = first_outputs(desk.key, X));
  if (BACKWARD) pack_columns<Number>(keys, X, desk.key_down = first_inputs<Number>(desk.key_down, X));
  const auto values = gather(desk, document, row, head, tensors.value);
  if (BACKWARD) pack_rows<Number>(values, D, desk.value = first_outputs(desk.value, X));
  else pack_columns<Number>(values, X, desk.value_down = first_inputs<Number>(desk.value_down, X));
  if (BACKWARD)
    std::fill(desk.d_key_XD, desk.d_key_XD + int64_t(X) * D, 0.f), std::fill(desk.d_value_XD, desk.d_value_XD + int64_t(X) * D, 0.f);
  const int most = tile_queries(call);
  for (int i = 0; i < queries; i += most) {
    const int count = std::min(most, queries - i), end = column_Q[order[i + count - 1]];
    const Tile tile{row, head, document, order + i, column_Q, count, document.columns_until(end)};
    if constexpr (BACKWARD) backward(desk, tile);
    else forward(desk, tile);
  }
  if (BACKWARD) {
    store_sums(desk, document, row, head, desk.d_key_XD, gradients.key);
    store_sums(desk, document, row, head, desk.d_value_XD, gradients.value);
  }
}

template <class Number>
inline int64_t desk_bytes(const AttentionCall& call) {
  Workspace counted(nullptr, INT64_MAX);
  Desk<Number>(call, counted);
  return (int64_t(counted.mark()) + int64_t(Workspace::ALIGNMENT) - 1) / int64_t(Workspace::ALIGNMENT) * int64_t(Workspace::ALIGNMENT);
}

template <bool BACKWARD, class Number>
inline void attention(const AttentionCall& call) {
  Workspace memory(call.workspace, call.workspace_bytes);
  share_items(*call.threads, call.rows * call.kv_heads, desk_bytes<Number>(call), memory, [&](int item, Workspace& own) {
    Desk<Number> desk(call, own);
    const int64_t row = item / call.kv_heads;
    const int32_t *order = call.order_BQ + row * call.queries, *const end = order + call.queries;
    const int32_t *column_Q = call.column_BQ + row * call.queries, *start_S = call.start_BS + row * call.tokens;
    while (order < end && *order >= 0) {
      const int32_t* first = order;
      while (order < end && *order >= 0 && start_S[column_Q[*order]] == start_S[column_Q[*first]]) order++;
      attend<BACKWARD>(desk, int(row), item % call.kv_heads, first, int(order - first));
    }
  });
}

inline void attention_forward(const AttentionCall& call) {
  if (call.is_bf16) attention<false, Bf16>(call);
  else attention<false, float>(call);
}
inline void attention_backward(const AttentionCall& call) {
  if (call.is_bf16) attention<true, Bf16>(call);
  else attention<true, float>(call);
}

inline int64_t attention_bytes(const AttentionCall& call) {
  return desk_bytes<float>(call) * call.threads->count() + int64_t(Workspace::ALIGNMENT);
}

}  // namespace tuili::TUILI_SET::training
