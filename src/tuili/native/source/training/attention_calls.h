// What Python hands over for layered attention in training: tensors where they lie, and what the queries may read.
//
// Dimensions: B rows of a batch, Q queries of a row, S tokens that may be read, U units of a document, H query heads, K
// key/value heads, D numbers of a head. Tensors are fp32 or bf16, all of them alike.
#pragma once
#include <cstdint>

#include "../threads.h"

namespace tuili {

// A tensor [row of the batch][token or query][head][number]: the distances in numbers; those of a head lie together.
struct HeadTensor {
  void* numbers;
  int64_t row, token, head;
};
static_assert(sizeof(HeadTensor) == 32, "mirrored");

struct AttentionTensors {
  HeadTensor query, gate;  // of Q queries and H heads; a gate has 3 numbers
  HeadTensor key, value;   // of S tokens and K heads
  HeadTensor read;         // the result: as the queries
};
static_assert(sizeof(AttentionTensors) == 160, "mirrored");

struct AttentionCall {
  AttentionTensors tensors, gradients;  // of the gradients, the backward pass reads that of `read` and writes the others
  float* sums_BQH4;                     // of the forward pass: the largest score, and one over the sum of each reading
  const int32_t* order_BQ;              // the queries of a row by their columns, then -1 - query for those that read nothing
  const int32_t* column_BQ;             // the token that a query belongs to
  const int32_t *start_BS, *unit_BS;    // the first token of a token's document, and its unit; -1 for padding
  void* workspace;
  int64_t workspace_bytes;
  Threads* threads;
  int32_t rows, queries, tokens, heads, kv_heads, head_size, window, top_units, bf16, pad;
};
static_assert(sizeof(AttentionCall) == 424, "mirrored");

}  // namespace tuili
