#include "team.hpp"

#include <algorithm>
#include <chrono>
#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace lullwave {

namespace {

constexpr int kMostSpin = 30;  // microseconds: longer than two threads differ in a phase when nothing else runs
constexpr int kLeastSpin = 1;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Keeps this thread on the core number `index` of those that the process may use.
void pin(int index) {
#if defined(__linux__)
  cpu_set_t allowed, one;
  if (sched_getaffinity(0, sizeof allowed, &allowed)) return;
  int left = index % std::max(1, CPU_COUNT(&allowed));
  for (int core = 0; core < CPU_SETSIZE; core++)
    if (CPU_ISSET(core, &allowed) && left-- == 0) {
      CPU_ZERO(&one);
      CPU_SET(core, &one);
      pthread_setaffinity_np(pthread_self(), sizeof one, &one);
      return;
    }
#else
  (void)index;
#endif
}

}  // namespace

Team::Team(int threads, bool pinned)
    : size_(std::max(1, threads)), active_(size_), chunk_(size_), workers_(size_) {
  for (Worker& worker : workers_) worker.spin_us = kMostSpin;
  try {
    for (int i = 1; i < size_; i++) threads_.emplace_back([this, i, pinned] { work(i, pinned); });
  } catch (...) {  // the system gives no more threads, or no memory for them
    end();
    throw;
  }
}

Team::~Team() { end(); }

void Team::end() {
  ending_ = true;
  for (Worker& worker : workers_) worker.start.advance();
  for (std::thread& thread : threads_) thread.join();
}

void Team::run(const std::function<void(int)>& job, int active) {
  active_ = std::clamp(active, 1, size_);
  chunk_.store(active_, std::memory_order_relaxed);
  job_ = &job;
  for (int i = 1; i < active_; i++) workers_[i].start.advance();
  job(0);
  barrier(0);
}

void Team::work(int thread, bool pinned) {
  if (pinned) pin(thread);
  Signal& start = workers_[thread].start;
  for (std::uint32_t seen = 0;;) {
    start.wait(seen);
    seen = start.value();
    if (ending_) return;
    (*job_)(thread);
    barrier(thread);
  }
}

int Team::next(int thread, int count) {
  constexpr std::uint64_t kFront = 1, kBack = std::uint64_t(1) << 32;
  for (int i = 0; i < active_; i++) {
    const int whose = (thread + i) % active_;
    const int begin = int(std::int64_t(count) * whose / active_), end = int(std::int64_t(count) * (whose + 1) / active_);
    std::atomic<std::uint64_t>& taken = workers_[whose].taken;
    for (std::uint64_t seen = taken.load(std::memory_order_relaxed);;) {
      const int front = int(seen % kBack), back = int(seen / kBack);
      if (begin + front >= end - back) break;
      if (taken.compare_exchange_weak(seen, seen + (i ? kBack : kFront), std::memory_order_relaxed))
        return i ? end - back - 1 : begin + front;
    }
  }
  return count;
}

void Team::barrier(int thread) {
  const std::uint32_t phase = phase_.value();
  const int active = active_;  // after the last arrival the next job may have another number
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == active) {
    arrived_.store(0, std::memory_order_relaxed);
    chunk_.store(active, std::memory_order_relaxed);
    for (Worker& worker : workers_) worker.taken.store(0, std::memory_order_relaxed);
    phase_.advance();
    return;
  }
  int& spin_us = workers_[thread].spin_us;
  if (phase_.changed(phase, spin_us)) {
    spin_us = std::min(2 * spin_us, kMostSpin);
  } else {
    spin_us = std::max(spin_us / 2, kLeastSpin);
    phase_.wait(phase);
  }
}

void Team::Signal::advance() {
  value_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst)) {
    { std::lock_guard<std::mutex> lock(mutex_); }
    changed_.notify_all();
  }
}

bool Team::Signal::changed(std::uint32_t old, int spin_us) const {
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(spin_us);
  do {
    for (int i = 0; i < 16; i++) {
      if (value_.load(std::memory_order_acquire) != old) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < until);
  return false;
}

void Team::Signal::wait(std::uint32_t old) {
  std::unique_lock<std::mutex> lock(mutex_);
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  while (value_.load(std::memory_order_seq_cst) == old) changed_.wait(lock);
  sleepers_.fetch_sub(1, std::memory_order_seq_cst);
}

}  // namespace lullwave
