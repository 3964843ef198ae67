// The part of each instruction set's unit that trains.
#pragma once
#include "attention.h"
#include "blocks.h"
#include "calls.h"
#include "experts.h"
#include "route.h"

namespace tuili::TUILI_SET::training {

template <class Number, class Right, class Out>
inline void multiply_as(const MultiplyCall& call) {
  Workspace memory(call.workspace, call.workspace_bytes);
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

inline void multiply_call(const MultiplyCall& call) {
  if (!call.bf16) return multiply_as<float, float, float>(call);
  if (call.out_fp32) return call.right_fp32 ? multiply_as<Bf16, float, float>(call) : multiply_as<Bf16, Bf16, float>(call);
  return call.right_fp32 ? multiply_as<Bf16, float, Bf16>(call) : multiply_as<Bf16, Bf16, Bf16>(call);
}

inline int64_t multiply_bytes(const MultiplyCall& call) {
  const auto bytes = [&](int outputs) {
    return 4 * (call.bf16 ? panel_words<Bf16>(outputs, call.inputs) : panel_words<float>(outputs, call.inputs)) + 64;
  };
  return bytes(call.outputs) + (call.form == 2 ? bytes(call.count) : 0);
}

constexpr TrainingTable TABLE = {multiply_call,    multiply_bytes,    experts_forward,    experts_backward,
                                 experts_bytes,    route_forward,     route_backward,     route_bytes,
                                 attention_forward, attention_backward, attention_bytes};

}  // namespace tuili::TUILI_SET::training
