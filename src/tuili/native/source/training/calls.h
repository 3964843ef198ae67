// What Python hands over for training (native/training.py mirrors every structure), and what an instruction set offers for it.
//
// All memory is the caller's, the workspace too. Numbers are fp32, or bf16 where a call says so.
#pragma once
#include <cstdint>

#include "../threads.h"
#include "attention_calls.h"

namespace tuili {

// A product for tests and measurements. Forms: 0, out[R, N] = left[R, K] right[N, K]^T; 1, left[R, K] right[K, N];
// 2, left[K, R]^T right[K, N]. Strides count numbers.
struct MultiplyCall {
  const void *left, *right;
  void* out;
  const int32_t* rows;  // of the left operand in forms 0 and 1, of both in form 2; null: as they stand
  int64_t left_stride, right_stride, out_stride;
  void* workspace;
  int64_t workspace_bytes;
  int32_t form, count, outputs, inputs;  // count R, outputs N, inputs K
  int32_t bf16, right_fp32, out_fp32;    // the number format; of the right operand and of the result another one: fp32
  int32_t accumulate;                    // to the result, which is fp32 then
};
static_assert(sizeof(MultiplyCall) == 104, "mirrored");

struct TrainingTable {
  void (*multiply)(const MultiplyCall&);
  int64_t (*multiply_bytes)(const MultiplyCall&);
  void (*attention_forward)(const AttentionCall&);
  void (*attention_backward)(const AttentionCall&);
  int64_t (*attention_bytes)(const AttentionCall&);
};

}  // namespace tuili
