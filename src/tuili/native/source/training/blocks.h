// Products of training in fp32 and bf16: one operand is packed into panels, and rows are multiplied by them.
//
// out[r][n] = the sum over k of left[r][k] * right[k][n]. A `Number` is float, or Bf16, whose products are summed in fp32. The
// right operand is packed; the left one is read where it lies, row by row, or is packed by `pack_columns` too:
//
//   y  = x W^T   left: the rows of x             right: W by pack_rows
//   dx = dy W    left: the rows of dy            right: W by pack_columns
//   dW = dy^T x  left: dy by pack_columns        right: x by pack_columns
//
// Every output has one sum, in the order of the reduction: its bits are the same whatever is multiplied beside it. In bf16 a
// left operand that is not packed has an even number of numbers in a row.
#pragma once
#include "../matrix.h"
#include "../workspace.h"
#include "words.h"

namespace tuili::TUILI_SET::training {

template <int VECTORS>
constexpr int BLOCK_ROWS = LANES < 16 ? ROWS_AT_ONCE : VECTORS == 4 ? 6 : 8;  // rows whose sums stay in registers

// Rows of a matrix in memory, one behind the other or chosen by a list; the stride counts numbers.
template <class Number>
struct Rows {
  Number* base;
  int64_t stride;
  const int32_t* list = nullptr;
  Number* operator[](int i) const { return base + (list ? list[i] : i) * stride; }
};

// A packed operand: [panel][step][width] words, of which the last panel may use fewer. Some of its steps are a packed operand,
// too: `words + first * width`, with the `panel_steps` of the whole. So are its first outputs.
struct Panels {
  uint32_t* words;
  int outputs, steps, panel_steps, width;
  uint32_t* at(int output) const { return words + int64_t(output / width) * panel_steps * width + output % width; }
};
template <class Number> constexpr int steps_for(int inputs) { return (inputs + STEP<Number> - 1) / STEP<Number>; }
constexpr int panels_of(int outputs) { return padded(outputs, VECTORS_AT_ONCE * LANES) / (VECTORS_AT_ONCE * LANES); }
constexpr int panel_width(int outputs) { return padded(outputs, panels_of(outputs) * LANES) / panels_of(outputs); }  // about equal ones
template <class Number>
constexpr int64_t panel_words(int outputs, int inputs) {
  return int64_t(panels_of(outputs)) * panel_width(outputs) * steps_for<Number>(inputs);
}
template <class Number>
inline Panels take_panels(int outputs, int inputs, Workspace& memory) {
  const int steps = steps_for<Number>(inputs);
  return {memory.take<uint32_t>(panel_words<Number>(outputs, inputs)), outputs, steps, steps, panel_width(outputs)};
}

// Fetches `size` numbers of a row that is packed soon.
template <class Source>
inline void fetch(const Source* x, int size) {
  for (int i = 0; i < size; i += 64 / int(sizeof(Source))) __builtin_prefetch(x + i);
}

// Packs w[outputs][inputs]; the reduction runs along its rows.
template <class Number, class Source>
inline void pack_rows(const Rows<const Source>& w, int inputs, const Panels& to) {
  for (int n = 0; n < to.outputs; n += LANES)
    for (int step = 0; step < to.steps; step += LANES) {
      const int k = step * STEP<Number>;
      Words square[LANES];
      for (int i = 0; i < LANES; i++) {
        square[i] = n + i < to.outputs ? words_along<Number>(w[n + i] + k, inputs - k) : Words{};
        if (n + LANES + i < to.outputs) fetch(w[n + LANES + i] + k, LANES * STEP<Number>);
      }
      transpose(square);
      uint32_t* words = to.at(n) + int64_t(step) * to.width;
      for (int i = 0; i < std::min(LANES, to.steps - step); i++) std::memcpy(words + i * to.width, &square[i], sizeof square[i]);
    }
}

// Packs w[inputs][outputs]; the reduction runs down its columns.
template <class Number, class Source>
inline void pack_columns(const Rows<const Source>& w, int inputs, const Panels& to) {
  constexpr int AHEAD = 8;
  for (int k = 0; k < inputs; k += STEP<Number>) {
    for (int i = k + AHEAD; i < std::min(k + AHEAD + STEP<Number>, inputs); i++) fetch(w[i], to.outputs);
    const Source *first = w[k], *second = STEP<Number> == 2 && k + 1 < inputs ? w[k + 1] : nullptr;
    for (int begin = 0; begin < to.outputs; begin += to.width) {
      uint32_t* words = to.at(begin) + int64_t(k / STEP<Number>) * to.width;
      for (int n = begin; n < std::min(begin + to.width, to.outputs); n += LANES) {
        const Words some = words_down<Number>(first + n, second ? second + n : nullptr, to.outputs - n);
        std::memcpy(words + n - begin, &some, sizeof some);
      }
    }
  }
}

// The same, into memory that is taken for it.
template <class Number, class Source>
inline Panels columns_of(const Rows<const Source>& w, int inputs, int outputs, Workspace& memory) {
  const Panels to = take_panels<Number>(outputs, inputs, memory);
  pack_columns<Number>(w, inputs, to);
  return to;
}

// A left operand: its rows, and how far the words of one row are apart.
template <class Number>
struct Left {
  Rows<const Number> rows;
  const Panels* panels;  // in place of rows
  int64_t step_bytes() const { return panels ? panels->width * 4 : 4; }
  const char* operator[](int i) const { return panels ? reinterpret_cast<const char*>(panels->at(i)) : reinterpret_cast<const char*>(rows[i]); }
};
template <class Number>
inline Left<Number> left_rows(const Number* base, int64_t stride, const int32_t* list = nullptr) { return {{base, stride, list}, nullptr}; }
template <class Number> inline Left<Number> left_columns(const Panels& panels) { return {{}, &panels}; }

template <class Number, int ROWS, int VECTORS>
inline void add_steps(const char* const (&row)[ROWS], int64_t step_bytes, const uint32_t* panel, const Panels& right,
                      Floats (&sums)[ROWS][VECTORS]) {
  int64_t at = 0;
  for (int step = 0; step < right.steps; step++, at += step_bytes, panel += right.width) {
    Words right[VECTORS];
    for (int v = 0; v < VECTORS; v++) right[v] = vector_at<Words>(panel + v * LANES);
    for (int r = 0; r < ROWS; r++) {
      uint32_t word;
      std::memcpy(&word, row[r] + at, sizeof word);
      if constexpr (STEP<Number> == 1) {
        for (int v = 0; v < VECTORS; v++) sums[r][v] = fma(all(bits<float>(word)), Floats(right[v]), sums[r][v]);
      } else {
        const auto x = pair(word);
        for (int v = 0; v < VECTORS; v++) sums[r][v] = dot_bf16(sums[r][v], x, right[v]);
      }
    }
  }
}

// Some rows and outputs whose sums stay in registers, which they do in a function of their own. What is left over at an edge
// is computed as well, and dropped.
template <class Number, int VECTORS, class Out>
[[gnu::noinline]] void block(const Left<Number>& left, int first, int count, const Panels& right, int output, const Rows<Out>& out, bool accumulate) {
  constexpr int ROWS = BLOCK_ROWS<VECTORS>, WIDTH = VECTORS * LANES;
  const char* row[ROWS];
  for (int r = 0; r < ROWS; r++) row[r] = left[std::min(first + r, count - 1)];
  Floats sums[ROWS][VECTORS] = {};
  add_steps<Number, ROWS, VECTORS>(row, left.step_bytes(), right.at(output), right, sums);
  Out edge[ROWS][WIDTH];
  const int rows = std::min(ROWS, count - first), width = std::min(WIDTH, right.outputs - output);
  const bool whole = rows == ROWS && width == WIDTH && !accumulate;
#pragma GCC unroll 8
  for (int r = 0; r < ROWS; r++) {
    Out* to = whole ? out[first + r] + output : edge[r];
    for (int v = 0; v < VECTORS; v++) store_numbers(to + v * LANES, sums[r][v], LANES);
  }
  for (int r = 0; r < rows && !whole; r++) {
    Out* to = out[first + r] + output;
    if (!accumulate) std::copy_n(edge[r], width, to);
    else each_vector(width, [&](int i, int some) { store_numbers(to + i, floats_at(to + i, some) + floats_at(edge[r] + i, some), some); });
  }
}

// out[r] for the rows 0 to count - 1 of the left operand, as fp32 or rounded to bf16; or added to what is there.
template <class Number, class Out>
inline void multiply(const Left<Number>& left, int count, const Panels& right, const Rows<Out>& out, bool accumulate = false) {
  for (int output = 0; output < right.outputs; output += right.width) {
    const auto over_rows = [&](auto vectors) {
      constexpr int VECTORS = decltype(vectors)::value;
      for (int first = 0; first < count; first += BLOCK_ROWS<VECTORS>)
        block<Number, VECTORS>(left, first, count, right, output, out, accumulate);
    };
    switch (padded(std::min(right.width, right.outputs - output), LANES) / LANES) {
      case 1: over_rows(std::integral_constant<int, 1>()); break;
      case 2: over_rows(std::integral_constant<int, 2>()); break;
      case 3: over_rows(std::integral_constant<int, std::min(3, VECTORS_AT_ONCE)>()); break;
      default: over_rows(std::integral_constant<int, std::min(4, VECTORS_AT_ONCE)>());
    }
  }
}

}  // namespace tuili::TUILI_SET::training
