// A golden file, which golden.py writes: memory with its pointers, calls of the library, and what they must leave behind.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace tuili {

class Threads;

namespace program {

struct Place {
  int piece;
  int64_t offset;
};

// `kind` and `name` are words; what the places and numbers mean depends on them, see main.cpp.
struct Action {
  std::string kind, name;
  std::vector<Place> places;
  std::vector<double> numbers;
};

struct Piece {
  int64_t size;
  std::string content;  // empty: scratch memory, which is filled with NaN
};

struct Pointer {
  Place place, target;  // target.piece -1: a pool of threads
};

struct Golden {
  std::vector<Piece> pieces;
  std::vector<Pointer> pointers;
  std::vector<Action> actions;

  explicit Golden(const char* path);
};

// The memory of one run: every piece is an allocation of its very size, so that a sanitizer sees the end of each.
class Memory {
 public:
  Memory(const Golden& golden, Threads* threads);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  template <class T>
  T* at(Place place) const {
    return reinterpret_cast<T*>(pieces_[size_t(place.piece)] + place.offset);
  }

 private:
  std::vector<char*> pieces_;
};

}  // namespace program
}  // namespace tuili
