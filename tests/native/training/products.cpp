// Products of blocks.h alone, for tests: compiled with the flags of one instruction set.
#include "training/blocks.h"

using namespace tuili::TUILI_SET;
using namespace tuili::TUILI_SET::training;

namespace {

// Forms: 0, out[R, N] = left[R, K] right[N, K]^T; 1, left[R, K] right[K, N];
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

template <class Number, class Right, class Out>
void multiply_as(const MultiplyCall& call) {
  tuili::Workspace memory(call.workspace, call.workspace_bytes);
  const bool down = call.form == 2;
  const Rows<const Right> right{static_cast<const Right*>(call.right), call.right_stride, down ? call.rows : nullptr};
  const Number* base = static_cast<const Number*>(call.left);
  const Panels panels = take_panels<Number>(call.outputs, call.inputs, memory);
  if (call.form == 0) pack_rows<Number>(right, call.inputs, panels);
  else pack_columns<Number>(right, call.inputs, panels);
  Panels turned{};
  if (down) {
    turned = take_panels<Number>(call.count, call.inputs, memory);
    pack_columns<Number>(Rows<const Number>{base, call.left_stride, call.rows}, call.inputs, turned);
  }
  const Left<Number> left = down ? left_columns<Number>(turned) : left_rows(base, call.left_stride, call.rows);
  multiply(left, call.count, panels, Rows<Out>{static_cast<Out*>(call.out), call.out_stride}, call.accumulate != 0);
}

void multiply_call(const MultiplyCall& call) {
  if (!call.bf16) return multiply_as<float, float, float>(call);
  if (call.out_fp32) return call.right_fp32 ? multiply_as<Bf16, float, float>(call) : multiply_as<Bf16, Bf16, float>(call);
  return call.right_fp32 ? multiply_as<Bf16, float, Bf16>(call) : multiply_as<Bf16, Bf16, Bf16>(call);
}

int64_t multiply_bytes(const MultiplyCall& call) {
  const auto bytes = [&](int outputs) {
    return 4 * (call.bf16 ? panel_words<Bf16>(outputs, call.inputs) : panel_words<float>(outputs, call.inputs)) + 64;
  };
  return bytes(call.outputs) + (call.form == 2 ? bytes(call.count) : 0);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void multiply_numbers(const MultiplyCall* call) { multiply_call(*call); }
extern "C" __attribute__((visibility("default"))) int64_t multiply_workspace(const MultiplyCall* call) { return multiply_bytes(*call); }
