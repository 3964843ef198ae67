// Gradients as whole numbers of 2, 3, 4 or 8 bits with a scale for each block; codec_calls.h has the message.
//
// The number of the largest size, or a share of it, stands for the least code, so that every code is used and 0 stays 0; the
// scale has its sign.
// Every number is rounded in one order, so that the bits do not depend on the instruction set or on the threads.
#pragma once
#include <utility>

#include "../prepare.h"
#include "codec_calls.h"
#include "share.h"

namespace tuili::TUILI_SET::training {

constexpr int COLUMNS = CODEC_BLOCK / 8;

inline Words bytes_at(const uint8_t* p) {
#if TUILI_LANES == 16
  return Words(_mm512_cvtepu8_epi32(vector_at<__m128i>(p)));
#elif TUILI_LANES == 8
  return Words(_mm256_cvtepu8_epi32(_mm_loadu_si64(p)));
#else
  using Unsigned = uint8_t __attribute__((vector_size(LANES)));
  return __builtin_convertvector(vector_at<Unsigned>(p), Words);
#endif
}

// A block times signs that follow from the seed, over the root of its size. SplitMix64 (Steele, Lea, Flood 2014).
template <int... LANE>
inline Words sign_bits(uint32_t bits, std::integer_sequence<int, LANE...>) {
  return (all_words(bits) << Words{uint32_t(31 - LANE)...}) & 0x80000000;
}
inline void turn_signs(float* x, uint64_t seed, int64_t block) {
  for (int word = 0; word < CODEC_BLOCK / 64; word++) {
    uint64_t z = seed + (uint64_t(block) * (CODEC_BLOCK / 64) + uint64_t(word) + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^= z >> 31;
    for (int i = 0; i < 64; i += LANES) {
      float* const at = x + word * 64 + i;
      const Words turned = sign_bits(uint32_t(z >> i), std::make_integer_sequence<int, LANES>());
      store(at, Floats(Words(load(at) * all(0.0625f)) ^ turned));
    }
  }
}

// What one unit of a block's codes stands for, as a bf16 that is rounded away from 0.
inline float scale_of(const float* x, int bits_of_code, float clip) {
  Floats most = zero(), high = all(-INFINITY);
  for (int i = 0; i < CODEC_BLOCK; i += LANES) most = max(absolute(load(x + i)), most), high = max(load(x + i), high);
  const float top = largest(most);
  if (top < CODEC_LEAST) return 0;
  const float scale = (largest(high) == top ? top : -top) / -float(1 << (bits_of_code - 1)) * clip;
  return bits<float>((bits<uint32_t>(scale) + 0xffff) & 0xffff0000);
}

// A block, 32 numbers in each of 8 rows, to its codes and back.
template <int BITS>
inline void pack_codes(const float* x, float scale, uint8_t* codes) {
  if (!(std::fabs(scale) > 0)) return void(std::memset(codes, 0, BITS * COLUMNS));
  constexpr int HALF = 1 << (BITS - 1);
  const Floats units = all(1.f / scale);
  const auto store_byte = [&](int plane, int c, Ints byte) { store_int8(reinterpret_cast<int8_t*>(codes) + plane * COLUMNS + c, byte); };
  for (int c = 0; c < COLUMNS; c += LANES) {
    Words word{};
    for (int row = 0; row < 8; row++) {
      const Ints code = max(min(rounded(load(x + row * COLUMNS + c) * units), HALF - 1 - Ints{}), -HALF - Ints{});
      if constexpr (BITS == 8) store_byte(row, c, code);
      else word |= (Words(code) & ((1 << BITS) - 1)) << BITS * row;
    }
    if constexpr (BITS < 8)
      for (int plane = 0; plane < BITS; plane++) store_byte(plane, c, Ints(word << (24 - 8 * plane)) >> 24);
  }
}
template <int BITS>
inline void unpack_codes(const uint8_t* codes, float scale, float* x) {
  for (int c = 0; c < COLUMNS; c += LANES) {
    Words word{};
    if constexpr (BITS < 8)
      for (int plane = 0; plane < BITS; plane++) word |= bytes_at(codes + plane * COLUMNS + c) << 8 * plane;
    for (int row = 0; row < 8; row++) {
      Floats code;
      if constexpr (BITS == 8) code = load_int8(reinterpret_cast<const int8_t*>(codes) + row * COLUMNS + c);
      else code = floats(Ints(word << (32 - BITS * (row + 1))) >> (32 - BITS));
      store(x + row * COLUMNS + c, code * all(scale));
    }
  }
}

// A block of a message that has `size` numbers in `columns` columns; a whole one lies as its codes are read.
struct CodecBlock {
  int64_t number, begin;
  int size, columns;
  bool whole() const { return size == CODEC_BLOCK; }
};
template <class F>
inline void each_row(const CodecBlock& block, F&& f) {  // f(row, its numbers, how many)
  for (int row = 0; row * block.columns < block.size; row++)
    f(row, row * block.columns, std::min(block.columns, block.size - row * block.columns));
}

template <int BITS>
inline void encode_block(const CodecCall& call, const CodecBlock& block, char* scale_at, uint8_t* codes) {
  alignas(64) float given[CODEC_BLOCK] = {}, x[CODEC_BLOCK] = {};
  alignas(64) uint8_t packed[BITS * COLUMNS];
  const float* number = call.number_N + block.begin;
  float* error = call.error_N ? call.error_N + block.begin : nullptr;
  Ints most{};  // as whole numbers NaN is above inf
  each_vector(block.size, [&](int i, int n) {
    Floats a = load_up_to(number + i, n);
    if (error) a += load_up_to(error + i, n);
    most = max(Ints(absolute(a)), most);
    store_up_to(given + i, a, n);
  });
  const bool sound = largest(Floats(min(most, bits<int32_t>(INFINITY) - Ints{}))) <= CODEC_MOST;
  if (block.whole()) std::memcpy(x, given, sizeof x);
  else each_row(block, [&](int row, int i, int n) { std::copy_n(given + i, n, x + row * COLUMNS); });
  const bool rotated = call.rotated && block.whole();
  if (rotated) turn_signs(x, call.seed, block.number), mix<CODEC_BLOCK>(x, CODEC_BLOCK, x);
  const float scale = sound ? scale_of(x, BITS, call.clip) : NAN;
  const uint16_t half = uint16_t(bits<uint32_t>(scale) >> 16);
  std::memcpy(scale_at, &half, 2);
  pack_codes<BITS>(x, scale, packed);
  for (int plane = 0; plane < BITS; plane++) std::copy_n(packed + plane * COLUMNS, block.columns, codes + plane * block.columns);
  if (!error || !sound) return;
  unpack_codes<BITS>(packed, scale, x);
  if (rotated) mix<CODEC_BLOCK>(x, CODEC_BLOCK, x), turn_signs(x, call.seed, block.number);
  const Floats keep = all(call.keep), take = all(1.f - call.keep);
  each_row(block, [&](int row, int begin, int size) {
    each_vector(size, [&](int i, int n) {
      const Floats lost = load_up_to(given + begin + i, n) - load_up_to(x + row * COLUMNS + i, n);
      store_up_to(error + begin + i, keep * load_up_to(error + begin + i, n) + take * lost, n);
    });
  });
}

template <int BITS>
inline void decode_block(const CodecCall& call, const CodecHeader& header, const CodecBlock& block, const char* scale_at, const uint8_t* codes) {
  alignas(64) float x[CODEC_BLOCK];
  alignas(64) uint8_t packed[BITS * COLUMNS] = {};
  if (!block.whole()) {
    for (int plane = 0; plane < BITS; plane++) std::copy_n(codes + plane * block.columns, block.columns, packed + plane * COLUMNS);
    codes = packed;
  }
  unpack_codes<BITS>(codes, float_of(vector_at<uint16_t>(scale_at)) * call.weight, x);
  if (header.rotated && block.whole()) mix<CODEC_BLOCK>(x, CODEC_BLOCK, x), turn_signs(x, header.seed, block.number);
  float* number = call.number_N + block.begin;
  each_row(block, [&](int row, int begin, int size) {
    each_vector(size, [&](int i, int n) {
      const Floats a = load_up_to(x + row * COLUMNS + i, n);
      store_up_to(number + begin + i, call.add ? load_up_to(number + begin + i, n) + a : a, n);
    });
  });
}

template <int BITS, bool ENCODE>
inline void each_block(const CodecCall& call, const CodecHeader& header) {
  const int64_t blocks = (call.count + CODEC_BLOCK - 1) / CODEC_BLOCK;
  char* const scales = static_cast<char*>(call.message) + sizeof header;
  auto* const codes = reinterpret_cast<uint8_t*>(scales + 2 * blocks);
  share_rows(*call.threads, int(blocks), [&](int first, int end) {
    for (int64_t b = first; b < end; b++) {
      const int size = int(std::min<int64_t>(CODEC_BLOCK, call.count - b * CODEC_BLOCK));
      const CodecBlock block{b, b * CODEC_BLOCK, size, (size + 7) / 8};
      if constexpr (ENCODE) encode_block<BITS>(call, block, scales + 2 * b, codes + b * BITS * COLUMNS);
      else decode_block<BITS>(call, header, block, scales + 2 * b, codes + b * BITS * COLUMNS);
    }
  });
}

template <bool ENCODE>
inline int32_t codec_call(const CodecCall& call) {
  CodecHeader header{CODEC_MARK, uint8_t(call.bits), uint8_t(call.rotated), call.seed, call.count};
  if (call.bytes < int64_t(sizeof header)) return int32_t(CodecFault::size);
  if (ENCODE) std::memcpy(call.message, &header, sizeof header);
  else std::memcpy(&header, call.message, sizeof header);
  const int bits = header.bits;
  if (header.mark != CODEC_MARK || header.rotated > 1 || (bits != 2 && bits != 3 && bits != 4 && bits != 8)) return int32_t(CodecFault::header);
  if (header.count != call.count || call.bytes != codec_bytes(call.count, bits)) return int32_t(CodecFault::size);
  (bits == 2 ? each_block<2, ENCODE> : bits == 3 ? each_block<3, ENCODE> : bits == 4 ? each_block<4, ENCODE> : each_block<8, ENCODE>)(call, header);
  return int32_t(CodecFault::none);
}

}  // namespace tuili::TUILI_SET::training
