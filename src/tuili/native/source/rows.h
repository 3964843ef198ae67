// Small things that are done to single rows: norms, rotary angles, sums. Every one reads no further than its row.
#pragma once
#include <cmath>

#include "vector.h"

namespace tuili::TUILI_SET {

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
inline void multiply(float* x, const float* factor, int size) {
  each_vector(size, [&](int i, int n) { store_up_to(x + i, load_up_to(x + i, n) * load_up_to(factor + i, n), n); });
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
  each_vector(size, [&](int i, int n) { top = max(load_padded(x + i, n), top); });
  return largest(top);
}

}  // namespace tuili::TUILI_SET
