// Scratch memory of one call: pieces are cut from the caller's memory one behind the other, and given back in a batch.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace tuili {

class Workspace {
 public:
  static constexpr size_t ALIGNMENT = 64;

  Workspace(void* memory, int64_t bytes)
      : next_(reinterpret_cast<uintptr_t>(memory)), end_(next_ + static_cast<uintptr_t>(bytes)) {}

  // Room for `count` things of a plain type, 64-byte aligned, not cleared.
  template <class T>
  T* take(int64_t count) {
    uintptr_t begin = (next_ + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    next_ = begin + static_cast<uintptr_t>(count) * sizeof(T);
    if (next_ > end_) {
      std::fprintf(stderr, "tuili: the workspace lacks %zu bytes\n", static_cast<size_t>(next_ - end_));
      std::abort();  // going on would write over memory of others
    }
    return reinterpret_cast<T*>(begin);
  }

  // Everything taken after `mark()` is given back by `release(mark)`.
  uintptr_t mark() const { return next_; }
  void release(uintptr_t mark) { next_ = mark; }

 private:
  uintptr_t next_, end_;
};

}  // namespace tuili
