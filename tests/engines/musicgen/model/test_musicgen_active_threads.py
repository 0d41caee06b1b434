"""How many threads of the native decoder compute while other processes take cores, on a simulated clock."""

import random

import pytest

native = pytest.importorskip("lullwave_native", reason="lullwave-native is not installed: make native")


class Machine:
    """Two threads are 1.74 times as fast as one; more threads than free cores, a sixth slower than those alone."""

    def __init__(self, threads=2, step=0.02):
        self.choice = native.ActiveThreads(threads)
        self.threads, self.step, self.taken, self.now = threads, step, 0, 0.0
        self.used = []

    def run(self, seconds, late=lambda: 0.0, rows=lambda now: 2):
        """Threads of each step for so long. ``rows``: of a step at that moment; two more cost 0.4 of the first two."""
        self.used, until = [], self.now + seconds
        while self.now < until:
            many = rows(self.now)
            count = self.choice.count(many)
            self.used.append(count)
            free = self.threads - self.taken
            crowded = count > free
            size = 1 + 0.4 * (many / 2 - 1)
            wall = self.step * size * (self.threads / min(count, free)) ** 0.8 * (1.2 if crowded else 1.0)
            cpu = wall * (0.55 if crowded else 0.98)
            extra = late()
            self.now += wall + extra
            self.choice.took(wall + extra, cpu, many)
        return self.used

    def share(self, count):
        return self.used.count(count) / len(self.used)


@pytest.mark.parametrize("step", [0.0005, 0.02, 0.2])
def test_a_free_machine_never_tries_fewer_threads(step):
    assert set(Machine(step=step).run(60)) == {2}


@pytest.mark.parametrize("step", [0.0005, 0.02, 0.1])
def test_a_taken_core_is_left_to_the_other_process_and_comes_back(step):
    machine = Machine(step=step)
    machine.run(5)
    machine.taken = 1
    machine.run(4 + 30 * step)
    assert machine.used[-1] == 1
    machine.run(100)
    assert machine.share(1) > 0.85  # one more is tried every two seconds, for a ninth of the time at most
    machine.taken = 0
    machine.run(3 + 40 * step)
    assert machine.used[-1] == 2
    assert set(machine.run(60)) == {2}


def test_late_steps_change_nothing():
    """One step in ten waits for a disk or another process for 15 ms, and one in two hundred for 150."""
    chance = random.Random(3)
    machine = Machine()
    machine.run(60, late=lambda: 0.15 if chance.random() < 0.005 else 0.015 * (chance.random() < 0.1))
    assert machine.share(2) > 0.98
    assert machine.used[-1] == 2


def test_waiting_without_being_faster_with_fewer_threads_keeps_all():
    """A virtual machine that loses a third of the time on all cores: fewer threads are tried, and given up at once."""
    machine = Machine()
    machine.run(60, late=lambda: 0.012)
    assert 0.95 < machine.share(2) < 1


def test_of_many_threads_as_many_rest_as_cores_are_taken():
    machine = Machine(threads=4)
    machine.taken = 2
    machine.run(30)
    machine.run(30)
    assert machine.share(2) > 0.8
    machine.taken = 0
    machine.run(20)
    assert machine.used[-1] == 4


def test_one_thread_stays():
    choice = native.ActiveThreads(1)
    for _ in range(1000):
        choice.took(0.02, 0.001, 2)
    assert choice.count(2) == 1


def second_song(period, share):
    """Four rows for a share of each period, two for the rest."""
    return lambda now: 4 if now % period < share * period else 2


@pytest.mark.parametrize(("period", "share"), [(1, 0.5), (2, 0.5), (4, 0.5), (5, 0.4), (20, 0.5)])
def test_songs_that_come_and_go_are_not_read_as_a_lost_core(period, share):
    """A series of small steps before a trial with large ones, or the reverse, would decide for the wrong number."""
    waiting = Machine()
    waiting.run(120, late=lambda: 0.012, rows=second_song(period, share))
    assert waiting.share(2) > 0.95
    taken = Machine()
    taken.taken = 1
    taken.run(20, rows=second_song(period, share))
    taken.run(100, rows=second_song(period, share))
    assert taken.share(1) > 0.85


@pytest.mark.parametrize(("usual", "other", "every"), [(2, 32, 15), (32, 2, 15), (4, 2, 12), (4, 2, 25), (2, 4, 3)])
def test_a_lost_core_is_noticed_whatever_other_steps_come_between(usual, other, every):
    """A window that is filled has steps of 32 rows between those of 2; while a chunk is decoded, a song has none."""
    machine, steps = Machine(), iter(range(10**6))

    def rows(now):
        return other if next(steps) % every == 0 else usual

    machine.run(5, rows=rows)
    assert machine.share(2) == 1
    machine.taken = 1
    size = 1 + 0.4 * (max(usual, other) / 2 - 1)
    machine.run(2 + 40 * machine.step * size, rows=rows)
    assert machine.used[-1] == 1
    machine.taken = 0
    machine.run(6 + 40 * machine.step * size, rows=rows)
    assert machine.used[-1] == 2


def test_a_trial_ends_when_steps_of_its_size_do():
    machine = Machine()
    machine.run(3, late=lambda: 0.012)
    while machine.choice.count(2) == 2:
        machine.run(0.01, late=lambda: 0.012)
    machine.run(0.02, rows=lambda now: 4)
    assert machine.choice.count(2) == 1
    machine.run(3, rows=lambda now: 4)
    assert {machine.choice.count(2), machine.choice.count(4)} == {2}
