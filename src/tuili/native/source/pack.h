// Weights put into the panels of a matrix, all threads at once, with the bits of panels.py; and one output's read back.
#pragma once
#include <atomic>
#include <cfloat>

#include "product.h"

namespace tuili::TUILI_SET {

// The words of one output, one for each step, stand `width` apart.
struct OutputWords {
  uint32_t* first;
  int64_t width;
};
inline OutputWords words_of_output(const Matrix& matrix, int output) {
  const int panel = output / PANEL * PANEL;
  auto* words = static_cast<uint32_t*>(const_cast<void*>(matrix.panels)) + int64_t(panel) * steps_of(matrix);
  return {words + output - panel, std::min(PANEL, padded(matrix.outputs, PANEL_UNIT) - panel)};
}

// One output of fp32, bf16 or int8; false where a weight is not finite. The workspace is that of `pack` for one thread.
inline bool pack_output(const Matrix& matrix, int output, const float* weight_K, char* workspace) {
  const int K = matrix.inputs, steps = steps_of(matrix);
  auto* row_K = reinterpret_cast<float*>(workspace);
  char* words = workspace + 4 * padded(K, PANEL);
  Floats most = zero();
  int whole = 1;
  for (int k = 0; k < K; k++) whole &= std::fabs(weight_K[k]) <= FLT_MAX;
  std::memset(words, 0, size_t(steps) * 4);
  switch (matrix.format) {
    case Format::bf16:
      for (int k = 0; k < K; k++) reinterpret_cast<uint16_t*>(words)[k] = bf16_of(weight_K[k]);
      break;
    case Format::int8: {
      const float share = matrix.mixing ? 1.f / float(matrix.mixing) : 1.f;
      for (int k = 0; k < K; k++) row_K[k] = weight_K[k] * share;
      if (matrix.mixing) mix(matrix.mixing, row_K, K, row_K);
      each_vector(K, [&](int k, int n) { most = max(absolute(load_up_to(row_K + k, n)), most); });
      const float scale = std::fmax(largest(most), 1e-30f) / 127.f;
      auto* number_K = reinterpret_cast<int8_t*>(words);
      int32_t sum = 0;
      for (int k = 0; k < K; k++) sum += number_K[k] = int8_t(std::nearbyint(row_K[k] / scale));
      const_cast<float*>(matrix.scale_N)[output] = scale, const_cast<int32_t*>(matrix.sum_N)[output] = sum;
      break;
    }
    default: std::memcpy(words, weight_K, size_t(K) * 4);
  }
  const OutputWords to = words_of_output(matrix, output);
  for (int k = 0; k < steps; k++) to.first[k * to.width] = vector_at<uint32_t>(words + 4 * k);
  return whole;
}

// Packs the weights of all outputs into memory that is zero. 1 where all are finite. workspace: 8 bytes for each input, padded to
// whole panels, and each thread.
inline int pack(const Matrix& matrix, const float* weight_NK, void* workspace, Threads& threads) {
  std::atomic<int> whole{1};
  const int64_t K = matrix.inputs, panels = padded(matrix.outputs, PANEL) / PANEL, bytes = 8 * padded(matrix.inputs, PANEL);
  share(threads, int(panels), K * matrix.outputs * 16, [&](int part, int begin, int end) {
    for (int output = begin * PANEL; output < std::min(end * PANEL, matrix.outputs); output++)
      if (!pack_output(matrix, output, weight_NK + output * K, static_cast<char*>(workspace) + part * bytes)) whole = 0;
  });
  return whole;
}

// The weights of one output, as they are rounded: of a head, the embedding that is tied to it.
inline void unpack_output(const Matrix& matrix, int output, float* weight_K) {
  const OutputWords from = words_of_output(matrix, output);
  const int each = step_inputs(matrix.format);
  for (int k = 0; k < matrix.inputs; k++) {
    const uint32_t word = from.first[k / each * from.width];
    switch (matrix.format) {
      case Format::bf16: weight_K[k] = float_of(uint16_t(word >> 16 * (k % 2))); break;
      case Format::int8: weight_K[k] = float(int8_t(word >> 8 * (k % 4))) * matrix.scale_N[output]; break;
      default: weight_K[k] = bits<float>(word);
    }
  }
  if (matrix.format == Format::int8 && matrix.mixing) mix(matrix.mixing, weight_K, matrix.inputs, weight_K);
}

}  // namespace tuili::TUILI_SET
