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

constexpr int TILE_ROWS = 48;

template <class Number>
inline Number* numbers_of(const HeadTensor& tensor, int64_t row, int64_t token, int64_t head) {
  return static_cast<Number*>(tensor.numbers) + row * tensor.row + token * tensor.token + head * tensor.head;
}

inline int tile_queries(const AttentionCall& call) { return std::max(1, TILE_ROWS / (call.heads / call.kv_heads)); }
inline int most_columns(const AttentionCall& call) { return 2 * padded(call.tokens, COLUMN_UNIT) + COLUMN_UNIT; }  // odd lines

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

// std::copy calls a function, which takes longer than the few bytes of a head.
template <class Number>
inline void copy_row(const Number* from, Number* to, int size) {
  constexpr int STEPS = 32 / int(sizeof(Number));
  int i = 0;
  for (; i + STEPS <= size; i += STEPS) std::memcpy(to + i, from + i, 32);
  for (; i < size; i++) to[i] = from[i];
}
// Adds a row to a sum, times a factor.
template <class Number>
inline void add_row(float* sum_D, const Number* row_D, float factor, int size) {
  const auto sum_at = [&](int i, int n) { return fma(floats_at(row_D + i, n), all(factor), load_up_to(sum_D + i, n)); };
  each_vector(size, [&](int i, int n) { store_up_to(sum_D + i, sum_at(i, n), n); });
}
template <class Number>
inline void store_row(Number* to, const float* from, int size) {
  each_vector(size, [&](int i, int n) { store_numbers(to + i, load_up_to(from + i, n), n); });
}

// One row of a tile: the scores of its columns, which become exponentials, and its masks.
struct Row {
  float* score_X;
  const float *near_X, *far_X;
  int units, columns;  // where the columns of units end, and those of tokens
};
inline float top_of(const Row& row) {
  Floats top = all(-1e30f);
  for (int x = 0; x < row.columns; x += LANES) {
    const Floats read = load(row.near_X + x) + load(row.far_X + x), score = load(row.score_X + x);
    top = max(read > zero() ? score : all(-1e30f), top);
  }
  return largest(top);
}

// Scores become exponentials of their distance to the top; one is never above 1, whatever a score is that nobody reads.
// f(x, exponential) gives what a column adds to the sums of its readings.
template <class F>
inline void sum_up(const Row& row, float scale, float top, int r, float* const (&sum_R)[3], F&& f) {
  const Floats scales = all(scale), shift = all(-top * scale);
  Floats unit = zero(), near = zero(), far = zero();
  const auto take = [&](int x) {
    const Floats e = exp(min(fma(load(row.score_X + x), scales, shift), zero()));
    store(row.score_X + x, e);
    return f(x, e);
  };
  for (int x = 0; x < row.units; x += LANES) unit = fma(take(x), load(row.near_X + x), unit);
  for (int x = row.units; x < row.columns; x += LANES) {
    const Floats part = take(x);
    near = fma(part, load(row.near_X + x), near), far = fma(part, load(row.far_X + x), far);
  }
  sum_R[0][r] = sum(unit), sum_R[1][r] = sum(near), sum_R[2][r] = sum(far);
}


// One row of a batch with the heads of one key/value head, and the memory for it.
template <class Number>
struct Desk {
  const AttentionCall& call;
  int G, D;
  int64_t width;  // of a row of columns
  float scale;    // of scores
  int32_t *query_R, *head_R;  // of a row in a tile; dividing for them takes longer than some of what is done with a row
  Masks masks;
  float *score_RX, *slope_RX, *out_RD, *d_key_XD, *d_value_XD;
  float *top_R, *share_R[3], *sum_R[3], *weight_R[3], *shift_R[3];  // of units, near and far tokens
  Number *gathered_XD, *query_RD, *d_read_RD, *rounded_RX;
  Panels key, value, key_down, value_down;                      // the document's; down: the reduction runs over columns
  Panels query_down, d_read_down, weight_panels, slope_panels;  // the tile's, whose reduction runs over rows

  Desk(const AttentionCall& of, Workspace& memory)
      : call(of), G(of.heads / of.kv_heads), D(of.head_size), width(most_columns(of)),
        scale(1.f / std::sqrt(float(D))), masks(of, tile_queries(of), int(width), memory) {
    const int R = tile_queries(call) * G, X = int(width);
    query_R = memory.take<int32_t>(R), head_R = memory.take<int32_t>(R);
    top_R = memory.take<float>(padded(R, COLUMN_UNIT));
    for (auto* numbers : {&share_R, &sum_R, &weight_R, &shift_R})
      for (float*& of_reading : *numbers) of_reading = memory.take<float>(padded(R, COLUMN_UNIT));
    score_RX = memory.take<float>(R * width), slope_RX = memory.take<float>(R * width);
    rounded_RX = memory.take<Number>((R + 1) * width);
    out_RD = memory.take<float>(int64_t(R) * D);
    d_key_XD = memory.take<float>(width * D), d_value_XD = memory.take<float>(width * D);
    gathered_XD = memory.take<Number>(width * D);
    query_RD = memory.take<Number>(int64_t(R) * D), d_read_RD = memory.take<Number>(int64_t(R) * D);
    key = take_panels<Number>(X, D, memory), value = take_panels<Number>(X, D, memory);
    key_down = take_panels<Number>(D, X, memory), value_down = take_panels<Number>(D, X, memory);
    query_down = take_panels<Number>(D, R, memory), d_read_down = take_panels<Number>(D, R, memory);
    weight_panels = take_panels<Number>(X, R, memory), slope_panels = take_panels<Number>(X, R, memory);
  }
  // What belongs to a row of a tile: the numbers of a tensor of queries, and what the forward pass keeps.
  Number* numbers(const Tile& tile, const HeadTensor& tensor, int r) const {
    return numbers_of<Number>(tensor, tile.row, tile.query(query_R[r]), tile.head * G + head_R[r]);
  }
  float* kept(const Tile& tile, int r) const {
    const int64_t query = int64_t(tile.row) * call.queries + tile.query(query_R[r]);
    return call.sums_BQH4 + (query * call.heads + tile.head * G + head_R[r]) * 4;
  }

  // The keys or values of a document's columns, one behind the other, with zeros between. Those of a unit are a mean.
  Rows<const Number> gather(const Document& document, int row, int head, const HeadTensor& tensor) {
    const auto place = [&](int column) { return gathered_XD + int64_t(column) * D; };
    const auto number = [&](int t) -> const Number* { return numbers_of<Number>(tensor, row, document.first + t, head); };
    std::fill(place(0), place(document.columns()), Number(0));
    for (int t = 0; t < document.tokens; t++) copy_row(number(t), place(document.unit_columns() + t), D);
    for (int u = 0; u < document.units; u++) {
      const int begin = masks.begin(u), end = masks.begin(u + 1);
      std::fill(out_RD, out_RD + D, 0.f);
      for (int t = begin; t < end; t++) add_row(out_RD, number(t), 1.f / float(end - begin), D);
      store_row(place(u), out_RD, D);
    }
    return {gathered_XD, D};
  }

  // The queries' numbers of a tensor as rows, and back: query by query, head by head.
  void gather(const Tile& tile, const HeadTensor& tensor, Number* to_RD) {
    for (int r = 0; r < tile.queries * G; r++) copy_row(numbers(tile, tensor, r), to_RD + r * D, D);
  }
  void scatter(const Tile& tile, const HeadTensor& tensor) {
    for (int r = 0; r < tile.queries * G; r++) store_row(numbers(tile, tensor, r), out_RD + r * D, D);
  }

  // The scores of a tile, and what its queries may read.
  void score(const Tile& tile) {
    gather(tile, call.tensors.query, query_RD);
    const Panels keys = first_outputs(key, tile.columns);
    multiply<Number>(left_rows<Number>(query_RD, D), tile.queries * G, keys, Rows<float>{score_RX, width});
    for (int i = 0; i < tile.queries; i++)
      masks.fill(call, tile.document, i, tile.token(i), score_RX + i * G * width, tile.columns);
  }

  // The shares of the readings for each row, from the three logits of its gate.
  void share_readings(const Tile& tile) {
    const int R = tile.queries * G;
    for (int r = 0; r < R; r++) {
      const Number* gate_3 = numbers(tile, call.tensors.gate, r);
      for (int k = 0; k < 3; k++) share_R[k][r] = number(gate_3[k]);
    }
    for (int r = 0; r < R; r += LANES) {
      Floats share[3], total = zero();
      for (int k = 0; k < 3; k++) share[k] = load(share_R[k] + r);
      const Floats top = max(share[0], max(share[1], share[2]));
      for (Floats& one : share) one = exp(one - top), total = total + one;
      for (int k = 0; k < 3; k++) store(share_R[k] + r, share[k] / total);
    }
  }

  Row row_of(const Tile& tile, int r) {
    const int query = query_R[r];
    return {score_RX + r * width, masks.near(query), masks.far(query), tile.document.unit_columns(), tile.columns};
  }

  void forward(const Tile& tile) {
    const int R = tile.queries * G;
    score(tile);
    share_readings(tile);
    for (int r = 0; r < R; r++) top_R[r] = top_of(row_of(tile, r));
    for (int r = 0; r < R; r++) sum_up(row_of(tile, r), scale, top_R[r], r, sum_R, [](int, Floats e) { return e; });
    for (int k = 0; k < 3; k++)
      for (int r = 0; r < R; r += LANES) {
        const Floats inverse = all(1.f) / max(load(sum_R[k] + r), all(MIN_SUM));
        store(sum_R[k] + r, inverse), store(weight_R[k] + r, load(share_R[k] + r) * inverse);
      }
    for (int r = 0; r < R; r++) {
      const Row row = row_of(tile, r);
      float* kept_4 = kept(tile, r);
      kept_4[0] = top_R[r];
      for (int k = 0; k < 3; k++) kept_4[1 + k] = sum_R[k][r];
      Number* weight_X = rounded_RX + r * width;
      const Floats unit = all(weight_R[0][r]), near = all(weight_R[1][r]), far = all(weight_R[2][r]);
      for (int x = 0; x < row.units; x += LANES)
        store_numbers(weight_X + x, load(row.score_X + x) * load(row.near_X + x) * unit, LANES);
      for (int x = row.units; x < row.columns; x += LANES) {
        const Floats part = fma(load(row.near_X + x), near, load(row.far_X + x) * far);
        store_numbers(weight_X + x, load(row.score_X + x) * part, LANES);
      }
    }
    const Panels values = first_inputs<Number>(value_down, tile.columns);
    multiply<Number>(left_rows<Number>(rounded_RX, width), R, values, Rows<float>{out_RD, D});
    scatter(tile, call.tensors.read);
  }

  // Each reading adds to the slope of a score: its share * probability * (slope of the weight - the mean of that over the
  // reading). Here are the factors of both terms for each row, from its gate, and the gradient of the gate.
  void slopes_of_readings(const Tile& tile) {
    const int R = tile.queries * G;
    share_readings(tile);
    for (int r = 0; r < R; r++) {
      const float *kept_4 = kept(tile, r), *slope_X = slope_RX + r * width;
      for (int k = 0; k < 3; k++) sum_R[k][r] = kept_4[1 + k];
      sum_up(row_of(tile, r), scale, kept_4[0], r, shift_R, [&](int x, Floats e) { return e * load(slope_X + x); });
    }
    for (int r = 0; r < R; r += LANES) {
      Floats mean[3], all_means = zero();
      for (int k = 0; k < 3; k++) {
        const Floats share = load(share_R[k] + r), inverse = load(sum_R[k] + r);
        mean[k] = load(shift_R[k] + r) * inverse, all_means = fma(share, mean[k], all_means);
        store(weight_R[k] + r, share * inverse), store(shift_R[k] + r, share * inverse * mean[k]);
      }
      for (int k = 0; k < 3; k++) store(share_R[k] + r, load(share_R[k] + r) * (mean[k] - all_means));
    }
    for (int r = 0; r < R; r++) {
      const float d_gate_3[3] = {share_R[0][r], share_R[1][r], share_R[2][r]};
      store_row(numbers(tile, call.gradients.gate, r), d_gate_3, 3);
    }
  }

  // Weights and slopes of a tile, row by row for the queries' gradient, and as panels over rows for that of keys and values.
  void spread(const Tile& tile) {
    constexpr int ROWS = STEP<Number>;
    const int R = tile.queries * G, panel = weight_panels.width;
    const Floats scales = all(scale);
    for (int r = 0; r < R; r += ROWS) {
      Row row[ROWS];
      const float* slope_X[ROWS];
      for (int i = 0; i < ROWS; i++) {
        const int one = std::min(r + i, R - 1);
        row[i] = row_of(tile, one), slope_X[i] = slope_RX + one * width;
      }
      int64_t place = int64_t(r / ROWS) * panel;  // of columns in their panel, both of weights and of slopes
      int left = panel;
      const auto each = [&](int begin, int end, int k) {  // the reading of these columns, beside far tokens
        Floats weight_of[ROWS], shift_of[ROWS], far_weight[ROWS], far_shift[ROWS];
        for (int i = 0; i < ROWS; i++) {
          const bool is_there = r + i < R;  // else both are 0
          weight_of[i] = all(is_there ? weight_R[k][r + i] : 0.f), shift_of[i] = all(is_there ? shift_R[k][r + i] : 0.f);
          far_weight[i] = all(is_there ? weight_R[2][r + i] : 0.f), far_shift[i] = all(is_there ? shift_R[2][r + i] : 0.f);
        }
        for (int x = begin; x < end; x += LANES) {
          Words weights{}, slopes{};
          for (int i = 0; i < ROWS; i++) {
            const Floats e = load(row[i].score_X + x), near = load(row[i].near_X + x), far = load(row[i].far_X + x);
            const Floats weight = e * fma(near, weight_of[i], far * far_weight[i]);
            const Floats mean = e * fma(near, shift_of[i], far * far_shift[i]);
            const Floats slope = (weight * load(slope_X[i] + x) - mean) * scales;
            store_numbers(rounded_RX + (r + i) * width + x, slope, LANES);
            const auto bits = [&](Floats a) { return ROWS == 1 ? Words(a) : bf16_bits(a) << 16 * i; };
            weights |= bits(weight), slopes |= bits(slope);
          }
          std::memcpy(weight_panels.words + place, &weights, sizeof weights);
          std::memcpy(slope_panels.words + place, &slopes, sizeof slopes);
          place += LANES, left -= LANES;
          if (left == 0) place += int64_t(weight_panels.panel_steps - 1) * panel, left = panel;
        }
      };
      each(0, tile.document.unit_columns(), 0), each(tile.document.unit_columns(), tile.columns, 1);
    }
  }

  void backward(const Tile& tile) {
    const int R = tile.queries * G, X = tile.columns;
    score(tile);
    gather(tile, call.gradients.read, d_read_RD);
    multiply<Number>(left_rows<Number>(d_read_RD, D), R, first_outputs(value, X), Rows<float>{slope_RX, width});
    slopes_of_readings(tile);
    spread(tile);
    multiply<Number>(left_rows<Number>(rounded_RX, width), R, first_inputs<Number>(key_down, X), Rows<float>{out_RD, D});
    scatter(tile, call.gradients.query);
    const auto add_products = [&](const Panels& of_columns, const Number* of_rows, Panels& down, float* sum_XD) {
      down = first_inputs<Number>(down, R);
      pack_columns<Number>(Rows<const Number>{of_rows, D}, R, down);
      const Panels left = first_inputs<Number>(first_outputs(of_columns, X), R);
      multiply<Number>(left_columns<Number>(left), X, down, Rows<float>{sum_XD, D}, true);
    };
    add_products(slope_panels, query_RD, query_down, d_key_XD);
    add_products(weight_panels, d_read_RD, d_read_down, d_value_XD);
  }

  // Stores the gradients of a document's keys or values: its tokens' own, and their share in those of unit means.
  void store_sums(const Document& document, int row, int head, float* sum_XD, const HeadTensor& tensor) {
    float* sum_SD = sum_XD + int64_t(document.unit_columns()) * D;
    for (int u = 0; u < document.units; u++) {
      const int begin = masks.begin(u), end = masks.begin(u + 1);
      for (int t = begin; t < end; t++) add_row(sum_SD + int64_t(t) * D, sum_XD + int64_t(u) * D, 1.f / float(end - begin), D);
    }
    for (int t = 0; t < document.tokens; t++)
      store_row(numbers_of<Number>(tensor, row, document.first + t, head), sum_SD + int64_t(t) * D, D);
  }

  // All queries of one document with the heads of one key/value head.
  template <bool BACKWARD>
  void attend(int row, int head, const int32_t* order, int queries) {
    const AttentionTensors &tensors = call.tensors, &gradients = call.gradients;
    const int32_t* column_Q = call.column_BQ + int64_t(row) * call.queries;
    const int last = column_Q[order[queries - 1]];
    const Document document(call, row, call.start_BS[int64_t(row) * call.tokens + last], last);
    const int X = document.columns();
    masks.open(document);
    const auto pack = [&](const HeadTensor& tensor, Panels& across, bool is_across, Panels& down, bool is_down) {
      const Rows<const Number> rows = gather(document, row, head, tensor);
      if (is_across) pack_rows<Number>(rows, D, across = first_outputs(across, X));
      if (is_down) pack_columns<Number>(rows, X, down = first_inputs<Number>(down, X));
    };
    pack(tensors.key, key, true, key_down, BACKWARD), pack(tensors.value, value, BACKWARD, value_down, !BACKWARD);
    if (BACKWARD) std::fill_n(d_key_XD, int64_t(X) * D, 0.f), std::fill_n(d_value_XD, int64_t(X) * D, 0.f);
    const int most = tile_queries(call);
    for (int i = 0; i < queries; i += most) {
      const int count = std::min(most, queries - i), end = column_Q[order[i + count - 1]];
      const Tile tile{row, head, document, order + i, column_Q, count, document.columns_until(end)};
      if constexpr (BACKWARD) backward(tile);
      else forward(tile);
    }
    if (!BACKWARD) return;
    store_sums(document, row, head, d_key_XD, gradients.key), store_sums(document, row, head, d_value_XD, gradients.value);
  }

  // Zeros for what a query gets that reads nothing, and for the gradients of tokens, as some are read by no query.
  template <bool BACKWARD>
  void clear(int row, int head, const int32_t* order, const int32_t* end) {
    const auto fill = [&](const HeadTensor& tensor, int token, int one, int size) {
      std::fill_n(numbers_of<Number>(tensor, row, token, one), size, Number(0));
    };
    const AttentionTensors& gradients = call.gradients;
    for (; order < end; order++)
      for (int g = head * G; g < (head + 1) * G; g++)
        if (BACKWARD) fill(gradients.query, -1 - *order, g, D), fill(gradients.gate, -1 - *order, g, 3);
        else fill(call.tensors.read, -1 - *order, g, D);
    for (int t = 0; BACKWARD && t < call.tokens; t++) fill(gradients.key, t, head, D), fill(gradients.value, t, head, D);
  }
};

template <class Number>
inline int64_t desk_bytes(const AttentionCall& call) {
  Workspace counted(nullptr, INT64_MAX);
  Desk<Number>(call, counted);
  return int64_t(counted.mark() + Workspace::ALIGNMENT - 1) / int64_t(Workspace::ALIGNMENT) * int64_t(Workspace::ALIGNMENT);
}

template <bool BACKWARD, class Number>
inline void attention(const AttentionCall& call) {
  Workspace memory(call.workspace, call.workspace_bytes);
  share_items(*call.threads, call.rows * call.kv_heads, desk_bytes<Number>(call), memory, [&](int item, Workspace& own) {
    Desk<Number> desk(call, own);
    for (int r = 0; r < tile_queries(call) * desk.G; r++) desk.query_R[r] = r / desk.G, desk.head_R[r] = r % desk.G;
    const int row = item / call.kv_heads, head = item % call.kv_heads;
    const int32_t *order = call.order_BQ + int64_t(row) * call.queries, *const end = order + call.queries;
    const int32_t *column_Q = call.column_BQ + int64_t(row) * call.queries;
    const int32_t* const start_S = call.start_BS + int64_t(row) * call.tokens;
    const int32_t* const silent = std::find_if(order, end, [](int32_t query) { return query < 0; });
    desk.template clear<BACKWARD>(row, head, silent, end);
    while (order < silent) {
      const int32_t* first = order;
      while (order < silent && start_S[column_Q[*order]] == start_S[column_Q[*first]]) order++;
      desk.template attend<BACKWARD>(row, head, first, int(order - first));
    }
  });
}

template <bool BACKWARD>
inline void attention_call(const AttentionCall& call) {
  call.bf16 ? attention<BACKWARD, Bf16>(call) : attention<BACKWARD, float>(call);
}

inline int64_t attention_bytes(const AttentionCall& call) {
  return desk_bytes<float>(call) * call.threads->count() + int64_t(Workspace::ALIGNMENT);
}

}  // namespace tuili::TUILI_SET::training
