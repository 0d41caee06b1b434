/**
 * What share of a clip has come, from its own bytes; pure, and knows nothing of how they come.
 *
 * MP3 with an Info tag (https://gabriel.mp3-tech.org/mp3infotag.html), after an ID3v2 tag if there is one (ID3v2.4,
 * section 3.1), and WAV state their size at the beginning; each
 * page of Ogg says how many frames end on it (RFC 3533, section 6). FLAC says neither, and its share is not known.
 */

const HEAD_BYTES = 64;
const OGG_HEAD_BYTES = 27;
const OPUS_RATE = 48_000; // Ogg Opus counts in these, whatever the sound's own rate (RFC 7845, section 4)

/** @param {string} format @param {number} durationS the length that was asked for */
export function MadeSoFar(format, durationS) {
  let head = new Uint8Array(0);
  let received = 0;
  let endedS = 0;
  let tail = new Uint8Array(0);

  return {
    /** @param {Uint8Array} bytes the next ones */
    add(bytes) {
      received += bytes.length;
      if (head.length < HEAD_BYTES + id3Size(head)) head = joined(head, bytes);
      if (format !== 'ogg' && format !== 'opus') return;
      const both = joined(tail, bytes);
      endedS = lastPageS(both, format === 'opus' ? OPUS_RATE : vorbisRate(head)) ?? endedS;
      tail = both.slice(-OGG_HEAD_BYTES);
    },
    get received() {
      return received;
    },
    /** From 0 to 1, or null where the bytes do not say. */
    get share() {
      if (format === 'ogg' || format === 'opus') return durationS > 0 ? Math.min(1, endedS / durationS) : null;
      const size = { mp3: taggedSize, wav: riffSize }[format]?.(head) ?? null;
      return size ? Math.min(1, received / size) : null;
    },
  };
}

function joined(first, second) {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const begins = (bytes, at, word) => [...word].every((letter, i) => bytes[at + i] === letter.charCodeAt(0));

/** The length of an ID3v2 tag, its header of ten bytes included; four bytes of seven bits say how long its body is. */
function id3Size(head) {
  if (head.length < 10 || !begins(head, 0, 'ID3')) return 0;
  return 10 + head.subarray(6, 10).reduce((size, byte) => (size << 7) | (byte & 0x7f), 0);
}

/** The bytes that an Info tag announces, and the ID3 tag before it: after the word come flags, frames and bytes. */
function taggedSize(head) {
  const first = id3Size(head);
  for (const at of [first + 13, first + 21, first + 36]) {
    const whole = head.length >= at + 16 && begins(head, at, 'Info');
    if (whole && (view(head).getUint32(at + 4) & 3) === 3) return first + view(head).getUint32(at + 12);
  }
  return null;
}

function riffSize(head) {
  return head.length >= 8 && begins(head, 0, 'RIFF') ? view(head).getUint32(4, true) + 8 : null;
}

/** The rate in the identification header, after the first page's own (Vorbis I, section 4.2.2). */
function vorbisRate(head) {
  return head.length >= 44 && begins(head, 29, 'vorbis') ? view(head).getUint32(40, true) : null;
}

/** When the last page that begins in `bytes` ends. A page on which no packet ends says so with all bits set. */
function lastPageS(bytes, rate) {
  if (!rate) return null;
  for (let at = bytes.length - OGG_HEAD_BYTES; at >= 0; at -= 1) {
    if (!begins(bytes, at, 'OggS') || bytes[at + 4] !== 0) continue;
    const frames = view(bytes).getBigInt64(at + 6, true);
    if (frames >= 0n) return Number(frames) / rate;
  }
  return null;
}
