// Inputs of products in the number format of the weights: rounded once, used by every matrix that reads them.
#pragma once
#include <utility>

#include "matrix.h"
#include "vector.h"
#include "workspace.h"

namespace tuili::TUILI_SET {

struct Inputs {
  const char* rows;          // row r begins at rows + r * stride; as many 32-bit words as the matrix has steps (or 8 a step)
  int64_t stride;            // bytes
  const float* scale_R;      // int8 and int4: what a unit of a row's numbers stands for
  const int32_t* offset_RG;  // int4: -8 times the sum of each group of inputs, as weights are kept with 8 added
  const float* unit_RG2;     // affine: what a unit of a group's numbers stands for, and what they sum up to
  int32_t groups;            // G
};

// A stage of the transform inside a vector: of the lanes i and i + STEP the first gets their sum, the other their difference.
template <int STEP, int... LANE>
inline Floats mixed_lanes(Floats a, std::integer_sequence<int, LANE...>) {
  return fma(a, Floats{(LANE & STEP ? -1.f : 1.f)...}, Floats{a[LANE ^ STEP]...});
}
template <int STEP = 1>
inline Floats mixed_vector(Floats a) {
  if constexpr (STEP == LANES) return a;
  else return mixed_vector<STEP * 2>(mixed_lanes<STEP>(a, std::make_integer_sequence<int, LANES>()));
}

// The Walsh-Hadamard transform of each block of a row, not normalised: a number that is much larger than its neighbours is
// spread over them, and a row rounds better. Weights were transformed likewise, so that products stay what they are. Stages
// have one order, so that the bits do not depend on LANES.
template <int BLOCK>
inline void mix(const float* x_K, int inputs, float* mixed_K) {
  constexpr int VECTORS = BLOCK / LANES;
  for (int k = 0; k < inputs; k += BLOCK) {
    Floats part[VECTORS];
    for (int v = 0; v < VECTORS; v++) part[v] = mixed_vector(load(x_K + k + v * LANES));
#pragma GCC unroll 8
    for (int step = 1; step < VECTORS; step *= 2)
#pragma GCC unroll 16
      for (int v = 0; v < VECTORS; v++)
        if (!(v & step)) {
          const Floats low = part[v], high = part[v + step];
          part[v] = low + high, part[v + step] = low - high;
        }
    for (int v = 0; v < VECTORS; v++) store(mixed_K + k + v * LANES, part[v]);
  }
}

inline void mix(int block, const float* x_K, int inputs, float* mixed_K) {  // which may be x_K
  (block == 64 ? mix<64> : block == 32 ? mix<32> : mix<16>)(x_K, inputs, mixed_K);
}

// A row as int8 by its largest size; `offset` is added to each number, except behind the row's end.
inline float prepare_int8(const float* x_K, int inputs, int offset, int8_t* out_K) {
  Floats most = zero();
  each_vector(inputs, [&](int k, int n) { most = max(absolute(load_up_to(x_K + k, n)), most); });
  const float top = largest(most);
  if (top < 1e-30f) {  // 127 / top would be inf
    std::memset(out_K, offset, size_t(padded(inputs, LANES)));
    return 0.f;
  }
  const Floats units = all(127.f / top);
  each_vector(inputs, [&](int k, int n) { store_int8(out_K + k, rounded(load_up_to(x_K + k, n) * units) + offset); });
  return top / 127.f;
}

inline int32_t sum_int8(const int8_t* x, int count) {
  int32_t total = 0;
  for (int i = 0; i < count; i++) total += x[i];
  return total;
}

// A row as int8 by the largest size in each group. Sums are taken behind that: bytes just written are slow to read.
inline void prepare_groups(const float* x_K, int groups, int8_t* out_K, float* unit_G2) {
  for (int g = 0; g < groups; g++)
    unit_G2[2 * g] = prepare_int8(x_K + g * INT4_GROUP, INT4_GROUP, 0, out_K + g * INT4_GROUP);
  for (int g = 0; g < groups; g++)
    unit_G2[2 * g + 1] = unit_G2[2 * g] * float(sum_int8(out_K + g * INT4_GROUP, INT4_GROUP));
}

// For `matrix`, and all others of its format, inputs and mixing. x_RK: float32, rows `stride` numbers apart. fp32 keeps a
// pointer to x_RK, the others cut their rows from the workspace.
inline Inputs prepare(const Matrix& matrix, const float* x_RK, int64_t stride, int rows, Workspace& workspace) {
  const Format format = matrix.format;
  const int inputs = matrix.inputs;
  if (format == Format::fp32) {
    return {reinterpret_cast<const char*>(x_RK), stride * int64_t(sizeof(float)), nullptr, nullptr, nullptr, 0};
  }
  const int64_t width = padded(inputs, PANEL);
  if (format == Format::bf16) {
    uint16_t* out_RK = workspace.take<uint16_t>(rows * width);
    for (int r = 0; r < rows; r++) {
      const float* x_K = x_RK + r * stride;
      uint16_t* out_K = out_RK + r * width;
      each_vector(inputs, [&](int k, int n) { store_bf16(out_K + k, load_up_to(x_K + k, n)); });
    }
    return {reinterpret_cast<const char*>(out_RK), width * 2, nullptr, nullptr, nullptr, 0};
  }
  int8_t* out_RK = workspace.take<int8_t>(rows * width);
  const int groups = format == Format::int8 ? 0 : inputs / INT4_GROUP;
  if (format == Format::affine) {
    float* unit_RG2 = workspace.take<float>(int64_t(rows) * groups * 2);
    for (int r = 0; r < rows; r++) prepare_groups(x_RK + r * stride, groups, out_RK + r * width, unit_RG2 + r * groups * 2);
    return {reinterpret_cast<const char*>(out_RK), width, nullptr, nullptr, unit_RG2, groups};
  }
  float* scale_R = workspace.take<float>(rows);
  int32_t* offset_RG = groups ? workspace.take<int32_t>(int64_t(rows) * groups) : nullptr;
  const uintptr_t mark = workspace.mark();
  float* mixed_K = workspace.take<float>(matrix.mixing ? inputs : 0);
  for (int r = 0; r < rows; r++) {
    const float* x_K = x_RK + r * stride;
    if (matrix.mixing) {
      mix(matrix.mixing, x_K, inputs, mixed_K);
      x_K = mixed_K;
    }
    int8_t* out_K = out_RK + r * width;
    scale_R[r] = prepare_int8(x_K, inputs, format == Format::int8 ? INPUT_OFFSET : 0, out_K);
    for (int g = 0; g < groups; g++) offset_RG[r * groups + g] = -8 * sum_int8(out_K + g * INT4_GROUP, INT4_GROUP);
  }
  workspace.release(mark);
  return {reinterpret_cast<const char*>(out_RK), width, scale_R, offset_RG, nullptr, groups};
}

// The bytes of workspace that `prepare` takes at most.
inline int64_t prepared_bytes(Format format, int rows, int inputs) {
  if (format == Format::fp32) return 0;
  const int64_t width = padded(inputs, PANEL), numbers = width * (format == Format::bf16 ? 2 : 1);
  const int64_t groups = format == Format::int4 || format == Format::affine ? inputs / INT4_GROUP : 0;
  return rows * (numbers + 4 + 8 * groups) + 4 * int64_t(inputs) + 4 * int64_t(Workspace::ALIGNMENT);
}

}  // namespace tuili::TUILI_SET
