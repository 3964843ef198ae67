// Small things that are done to single rows: norms, rotary angles, sums. Every one reads no further than its row.
#pragma once
#include <cmath>

#include "vector.h"

namespace tuili::TUILI_SET {

// f(place, count) for each vector of a row of `size` numbers; the last one may hold fewer than LANES.
template <class F>
inline void each_vector(int size, F&& f) {
  int i = 0;
  for (; i + LANES <= size; i += LANES) f(i, LANES);
  if (i < size) f(i, size - i);
}
inline Floats load_up_to(const float* p, int count) { return count == LANES ? load(p) : load_some(p, count); }
inline void store_up_to(float* p, Floats a, int count) { count == LANES ? store(p, a) : store_some(p, a, count); }

inline float square_sum(const float* x, int size) {
  Floats total = zero();
  each_vector(size, [&](int i, int n) {
    const Floats v = load_up_to(x + i, n);
    total = fma(v, v, total);
  });
  return sum(total);
}

// A root-mean-square norm; the gain holds the root of the size.
inline void norm(const float* x, const float* gain, int size, float eps, float* result) {
  const Floats scale = all(1.f / std::sqrt(square_sum(x, size) + eps * float(size)));
  each_vector(size, [&](int i, int n) {
    store_up_to(result + i, load_up_to(x + i, n) * scale * load_up_to(gain + i, n), n);
  });
}

inline void add(float* x, const float* update, int size) {
  each_vector(size, [&](int i, int n) { store_up_to(x + i, load_up_to(x + i, n) + load_up_to(update + i, n), n); });
}

// Turns the pairs (i, i + D / 2) of a head. `angles` holds D / 2 cosines, then as many sines.
inline void rotate(float* head, const float* angles, int D) {
  const int half = D / 2;
  each_vector(half, [&](int i, int n) {
    const Floats low = load_up_to(head + i, n), high = load_up_to(head + half + i, n);
    const Floats cos = load_up_to(angles + i, n), sin = load_up_to(angles + half + i, n);
    store_up_to(head + i, low * cos - high * sin, n);
    store_up_to(head + half + i, high * cos + low * sin, n);
  });
}

// The gated unit: silu(gate) * up, in the place of the gate. `x` holds the gates, then the inputs.
inline void gate(float* x, int size, float weight) {
  each_vector(size, [&](int i, int n) {
    store_up_to(x + i, silu(load_up_to(x + i, n)) * load_up_to(x + size + i, n) * all(weight), n);
  });
}

inline float largest_of(const float* x, int size) {
  Floats top = all(-INFINITY);
  int i = 0;
  for (; i + LANES <= size; i += LANES) top = max(load(x + i), top);
  float result = largest(top);
  for (; i < size; i++) result = x[i] > result ? x[i] : result;
  return result;
}

}  // namespace tuili::TUILI_SET
