// Keys and values of a slot: where they lie, how tokens enter, and the means of units.
//
// Keys stand in blocks of 16 tokens, number by number, so that the products of a query with 16 keys need no sum across a
// vector, whatever the size of a head. A unit's mean is taken from its tokens when the next unit begins. An open unit has
// none, because no query reads it; so tokens may be written again behind any token without a trace of what stood there.
#pragma once
#include "rows.h"
#include "step.h"

namespace tuili::TUILI_SET {

constexpr int BLOCK = 16;
enum Part { KEY, VALUE };

// The tokens of a call: some rows of the integer table.
struct Tokens {
  const int32_t* table;
  int columns;
  const int32_t* rows;  // null: the first ones
  int count;
  const Token& operator[](int i) const {
    return *reinterpret_cast<const Token*>(table + int64_t(rows ? rows[i] : i) * columns);
  }
};

inline int head_stride(const Sizes& sizes) { return padded(sizes.head_size, BLOCK); }
inline int64_t plane(const Sizes& sizes, int set, Part part, int head) {
  return (int64_t(set) * 2 + part) * sizes.kv_heads + head;
}
template <class Cell>
inline Cell* tokens_of(const Sizes& sizes, const Slot& slot, int set, Part part, int head) {
  return static_cast<Cell*>(slot.token_kv) + plane(sizes, set, part, head) * slot.tokens * head_stride(sizes);
}
inline float* scales_of(const Sizes& sizes, const Slot& slot, int set, Part part, int head) {
  return slot.token_scale ? slot.token_scale + plane(sizes, set, part, head) * slot.tokens : nullptr;
}
inline float* units_of(const Sizes& sizes, const Slot& slot, int set, Part part, int head) {
  return slot.unit_kv + plane(sizes, set, part, head) * slot.units * head_stride(sizes);
}
inline int64_t key_place(int64_t index, int stride) { return index / BLOCK * BLOCK * stride + index % BLOCK; }

inline Floats load_cells(const float* p) { return load(p); }
inline Floats load_cells(const uint16_t* p) { return load_bf16(p); }
inline Floats load_cells(const int8_t* p) { return load_int8(p); }
inline float number(float cell) { return cell; }
inline float number(uint16_t cell) { return float_of(cell); }
inline float number(int8_t cell) { return float(cell); }
inline void put(float& cell, float x) { cell = x; }
inline void put(uint16_t& cell, float x) { cell = bf16_of(x); }
inline void put(int8_t& cell, float x) { cell = int8_t(std::lrintf(x)); }

template <class Cell>
constexpr bool scaled = sizeof(Cell) == 1;

// Stores the key or value of one token. An int8 cell counts in 127ths of the largest number of its head.
template <class Cell>
inline void store_token(const Sizes& sizes, const Slot& slot, int set, Part part, int head, int position, const float* x_D) {
  const int D = sizes.head_size, stride = head_stride(sizes);
  float factor = 1.f;
  if constexpr (scaled<Cell>) {
    float top = 1e-20f;
    for (int d = 0; d < D; d++) top = std::fmax(top, std::fabs(x_D[d]));
    scales_of(sizes, slot, set, part, head)[position] = top / 127.f;
    factor = 127.f / top;
  }
  Cell* cells = tokens_of<Cell>(sizes, slot, set, part, head);
  cells += part == KEY ? key_place(position, stride) : int64_t(position) * stride;
  const int step = part == KEY ? BLOCK : 1;
  for (int d = 0; d < D; d++) put(cells[d * step], x_D[d] * factor);
}

// f(Cell()) for the type of number that the cache holds.
template <class F>
inline void with_cells(CacheFormat format, F&& f) {
  switch (format) {
    case CacheFormat::fp32: return f(float());
    case CacheFormat::bf16: return f(uint16_t());
    case CacheFormat::int8: return f(int8_t());
  }
}

// Takes the mean of the keys and of the values of one unit, whose tokens are stored.
template <class Cell>
inline void close_unit(const Sizes& sizes, const Slot& slot, int set, int unit, int begin, int end) {
  const int D = sizes.head_size, stride = head_stride(sizes);
  for (int head = 0; head < sizes.kv_heads; head++)
    for (Part part : {KEY, VALUE}) {
      const Cell* cells = tokens_of<Cell>(sizes, slot, set, part, head);
      const float* scales = scales_of(sizes, slot, set, part, head);
      float* mean = units_of(sizes, slot, set, part, head);
      mean += part == KEY ? key_place(unit, stride) : int64_t(unit) * stride;
      const int step = part == KEY ? BLOCK : 1;
      for (int d = 0; d < D; d++) mean[d * step] = 0.f;
      for (int token = begin; token < end; token++) {
        const Cell* cell = cells + (part == KEY ? key_place(token, stride) : int64_t(token) * stride);
        const float share = (scales ? scales[token] : 1.f) / float(end - begin);
        for (int d = 0; d < D; d++) mean[d * step] += number(cell[d * step]) * share;
      }
    }
}

// Stores the keys and values of the new tokens [N][stride] in one set. Several may belong to one slot.
template <class Cell>
inline void store_tokens(const Sizes& sizes, const Slot* slots, int set, const Tokens& tokens, const float* key_NKD,
                         const float* value_NKD, int64_t stride) {
  const int D = sizes.head_size;
  for (int row = 0; row < tokens.count; row++)
    for (int head = 0; head < sizes.kv_heads; head++) {
      const Token& token = tokens[row];
      const int64_t place = row * stride + head * D;
      store_token<Cell>(sizes, slots[token.slot], set, KEY, head, token.position, key_NKD + place);
      store_token<Cell>(sizes, slots[token.slot], set, VALUE, head, token.position, value_NKD + place);
    }
  if (!sizes.layered) return;
  for (int row = 0; row < tokens.count; row++) {
    const Token& token = tokens[row];
    const Slot& slot = slots[token.slot];
    if (token.unit == 0) close_unit<Cell>(sizes, slot, set, 0, 0, 1);  // the first token is a unit of its own
    else if (token.held == 0)
      close_unit<Cell>(sizes, slot, set, token.unit - 1, slot.unit_start[token.unit - 1], token.position);
  }
}

}  // namespace tuili::TUILI_SET
