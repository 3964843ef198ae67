// Sharing the items of a job among threads, each of which has scratch memory of its own.
#pragma once
#include <atomic>

#include "../threads.h"
#include "../workspace.h"

namespace tuili::TUILI_SET::training {

// f(item, memory) for the items 0 to count - 1, in any order; `bytes` is what one of them takes of the memory.
template <class F>
inline void share_items(Threads& threads, int count, int64_t bytes, Workspace& memory, F&& f) {
  const int parts = std::min(threads.count(), count);
  char* const scratch = memory.take<char>(parts * bytes);
  std::atomic<int> next{0};
  threads.run(parts, [&](int part) {
    for (int item; (item = next.fetch_add(1)) < count;) {
      Workspace own(scratch + part * bytes, bytes);
      f(item, own);
    }
  });
}

// f(begin, end) for about equal parts of `count` rows.
template <class F>
inline void share_rows(Threads& threads, int count, F&& f) {
  const int parts = std::min(threads.count(), count);
  threads.run(parts, [&](int part) { f(int(int64_t(count) * part / parts), int(int64_t(count) * (part + 1) / parts)); });
}

}  // namespace tuili::TUILI_SET::training
