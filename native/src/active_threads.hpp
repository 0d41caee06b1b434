// How many threads of a team to compute with, so that one that lost its core to another process does not hold up the rest.
#pragma once

#include <atomic>
#include <map>

namespace lullwave {

// Chooses from the times of the steps. While the caller has its core most of the time, all threads compute and nothing is
// tried. When it waits for a quarter of the time or more, a few steps run with one thread less, which is kept if they are
// not slower. With less than all threads, one more is tried every two seconds or later, and kept if it is faster. Steps
// with as many rows are compared with one another.
class ActiveThreads {
 public:
  explicit ActiveThreads(int most) : most_(most), trial_(most), count_(most) {}

  // Threads for the next step, which has so many rows.
  int count(int rows) const { return rows == rows_ ? trial_ : count_.load(); }
  // Threads while nothing is tried; may be asked from any thread.
  int kept() const { return count_; }
  // The last step, of `rows` rows, took `wall` seconds by the clock; the calling thread was on a core for `cpu` of them.
  void took(double wall, double cpu, int rows);

 private:
  // Steps with one number of threads.
  struct Series {
    int steps = 0;
    double wall = 0, cpu = 0, longest = 0;
    void add(double step_wall, double step_cpu);
    double mean() const { return (wall - longest) / (steps - 1); }  // without the longest step; of two steps or more
  };

  void judge();

  int most_, trial_;  // trial_: another number than count_ while it is tried
  std::atomic<int> count_;
  int rows_ = 0;  // of the steps of a trial
  double others_ = 0;  // seconds of steps with other numbers of rows since the last of these
  std::map<int, Series> kept_;  // by the number of rows
  Series tried_;
  double before_ = 0;  // mean of kept_ when the trial began
  double rest_ = 0;    // seconds until the next trial
  bool tried_fewer_ = false, failed_ = false;  // of the last trial
  bool waited_ = false;  // in the series before
};

// Seconds that the calling thread has been on a core, or a negative number where the system does not tell.
double thread_seconds();

}  // namespace lullwave
