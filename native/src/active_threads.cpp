#include "active_threads.hpp"

#include <algorithm>
#include <ctime>

namespace lullwave {

namespace {

constexpr double kWindow = 0.3;      // seconds: many times what the scheduler gives a thread at once
constexpr int kWindowSteps = 8;
constexpr double kTrial = 0.1;
constexpr int kTrialSteps = 6;
constexpr int kFirstLook = 3;        // steps of a trial after which a much slower one ends
constexpr double kMuchSlower = 1.2;
constexpr double kNotSlower = 1.02;  // share of the time before with which fewer threads are kept
constexpr double kFaster = 0.95;     // and more threads
constexpr double kOthers = 2;        // seconds without a step of the number of rows of a trial, after which it ends
constexpr double kOnCore = 0.75;     // share of the time
constexpr double kRest = 2;          // seconds between trials; none before fewer threads if the last trial was kept
constexpr double kRestPerTrial = 8;  // and at least so many times as long as the trial

}  // namespace

void ActiveThreads::Series::add(double step_wall, double step_cpu) {
  steps++;
  wall += step_wall;
  cpu += step_cpu;
  longest = std::max(longest, step_wall);
}

void ActiveThreads::took(double wall, double cpu, int rows) {
  if (most_ == 1) return;
  if (trial_ != count_) {
    if (rows != rows_) {
      if ((others_ += wall) > kOthers) trial_ = count_;
      return;
    }
    others_ = 0;
    tried_.add(wall, cpu);
    const bool complete = tried_.steps >= kTrialSteps && tried_.wall >= kTrial;
    if (complete || (tried_.steps >= kFirstLook && tried_.mean() > kMuchSlower * before_)) judge();
    return;
  }
  rest_ -= wall;
  Series& series = kept_[rows];
  series.add(wall, cpu);
  if (series.steps < kWindowSteps || series.wall < kWindow) return;
  const bool more = count_ < most_ && rest_ <= 0;
  const bool waits = series.cpu < kOnCore * series.wall;
  const bool fewer = count_ > 1 && waits && waited_ && (rest_ <= 0 || !failed_);
  waited_ = waits;  // twice: the first time may have begun with the core
  if (more && (!fewer || tried_fewer_)) trial_ = count_ + 1;
  else if (fewer) trial_ = count_ - 1;
  before_ = series.mean();
  rows_ = rows;
  others_ = 0;
  tried_ = Series{};
  kept_.clear();  // of the same moments
}

void ActiveThreads::judge() {
  tried_fewer_ = trial_ < count_;
  failed_ = tried_.mean() > (tried_fewer_ ? kNotSlower : kFaster) * before_;
  if (!failed_) count_ = trial_;
  trial_ = count_;
  rest_ = std::max(kRest, kRestPerTrial * tried_.wall);
}

double thread_seconds() {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  timespec now;
  if (!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)) return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
#endif
  return -1;
}

}  // namespace lullwave
