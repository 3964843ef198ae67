// What Python hands over for training (native/training.py mirrors every structure), and what an instruction set offers for it.
//
// All memory is the caller's, the workspace too. Numbers are fp32, or bf16 where a call says so.
#pragma once
#include <cstdint>

#include "../threads.h"
#include "attention_calls.h"
#include "codec_calls.h"

namespace tuili {

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
  void *dx_ND, *dweight_Nk;  // dx null: not wanted
  float *dgate_up_E2FD, *ddown_EDF;  // null, both: not wanted
  void* workspace;
  int64_t workspace_bytes;
  Threads* threads;
  int32_t tokens, choices, experts, hidden, size, bf16;
};
static_assert(sizeof(ExpertsCall) == 152, "mirrored");

// What a chain of small operations does with each row, by number.
enum class Chain : int32_t { norm, gate, loss, convolution };
constexpr int ROWS_OF_A_PIECE = 64;  // whose gradients of a gain are added up together

// Chains over rows of `size` numbers: of a norm, of the result of a gated unit, of logits, of a token. Backward needs x again,
// and no out. A convolution is fp32.
struct RowsCall {
  const void *x, *dout;           // dout: backward; the loss has `number` for it
  void *out, *dx;                 // dx: backward
  const float *gain, *cos, *sin;  // norm; cos and sin of each `heads` rows, null: no angles
  const int64_t* target;          // loss; convolution: how many rows before each belong to its document
  float* sums;                    // norm, backward: [pieces, size], zeros; the first row gets the gain's gradient. loss: [rows, 3]
  Threads* threads;
  float number;                   // norm: what is added to the mean square
  int32_t rows, size, heads, bf16, out_bf16;  // out_bf16: of a norm's result, else as bf16
};
static_assert(sizeof(RowsCall) == 104, "mirrored");

// The router of such a layer: k of E experts for each token, by logits = x W^T. The weights of choices have x's format.
struct RouteCall {
  const void* x_ND;
  const float *weight_ED, *bias_E;   // the bias counts for choices behind the first
  const uint8_t *allowed_E, *explores_N;  // null: all, none. Who explores chooses by random numbers, behind the first choice
  const float* random_NE;
  float* logit_NE;                   // forward gives these, backward reads them
  int64_t* expert_Nk;
  void* weight_Nk;
  const uint8_t* real_N;             // forward; null: all. Of tokens that are real,
  int64_t* load_E;                   // choices behind the first are added to this
  const float* dlogit_NE;            // backward, as all below; null: 0
  const void* dweight_Nk;            // null: 0
  void* dx_ND;                       // is added to; null: not wanted
  float* dweight_ED;
  void* workspace;
  int64_t workspace_bytes;
  Threads* threads;
  int32_t tokens, choices, experts, hidden, bf16, pad;
};
static_assert(sizeof(RouteCall) == 168, "mirrored");

struct TrainingTable {
  void (*experts_forward)(const ExpertsCall&);
  void (*experts_backward)(const ExpertsCall&);
  int64_t (*experts_bytes)(const ExpertsCall&);
  void (*route_forward)(const RouteCall&);
  void (*route_backward)(const RouteCall&);
  int64_t (*route_bytes)(const RouteCall&);
  void (*attention_forward)(const AttentionCall&);
  void (*attention_backward)(const AttentionCall&);
  int64_t (*attention_bytes)(const AttentionCall&);
  void (*rows)(const RowsCall&, int32_t chain);
  int32_t (*encode)(const CodecCall&);
  int32_t (*decode)(const CodecCall&);
};

}  // namespace tuili
