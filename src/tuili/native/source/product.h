// y = x W^T for a packed matrix: one template over the formats, from panels down to blocks that stay in registers.
#pragma once
#include <algorithm>

#include "formats.h"
#include "threads.h"

namespace tuili::TUILI_SET {

struct Output {
  float* y_RN;
  int64_t stride;         // numbers between two rows
  const int32_t* places;  // where row i of the product goes; null: to row i
  float* row(int i) const { return y_RN + (places ? places[i] : i) * stride; }
};

// While the rows pass over one panel, memory brings the next one: each step of the first passes asks for some lines of it.
// They go to the second cache, as both panels do not fit the first one.
struct Ahead {
  static constexpr int LINE = 64;
  const char *next, *end;
  int64_t bytes;  // a step asks for; 0 where there is one pass alone, which memory keeps up with by itself

  template <Format FORMAT>
  static constexpr int LINES = PANEL * step_bytes(FORMAT) / LINE / 2;  // which two passes need
};

template <Format FORMAT, int ROWS, int VECTORS>
inline void block(const Place& place, const Inputs& inputs, const int32_t* list, int first, const Output& output,
                  Ahead& ahead) {
  using Kind = Number<FORMAT>;
  Rows<ROWS> rows;
  for (int r = 0; r < ROWS; r++) {
    const int64_t row = list ? list[first + r] : first + r;
    rows.words[r] = reinterpret_cast<const uint32_t*>(inputs.rows + row * inputs.stride);
    rows.scale[r] = inputs.scale_R ? inputs.scale_R[row] : 1.f;
    rows.offset[r] = inputs.offset_RG ? inputs.offset_RG + row * inputs.groups : nullptr;
    rows.unit[r] = inputs.unit_RG2 ? inputs.unit_RG2 + 2 * row * inputs.groups : nullptr;
  }
  Block<typename Kind::Sum, ROWS, VECTORS> sums, before{};
  Kind::template begin<ROWS, VECTORS>(place, sums);
  const char* step = place.panel + place.column * 4;
  const int64_t bytes = int64_t(place.width) * step_bytes(FORMAT);
  const int steps = steps_of(*place.matrix);
  const bool in_blocks = FORMAT == Format::fp32 && place.matrix->mixing;  // their sums are summed: that errs less
  const int span = in_blocks ? place.matrix->mixing : steps;
  const int64_t ahead_bytes = ahead.next < ahead.end ? ahead.bytes : 0;
  for (int k = 0; k < steps;) {
    for (const int end = std::min(k + span, steps); k < end; k++, step += bytes) {
      Kind::template add<ROWS, VECTORS>(rows, step, place, k, sums);
      if constexpr (ROWS > 1) {
#pragma GCC unroll 16
        for (int i = 0; i < Ahead::LINES<FORMAT>; i++) __builtin_prefetch(ahead.next + i * Ahead::LINE, 0, 2);
        ahead.next += ahead_bytes;
      }
    }
    if (FORMAT != Format::fp32 || k == steps) break;
    for (int r = 0; r < ROWS; r++)
      for (int v = 0; v < VECTORS; v++) before[r][v] = before[r][v] + sums[r][v];
    Kind::template begin<ROWS, VECTORS>(place, sums);
  }
#pragma GCC unroll 4
  for (int r = 0; r < ROWS; r++) {  // unrolled, as sums leave their registers otherwise
    float* y = output.row(first + r) + place.output;
#pragma GCC unroll 16
    for (int v = 0; v < VECTORS; v++) {
      const int left = place.matrix->outputs - place.output - v * LANES;
      const auto sum = in_blocks ? before[r][v] + sums[r][v] : sums[r][v];
      const Floats result = Kind::end(place, v, rows.scale[r], sum);
      if (left >= LANES) store(y + v * LANES, result);
      else if (left > 0) store_some(y + v * LANES, result, left);
    }
  }
}

// The rows of one block of outputs: as many at once as registers allow, then the rest. Of ROWS + 1 fewer are taken first, as
// a single row waits for its sums.
template <Format FORMAT, int ROWS, int VECTORS>
inline void rows(const Place& place, const Inputs& inputs, const int32_t* list, int first, int count, const Output& output,
                 Ahead& ahead) {
  for (; first + ROWS <= count && (ROWS < 3 || count - first != ROWS + 1); first += ROWS)
    block<FORMAT, ROWS, VECTORS>(place, inputs, list, first, output, ahead);
  if constexpr (ROWS > 1) rows<FORMAT, ROWS - 1, VECTORS>(place, inputs, list, first, count, output, ahead);
}

template <Format FORMAT, int ROWS, int VECTORS>
inline void columns(Place place, const Inputs& inputs, const int32_t* list, int count, const Output& output) {
  const int64_t bytes = int64_t(place.width) * step_bytes(FORMAT);
  const int passes = (count + ROWS - 1) / ROWS * (place.width / (VECTORS * LANES));
  const char* const next = place.panel + bytes * steps_of(*place.matrix);
  const int lines = passes == 1 ? 0 : passes < 4 ? Ahead::LINES<FORMAT> : (Ahead::LINES<FORMAT> + 1) / 2;
  Ahead ahead{next, next + bytes * steps_of(*place.matrix), lines * Ahead::LINE};
  for (; place.column < place.width; place.column += VECTORS * LANES, place.output += VECTORS * LANES)
    rows<FORMAT, ROWS, VECTORS>(place, inputs, list, 0, count, output, ahead);
}

template <Format FORMAT>
inline void panels(const Matrix& matrix, int panel, int end, const Inputs& inputs, const int32_t* list, int count,
                   const Output& output) {
  const int width = padded(matrix.outputs, PANEL_UNIT);
  const int64_t bytes = int64_t(steps_of(matrix)) * step_bytes(FORMAT);  // of an output
  for (; panel < end; panel++) {
    const int first = panel * PANEL;
    Place place{&matrix, static_cast<const char*>(matrix.panels) + first * bytes, width - first, 0, first};
    if (place.width >= PANEL) {
      place.width = PANEL;
      if (count < 2) columns<FORMAT, 1, PANEL / LANES>(place, inputs, list, count, output);
      else columns<FORMAT, ROWS_AT_ONCE, VECTORS_AT_ONCE>(place, inputs, list, count, output);
    } else if (count < 2 && place.width == 2 * PANEL_UNIT) {  // a single row waits for its sums: more of them at once
      columns<FORMAT, 1, 2 * PANEL_UNIT / LANES>(place, inputs, list, count, output);
    } else {
      columns<FORMAT, ROWS_AT_ONCE, PANEL_UNIT / LANES>(place, inputs, list, count, output);
    }
  }
}

constexpr int64_t WORTH_SHARING = 1 << 20;  // multiplications, below which waking a thread costs more than it saves

// f(part, begin, end) for the parts of 0 to count - 1: one, unless the work (in multiplications) is worth more threads.
template <class F>
inline void share(Threads& threads, int count, int64_t work, F&& f) {
  const int parts = work < WORTH_SHARING ? 1 : std::min(threads.count(), count);
  threads.run(parts, [&](int part) { f(part, int(int64_t(count) * part / parts), int(int64_t(count) * (part + 1) / parts)); });
}

// y of row i: inputs' row rows[i] (null: row i) times the matrix, at places[i] (null: i). `inputs` are of `prepare` for the
// matrix's format and number of inputs. A row's result is bit-equal for every number and order of rows and threads.
inline void product(const Matrix& matrix, const Inputs& inputs, const int32_t* rows, int count, float* y_RN, int64_t stride,
                    Threads& threads, const int32_t* places = nullptr) {
  const Output output{y_RN, stride, places};
  const int all_panels = padded(matrix.outputs, PANEL) / PANEL;
  share(threads, all_panels, int64_t(matrix.outputs) * matrix.inputs * count, [&](int, int begin, int end) {
    switch (matrix.format) {
      case Format::fp32: return panels<Format::fp32>(matrix, begin, end, inputs, rows, count, output);
      case Format::bf16: return panels<Format::bf16>(matrix, begin, end, inputs, rows, count, output);
      case Format::int8: return panels<Format::int8>(matrix, begin, end, inputs, rows, count, output);
      case Format::int4: return panels<Format::int4>(matrix, begin, end, inputs, rows, count, output);
      case Format::affine: return panels<Format::affine>(matrix, begin, end, inputs, rows, count, output);
    }
  });
}

}  // namespace tuili::TUILI_SET
