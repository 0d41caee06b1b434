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
constexpr double kOthers = 2;        // seconds of steps of another number of rows, after which a series begins with theirs
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
  if (rows != rows_) {
    rest_ -= wall;
    others_ += wall;
    if (rows_ && others_ < kOthers) return;
    rows_ = rows;
    trial_ = count_;
    waited_ = false;
    kept_ = tried_ = Series{};
  }
  others_ = 0;
  if (trial_ != count_) {
    tried_.add(wall, cpu);
    const bool complete = tried_.steps >= kTrialSteps && tried_.wall >= kTrial;
    if (complete || (tried_.steps >= kFirstLook && tried_.mean() > kMuchSlower * before_)) judge();
    return;
  }
  rest_ -= wall;
  kept_.add(wall, cpu);
  if (kept_.steps < kWindowSteps || kept_.wall < kWindow) return;
  const bool more = count_ < most_ && rest_ <= 0;
  const bool waits = kept_.cpu < kOnCore * kept_.wall;
  const bool fewer = count_ > 1 && waits && waited_ && (rest_ <= 0 || !failed_);
  waited_ = waits;  // twice: the first time may have begun with the core
  if (more && (!fewer || tried_fewer_)) trial_ = count_ + 1;
  else if (fewer) trial_ = count_ - 1;
  before_ = kept_.mean();
  kept_ = tried_ = Series{};
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
