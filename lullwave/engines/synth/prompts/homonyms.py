"""Phrases whose words mean something else than alone: "square waves" are no sea, "no rush" refuses nothing.

A phrase of several words goes before its single words, grammar such as "no" and "with" included. No effects: the
phrase is understood, and has nothing to do with the music.
"""

from __future__ import annotations

from typing import Any

_NEUTRAL = """
train of thought, personal trainer, train hard, rain check, raincheck, rain delay, spring cleaning, spring roll,
falling asleep, fall asleep, fall in love, falling in love, fall apart, waterfall, free fall, lead off, lead by, lead
to, lead the way, take the lead, lead singer, lead pipe, lead role, sea bass, bass fishing, florida
keys, house keys, car keys, key lime pie, key moment, low key, lowkey, space bar, bar chart, bar code, chocolate bar,
snack bar, bar exam, sidebar, train wreck, straw hat, top hat, hard hat, bike ride, car ride, ride home, horse ride,
joy ride, coffee break, lunch break, spring break, take a break, break up, break down, day by day, string theory,
strings attached, no strings attached, pop corn, popcorn, pop up, popup, corn flakes, organ donor, fire drill, fire
alarm, fire department, fire fighter, bell pepper, cotton candy, home run, home screen, home page, night mode, dark
mode, light mode, blue jeans, blue cheese, brass knuckles, beat the heat, beat the clock, beats me, dead
beat, heart beat, heat wave, wave goodbye, sleep mode, light year, light house, lighthouse, light
bulb, record label, record store, world record, tin can, can do, no problem, no doubt, no idea, no offense,
no offence, no kidding, no way, no matter, no brainer, without a doubt, without question, never mind, nevermind, non
stop, nonstop, never ending, never ends, can't stop, don't stop, can not stop, not bad, not sure, zero gravity, drop
shipping, skip intro, kill time, major city, major label, minor problem, minor detail, box office
"""

Effects = dict[str, Any]

HOMONYMS: dict[str, Effects] = {
    **{" ".join(phrase.split()): {} for phrase in _NEUTRAL.split(",")},
    **{
        phrase: {"instrument": "synth_lead"}
        for phrase in ("square wave", "saw wave", "sawtooth wave", "triangle wave", "pulse wave", "square lead")
    },
    **{phrase: {"instrument": "synth_lead", "energy": -0.1} for phrase in ("sine wave", "sinus wave")},
    "cold wave": {"style": "synthwave", "valence": -0.3},
    "new wave": {"style": "synthwave"},
    "spring reverb": {"wet": 0.4},
    "drop the beat": {"part": "drums"},
    "drop the bass": {"part": "bass"},
    "lose myself": {"wet": 0.3},
    "can't sleep": {"energy": -0.7, "dense": -0.4},
    "no rush": {"energy": -0.3},
    "no hurry": {"energy": -0.3},
    "no stress": {"energy": -0.3},
    "no worries": {"energy": -0.2, "valence": 0.2},
    "stress free": {"energy": -0.3},
    "care free": {"energy": -0.1, "valence": 0.3},
    "carefree": {"energy": -0.1, "valence": 0.3},
    "free jazz": {"style": "jazz"},
    "train station": {"ambience": "train"},
    "space station": {"wet": 0.5},
    "light rain": {"ambience": "rain"},
    "full moon": {"bright": -0.35, "energy": -0.2},
    "blue sky": {"bright": 0.3, "valence": 0.3},
    "blue note": {"style": "jazz"},
    "beach bar": {"ambience": "waves"},
    "big city": {"energy": 0.1},
    "fire beat": {"part": "drums", "energy": 0.2},
    "silent night": {"bright": -0.35, "energy": -0.4},
    "indian summer": {"bright": 0.2, "energy": 0.1, "valence": 0.2},
    "indian ocean": {"ambience": "waves"},
    "deep sleep": {"energy": -0.7, "dense": -0.4},
    "deep house": {"style": "dance", "bright": -0.2},
    "with vibes": {"instrument": "vibraphone"},
    "and vibes": {"instrument": "vibraphone"},
    "on vibes": {"instrument": "vibraphone"},
    "vibes solo": {"instrument": "vibraphone"},
    "no vibes": {},
    "good vibes": {"valence": 0.3},
}
