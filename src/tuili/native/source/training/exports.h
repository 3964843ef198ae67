// The plain C interface of what trains; a part of dispatch.cpp.

TUILI_EXPORT void tuili_experts_forward(const ExpertsCall* call) { chosen->training.experts_forward(*call); }
TUILI_EXPORT void tuili_experts_backward(const ExpertsCall* call) { chosen->training.experts_backward(*call); }
TUILI_EXPORT int64_t tuili_experts_bytes(const ExpertsCall* call) { return chosen->training.experts_bytes(*call); }

TUILI_EXPORT void tuili_route_forward(const RouteCall* call) { chosen->training.route_forward(*call); }
TUILI_EXPORT void tuili_route_backward(const RouteCall* call) { chosen->training.route_backward(*call); }
TUILI_EXPORT int64_t tuili_route_bytes(const RouteCall* call) { return chosen->training.route_bytes(*call); }

TUILI_EXPORT void tuili_attention_forward(const AttentionCall* call) { chosen->training.attention_forward(*call); }
TUILI_EXPORT void tuili_attention_backward(const AttentionCall* call) { chosen->training.attention_backward(*call); }
TUILI_EXPORT int64_t tuili_attention_bytes(const AttentionCall* call) { return chosen->training.attention_bytes(*call); }

TUILI_EXPORT void tuili_rows(const RowsCall* call, int32_t chain) { chosen->training.rows(*call, chain); }

TUILI_EXPORT int32_t tuili_encode(const CodecCall* call) { return chosen->training.encode(*call); }
TUILI_EXPORT int32_t tuili_decode(const CodecCall* call) { return chosen->training.decode(*call); }
