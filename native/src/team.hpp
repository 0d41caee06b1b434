// A team of threads that do one job together, in phases of chunks that whoever is free takes.
//
// A thread that waits for the others spins for some microseconds, fewer each time it was in vain, and then sleeps, so
// that the system can give its core to another process or to a thread of the team that lost its own. Between jobs all
// threads but the caller sleep, and so do those that have no part in a job.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lullwave {

class Team {
 public:
  // `pinned`: every thread but the caller stays on one core. Throws where the system gives no more threads.
  Team(int threads, bool pinned);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }
  // Threads of this job.
  int active() const { return active_; }
  // Runs job(thread) on the first `active` threads, the caller being thread 0, and waits until all have returned. One
  // caller at a time.
  void run(const std::function<void(int)>& job, int active);
  void run(const std::function<void(int)>& job) { run(job, size_); }

  // For jobs: the next chunk of this phase, whoever takes it. Every thread begins with the chunk of its own number.
  int next() { return chunk_.fetch_add(1, std::memory_order_relaxed); }
  // For jobs: the next of `count` chunks of this phase, or `count` if all are taken. A thread takes those of its own part
  // in their order, so that it reads on where it was, and then the last ones of the others' parts.
  int next(int thread, int count);
  // For jobs: waits for all threads and begins the next phase.
  void barrier(int thread);

 private:
  // A number that threads wait for to change.
  class Signal {
   public:
    std::uint32_t value() const { return value_.load(std::memory_order_seq_cst); }
    void advance();
    void wait(std::uint32_t old);  // sleeps
    bool changed(std::uint32_t old, int spin_us) const;  // spins

   private:
    std::atomic<std::uint32_t> value_{0};
    std::atomic<int> sleepers_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
  };
  struct alignas(64) Worker {
    int spin_us;
    Signal start;
    std::atomic<std::uint64_t> taken{0};  // chunks of its part in this phase: from the front, times 2^32 those from the back
  };

  void work(int thread, bool pinned);
  void end();

  const int size_;
  int active_;
  alignas(64) std::atomic<int> chunk_;
  alignas(64) std::atomic<int> arrived_{0};
  Signal phase_;
  const std::function<void(int)>* job_ = nullptr;
  bool ending_ = false;
  std::vector<Worker> workers_;
  std::vector<std::thread> threads_;
};

}  // namespace lullwave
