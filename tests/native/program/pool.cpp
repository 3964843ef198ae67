// The pool of threads alone: every part of every job runs once, whether its workers spin or sleep.
#include "pool.h"

#include <time.h>

#include <atomic>

#include "threads.h"

namespace tuili::program {
namespace {

constexpr int MOST_PARTS = 9;
constexpr int JOBS = 300;

bool every_part_runs_once(Threads& threads, int parts) {
  std::atomic<int> runs[MOST_PARTS] = {};
  int plain[MOST_PARTS] = {};  // what a part writes is seen behind the job, without atomics
  threads.run(parts, [&](int part) { runs[part].fetch_add(1), plain[part] = part + 1; });
  for (int part = 0; part < MOST_PARTS; part++)
    if (runs[part].load() != (part < parts) || plain[part] != (part < parts ? part + 1 : 0)) return false;
  return true;
}

}  // namespace

bool pool_works() {
  const timespec longer_than_workers_spin{0, 200'000};
  for (int count = 1; count <= 4; count++) {
    Threads threads(count);
    for (int job = 0; job < JOBS; job++) {
      if (!every_part_runs_once(threads, job % (MOST_PARTS + 1))) return false;
      if (job % 20 == 19) nanosleep(&longer_than_workers_spin, nullptr);
    }
  }
  return true;
}

}  // namespace tuili::program
