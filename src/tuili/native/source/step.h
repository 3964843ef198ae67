// What Python hands over for a decode step (records.py mirrors every structure), and the C interface.
//
// Dimensions: V vocabulary, M hidden size, H query heads, K key/value heads, D head size, P = D padded to 16, F size of a
// feed-forward network, E experts, W tokens of the short convolution, R rows of a batch, N rows of a call, S tokens and
// U units of a slot, both padded to 16.
#pragma once
#include <cstdint>

#include "matrix.h"
#include "threads.h"

namespace tuili {

enum class CacheFormat : int32_t { fp32, bf16, int8 };

struct Sizes {
  int32_t vocabulary, hidden, feed_forward, layers, groups, head_norms;
  int32_t heads, kv_heads, head_size, positions, convolution;
  int32_t layered, window, top_units;
  int32_t experts, experts_per_token, expert_size;
  CacheFormat cache;
  float eps;
  int32_t pad;
};

// Gains of norms are multiplied by the root of their size; those of queries also by D^-0.5. A bias is null where there is
// none.
struct Layer {
  const float* attention_norm_M;
  const float* head_gain_D;  // [heads + own key/value heads][D]; without head_norms, heads are only multiplied by it
  const float* norm_M;       // before the feed-forward network or the experts
  Matrix input;              // [queries; own keys; own values; gates]
  Matrix output;
  Matrix gates;              // where they are not in `input`, which has other numbers; else without outputs
  Matrix gate_up, down;      // of a feed-forward network
  Matrix router;             // of experts, as the next three, null in a layer that has none
  const float* router_bias_E;
  const Matrix* gate_up_E;
  const Matrix* down_E;
  const float *input_bias, *output_bias, *gate_up_bias, *down_bias;
  int32_t set, own;          // the keys and values that it reads; whether it writes them
};

// An exit of a model in which every layer has keys and values of its own: the adapter of the state, of low rank, and the
// network that says how likely the likeliest token is that of the full depth. C: channels of that network, which reads the
// token's log-probability and by how much its logit leads.
struct Exit {
  const float* plain_M;  // the gain of norms that have none
  Matrix down, up;
  const float *inner_C2, *inner_bias_C, *outer_C, *outer_bias;
  int64_t channels;
};

// Rows of the head, for tokens that a next one is chosen among.
struct Head {
  Matrix matrix;
  const int32_t* id_D;  // of the tokens; null where they are all
};
enum Among : int32_t { ALL, THINKING, HEADS };

// What the steps saw; they add to it. The layers of experts are those behind the trunk alone.
struct Counters {
  int64_t* expert_tokens_LE;
  int64_t* tokens_L;
  double* active_share_L;
};

struct Model {
  Sizes sizes;
  const Layer* layers;
  const int32_t* depth_G;    // [groups + 1]: the layers of the trunk, and those down to the end of each group
  const Exit* exits;         // [groups]; null where no layer behind the trunk has keys of its own
  const void* embedding_VM;  // float or bf16; null: it is the head, and there is no convolution
  int64_t embedding_is_bf16;
  const float* taps_WM;      // of the short convolution, the token itself last, times the root of M
  const float* shared_norm_M;
  const float* shared_head_norm_KD;
  Matrix shared;             // [keys; values]; without outputs where no keys and values are shared
  const float* final_norm_M;
  Head heads[HEADS];         // by `Among`; that of all tokens stands where there is no other
  Matrix common;             // rows of the head, for the tokens whose logits tell how sure an exit is
  const float* angles_SD;    // [positions][cosines of D / 2, sines of D / 2]
  Counters counters;
  Threads* threads;
};

// The keys and values of one text. A set belongs to one layer, or is shared by all layers behind the trunk.
// Keys stand in blocks of 16 tokens, [S / 16][P][16], values token by token, [S][P]; those of unit means likewise.
struct Slot {
  void* token_kv;       // [sets][2][K][S][P] in the format of the cache
  float* token_scale;   // int8: [sets][2][K][S]
  float* unit_kv;       // [sets][2][K][U][P]: the means of closed units
  int32_t* unit_start;  // [U]: the first token of each unit
  int32_t tokens, units;  // S and U
};

struct Slots {
  const Slot* slots;
  int32_t count, pad;
};

// One row of the integer table: one token of a step.
struct Token {
  int32_t slot, position, unit, held;  // held: tokens that its unit held before it
  int32_t recent[1];                   // [W]: the last ids, the token's own last, -1 where there are none
};

struct Batch {
  const Model* model;
  const int32_t* table;  // [R][4 + W]
  float* hidden_RM;
  float* logits_RV;
  int32_t* best_R;
  float* top_prob_R;
  const int32_t* going;  // rows that a call takes, in any order
  void* workspace;
  int64_t workspace_bytes;
};

// The verifier's network in fp32; see model/verifier.py.
struct VerifierLayer {
  const float *attention_norm_C, *norm_C, *up_bias, *down_bias_C;
  Matrix query_key_value, read, up, down;
};
struct Verifier {
  int32_t channels, heads, layers, pad;
  Matrix states, scalars_in, scalars_out, output;
  const float *states_bias_C, *scalars_in_bias_C, *scalars_out_bias_C, *output_bias;
  const float* norm_C;
  const VerifierLayer* blocks;
};

// A response to be judged: the states of its tokens and of the one before them, at full depth and behind the trunk, which may be
// null.
struct Response {
  const float *full_TM, *trunk_TM;
  const int32_t* id_T;     // the first is not read
  const float* angles_TD;  // as those of the model, for the verifier's heads
  float* logit_Q;          // Q = T - 1
  int32_t tokens, pad;     // T
  void* workspace;
  int64_t workspace_bytes;
};

static_assert(sizeof(Sizes) == 80 && sizeof(Layer) == 424 && sizeof(Model) == 432 && sizeof(Slot) == 40, "mirrored");
static_assert(sizeof(Slots) == 16 && sizeof(Batch) == 72 && sizeof(Exit) == 160 && sizeof(Head) == 64, "too");
static_assert(sizeof(VerifierLayer) == 256 && sizeof(Verifier) == 288 && sizeof(Response) == 64, "too");

}  // namespace tuili
