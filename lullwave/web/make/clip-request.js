/** A request for a clip as it is sent and as it is told to others: JSON, a curl line, the name of its file; pure. */

/** JSON with whole numbers of any size: seeds go beyond those that JavaScript counts with. @param {unknown} value */
export function jsonOf(value) {
  if (typeof value === 'bigint') return String(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const said = Object.entries(value).filter(([, one]) => one !== undefined);
  return `{${said.map(([name, one]) => `${JSON.stringify(name)}: ${jsonOf(one)}`).join(', ')}}`;
}

/** A seed where none is given: drawn here and not by the server, so that the page can say what it was. */
export function freshSeed(fill = (numbers) => crypto.getRandomValues(numbers)) {
  return fill(new Uint32Array(1))[0];
}

/** @param {{prompt: string, seed: number | bigint, format: string}} request */
export function fileName({ prompt, seed, format }) {
  const words = prompt
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);
  let name = '';
  for (const word of words) {
    if (name.length + word.length >= 40) break;
    name += `-${word}`;
  }
  return `lullwave${name}-${seed}.${format}`;
}

/**
 * The command that makes the same clip in a shell, a part a line. A token is not in it, only the variable that would hold it.
 *
 * @param {string} url @param {string} json @param {string} file @param {boolean} withToken
 */
export function curlLine(url, json, file, withToken) {
  const parts = [`curl -fsS ${quoted(url)}`, "-H 'Content-Type: application/json'", `-d ${quoted(json)}`, `-o ${quoted(file)}`];
  if (withToken) parts.splice(1, 0, '-H "Authorization: Bearer $LULLWAVE_TOKEN"');
  return parts.join(' \\\n  ');
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
