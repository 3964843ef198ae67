// The plain C interface of what trains; a part of dispatch.cpp.
TUILI_EXPORT void tuili_multiply(const MultiplyCall* call) { chosen->training.multiply(*call); }
TUILI_EXPORT int64_t tuili_multiply_bytes(const MultiplyCall* call) { return chosen->training.multiply_bytes(*call); }
