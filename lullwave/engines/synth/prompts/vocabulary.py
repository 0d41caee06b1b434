"""The words that prompts are understood by: data, and nothing else.

A phrase stands for effects: ``style``, ``instrument``, ``part``, ``kit``, ``hats``, ``comp``, ``production``,
``ambience``, ``crackle``, ``tempo`` in bpm, or a mood with its amount (energy, valence, bright, wet, dense, swing,
warm; -1 … 1).
"""

from __future__ import annotations

from typing import Any

from ..catalogue.drums import KITS
from ..catalogue.instruments import INSTRUMENTS
from ..catalogue.productions import PRODUCTIONS
from .homonyms import HOMONYMS

Effects = dict[str, Any]


def _all(effects: Effects, phrases: str) -> dict[str, Effects]:
    return {phrase.strip(): effects for phrase in phrases.split(",")}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PHRASES: dict[str, Effects] = {
    # styles
    **_all({"style": "lofi"}, "lofi, lo fi, low fi, chillhop, chill hop, study beats, chill beats, lofi beats"),
    **_all({"style": "jazz"}, "jazz, jazzy, bebop, swing jazz, jazz club, jazz cafe, smoky jazz, cool jazz, noir"),
    **_all(
        {"style": "synthwave"},
        "synthwave, synth wave, retrowave, vaporwave, outrun, eighties, 80s, neon, cyberpunk",
    ),
    **_all({"style": "synthwave"}, "futuristic, retro synth, arcade"),
    **_all(
        {"style": "electronic"},
        "electronic, electronic instrument, electronic sound, electro, electronica, techno, trance, rave, idm",
    ),
    **_all({"style": "dance", "energy": 0.3}, "dance, dance music, house, house music, edm, club music"),
    **_all({"style": "classical"}, "classical, classical music, baroque, chamber music, renaissance"),
    **_all({"style": "newage"}, "new age, healing music, reiki, crystal bowls, singing bowls"),
    **_all({"style": "raga"}, "raga, raag, indian, indian music, hindustani"),
    **_all({"style": "ambient"}, "ambient, drone, ethereal, soundscape, atmospheric, space music, celestial"),
    **_all(
        {"style": "folk"},
        "folk, acoustic, earthy, organic, campfire song, country, pastoral, singer songwriter, cottagecore",
    ),
    **_all({"style": "bossa"}, "bossa, bossa nova, brazilian, samba, latin, tropical"),
    **_all({"style": "soul"}, "soul, soulful, neo soul, r&b, rnb, motown, gospel, smooth, sexy"),
    **_all({"style": "soul", "energy": 0.2}, "funk, funky, groovy"),
    **_all({"style": "citypop"}, "city pop, citypop, j pop, k pop, tokyo pop, disco, yacht rock, pop"),
    **_all(
        {"style": "piano", "instrument": "felt_piano"},
        "piano ballad, neoclassical, neo classical, nocturne",
    ),
    **_all(
        {"style": "zen"},
        "zen, japanese, oriental, meditation, meditative, yoga, temple, spa, shakuhachi garden, koi pond, zen garden",
    ),
    **_all({"style": "hiphop"}, "hip hop, hiphop, boom bap, boombap, old school, trip hop, rap beat"),
    # instruments and kits
    **{
        name: {"instrument": one.name} for one in INSTRUMENTS.values() for name in (*one.phrases, *one.stands_in_for)
    },
    **{phrase: {"kit": kit.name, "part": "drums"} for kit in KITS.values() for phrase in kit.phrases},
    **_all({"instrument": "rhodes", "part": "keys"}, "keys, keyboard"),
    "string instrument": {"instrument": "string_section"},
    "brass instrument": {"instrument": "brass_section"},
    "wind instrument": {"instrument": "flute"},
    # how the chords are played
    **_all({"comp": "picking", "instrument": "nylon_guitar"}, "fingerpicked guitar, fingerpicking, fingerstyle guitar"),
    **_all({"comp": "picking"}, "fingerpicked, picked, fingerstyle, picking"),
    **_all({"comp": "arpeggio"}, "arpeggio, arpeggios, arpeggiated, broken chords, rolling chords"),
    **_all({"comp": "held"}, "held chords, sustained chords, long chords, sustained, washes"),
    **_all({"comp": "chops"}, "chopped, chops, flip, flipped, flips, chopped sample, sampled, sample based"),
    **_all({"comp": "stabs"}, "stabs, stab, chord stabs"),
    **_all({"comp": "charleston"}, "comping, comped, charleston"),
    # parts
    **_all(
        {"part": "drums"},
        "drum, drums, beat, beats, percussion, drum kit, drumming, drumbeat, rhythm section, drum machine",
    ),
    **_all({"part": "kick"}, "kick, kick drum, bass drum"),
    **_all({"part": "snare"}, "snare, snare drum, clap, rimshot"),
    **_all({"part": "hat"}, "hat, hi hat, hihat, hats, cymbal, ride"),
    **_all({"part": "bass"}, "bass, bassline, bass line, low end, bass guitar"),
    **_all({"part": "melody"}, "melody, melodies, tune, lead, solo line, solos, lead line, topline"),
    **_all({"part": "keys"}, "chord, chords"),
    **_all({"part": "vocals"}, "vocal, voice, female vocal, male vocal, vocalist, singing, singer, sung, humming"),
    **_all({"part": "vocals"}, "lyric, words, rap, rapping"),
    **_all({"part": "fills"}, "fill, drum fill, break"),
    **_all({"hats": "shaker", "part": "drums"}, "shaker, maraca"),
    **_all(
        {"part": "drums", "beat": -0.6},
        "quiet drums, soft drums, subtle drums, light drums",
    ),
    **_all({"part": "drums", "beat": -0.6}, "gentle drums, quieter drums, softer drums, soft beat, light percussion"),
    **_all(
        {"part": "drums", "beat": 0.6},
        "heavy drums, loud drums, louder drums, big drums, hard drums, strong beat, heavy beat, "
        "heavy beats, "
        "hard beat, loud beat, loud beats, big beat, busy drums, aggressive drums",
    ),
    **_all({"pace": 0.6, "energy": 0.3}, "faster, speed up, speed it up, quicker, quickly, more upbeat, more energy"),
    **_all({"pace": -0.6, "energy": -0.3}, "slower, slow down, slow it down, less energy, calm down"),
    **_all({"crackle": -1.0}, "clean, clean recording, hi fi, pristine, studio quality, clean sound"),
    "largo tempo": {"tempo": 50.0},
    "adagio": {"tempo": 70.0},
    "andante": {"tempo": 90.0},
    "moderato": {"tempo": 112.0},
    "presto": {"tempo": 170.0},
    # metre and feel
    **_all(
        {"metre": "3/4"},
        "waltz, waltzes, three four, in three four, triple metre, triple meter, "
        "triple time, in three, three beats a bar, minuet, "
        "mazurka",
    ),
    **_all({"metre": "6/8"}, "six eight, in six eight, compound metre, compound meter, jig, barcarolle, in six"),
    **_all({"metre": "4/4"}, "four four, in four four, common time, in four, four on the floor"),
    **_all({"feel": "half"}, "half time, halftime, half time feel, half tempo drums"),
    **_all({"feel": "double"}, "double time, doubletime, double time feel, drum and bass, dnb, jungle beat"),
    # surroundings
    **_all(
        {"ambience": "rain"},
        "rain, rainy, raindrop, raining, drizzle, drizzly, storm, stormy, thunderstorm, downpour, monsoon, rainfall, "
        "shower, wet streets, thunder, lightning",
    ),
    **_all(
        {"ambience": "fire", "warm": 0.2},
        "fire, fireplace, campfire, bonfire, hearth, log fire, fireside, crackling fire, fire crackling, "
        "crackling fireplace, wood stove",
    ),
    **_all(
        {"ambience": "cafe"},
        "cafe, coffee shop, coffeehouse, coffee house, coffee, bistro, restaurant, diner, bar, crowd, chatter",
    ),
    **_all(
        {"ambience": "night", "bright": -0.2},
        "cricket, night sounds, night insects, cicada, forest night, summer night, starry night, camping",
    ),
    **_all(
        {"ambience": "waves"},
        "waves, crashing waves, waves crashing, ocean waves, sea waves, ocean, sea, beach, seaside, shore, "
        "seashore, surf, coast, island, harbour, harbor",
    ),
    **_all(
        {"ambience": "train"},
        "train, railway, railroad, train ride, night train, train journey, subway, metro, commute, tram, "
        "journey by rail",
    ),
    **_all(
        {"part": "ambience"},
        "ambience, background noise, background sound, background sounds, nature sound, nature sounds, field "
        "recording, weather, sound effect, foley, noise",
    ),
    **_all(
        {"crackle": 1.0},
        "vinyl, crackle, crackling, vinyl crackle, record player, turntable, dusty record, old record, vinyl noise, "
        "crackly, "
        "scratchy",
    ),
    **_all({"crackle": 0.5}, "dusty, tape hiss, hiss, cassette, vintage, tape, nostalgia tape, retro, worn"),
    # time of day
    **_all(
        {"bright": -0.35, "energy": -0.2},
        "night, nighttime, nocturnal, late night, midnight, 1am, 2am, 3am, 4am, 10pm, 11pm, 12am, small hours, "
        "moonlight, "
        "moonlit, moon, after dark, after hours, tonight, overnight",
    ),
    **_all(
        {"bright": -0.2, "energy": -0.15, "warm": 0.2},
        "evening, dusk, sunset, twilight, golden hour, nightfall, late evening, early evening, sundown, 6pm, 7pm, "
        "8pm, 9pm",
    ),
    **_all(
        {"bright": 0.35, "energy": 0.15, "valence": 0.25},
        "morning, dawn, sunrise, early morning, breakfast, daybreak, 5am, 6am, 7am, 8am, 9am, 10am, 11am",
    ),
    **_all(
        {"bright": 0.3, "energy": 0.2, "valence": 0.3},
        "afternoon, late afternoon, noon, midday, daytime, day, sunny, sunshine, sun, summer, spring, 12pm, 1pm, 2pm, "
        "3pm, 4pm, 5pm",
    ),
    **_all(
        {"valence": -0.25, "bright": -0.15},
        "autumn, fall, winter, winter evening, november, grey, gray, fog, foggy, mist, misty, cloudy, overcast",
    ),
    **_all({"wet": 0.25, "bright": 0.1, "energy": -0.2}, "snow, snowy, snowfall, frost, ice, icy"),
    **_all({"wet": 0.2}, "forest, wood, woodland, mountain, valley, desert, canyon, wind, windy, breeze, breezy"),
    # moods
    **_all(
        {"energy": -0.4},
        "calm, calming, relaxed, relaxing, chill, chilled, mellow, gentle, soft, quiet, peaceful, tranquil, "
        "serene, easy, lazy, laid back, soothing, relax, reading, library, background, background music, "
        "chill out, chillout, lounge, turn it down, tone it down",
    ),
    **_all(
        {"energy": -0.7, "dense": -0.4},
        "sleep, sleepy, sleeping, lullaby, bedtime, drowsy, nap, dreamtime, insomnia",
    ),
    **_all({"energy": -0.5}, "slow, downtempo, ballad, unhurried, languid"),
    **_all(
        {"energy": 0.55},
        "upbeat, energetic, lively, driving, fast, uptempo, up tempo, bouncy, danceable, workout, "
        "energy, punchy, loud, aggressive, intense, turn it up, pump it up",
    ),
    **_all(
        {"energy": 0.25},
        "productive, focus, focused, study, studying, work, working, coding, concentration, motivated, groove, drive, "
        "road trip, highway, homework",
    ),
    **_all(
        {"valence": 0.6},
        "happy, cheerful, joyful, joy, bright mood, optimistic, hopeful, hope, playful, uplifting, positive, fun, "
        "sweet, cute, smiling, love, romantic, lovely, beautiful, pretty",
    ),
    **_all(
        {"valence": -0.6},
        "sad, melancholy, melancholic, wistful, lonely, heartbreak, heartbroken, blue, gloomy, sorrow, sombre, "
        "somber, moody, brooding, bittersweet, longing, tearful, crying, rainy day blues",
    ),
    **_all({"valence": -0.2, "warm": 0.3}, "nostalgic, nostalgia, memory, memories, sentimental, reminiscent"),
    **_all(
        {"warm": 0.5, "valence": 0.15},
        "warm, cosy, cozy, homely, comforting, comfort, intimate, blanket, tea, hygge, home, cabin, at home",
    ),
    **_all({"bright": -0.5}, "dark, darker, murky, muffled, underwater, deep, shadowy"),
    **_all({"bright": 0.4}, "bright, brighter, crisp, sparkling, shiny, clear, crystalline, airy, light"),
    **_all(
        {"wet": 0.5},
        "dreamy, dreamlike, dream, floating, floaty, spacey, space, spacious, hazy, reverb, echo, cavernous, "
        "cosmic, stars, starlight, wide, vast, cathedral",
    ),
    **_all({"wet": -0.5}, "dry, close, up close, tight"),
    **_all(
        {"dense": -0.5},
        "minimal, minimalist, sparse, simple, bare, stripped, stripped down, solitary, spare, few notes, small, tiny",
    ),
    **_all({"dense": 0.5}, "lush, rich, full, busy, dense, layered, orchestral, complex, elaborate, big, grand"),
    **_all({"swing": 0.6}, "swing, swung, swinging, shuffle, shuffling, drunken, dilla, swung eighths, swing eighths"),
    **_all({"swing": 1.0}, "hard swing, heavy swing, triplet feel, triplet swing, swing hard"),
    **_all({"swing": 0.25}, "light swing, slight swing, subtle swing, a little swing, gentle swing"),
    **_all({"swing": -0.6}, "straight, straight eighths, quantized, quantised, robotic"),
    # "solo" and the like
    **_all({"only": True}, "alone, unaccompanied, by itself, nothing else"),
    **_all({"only": True, "instrument": "felt_piano"}, "solo piano"),
    **_all({"part": "instruments"}, "instrument, instruments, instrumentation"),
    **HOMONYMS,
}  # fmt: skip
for _production in PRODUCTIONS.values():
    for _phrase in _production.phrases:
        PHRASES[_phrase] = {**PHRASES.get(_phrase, {}), "production": _production.name}

# Phrases for missing instruments: the instrument that replaces each; the listener is told.
STAND_INS: dict[str, str] = {phrase: one.name for one in INSTRUMENTS.values() for phrase in one.stands_in_for}
# Phrases for missing styles: the style that replaces each; the listener is told.
STYLE_STAND_INS: dict[str, str] = {
    **dict.fromkeys(("trap", "drill", "grime", "phonk"), "hiphop"),
    **dict.fromkeys(("dubstep", "garage", "psytrance", "hardstyle", "gabber", "breakbeat"), "electronic"),
    **dict.fromkeys(("reggae", "dub", "ska", "dancehall", "afrobeat", "afrobeats", "blues"), "soul"),
    **dict.fromkeys(("celtic", "bluegrass", "klezmer", "polka", "flamenco", "tango", "mariachi"), "folk"),
    **dict.fromkeys(("reggaeton", "salsa", "cumbia", "bachata", "rumba"), "bossa"),
    **dict.fromkeys(("opera", "symphony", "symphonic", "film score", "film music"), "classical"),
}
PHRASES |= {phrase: {"style": style} for phrase, style in STYLE_STAND_INS.items()}

NEGATIONS = _words(
    """
    remove mute drop skip kill lose ditch silence replace swap omit forget stop hate hates dislike dislikes despise
    avoid don't dont isn't isnt aren't arent neither except exclude excluding lacking minus never no non not sans
    without zero
    """
)
LISTING = _words("without except excluding exclude minus avoid sans lacking remove omit skip mute drop")  # "a, b and c"
ONLY = frozenset(("just", "only"))
NEGATIVE_PAIRS = frozenset(
    (
        ("turn", "off"),
        ("hold", "the"),
        ("instead", "of"),
        ("take", "out"),
        ("rather", "than"),
        ("free", "of"),
        ("rid", "of"),
        ("anything", "but"),
        ("everything", "but"),
        ("all", "but"),
        ("can't", "stand"),
    )
)
ONLY_PAIRS = frozenset((("nothing", "but"), ("nothing", "except"), ("nothing", "besides")))
# After a phrase: "drums off", "beat-free"; and after a phrase and a colon or an equals sign: "drums: none".
NEGATED_AFTER = _words("less free off out none muted removed silent gone")
NEGATED_AS_VALUE = NEGATED_AFTER | _words("no 0 zero false never mute without")
# How much of something: before it ("more bass", "turn up the piano") or after it ("bass louder").
MORE = _words("more extra louder stronger")
LESS = _words("less fewer few quieter softer weaker")
MORE_AFTER, LESS_AFTER = _words("louder up"), _words("quieter softer softly down")
MORE_PAIRS, LESS_PAIRS = frozenset((("turn", "up"),)), frozenset((("turn", "down"),))
# How strongly a mood, style or place is meant.
STRENGTHS = {
    "very": 1.4, "really": 1.4, "super": 1.5, "extremely": 1.7, "ultra": 1.7, "so": 1.2, "mostly": 2.5, "mainly": 2.5,
    "slightly": 0.5, "somewhat": 0.6, "bit": 0.5, "hint": 0.4, "touch": 0.4, "dash": 0.4, "little": 0.5,
    "quite": 1.1, "too": 1.0, "hardly": 0.3, "barely": 0.3,
}  # fmt: skip
STOPS = frozenset(("for", "just", "only", "but", "with", "plus", "featuring", "feat"))
# Words that say how a thing is asked for, not what: grammar, politeness, and that it is music which is wanted.
FILLER = _words(
    """
    & a absolutely add after again all also am an and any anything are around as at back be been before being bpm bring
    by can change completely continuous could do during each enough entirely every everything feel feeling feels fine
    for from get give go going good great has have her here his hour hours i i'd i'm in influenced infused inspired
    instead genre genres instrumental into is it it's its jam keep key kind less let let's like longer loop loops lot
    lots made make many maybe me mix mood more much music musical my near need nice nor now of on one or our over piece
    pieces play played player playing please put rather recording set should signature some something song songs sort
    sound sounding sounds style such switch tempo than that that's the their then there these they this those through
    time tinged to too totally track tracks tune turn type under up us use using version vibe vibes want was way we were
    what whatsoever when where which while whole will with would you your
    """
)

# A prompt that begins with one of these changes what was asked for before.
ADDING = _words(
    """
    add also and another brighter bring but change darker drop even exchange extra faster fewer give hold increase
    instead keep kill less lose louder make more mute no plus put quieter reduce remove replace skip slow slower softer
    speed stop substitute swap switch take then trade turn with without
    """
)

# How a name of the engine reads in a sentence.
NAMES: dict[str, str] = {
    **{one.name: one.label for one in INSTRUMENTS.values()},
    "lofi": "lo-fi",
    "citypop": "city pop",
    "hiphop": "hip-hop",
    "newage": "new age",
    "bossa": "bossa nova",
    "cafe": "a café",
    "fire": "a fire",
    "night": "the sounds of a night",
    "train": "a train",
    "keys": "chords",
    "hat": "hi-hats",
}
