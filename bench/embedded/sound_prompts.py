"""The prompts of ``bench.embedded.sound``, chosen before the music was changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Clip:
    """A prompt, and what its music should have."""

    prompt: str
    beats: bool = True  # it has drums; ambient music and solos leave the recorded ranges of drums
    keys: bool = False  # it asks for a piano or another keyboard


CLIPS = (
    Clip("lighthouse keeper's radio, slow beat"),
    Clip("rooftop in Lisbon, fingerpicked guitar and hand drums"),
    Clip("laundromat at 2am, dusty hip hop"),
    Clip("bus window in the rain, soft electronic beat"),
    Clip("warm saxophone over a lazy boom bap loop"),
    Clip("night market, koto and vinyl drums"),
    Clip("arcade after closing time, synths and 808"),
    Clip("lofi beats to fold paper cranes to"),
    Clip("violin and a broken drum machine"),
    Clip("desert highway, slide guitar, 74 bpm"),
    Clip("kalimba sunrise with shaker and sub bass"),
    Clip("chillhop with flute, springtime in Kyoto"),
    Clip("moody trip hop in a parking garage"),
    Clip("sleepy sunday soul with organ", keys=True),
    Clip("harp and brushed drums, first snow"),
    Clip("surf shack, clean electric guitar, sunny"),
    Clip("cello loop, rainy library, soft kick"),
    Clip("space station garden, downtempo electronica"),
    Clip("rhodes chords and head-nod drums, 84 bpm", keys=True),
    Clip("old piano in an empty ballroom with a slow beat", keys=True),
    Clip("clarinet in a small-town train station, brushes"),
    Clip("sitar and dub drums, incense"),
    Clip("melancholy synth pop demo on cassette"),
    Clip("marimba on a houseboat, easy groove"),
    Clip("ambient drift over a frozen lake, no drums", beats=False),
    Clip("cathedral choir pad, very slow, without drums", beats=False),
    Clip("solo classical guitar by candlelight, no drums", beats=False),
    Clip("deep sea meditation, soft synth drones", beats=False),
    Clip("music for a sleeping baby, harp only", beats=False),
    Clip("string quartet at dusk, no percussion", beats=False),
)

# A prompt of one word, and the tagger's words for it.
WORDS: dict[str, tuple[str, ...]] = {
    "guitar": ("guitar",),
    "piano": ("piano",),
    "strings": ("strings",),
    "violin": ("violin",),
    "cello": ("cello",),
    "harp": ("harp",),
    "harpsichord": ("harpsichord",),
    "flute": ("flute",),
    "sitar": ("sitar",),
    "synth": ("synth",),
    "drums": ("drums",),
    "beat": ("beat", "beats"),
    "techno": ("techno",),
    "electronic": ("electronic",),
    "dance": ("dance",),
    "ambient": ("ambient",),
    "new age": ("new age",),
    "classical": ("classical", "classic"),
    "choir": ("choir", "choral"),
}

# A name in a prompt, and a part of the names of the engine's instruments that match it.
NAMED: dict[str, tuple[str, ...]] = {
    "piano": ("piano",),
    "guitar": ("guitar",),
    "flute": ("flute",),
    "trumpet": ("trumpet",),
    "vibraphone": ("vibraphone",),
    "violin": ("violin",),
    "cello": ("cello",),
    "harp": ("harp",),
    "sitar": ("sitar",),
    "saxophone": ("sax",),
    "clarinet": ("clarinet",),
    "organ": ("organ",),
    "accordion": ("accordion",),
    "kalimba": ("kalimba",),
    "marimba": ("marimba",),
    "koto": ("koto", "guzheng"),
    "electric guitar": ("electric_guitar", "clean_guitar", "wah_guitar"),
    "synth lead": ("synth_lead",),
    "music box": ("music_box",),
    "rhodes": ("rhodes",),
}
NAMING = ("mellow beat with {}", "{} at dusk, rain on the window", "lofi hip hop, 82 bpm, {}")
NAMED_PROMPTS = tuple((pattern.format(name), parts) for name, parts in NAMED.items() for pattern in NAMING)

# The tagger's words for an instrument: the first entry whose key is in the instrument's name; empty if it has none.
INSTRUMENT_TAGS: dict[str, tuple[str, ...]] = {
    "harpsichord": ("harpsichord",),
    "electric_piano": (),
    "piano": ("piano",),
    "guitar": ("guitar",),
    "violin": ("violin", "strings"),
    "cello": ("cello", "strings"),
    "string": ("strings", "violin", "cello"),
    "flute": ("flute",),
    "sitar": ("sitar", "indian"),
    "harp": ("harp",),
    "choir": ("choir", "choral"),
    "pad": ("ambient", "synth", "new age"),
    "synth": ("synth", "electronic"),
    "lead": ("synth", "electronic"),
    "pluck": ("synth", "electronic"),
    "808": ("electronic", "beat", "synth"),
}


def tags_of(instrument: str) -> tuple[str, ...]:
    """The tags by which the tagger may know an instrument; none if it has no word for it."""
    return next((tags for part, tags in INSTRUMENT_TAGS.items() if part in instrument), ())
