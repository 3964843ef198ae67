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

// A layer of experts over N tokens, each of which chose k of E; X = N * k pairs of a token and an expert, sorted by expert.
// D hidden size, F size of an expert. `bf16` tells of what has no type here.
struct ExpertsCall {
  const void* x_ND;
  const int64_t* expert_Nk;
  const void* weight_Nk;
  const float *gate_up_E2FD, *down_EDF;
  void* out_ND;              // forward
  void* gate_up_X2F;         // forward leaves both of these to backward: each pair's gates and inputs, in sorted order,
  int32_t* sorting;          // and [E + 1] the first pair of each expert, [X] token of a sorted pair, [X] place of a pair
  const void* dout_ND;       // backward, as all below
  void* dx_ND;               // null: not wanted
  void* dweight_Nk;
  float *dgate_up_E2FD, *ddown_EDF;  // null, both: not wanted
  void* workspace;
  int64_t workspace_bytes;
  Threads* threads;
  int32_t tokens, choices, experts, hidden, size, bf16;
};
static_assert(sizeof(ExpertsCall) == 152, "mirrored");

// The router of such a layer: k of E experts for each token, by logits = x W^T. The weights of choices have x's format.
struct RouteCall {
  const void* x_ND;
  const float *weight_ED, *bias_E;   // the bias counts for choices behind the first
  const uint8_t* allowed_E;          // null: all
  const uint8_t* explores_N;         // tokens that choose by the random numbers, behind the first choice; null: none
  const float* random_NE;
  float* logit_NE;                   // forward gives these, backward reads them
  int64_t* expert_Nk;
  void* weight_Nk;
  const float* dlogit_NE;            // backward, as all below; null: 0
  const void* dweight_Nk;            // null: 0
  void* dx_ND;                       // null: not wanted, as the next one
  float* dweight_ED;
  void* workspace;
  int64_t workspace_bytes;
  Threads* threads;
  int32_t tokens, choices, experts, hidden, bf16, pad;
};
static_assert(sizeof(RouteCall) == 152, "mirrored");

struct TrainingTable {
  void (*multiply)(const MultiplyCall&);
  int64_t (*multiply_bytes)(const MultiplyCall&);
  void (*experts_forward)(const ExpertsCall&);
  void (*experts_backward)(const ExpertsCall&);
  int64_t (*experts_bytes)(const ExpertsCall&);
  void (*route_forward)(const RouteCall&);
  void (*route_backward)(const RouteCall&);
  int64_t (*route_bytes)(const RouteCall&);
  void (*attention_forward)(const AttentionCall&);
  void (*attention_backward)(const AttentionCall&);
  int64_t (*attention_bytes)(const AttentionCall&);
};

}  // namespace tuili
