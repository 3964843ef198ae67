// Compiled once for each instruction set. It includes nothing with inline functions that other sets hold too.
#include "vectors.h"

#include "vector.h"

namespace tuili::TUILI_SET {
namespace {

using Function = program::VectorFunction;

// y = f(x) for any count.
template <Floats (*F)(Floats)>
void each(const void* from, void* to, int count) {
  const float* x = static_cast<const float*>(from);
  float* y = static_cast<float*>(to);
  int i = 0;
  for (; i + LANES <= count; i += LANES) store(y + i, F(load(x + i)));
  if (i < count) store_some(y + i, F(load_some(x + i, count - i)), count - i);
}

// The same for whole vectors of numbers of other types.
template <class From, class To, void (*F)(const From*, To*)>
void convert(const void* from, void* to, int count) {
  for (int i = 0; i < count; i += LANES) F(static_cast<const From*>(from) + i, static_cast<To*>(to) + i);
}

// y: of each 16 numbers the result of joining their vectors, and the lanes of these.
template <Floats (*JOIN)(Floats, Floats), float (*F)(Floats)>
void reduce(const void* from, void* to, int count) {
  const float* x = static_cast<const float*>(from);
  float* y = static_cast<float*>(to);
  for (int i = 0; i < count; i += 16) {
    Floats joined = load(x + i);
    for (int lane = LANES; lane < 16; lane += LANES) joined = JOIN(joined, load(x + i + lane));
    y[i / 16] = F(joined);
  }
}

Floats add(Floats a, Floats b) { return a + b; }
Floats larger(Floats a, Floats b) { return max(a, b); }
Floats exponential(Floats x) { return exp(x); }
Floats with_sigmoid(Floats x) { return silu(x); }
Floats whole(Floats x) { return nearest(x); }
Floats through_ints(Floats x) { return floats(rounded(x)); }
Floats size(Floats x) { return absolute(x); }
Floats at_least_one(Floats x) { return max(all(1.f), x); }
Floats at_most_one(Floats x) { return min(all(1.f), x); }
Floats polynomial(Floats x) { return fma(x, x, all(1.f)) / (x * x + all(1.f)) - zero(); }

void from_bf16(const uint16_t* x, float* y) { store(y, load_bf16(x)); }
void from_fp16(const uint16_t* x, float* y) { store(y, load_fp16(x)); }
void from_int8(const int8_t* x, float* y) { store(y, load_int8(x)); }
void to_bf16(const float* x, uint16_t* y) { store_bf16(y, load(x)); }
void to_int8(const float* x, int8_t* y) { store_int8(y, rounded(load(x))); }
void one_to_bf16(const float* x, uint16_t* y) {
  for (int i = 0; i < LANES; i++) y[i] = bf16_of(x[i]);
}
void one_from_bf16(const uint16_t* x, float* y) {
  for (int i = 0; i < LANES; i++) y[i] = float_of(x[i]);
}

}  // namespace

extern const Function VECTOR_FUNCTIONS[];
const Function VECTOR_FUNCTIONS[] = {
    {"exp", each<exponential>},
    {"silu", each<with_sigmoid>},
    {"nearest", each<whole>},
    {"rounded", each<through_ints>},
    {"absolute", each<size>},
    {"at_least_one", each<at_least_one>},
    {"at_most_one", each<at_most_one>},
    {"arithmetic", each<polynomial>},
    {"sum", reduce<add, sum>},
    {"largest", reduce<larger, largest>},
    {"from_bf16", convert<uint16_t, float, from_bf16>},
    {"from_fp16", convert<uint16_t, float, from_fp16>},
    {"from_int8", convert<int8_t, float, from_int8>},
    {"to_bf16", convert<float, uint16_t, to_bf16>},
    {"to_int8", convert<float, int8_t, to_int8>},
    {"one_to_bf16", convert<float, uint16_t, one_to_bf16>},
    {"one_from_bf16", convert<uint16_t, float, one_from_bf16>},
    {nullptr, nullptr},
};

}  // namespace tuili::TUILI_SET
