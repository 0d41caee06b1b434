"""To which prompt a station returns after failures."""

from lullwave.station.programme import MAX_BREAKS, PLAIN, PLAYED_S, TRUST_S, PromptGuard


def broken(guard: PromptGuard, prompt: str, now: float) -> str | None:
    """The answer to as many failures as it takes."""
    answers = [guard.broke(prompt, now) for _ in range(MAX_BREAKS)]
    assert answers[:-1] == [None] * (MAX_BREAKS - 1)
    return answers[-1]


def played(*prompts: str, embedded: bool = True) -> PromptGuard:
    guard = PromptGuard(embedded)
    for n, prompt in enumerate(prompts):
        guard.playing(prompt, 100.0 * n)
        guard.playing(prompt, 100.0 * n + PLAYED_S)
    return guard


def test_the_last_prompt_that_played_follows_one_that_breaks_again_and_again():
    assert broken(played("one", "two"), "bad", 300.0) == "two"


def test_prompts_that_break_one_after_the_other_lead_back_to_the_plain_one():
    guard = played("one", "two")
    assert [broken(guard, prompt, 300.0) for prompt in ("bad", "two", "one")] == ["two", "one", PLAIN]


def test_an_engine_that_breaks_on_the_plain_prompt_too_costs_no_prompt_its_place():
    guard = played("one")
    assert [broken(guard, prompt, 300.0) for prompt in ("one", PLAIN)] == [PLAIN, "one"]
    assert [broken(guard, "one", 300.0 + n) for n in range(5)] == [None] * 5
    guard.playing("one", 400.0)
    guard.playing("one", 400.0 + PLAYED_S)
    assert broken(guard, "bad", 500.0) == "one"


def test_a_prompt_that_played_for_a_moment_is_none_to_return_to():
    guard = played("one")
    guard.playing("two", 200.0)
    guard.playing("two", 200.0 + PLAYED_S / 2)
    assert broken(guard, "bad", 300.0) == "one"


def test_failures_that_lie_far_apart_do_not_count_together():
    guard = played("one")
    assert [guard.broke("rare", 300.0 + 2 * TRUST_S * n) for n in range(9)] == [None] * 9


def test_another_engine_keeps_a_prompt_that_it_played_before():
    assert broken(played("one", "two", embedded=False), "two", 300.0) is None
    assert broken(played("one", "two", embedded=False), "bad", 300.0) == "two"
    assert broken(PromptGuard(embedded=False), "bad", 300.0) is None
