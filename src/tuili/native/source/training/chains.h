// Chains of small operations on single rows, each in one pass over memory, forward and backward: norms, with rotary angles
// where there are some; gated units; a short convolution; and the loss of the next token.
//
// Sums over rows are made in pieces of as many rows, so that results are the same bits for any number of threads.
#pragma once
#include "../rows.h"
#include "calls.h"
#include "share.h"
#include "words.h"

namespace tuili::TUILI_SET::training {

template <class To>
inline To* row_of(const void* base, int r, int size) { return static_cast<To*>(const_cast<void*>(base)) + int64_t(r) * size; }

template <class F>
inline void each_row(const RowsCall& call, F&& f) {
  share_rows(*call.threads, call.rows, [&](int begin, int end) {
    for (int r = begin; r < end; r++) f(r);
  });
}

template <class In>
inline Floats scale_of(const In* x, const RowsCall& call) {
  Floats total = zero();
  each_vector(call.size, [&](int i, int n) { total = fma(floats_at(x + i, n), floats_at(x + i, n), total); });
  return all(1.f / std::sqrt(sum(total) / float(call.size) + call.number));
}

// Numbers of a row turned with their partners, half a head away, by the angles of the row; `back` turns them back.
template <class Number>
inline Floats turned(const RowsCall& call, Number&& number, int r, int i, int n, bool back) {
  if (!call.cos) return number(i, n);
  const int half = call.size / 2, other = i < half ? i + half : i - half;
  const float *cos = row_of<float>(call.cos, r / call.heads, call.size), *sin = row_of<float>(call.sin, r / call.heads, call.size);
  const Floats crossed = number(other, n) * floats_at(sin + (back ? other : i), n);
  return number(i, n) * floats_at(cos + i, n) + ((i < half) == back ? crossed : zero() - crossed);
}

// f for each vector of a row; with angles, none of them reaches over the middle.
template <class F>
inline void each_part(const RowsCall& call, F&& f) {
  const int part = call.cos ? call.size / 2 : call.size;
  for (int from = 0; from < call.size; from += part) each_vector(part, [&](int i, int n) { f(from + i, n); });
}

template <class In, class Out>
inline void norm_forward(const RowsCall& call) {
  each_row(call, [&](int r) {
    const In* x = row_of<In>(call.x, r, call.size);
    Out* out = row_of<Out>(call.out, r, call.size);
    const Floats scale = scale_of(x, call);
    const auto number = [&](int i, int n) { return floats_at(x + i, n) * scale * floats_at(call.gain + i, n); };
    each_part(call, [&](int i, int n) { store_numbers(out + i, turned(call, number, r, i, n, false), n); });
  });
}

template <class In, class Out>
inline void norm_backward(const RowsCall& call) {
  const int D = call.size, pieces = (call.rows + ROWS_OF_A_PIECE - 1) / ROWS_OF_A_PIECE;
  share_rows(*call.threads, pieces, [&](int begin, int end) {
    for (int r = begin * ROWS_OF_A_PIECE; r < std::min(call.rows, end * ROWS_OF_A_PIECE); r++) {
      float* dgain = call.sums + int64_t(r / ROWS_OF_A_PIECE) * D;  // zeros at first
      const In* x = row_of<In>(call.x, r, D);
      In* dx = row_of<In>(call.dx, r, D);
      const auto number = [&](int i, int n) { return floats_at(row_of<Out>(call.dout, r, D) + i, n); };
      const Floats scale = scale_of(x, call);
      Floats along = zero();
      each_part(call, [&](int i, int n) {
        const Floats d = turned(call, number, r, i, n, true), normed = floats_at(x + i, n) * scale;
        store_numbers(dgain + i, fma(d, normed, floats_at(dgain + i, n)), n);
        along = fma(d * floats_at(call.gain + i, n), normed, along);
      });
      const Floats mean = all(sum(along) / float(D)) * scale;
      each_part(call, [&](int i, int n) {
        const Floats d = turned(call, number, r, i, n, true) * floats_at(call.gain + i, n);
        store_numbers(dx + i, scale * (d - floats_at(x + i, n) * mean), n);
      });
    }
  });
  for (int piece = 1; piece < pieces; piece++) add(call.sums, call.sums + int64_t(piece) * D, D);
}

template <class Number>
inline void gate_either_way(const RowsCall& call) {
  const int F = call.size;
  const bool back = call.dout;
  each_row(call, [&](int r) {
    const Number *x = row_of<Number>(call.x, r, 2 * F), *dout = back ? row_of<Number>(call.dout, r, F) : nullptr;
    Number* to = back ? row_of<Number>(call.dx, r, 2 * F) : row_of<Number>(call.out, r, F);
    each_vector(F, [&](int i, int n) {
      const Floats gate = floats_at(x + i, n), up = floats_at(x + F + i, n);
      const Floats sigmoid = all(1.f) / (all(1.f) + exp(zero() - gate)), swish = gate * sigmoid;
      if (!back) return store_numbers(to + i, swish * up, n);
      store_numbers(to + i, floats_at(dout + i, n) * up * fma(swish, all(1.f) - sigmoid, sigmoid), n);
      store_numbers(to + F + i, floats_at(dout + i, n) * swish, n);
    });
  });
}

// Each row and, as far as its document reaches back, the rows before it, times the gain of their distance: d rows before it
// the d-th of `heads` gains. Backward the gradients of the rows behind it come back; its sums are those of a norm.
inline void convolution(const RowsCall& call) {
  const int D = call.size, pieces = (call.rows + ROWS_OF_A_PIECE - 1) / ROWS_OF_A_PIECE;
  const void* from = call.dout ? call.dout : call.x;
  share_rows(*call.threads, pieces, [&](int begin, int end) {
    for (int r = begin * ROWS_OF_A_PIECE; r < std::min(call.rows, end * ROWS_OF_A_PIECE); r++) {
      float* to = row_of<float>(call.dout ? call.dx : call.out, r, D);
      std::copy_n(row_of<float>(from, r, D), D, to);
      const auto multiply_add = [&](float* sum, const float* a, const float* b) {
        each_vector(D, [&](int i, int n) { store_up_to(sum + i, fma(load_up_to(a + i, n), load_up_to(b + i, n), load_up_to(sum + i, n)), n); });
      };
      for (int d = 1; d <= call.heads; d++) {
        const float* gain = call.gain + (d - 1) * D;
        const int behind = call.dout ? r + d : r;  // the later one of the two rows
        if (behind < call.rows && call.target[behind] >= d) multiply_add(to, gain, row_of<float>(from, call.dout ? behind : r - d, D));
        if (call.dout && call.target[r] >= d)
          multiply_add(call.sums + (int64_t(r / ROWS_OF_A_PIECE) * call.heads + d - 1) * D, row_of<float>(from, r, D), row_of<float>(call.x, r - d, D));
      }
    }
  });
  if (call.dout)
    for (int piece = 1; piece < pieces; piece++) add(call.sums, call.sums + int64_t(piece) * call.heads * D, call.heads * D);
}

// Of each row the logarithm of the sum of exponentials, the loss, and whether its largest logit, the first of equals, is
// the target's: in `sums` one behind the other.
template <class Number>
inline void loss_forward(const RowsCall& call) {
  const int V = call.size, whole = V / LANES * LANES;
  each_row(call, [&](int r) {
    const Number* logit = row_of<Number>(call.x, r, V);
    const auto number = [&](int i) { return floats_at(logit + i, 1)[0]; };
    Floats top = all(-INFINITY), total = zero();
    each_vector(whole, [&](int i, int n) { top = max(floats_at(logit + i, n), top); });
    float most = largest(top), rest = 0;
    for (int i = whole; i < V; i++) most = std::max(most, number(i));
    each_vector(whole, [&](int i, int n) { total += exp(floats_at(logit + i, n) - all(most)); });
    for (int i = whole; i < V; i++) rest += std::exp(number(i) - most);
    const int target = int(call.target[r]);
    float* of_row = call.sums + 3 * int64_t(r);
    of_row[0] = most + std::log(sum(total) + rest), of_row[1] = of_row[0] - number(target);
    int first = 0;
    while (first < target && number(first) != most) first++;
    of_row[2] = first == target && number(target) == most;
  });
}
template <class Number>
inline void loss_backward(const RowsCall& call) {
  each_row(call, [&](int r) {
    const Number* logit = row_of<Number>(call.x, r, call.size);
    Number* dlogit = row_of<Number>(call.dx, r, call.size);
    const auto share = [&](int i, int n) { return exp(floats_at(logit + i, n) - all(call.sums[3 * int64_t(r)])); };
    each_vector(call.size, [&](int i, int n) { store_numbers(dlogit + i, share(i, n) * all(call.number), n); });
    const int target = int(call.target[r]);
    store_numbers(dlogit + target, (share(target, 1) - all(1.f)) * all(call.number), 1);
  });
}

template <class In, class Out>
inline void rows_as(const RowsCall& call, Chain chain) {
  if (chain == Chain::gate) gate_either_way<In>(call);
  else if (chain == Chain::convolution) convolution(call);
  else if (chain == Chain::loss) call.dx ? loss_backward<In>(call) : loss_forward<In>(call);
  else call.dout ? norm_backward<In, Out>(call) : norm_forward<In, Out>(call);
}
inline void rows_call(const RowsCall& call, int32_t chain) {
  if (!call.bf16) call.out_bf16 ? rows_as<float, Bf16>(call, Chain(chain)) : rows_as<float, float>(call, Chain(chain));
  else call.out_bf16 ? rows_as<Bf16, Bf16>(call, Chain(chain)) : rows_as<Bf16, float>(call, Chain(chain));
}

}  // namespace tuili::TUILI_SET::training
