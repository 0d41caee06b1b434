/**
 * A random id for this page, by which the server pairs its sound, its events and its socket.
 *
 * `crypto.randomUUID` exists only on secure origins, and a radio in the home network is often plain HTTP.
 *
 * @param {(bytes: Uint8Array) => Uint8Array} fill @returns {string} a version 4 UUID (RFC 9562, section 5.4)
 */
export function listenerId(fill = (bytes) => crypto.getRandomValues(bytes)) {
  const bytes = fill(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
