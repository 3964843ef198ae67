// What is computed of all characters and words of a text, in whole numbers alone. The twin of each in numpy
// (data/pipeline/kernels.py) gives the same bits.
#pragma once
#include <cstdint>
#include <cstdlib>

namespace tuili {
namespace text {

constexpr uint64_t BASE = 0x9E3779B97F4A7C15, MIX = 0xD6E8FEB86659FD93;
constexpr uint32_t BASIC = 0x10000;  // code points that the table of classes has

// As `characters.Class` in Python: from LETTER to HANGUL they make words.
enum Class : uint8_t { SPACE, NEWLINE, PUNCTUATION, SYMBOL, CONTROL, LETTER, DIGIT, HAN, KANA, HANGUL, IGNORED };

inline Class class_of(uint32_t code, const uint8_t* table) {
  if (code < BASIC) return Class(table[code]);
  if (code >= 0xF0000) return CONTROL;
  if (code >= 0xE0000) return IGNORED;
  if (code >= 0x20000 && code < 0x40000) return HAN;
  return code >= 0x1F000 && code < 0x20000 ? SYMBOL : LETTER;
}

inline uint64_t mixed(uint64_t value) {
  value = (value ^ (value >> 32)) * MIX;
  value = (value ^ (value >> 32)) * MIX;
  return value ^ (value >> 32);
}

struct Scan {
  const uint32_t* code;  // of all characters, in lower case
  const uint8_t* table;  // the class of each code point below BASIC
  int64_t count;         // how many characters
  // Written, each as long as the characters: those that show, their classes, and of words their bounds and hashes.
  uint32_t* shown;
  uint8_t* shown_class;
  int64_t *start, *end;
  uint64_t* hash;
  int64_t shown_count, words;  // how many of these were written
  int64_t class_count[IGNORED + 1];
};
static_assert(sizeof(Scan) == 168, "native/text.py mirrors it");

// One pass: a hash is the polynomial of a word's characters modulo 2^64, mixed.
inline void scan(Scan& scan) {
  int64_t places = 0, words = 0;
  Class before = SPACE;  // of the last character that shows
  uint64_t sum = 0, power = 1;
  const auto end_word = [&] {
    scan.end[words] = places;
    scan.hash[words++] = mixed(sum);
  };
  for (int64_t index = 0; index < scan.count; ++index) {
    const uint32_t code = scan.code[index];
    const Class found = class_of(code, scan.table);
    if (found == IGNORED) continue;
    const bool was_word = before >= LETTER, is_word = found >= LETTER, begins = before == HAN || found == HAN || !was_word;
    if (was_word && (!is_word || begins)) end_word();
    if (is_word && begins) {
      scan.start[words] = places;
      sum = 0;
      power = 1;
    }
    sum += (uint64_t(code) + 1) * power;
    power *= BASE;
    scan.shown[places] = code;
    scan.shown_class[places++] = found;
    ++scan.class_count[found];
    before = found;
  }
  if (before >= LETTER) end_word();
  scan.shown_count = places;
  scan.words = words;
}

// A hash of the hashes from a place on to another, exclusive.
inline uint64_t stretch(const uint64_t* hash, int64_t start, int64_t end) {
  uint64_t sum = 0, power = 1;
  for (int64_t place = start; place < end; ++place, power *= BASE) sum += hash[place] * power;
  return mixed(sum);
}

// Of each run of n words: count - n + 1 of them.
inline void runs(const uint64_t* hash, int64_t count, int64_t n, uint64_t* found) {
  for (int64_t first = 0; first + n <= count; ++first) found[first] = stretch(hash, first, first + n);
}

inline void stretches(const uint64_t* hash, const int64_t* start, const int64_t* end, int64_t count, uint64_t* found) {
  for (int64_t index = 0; index < count; ++index) found[index] = stretch(hash, start[index], end[index]);
}

// Where each hash stands for the first time, found in a table of open addresses. The slot of a hash depends on an odd number
// that nobody who writes a text knows: else words could be chosen whose slots lie side by side, and time grew with their
// square.
class Firsts {
 public:
  Firsts(int64_t count, uint64_t secret) : secret_(secret) {
    while ((int64_t(1) << bits_) < 2 * count) ++bits_;
    slot_ = static_cast<int64_t*>(std::calloc(size_t(1) << bits_, sizeof(int64_t)));
  }
  ~Firsts() { std::free(slot_); }
  Firsts(const Firsts&) = delete;
  Firsts& operator=(const Firsts&) = delete;
  bool has_memory() const { return slot_; }
  int64_t of(const uint64_t* hash, int64_t place) {
    const uint64_t mask = (uint64_t(1) << bits_) - 1;
    for (uint64_t slot = hash[place] * secret_ >> (64 - bits_);; ++slot) {
      int64_t& first = slot_[slot & mask];
      if (!first) first = place + 1;
      if (hash[first - 1] == hash[place]) return first - 1;
    }
  }

 private:
  uint64_t secret_;
  int bits_ = 6;
  int64_t* slot_;
};

// Which hashes have stood before. Returns whether there was memory for it.
inline bool repeated(const uint64_t* hash, int64_t count, uint64_t secret, uint8_t* again) {
  Firsts firsts(count, secret);
  if (!firsts.has_memory()) return false;
  for (int64_t place = 0; place < count; ++place) again[place] = firsts.of(hash, place) != place;
  return true;
}

// The characters that the commonest of runs of n words takes up, the longest where several are; 0 where none stands twice,
// -1 without memory. length_sum: the characters of all words before each word, and of all.
inline int64_t commonest(const uint64_t* run, int64_t count, int64_t n, uint64_t secret, const int64_t* length_sum) {
  Firsts firsts(count, secret);
  int64_t* times = static_cast<int64_t*>(std::calloc(count + 1, sizeof(int64_t)));
  int64_t most = 1, longest = 0;
  if (firsts.has_memory() && times)
    for (int64_t place = 0; place < count; ++place) {
      const int64_t first = firsts.of(run, place), now = ++times[first], length = length_sum[first + n] - length_sum[first];
      if (now > most) longest = 0;
      if (now >= most && now > 1) most = now, longest = length > longest ? length : longest;
    }
  const bool had_memory = firsts.has_memory() && times;
  std::free(times);
  return had_memory ? most * longest : -1;
}

// For each odd factor the least product with a hash, which `least` has begun with.
inline void least_products(const uint64_t* hash, int64_t count, const uint64_t* factor, int64_t factors, uint64_t* least) {
  for (int64_t place = 0; place < count; ++place)
    for (int64_t index = 0; index < factors; ++index) {
      const uint64_t product = hash[place] * factor[index];
      least[index] = product < least[index] ? product : least[index];
    }
}

}  // namespace text
}  // namespace tuili
