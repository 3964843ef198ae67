// Chains of small operations on single rows, each in one pass over memory, forward and backward: norms, with rotary angles
// where there are some; gated units; and the loss of the next token.
//
// Sums over rows are made in pieces of as many rows, so that results are the same bits for any number of threads.
#pragma once
#include "../rows.h"
#include "calls.h"
#include "share.h"
#include "words.h"

namespace tuili::TUILI_SET::training {

// Row r of a tensor of rows.
template <class Number, class Memory>
inline auto row_of(Memory* base, int64_t r, int64_t size) {
  using To = std::conditional_t<std::is_const_v<Memory>, const Number, Number>;
  return static_cast<To*>(base) + r * size;
}

template <class In>
inline Floats scale_of(const In* x, const RowsCall& call) {
  Floats total = zero();
  each_vector(call.size, [&](int i, int n) {
    const Floats v = floats_at(x + i, n);
    total = fma(v, v, total);
  });
  return all(1.f / std::sqrt(sum(total) / float(call.size) + call.number));
}

template <class In, class Out>
inline void norm_forward(const RowsCall& call) {
  const int D = call.size, half = D / 2;
  share_rows(*call.threads, call.rows, [&](int begin, int end) {
    for (int r = begin; r < end; r++) {
      const In* x = row_of<In>(call.x, r, D);
      Out* out = row_of<Out>(call.out, r, D);
      const Floats scale = scale_of(x, call);
      const auto normed = [&](int i, int n) { return floats_at(x + i, n) * scale * floats_at(call.gain + i, n); };
      if (!call.cos) {
        each_vector(D, [&](int i, int n) { store_numbers(out + i, normed(i, n), n); });
        continue;
      }
      const float *cos = call.cos + int64_t(r / call.heads) * D, *sin = call.sin + int64_t(r / call.heads) * D;
      each_vector(half, [&](int i, int n) {
        const Floats low = normed(i, n), high = normed(half + i, n);
        store_numbers(out + i, low * floats_at(cos + i, n) - high * floats_at(sin + i, n), n);
        store_numbers(out + half + i, high * floats_at(cos + half + i, n) + low * floats_at(sin + half + i, n), n);
      });
    }
  });
}

// The gradient of row r's norm before the angles, some numbers from i on.
template <class Out>
inline Floats unrotated(const RowsCall& call, const Out* dout, int r, int i, int n) {
  const Floats own = floats_at(dout + i, n);
  if (!call.cos) return own;
  const int half = call.size / 2, other = i < half ? i + half : i - half;
  const float *cos = call.cos + int64_t(r / call.heads) * call.size, *sin = call.sin + int64_t(r / call.heads) * call.size;
  const Floats crossed = floats_at(dout + other, n) * floats_at(sin + other, n);
  return own * floats_at(cos + i, n) + (i < half ? crossed : zero() - crossed);
}

template <class In, class Out>
inline void norm_backward(const RowsCall& call) {
  const int D = call.size, pieces = (call.rows + ROWS_OF_A_PIECE - 1) / ROWS_OF_A_PIECE;
  const auto each_part = [&](auto&& f) {  // the halves of a head are vectors of their own
    if (!call.cos) return each_vector(D, f);
    each_vector(D / 2, f), each_vector(D / 2, [&](int i, int n) { f(D / 2 + i, n); });
  };
  share_rows(*call.threads, pieces, [&](int first_piece, int end_piece) {
    for (int piece = first_piece; piece < end_piece; piece++) {
      float* dgain = call.sums + int64_t(piece) * D;
      std::fill(dgain, dgain + D, 0.f);
      for (int r = piece * ROWS_OF_A_PIECE; r < std::min(call.rows, (piece + 1) * ROWS_OF_A_PIECE); r++) {
        const In* x = row_of<In>(call.x, r, D);
        const Out* dout = row_of<Out>(call.dout, r, D);
        In* dx = row_of<In>(call.dx, r, D);
        const Floats scale = scale_of(x, call);
        Floats along = zero();
        each_part([&](int i, int n) {
          const Floats dnormed = unrotated(call, dout, r, i, n), normed = floats_at(x + i, n) * scale;
          store_up_to(dgain + i, fma(dnormed, normed, load_up_to(dgain + i, n)), n);
          along = fma(dnormed * floats_at(call.gain + i, n), normed, along);
        });
        const Floats mean = all(sum(along) / float(D));
        each_part([&](int i, int n) {
          const Floats dnormed = unrotated(call, dout, r, i, n) * floats_at(call.gain + i, n);
          store_numbers(dx + i, scale * (dnormed - floats_at(x + i, n) * scale * mean), n);
        });
      }
    }
  });
  for (int piece = 1; piece < pieces; piece++) add(call.sums, call.sums + int64_t(piece) * D, D);
}

template <class Number>
inline void gate_forward(const RowsCall& call) {
  const int F = call.size;
  share_rows(*call.threads, call.rows, [&](int begin, int end) {
    for (int r = begin; r < end; r++) {
      const Number* gate = row_of<Number>(call.x, r, 2 * F);
      Number* out = row_of<Number>(call.out, r, F);
      each_vector(F, [&](int i, int n) { store_numbers(out + i, silu(floats_at(gate + i, n)) * floats_at(gate + F + i, n), n); });
    }
  });
}
template <class Number>
inline void gate_backward(const RowsCall& call) {
  const int F = call.size;
  share_rows(*call.threads, call.rows, [&](int begin, int end) {
    for (int r = begin; r < end; r++) {
      const Number *x = row_of<Number>(call.x, r, 2 * F), *dout = row_of<Number>(call.dout, r, F);
      Number* dx = row_of<Number>(call.dx, r, 2 * F);
      each_vector(F, [&](int i, int n) {
        const Floats gate = floats_at(x + i, n), up = floats_at(x + F + i, n), d = floats_at(dout + i, n);
        const Floats sigmoid = all(1.f) / (all(1.f) + exp(zero() - gate)), swish = gate * sigmoid;
        store_numbers(dx + i, d * up * fma(swish, all(1.f) - sigmoid, sigmoid), n);
        store_numbers(dx + F + i, d * swish, n);
      });
    }
  });
}

// Of each row the logarithm of the sum of exponentials, the loss, and whether its largest logit, the first of equals, is
// the target's: in `sums` one behind the other.
template <class Number>
inline void loss_forward(const RowsCall& call) {
  const int V = call.size;
  share_rows(*call.threads, call.rows, [&](int begin, int end) {
    for (int r = begin; r < end; r++) {
      const Number* logit = row_of<Number>(call.x, r, V);
      Floats top = all(-INFINITY), total = zero();
      int i = 0;
      for (; i + LANES <= V; i += LANES) top = max(floats_at(logit + i, LANES), top);
      const auto number = [&](int j) { return floats_at(logit + j, 1)[0]; };
      float largest_logit = largest(top);
      for (int j = i; j < V; j++) largest_logit = std::max(largest_logit, number(j));
      for (i = 0; i + LANES <= V; i += LANES) total += exp(floats_at(logit + i, LANES) - all(largest_logit));
      float rest = 0;
      for (; i < V; i++) rest += exp(all(number(i) - largest_logit))[0];
      const int target = int(call.target[r]);
      float* of_row = call.sums + 3 * int64_t(r);
      of_row[0] = largest_logit + std::log(sum(total) + rest);
      of_row[1] = of_row[0] - number(target);
      bool right = number(target) == largest_logit;
      for (int j = 0; right && j < target; j++) right = number(j) != largest_logit;
      of_row[2] = right;
    }
  });
}
template <class Number>
inline void loss_backward(const RowsCall& call) {
  const int V = call.size;
  share_rows(*call.threads, call.rows, [&](int begin, int end) {
    for (int r = begin; r < end; r++) {
      const Number* logit = row_of<Number>(call.x, r, V);
      Number* dlogit = row_of<Number>(call.dx, r, V);
      const Floats log_sum = all(call.sums[3 * int64_t(r)]), factor = all(call.number);
      each_vector(V, [&](int i, int n) { store_numbers(dlogit + i, exp(floats_at(logit + i, n) - log_sum) * factor, n); });
      const int target = int(call.target[r]);
      const float share = exp(floats_at(logit + target, 1) - log_sum)[0];
      store_numbers(dlogit + target, all((share - 1) * call.number), 1);
    }
  });
}

template <class In, class Out>
inline void rows_as(const RowsCall& call, Chain chain) {
  switch (chain) {
    case Chain::norm: return norm_forward<In, Out>(call);
    case Chain::norm_backward: return norm_backward<In, Out>(call);
    case Chain::gate: return gate_forward<In>(call);
    case Chain::gate_backward: return gate_backward<In>(call);
    case Chain::loss: return loss_forward<In>(call);
    case Chain::loss_backward: return loss_backward<In>(call);
  }
}
inline void rows_call(const RowsCall& call, int32_t chain) {
  if (!call.bf16) return call.out_bf16 ? rows_as<float, Bf16>(call, Chain(chain)) : rows_as<float, float>(call, Chain(chain));
  return call.out_bf16 ? rows_as<Bf16, Bf16>(call, Chain(chain)) : rows_as<Bf16, float>(call, Chain(chain));
}

}  // namespace tuili::TUILI_SET::training
