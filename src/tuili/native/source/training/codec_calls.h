// What Python hands over for gradients that travel as packed whole numbers (native/codec.py mirrors it).
//
// A message is a header, a bf16 scale for each block of 256 numbers, and their codes. Eight codes of b bits take b bytes: of
// C columns of a block, column c has the codes of the numbers c, C + c, ..., 7 C + c from its lowest bits on, and its bytes
// stand C apart. C is 32, and less in a last block that is not whole, where zeros fill up the columns.
#pragma once
#include <cstdint>

#include "../threads.h"

namespace tuili {

constexpr int CODEC_BLOCK = 256;
constexpr float CODEC_LEAST = 1e-30f, CODEC_MOST = 1e30f;  // blocks below are zeros; a block with more, inf or NaN becomes NaN

struct CodecHeader {
  uint16_t mark;  // CODEC_MARK
  uint8_t bits, rotated;
  uint32_t seed;
  int64_t count;
};
static_assert(sizeof(CodecHeader) == 16, "mirrored");
constexpr uint16_t CODEC_MARK = 0x6754;

struct CodecCall {
  float* number_N;  // encode reads them, decode writes them
  float* error_N;   // encode adds them before, and takes what is lost into their moving average; null: none
  void* message;
  int64_t count, bytes;  // N, and the bytes of the message
  Threads* threads;
  float keep;      // encode: the weight of the errors so far in their average
  float clip;      // encode: the share of the largest number in a block that the least code stands for
  float weight;    // decode: what the numbers are multiplied by
  uint32_t seed;   // encode: of the signs of a rotation
  int32_t bits, rotated, add, pad;  // the first two: encode. add: decode adds to the numbers that are there
};
static_assert(sizeof(CodecCall) == 80, "mirrored");

enum class CodecFault : int32_t { none, size, header };

inline int64_t codec_bytes(int64_t count, int bits) {
  const int64_t blocks = (count + CODEC_BLOCK - 1) / CODEC_BLOCK;
  return int64_t(sizeof(CodecHeader)) + 2 * blocks + bits * ((count + 7) / 8);
}

}  // namespace tuili
