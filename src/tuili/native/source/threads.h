// A small pool of threads for one call at a time. Its implementation is threads.cpp.
#pragma once
#include <type_traits>

namespace tuili {

class Pool;

class Threads {
 public:
  explicit Threads(int count);  // count threads work, the caller's own among them
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  int count() const { return count_; }

  // f(part) for every part from 0 to parts - 1, and returns when all are done. One thread: a plain loop.
  template <class F>
  void run(int parts, F&& f) {
    if (count_ == 1 || parts <= 1) {
      for (int part = 0; part < parts; part++) f(part);
      return;
    }
    using Function = std::remove_reference_t<F>;
    share(parts, [](void* function, int part) { (*static_cast<Function*>(function))(part); }, (void*)&f);
  }

 private:
  void share(int parts, void (*call)(void*, int), void* function);

  int count_;
  Pool* pool_;  // null where one thread works
};

}  // namespace tuili
