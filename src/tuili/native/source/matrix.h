// A weight matrix as Python packed it: panels of 64 outputs (docs/native.md), mirrored by `Matrix` in panels.py.
#pragma once
#include <algorithm>
#include <cstdint>

namespace tuili {

enum class Format : int32_t { fp32, bf16, int8, int4, affine };

constexpr int PANEL = 64;       // outputs of a panel; the last one of a matrix holds 16, 32, 48 or 64
constexpr int PANEL_UNIT = 16;  // outputs are padded to a multiple of it
constexpr int INT4_GROUP = 32;  // inputs that share one scale in int4 and affine, which also has a least weight for them

// A matrix of low rank is a chain: `inner` makes what it reads. The outputs of `next` stand behind its own.
struct Matrix {
  const void* panels;      // 64-byte aligned, as are the other two
  const float* scale_N;    // int8: one for each output, padded to whole panels
  const int32_t* sum_N;    // int8: the sum of the weights of each output, padded likewise
  const Matrix* inner;     // null: it reads the inputs themselves
  const Matrix* next;      // null: there is none; reads the same inputs
  int32_t outputs, inputs; // N and K
  Format format;
  int32_t mixing;          // inputs of a block: int8 and int4 mix it before rounding (prepare.h), fp32 sums it apart; 0: none
};
static_assert(sizeof(Matrix) == 56, "panels.py mirrors it");

// The outputs of a matrix and of all behind it.
inline int outputs_of(const Matrix& matrix) { return matrix.outputs + (matrix.next ? outputs_of(*matrix.next) : 0); }

// The most numbers of a row that stand between the matrices of a chain, at any place of it.
inline int between(const Matrix& matrix) {
  const int before = matrix.inner ? matrix.inner->outputs + between(*matrix.inner) : 0;
  return matrix.next ? std::max(before, between(*matrix.next)) : before;
}

constexpr int padded(int value, int unit) { return (value + unit - 1) / unit * unit; }

// Inputs that one step through a panel takes, and the bytes of one output in it.
constexpr int step_inputs(Format format) {
  return format == Format::fp32 ? 1 : format == Format::bf16 ? 2 : format == Format::int8 ? 4 : INT4_GROUP;
}
constexpr int step_bytes(Format format) {
  return format == Format::int4 ? INT4_GROUP / 2 + 2 : format == Format::affine ? INT4_GROUP / 2 + 4 : 4;
}
inline int steps_of(const Matrix& matrix) {
  return padded(matrix.inputs, step_inputs(matrix.format)) / step_inputs(matrix.format);
}

}  // namespace tuili
