"""The simulated clock moves only by ``advance``, and every thread has finished its work before time goes on."""

import threading

from lullwave.clock import FOREVER, SimulatedClock, SystemClock


def test_time_stops_at_every_moment_that_a_thread_waits_for():
    clock = SimulatedClock()
    seen = []

    def tick(name: str, every: float, count: int) -> None:
        waiter = clock.waiter()
        for n in range(1, count + 1):
            waiter.wait_until(n * every)
            seen.append((clock.now(), name))
        waiter.close()

    threads = [threading.Thread(target=tick, args=args) for args in (("a", 2.0, 5), ("b", 3.0, 3))]
    for thread in threads:
        thread.start()
    while len(clock._waiters) < 2:
        pass
    clock.advance(7.0)
    assert sorted(seen) == [(2.0, "a"), (3.0, "b"), (4.0, "a"), (6.0, "a"), (6.0, "b")]
    clock.advance(100.0)
    for thread in threads:
        thread.join()
    assert sorted(seen)[5:] == [(8.0, "a"), (9.0, "b"), (10.0, "a")]
    assert clock.now() == 107.0


def test_a_wake_ends_a_wait_even_before_it_begins():
    clock = SimulatedClock()
    waiter = clock.waiter()
    waiter.wake()
    waiter.wait_until(FOREVER)
    done = threading.Event()
    thread = threading.Thread(target=lambda: (waiter.wait_until(FOREVER), done.set()))
    thread.start()
    clock.settle()
    assert not done.is_set()
    waiter.wake()
    assert done.wait(10)
    thread.join()


def test_the_system_clock_waits_and_wakes():
    clock = SystemClock()
    waiter = clock.waiter()
    begin = clock.now()
    waiter.wait_until(begin + 0.02)
    assert clock.now() >= begin + 0.02
    waiter.wake()
    waiter.wait_until(FOREVER)
