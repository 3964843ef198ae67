// The pool: workers spin for some microseconds for the next job, then sleep until one comes.
// Written on pthreads, so that the library needs the C library alone.
#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <new>

namespace tuili {
namespace {

constexpr long SPIN_NANOSECONDS = 20'000;  // longer than the pause between two products of one step
constexpr int SPINS_PER_LOOK = 64;         // at the clock

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

inline long now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000L + time.tv_nsec;
}

}  // namespace

// A ticket holds the number of a job and the next part that nobody has taken. Numbers of open jobs are even; while the
// next job is written down, the ticket is odd and has no parts, so that a late worker never mixes two jobs.
using Ticket = uint64_t;
constexpr Ticket ONE_JOB = Ticket(1) << 32;
constexpr Ticket NO_PARTS = ONE_JOB - 1;
inline bool is_open(Ticket ticket) { return (ticket / ONE_JOB) % 2 == 0; }

class Pool {
 public:
  explicit Pool(int workers) {
    handles_ = static_cast<pthread_t*>(std::malloc(sizeof(pthread_t) * size_t(workers)));
    while (handles_ && workers_ < workers && !pthread_create(&handles_[workers_], nullptr, &Pool::work, this)) workers_++;
  }

  ~Pool() {
    if (!has_workers()) return;
    stop_.store(true);
    open_job(0, nullptr, nullptr);
    for (int i = 0; i < workers_; i++) pthread_join(handles_[i], nullptr);
    std::free(handles_);
    pthread_cond_destroy(&wake_);
    pthread_mutex_destroy(&mutex_);
  }

  void share(int parts, void (*call)(void*, int), void* function) {
    if (!has_workers()) {
      for (int part = 0; part < parts; part++) call(function, part);
      return;
    }
    open_job(parts, call, function);
    take_parts();
    for (int spins = 0; done_.load(std::memory_order_acquire) < parts; spins++) {
      relax();
      if (spins % 4096 == 4095) sched_yield();  // the machine is busy: the worker may wait for this very core
    }
  }

 private:
  // A process that was forked has the memory of a pool, and none of its workers.
  bool has_workers() const { return getpid() == process_; }

  void open_job(int parts, void (*call)(void*, int), void* function) {
    const Ticket closed = ticket_.load() / ONE_JOB * ONE_JOB + ONE_JOB;
    ticket_.store(closed | NO_PARTS);
    call_.store(call), function_.store(function), parts_.store(parts), done_.store(0);
    ticket_.store(closed + ONE_JOB);
    if (sleeping_.load() == 0) return;
    pthread_mutex_lock(&mutex_);
    pthread_cond_broadcast(&wake_);
    pthread_mutex_unlock(&mutex_);
  }

  void take_parts() {
    for (;;) {
      Ticket ticket = ticket_.load();
      const auto call = call_.load();
      void* const function = function_.load();
      const int part = int(ticket % ONE_JOB), parts = parts_.load();
      if (!is_open(ticket) || part >= parts) return;
      if (!ticket_.compare_exchange_strong(ticket, ticket + 1)) continue;  // what was read may be of two jobs
      call(function, part);
      done_.fetch_add(1, std::memory_order_release);
    }
  }

  bool is_new(Ticket last) const {
    const Ticket ticket = ticket_.load();
    return is_open(ticket) && ticket / ONE_JOB != last;
  }

  void wait_for_job(Ticket last) {
    const long until = now() + SPIN_NANOSECONDS;
    do
      for (int i = 0; i < SPINS_PER_LOOK; i++) {
        if (is_new(last)) return;
        relax();
      }
    while (now() < until);
    pthread_mutex_lock(&mutex_);
    sleeping_.fetch_add(1);
    while (!is_new(last)) pthread_cond_wait(&wake_, &mutex_);
    sleeping_.fetch_sub(1);
    pthread_mutex_unlock(&mutex_);
  }

  static void* work(void* pool) {
    Pool& self = *static_cast<Pool*>(pool);
    for (Ticket last = 0;;) {
      self.wait_for_job(last);
      last = self.ticket_.load() / ONE_JOB;
      if (self.stop_.load()) return nullptr;
      self.take_parts();
    }
  }

  const pid_t process_ = getpid();
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t wake_ = PTHREAD_COND_INITIALIZER;
  pthread_t* handles_ = nullptr;
  int workers_ = 0;
  std::atomic<Ticket> ticket_{0};
  std::atomic<void (*)(void*, int)> call_{nullptr};
  std::atomic<void*> function_{nullptr};
  std::atomic<int> parts_{0}, done_{0}, sleeping_{0};
  std::atomic<bool> stop_{false};
};

Threads::Threads(int count) : count_(count < 1 ? 1 : count), pool_(nullptr) {
  if (count_ == 1) return;
  void* memory = std::malloc(sizeof(Pool));
  if (memory) pool_ = new (memory) Pool(count_ - 1);
  else count_ = 1;
}

Threads::~Threads() {
  if (!pool_) return;
  pool_->~Pool();
  std::free(pool_);
}

void Threads::share(int parts, void (*call)(void*, int), void* function) { pool_->share(parts, call, function); }

}  // namespace tuili
