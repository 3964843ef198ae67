// The part of each instruction set's unit that trains.
#pragma once
#include "attention.h"
#include "chains.h"
#include "codec.h"
#include "experts.h"
#include "route.h"

namespace tuili::TUILI_SET::training {

constexpr TrainingTable TABLE = {experts_forward, experts_backward,  experts_bytes,      route_forward,   route_backward, route_bytes,
                                 attention_call<false>, attention_call<true>, attention_bytes, rows_call, codec_call<true>, codec_call<false>};

}  // namespace tuili::TUILI_SET::training
