// How each number format multiplies: `Number<format>` begins the sums of a block, adds one step of a panel, and ends them.
//
// ROWS rows of inputs meet VECTORS vectors of outputs. Each sum lives in one register and grows in the order of the inputs,
// so a row's results do not depend on the rows beside it, nor on the sizes of blocks.
#pragma once
#include "prepare.h"

namespace tuili::TUILI_SET {

template <class T, int ROWS, int VECTORS>
using Block = T[ROWS][VECTORS];

struct Place {  // a block of outputs in a matrix
  const Matrix* matrix;
  const char* panel;
  int32_t width;   // outputs of the panel
  int32_t column;  // of the block's first output in the panel
  int32_t output;  // the same in the matrix
};

template <int ROWS>
struct Rows {  // the inputs of a block
  const uint32_t* words[ROWS];
  float scale[ROWS];
  const int32_t* offset[ROWS];
};

// `step` points at the words of a block's first output everywhere below.
inline Words weights_of(const char* step, int vector) { return words(step + vector * LANES * 4); }

template <Format FORMAT>
struct Number;

template <>
struct Number<Format::fp32> {
  using Sum = Floats;
  template <int ROWS, int VECTORS>
  static void begin(const Place&, Block<Sum, ROWS, VECTORS>& sums) {
    for (auto& row : sums)
      for (auto& sum : row) sum = zero();
  }
  template <int ROWS, int VECTORS>
  static void add(const Rows<ROWS>& rows, const char* step, const Place&, int k, Block<Sum, ROWS, VECTORS>& sums) {
    for (int v = 0; v < VECTORS; v++) {
      const Floats weights = as_floats(weights_of(step, v));
      for (int r = 0; r < ROWS; r++) {
        float x;
        std::memcpy(&x, rows.words[r] + k, 4);
        sums[r][v] = fma(all(x), weights, sums[r][v]);
      }
    }
  }
  static Floats end(const Place&, int, float, Sum sum) { return sum; }
};

template <>
struct Number<Format::bf16> {
  using Sum = Floats;
  template <int ROWS, int VECTORS>
  static void begin(const Place&, Block<Sum, ROWS, VECTORS>& sums) {
    for (auto& row : sums)
      for (auto& sum : row) sum = zero();
  }
  template <int ROWS, int VECTORS>
  static void add(const Rows<ROWS>& rows, const char* step, const Place&, int k, Block<Sum, ROWS, VECTORS>& sums) {
    Words weights[VECTORS];
    for (int v = 0; v < VECTORS; v++) weights[v] = weights_of(step, v);
    for (int r = 0; r < ROWS; r++) {
      const Pair x = pair(rows.words[r][k]);
      for (int v = 0; v < VECTORS; v++) sums[r][v] = dot_bf16(sums[r][v], x, weights[v]);
    }
  }
  static Floats end(const Place&, int, float, Sum sum) { return sum; }
};

template <>
struct Number<Format::int8> {
  using Sum = Ints;
  template <int ROWS, int VECTORS>
  static void begin(const Place& place, Block<Sum, ROWS, VECTORS>& sums) {
    const int32_t* sum_N = place.matrix->sum_N + place.output;
    for (int v = 0; v < VECTORS; v++)
      for (int r = 0; r < ROWS; r++) sums[r][v] = all_ints(-INPUT_OFFSET) * load_ints(sum_N + v * LANES);
  }
  template <int ROWS, int VECTORS>
  static void add(const Rows<ROWS>& rows, const char* step, const Place&, int k, Block<Sum, ROWS, VECTORS>& sums) {
    Words weights[VECTORS];
    for (int v = 0; v < VECTORS; v++) weights[v] = weights_of(step, v);
    for (int r = 0; r < ROWS; r++) {
      const Quad x = quad(rows.words[r][k]);
      for (int v = 0; v < VECTORS; v++) sums[r][v] = dot_int8(sums[r][v], x, weights[v]);
    }
  }
  static Floats end(const Place& place, int vector, float scale, Sum sum) {
    return floats(sum) * (load(place.matrix->scale_N + place.output + vector * LANES) * all(scale));
  }
};

template <>
struct Number<Format::int4> {
  using Sum = Floats;
  static constexpr int WORDS = 4;  // of weights of an output in a group: 8 nibbles each, low halves of bytes first
  template <int ROWS, int VECTORS>
  static void begin(const Place&, Block<Sum, ROWS, VECTORS>& sums) {
    for (auto& row : sums)
      for (auto& sum : row) sum = zero();
  }
  template <int ROWS, int VECTORS>
  static void add(const Rows<ROWS>& rows, const char* step, const Place& place, int k, Block<Sum, ROWS, VECTORS>& sums) {
    Block<NibbleSum, ROWS, VECTORS> group;
    for (int r = 0; r < ROWS; r++)
      for (int v = 0; v < VECTORS; v++) group[r][v] = begin_nibbles(rows.offset[r][k]);
    for (int word = 0; word < WORDS; word++)
      for (int v = 0; v < VECTORS; v++) {
        const Words both = weights_of(step + word * place.width * 4, v);
        const Words low = low_nibbles(both), high = high_nibbles(both);
        for (int r = 0; r < ROWS; r++) {
          const uint32_t* x = rows.words[r] + 2 * (WORDS * k + word);
          group[r][v] = dot_nibbles(dot_nibbles(group[r][v], quad(x[0]), low), quad(x[1]), high);
        }
      }
    const uint16_t* scale_N = reinterpret_cast<const uint16_t*>(step - place.column * 4 + place.width * WORDS * 4) + place.column;
    for (int v = 0; v < VECTORS; v++) {
      const Floats scale = load_fp16(scale_N + v * LANES);
      for (int r = 0; r < ROWS; r++) sums[r][v] = fma(floats(end_nibbles(group[r][v], rows.offset[r][k])), scale, sums[r][v]);
    }
  }
  static Floats end(const Place&, int, float scale, Sum sum) { return sum * all(scale); }
};

}  // namespace tuili::TUILI_SET
