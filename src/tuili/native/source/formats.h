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
  const float* unit[ROWS];
};

// `step` points at the words of a block's first output everywhere below.
inline Words weights_of(const char* step, int vector) { return vector_at<Words>(step + vector * LANES * 4); }

// The sums of a block in fp32. A row has the scale 1 where its format has none.
struct FloatSums {
  using Sum = Floats;
  template <int ROWS, int VECTORS>
  static void begin(const Place&, Block<Sum, ROWS, VECTORS>& sums) {
    for (auto& row : sums)
      for (auto& sum : row) sum = zero();
  }
  static Floats end(const Place&, int, float scale, Sum sum) { return sum * all(scale); }
};

// Of each output a step holds one word, which a kind of number multiplies by a word of a row.
template <class Kind, class Sum>
struct WordByWord {
  template <int ROWS, int VECTORS>
  static void add(const Rows<ROWS>& rows, const char* step, const Place&, int k, Block<Sum, ROWS, VECTORS>& sums) {
    Words weights[VECTORS];
    for (int v = 0; v < VECTORS; v++) weights[v] = weights_of(step, v);
    for (int r = 0; r < ROWS; r++) {
      const auto x = Kind::input(rows.words[r][k]);
      for (int v = 0; v < VECTORS; v++) sums[r][v] = Kind::dot(sums[r][v], x, weights[v]);
    }
  }
};

template <Format FORMAT>
struct Number;

template <>
struct Number<Format::fp32> : FloatSums, WordByWord<Number<Format::fp32>, Floats> {
  static Floats input(uint32_t word) { return all(bits<float>(word)); }
  static Floats dot(Floats sum, Floats x, Words w) { return fma(x, Floats(w), sum); }
};

template <>
struct Number<Format::bf16> : FloatSums, WordByWord<Number<Format::bf16>, Floats> {
  static auto input(uint32_t word) { return pair(word); }
  static Floats dot(Floats sum, decltype(pair(uint32_t())) x, Words w) { return dot_bf16(sum, x, w); }
};

template <>
struct Number<Format::int8> : WordByWord<Number<Format::int8>, Ints> {
  using Sum = Ints;
  template <int ROWS, int VECTORS>
  static void begin(const Place& place, Block<Sum, ROWS, VECTORS>& sums) {
    const int32_t* sum_N = place.matrix->sum_N + place.output;
    for (int v = 0; v < VECTORS; v++)
      for (int r = 0; r < ROWS; r++) sums[r][v] = -INPUT_OFFSET * vector_at<Ints>(sum_N + v * LANES);
  }
  static Words input(uint32_t word) { return all_words(word); }
  static Ints dot(Ints sum, Words x, Words w) { return dot_int8(sum, x, w); }
  static Floats end(const Place& place, int vector, float scale, Sum sum) {
    return floats(sum) * (load(place.matrix->scale_N + place.output + vector * LANES) * all(scale));
  }
};

// Four bits a weight, in groups of inputs.
template <bool AFFINE>
struct Nibbles : FloatSums {
  using GroupSum = decltype(begin_nibbles(int32_t()));
  static constexpr int WORDS = 4;  // of weights of an output in a group: 8 nibbles each, low halves of bytes first
  template <int ROWS, int VECTORS>
  static void add(const Rows<ROWS>& rows, const char* step, const Place& place, int k, Block<Sum, ROWS, VECTORS>& sums) {
    Block<GroupSum, ROWS, VECTORS> group;
    for (int r = 0; r < ROWS; r++)
      for (int v = 0; v < VECTORS; v++) group[r][v] = begin_nibbles(offset(rows, r, k));
    for (int word = 0; word < WORDS; word++)
      for (int v = 0; v < VECTORS; v++) {
        const Words both = weights_of(step + word * place.width * 4, v);
        const Words low = low_nibbles(both), high = high_nibbles(both);
        for (int r = 0; r < ROWS; r++) {
          const uint32_t* x = rows.words[r] + 2 * (WORDS * k + word);
          group[r][v] = dot_nibbles(dot_nibbles(group[r][v], all_words(x[0]), low), all_words(x[1]), high);
        }
      }
    const uint16_t* scale_N = reinterpret_cast<const uint16_t*>(step - place.column * 4 + place.width * WORDS * 4) + place.column;
    for (int v = 0; v < VECTORS; v++) {
      const Floats scale = load_fp16(scale_N + v * LANES);
      Floats least = zero();
      if constexpr (AFFINE) least = load_fp16(scale_N + place.width + v * LANES);
      for (int r = 0; r < ROWS; r++) {
        Floats sum = floats(end_nibbles(group[r][v], offset(rows, r, k)));
        if constexpr (AFFINE) {
          const float* unit = rows.unit[r] + 2 * k;
          sum = sum * all(unit[0]), sums[r][v] = fma(least, all(unit[1]), sums[r][v]);
        }
        sums[r][v] = fma(sum, scale, sums[r][v]);
      }
    }
  }
  template <int ROWS>
  static int32_t offset(const Rows<ROWS>& rows, int r, int k) { return AFFINE ? 0 : rows.offset[r][k]; }
};
template <>
struct Number<Format::int4> : Nibbles<false> {};
template <>
struct Number<Format::affine> : Nibbles<true> {};

}  // namespace tuili::TUILI_SET
