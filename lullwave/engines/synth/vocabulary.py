"""The words that prompts are understood by: data, and nothing else.

A phrase stands for effects: ``style``, ``instrument``, ``part``, ``kit``, ``ambience``, ``crackle``, or a mood with
its amount (energy, valence, bright, wet, dense, swing, warm; -1 … 1).
"""

from __future__ import annotations

from typing import Any

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
    **_all({"style": "synthwave"}, "futuristic, retro synth, arcade, electronic, electro"),
    **_all({"style": "ambient"}, "ambient, drone, ethereal, soundscape, atmospheric, space music, celestial"),
    **_all(
        {"style": "folk"},
        "folk, acoustic, earthy, organic, campfire song, country, pastoral, singer songwriter, cottagecore",
    ),
    **_all({"style": "bossa"}, "bossa, bossa nova, brazilian, samba, latin, tropical"),
    **_all({"style": "soul"}, "soul, soulful, neo soul, r&b, rnb, motown, gospel, smooth, sexy"),
    **_all({"style": "soul", "energy": 0.2}, "funk, funky, groovy"),
    **_all({"style": "citypop"}, "city pop, citypop, j pop, tokyo pop, disco, yacht rock, pop"),
    **_all(
        {"style": "piano", "instrument": "felt_piano"},
        "piano ballad, classical, neoclassical, neo classical, nocturne",
    ),
    **_all(
        {"style": "zen"},
        "zen, japanese, oriental, meditation, meditative, yoga, temple, spa, shakuhachi garden, koi pond",
    ),
    **_all({"style": "hiphop"}, "hip hop, hiphop, boom bap, boombap, old school, trip hop, rap beat"),
    # keys
    **_all({"instrument": "felt_piano"}, "piano, felt piano, upright piano, grand piano, pianist, felt"),
    **_all({"instrument": "rhodes"}, "rhodes, electric piano, e piano, epiano, fender rhodes, keys, ep, mk1"),
    **_all({"instrument": "wurli"}, "wurli, wurlitzer, organ"),
    **_all(
        {"instrument": "nylon_guitar"},
        "guitar, nylon guitar, acoustic guitar, classical guitar, spanish guitar, ukulele, strings plucked",
    ),
    **_all({"instrument": "nylon_guitar"}, "fingerpicked guitar, fingerpicking, nylon, koto, harp, lute, banjo"),
    # leads
    **_all({"instrument": "flute"}, "flute, shakuhachi, recorder, woodwind, pan flute, whistle, ocarina, clarinet"),
    **_all(
        {"instrument": "muted_trumpet"},
        "trumpet, muted trumpet, horn, brass, cornet, sax, saxophone, flugelhorn",
    ),
    **_all(
        {"instrument": "vibraphone"},
        "vibraphone, and vibes, with vibes, on vibes, jazz vibes, marimba, xylophone, glockenspiel, mallet, bell",
    ),
    **_all({"instrument": "music_box"}, "music box, celesta, kalimba, chime, toy piano, lullaby box"),
    **_all(
        {"instrument": "synth_lead"},
        "synth lead, synth, lead synth, synthesizer, synthesiser, saw lead, theremin",
    ),
    **_all({"instrument": "pad"}, "pad, synth pad, string, strings, string section, choir, pads"),
    # basses
    **_all(
        {"instrument": "upright_bass"},
        "upright bass, double bass, contrabass, acoustic bass, walking bass, stand up bass",
    ),
    **_all({"instrument": "sub_bass"}, "sub bass, sub, 808, 808 bass, deep bass"),
    **_all({"instrument": "synth_bass"}, "synth bass, saw bass, moog, moog bass, bass synth"),
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
    **_all({"part": "keys"}, "chord, chords, comping"),
    **_all({"part": "vocals"}, "vocal, vocals, voice, singing, singer, lyric, words, rap, rapping, humming"),
    **_all({"part": "fills"}, "fill, drum fill, break"),
    **_all({"kit": "brushes", "part": "drums"}, "brush, brushes, brushed drums, brushed snare"),
    **_all(
        {"kit": "electronic", "part": "drums"},
        "gated snare, gated drums, 808 drums, electronic drums, drum machine beat",
    ),
    **_all({"kit": "acoustic", "part": "drums"}, "acoustic drums, live drums, shaker, bongo, conga, cajon"),
    **_all({"kit": "dusty", "part": "drums"}, "dusty drums, dusty beat, dusty beats, sampled drums, mpc"),
    **_all(
        {"part": "drums", "beat": -0.6},
        "less drums, fewer drums, quiet drums, soft drums, subtle drums, light drums",
    ),
    **_all({"part": "drums", "beat": -0.6}, "gentle drums, quieter drums, softer drums, soft beat, light percussion"),
    **_all(
        {"part": "drums", "beat": 0.6},
        "more drums, heavy drums, loud drums, louder drums, big drums, hard drums, strong beat",
    ),
    **_all({"pace": 0.6, "energy": 0.3}, "faster, speed up, speed it up, quicker, quickly, more upbeat, more energy"),
    **_all({"pace": -0.6, "energy": -0.3}, "slower, slow down, slow it down, less energy, calm down"),
    **_all(
        {"instrument": "pad"},
        "violin, viola, cello, orchestra, string quartet, violins, mellotron, synth strings, bowed strings",
    ),
    **_all(
        {"instrument": "nylon_guitar"},
        "nylon string guitar, steel string guitar, electric guitar, string guitar, jazz guitar, mandolin",
    ),
    **_all({"instrument": "wurli"}, "wurly, wurlitzer piano, hammond, church organ"),
    **_all({"crackle": -1.0}, "clean, hi fi, pristine, studio quality, clean sound"),
    # surroundings
    **_all(
        {"ambience": "rain"},
        "rain, rainy, raindrop, raining, drizzle, drizzly, storm, stormy, thunderstorm, downpour, monsoon, "
        "shower, wet streets",
    ),
    **_all(
        {"ambience": "fire", "warm": 0.2},
        "fire, fireplace, campfire, bonfire, hearth, log fire, fireside, crackling fire, wood stove",
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
        "waves, ocean, sea, beach, seaside, shore, seashore, surf, coast, island, harbour, harbor",
    ),
    **_all(
        {"ambience": "train"},
        "train, railway, railroad, train ride, subway, metro, commute, tram, journey by rail",
    ),
    **_all(
        {"part": "ambience"},
        "ambience, background noise, background sound, background sounds, nature sound, nature sounds, field "
        "recording, weather, sound effect, foley, noise",
    ),
    **_all(
        {"crackle": 1.0},
        "vinyl, crackle, vinyl crackle, record player, turntable, dusty record, old record, vinyl noise, crackly, "
        "scratchy",
    ),
    **_all({"crackle": 0.5}, "dusty, tape hiss, hiss, cassette, vintage, tape, nostalgia tape, retro, worn"),
    # time of day
    **_all(
        {"bright": -0.35, "energy": -0.2},
        "night, nighttime, nocturnal, late night, midnight, 2am, 3am, moonlight, moonlit, moon, after dark",
    ),
    **_all({"bright": -0.2, "energy": -0.15, "warm": 0.2}, "evening, dusk, sunset, twilight, golden hour, nightfall"),
    **_all({"bright": 0.35, "energy": 0.15, "valence": 0.25}, "morning, dawn, sunrise, early morning, breakfast"),
    **_all(
        {"bright": 0.3, "energy": 0.2, "valence": 0.3},
        "afternoon, noon, midday, daytime, day, sunny, sunshine, sun, summer, spring",
    ),
    **_all(
        {"valence": -0.25, "bright": -0.15},
        "autumn, fall, winter, winter evening, november, grey, gray, fog, foggy, mist, misty, cloudy, overcast",
    ),
    **_all({"wet": 0.25, "bright": 0.1, "energy": -0.2}, "snow, snowy, snowfall, frost, ice, icy"),
    # moods
    **_all(
        {"energy": -0.4},
        "calm, calming, relaxed, relaxing, chill, chilled, mellow, gentle, soft, quiet, peaceful, tranquil, "
        "serene, easy, lazy, laid back, soothing",
    ),
    **_all(
        {"energy": -0.7, "dense": -0.4},
        "sleep, sleepy, sleeping, lullaby, bedtime, drowsy, nap, dreamtime, insomnia",
    ),
    **_all({"energy": -0.5}, "slow, downtempo, ballad, unhurried, languid"),
    **_all(
        {"energy": 0.55},
        "upbeat, energetic, lively, driving, fast, uptempo, up tempo, bouncy, danceable, dance, workout, "
        "energy, punchy",
    ),
    **_all(
        {"energy": 0.25},
        "productive, focus, focused, study, studying, work, working, coding, concentration, motivated, groove",
    ),
    **_all(
        {"valence": 0.6},
        "happy, cheerful, joyful, joy, bright mood, optimistic, hopeful, hope, playful, uplifting, positive, fun, "
        "sweet, cute, smiling, love, romantic",
    ),
    **_all(
        {"valence": -0.6},
        "sad, melancholy, melancholic, wistful, lonely, heartbreak, heartbroken, blue, gloomy, sorrow, sombre, "
        "somber, moody, brooding, bittersweet, longing, tearful, crying, rainy day blues",
    ),
    **_all({"valence": -0.2, "warm": 0.3}, "nostalgic, nostalgia, memory, memories, sentimental, reminiscent"),
    **_all(
        {"warm": 0.5, "valence": 0.15},
        "warm, cosy, cozy, homely, comforting, comfort, intimate, blanket, tea, hygge",
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
        "minimal, minimalist, sparse, simple, bare, stripped, stripped down, solitary, spare, few notes",
    ),
    **_all({"dense": 0.5}, "lush, rich, full, busy, dense, layered, orchestral, complex, elaborate"),
    **_all({"swing": 0.6}, "swing, swung, swinging, shuffle, shuffling, drunken, dilla"),
    **_all({"swing": -0.6}, "straight, quantized, quantised, robotic"),
    # "solo" and the like
    **_all({"only": True}, "alone, unaccompanied, by itself, nothing else"),
    **_all({"only": True, "instrument": "felt_piano"}, "solo piano"),
}  # fmt: skip

NEGATIONS = _words(
    """
    remove mute drop skip kill lose ditch silence replace swap omit forget stop
    avoid don't dont except exclude excluding lacking minus never no non not sans without zero
    """
)
ONLY = frozenset(("just", "only", "nothing"))
NEGATIVE_PAIRS = frozenset(
    (
        ("turn", "off"),
        ("hold", "the"),
        ("instead", "of"),
        ("take", "out"),
        ("rather", "than"),
        ("free", "of"),
        ("rid", "of"),
    )
)
STOPS = frozenset(("for", "just", "only", "but", "with", "plus", "featuring", "feat", "nothing"))
FILLER = _words(
    """
    & 4 a absolutely add after all also an and any anything are around arpeggiated as at back background be
    beautiful before big bit book bpm bring by city completely continuous crackling crashing down drive duet
    during each early entirely every everything feel feeling feels fine for forest free from garden get give go
    good great her here his home hour hours house i in influenced infused inspired instead instrument
    instrumental into is it its jam journey keep key kind lake late less let let's library like little long loop
    loops lot lots loud lovely make maybe me mix mood more mountain music musical my near nice nor now of old on
    one or our outside over piece pieces play played playing please pretty quartet quite radio rather reading
    really relax rhythm room s scene session small some something song songs sort sound sounding sounds street
    streets style switch tempo that the theme then there these they this those through time tinged tiny to too
    totally track trio tune turn two type under up us use version very vibe vibes walk walking want we when
    where while whole window with you your
    """
)

# How a name of the engine reads in a sentence.
NAMES: dict[str, str] = {
    "lofi": "lo-fi",
    "citypop": "city pop",
    "hiphop": "hip-hop",
    "bossa": "bossa nova",
    "rhodes": "Rhodes",
    "wurli": "Wurlitzer",
    "felt_piano": "piano",
    "nylon_guitar": "guitar",
    "upright_bass": "upright bass",
    "muted_trumpet": "muted trumpet",
    "synth_lead": "synth",
    "cafe": "a café",
    "fire": "a fire",
    "night": "the sounds of a night",
    "train": "a train",
}
