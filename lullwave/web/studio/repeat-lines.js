/** A job as it is told to others: JSON, a curl line, the name of a file; pure. */

/** JSON with whole numbers of any size: seeds go beyond those that JavaScript counts with. @param {unknown} value */
export function jsonOf(value) {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const said = Object.entries(value).filter(([, one]) => one !== undefined);
  return `{${said.map(([name, one]) => `${JSON.stringify(name)}: ${jsonOf(one)}`).join(', ')}}`;
}

/** JSON of whole numbers of any size: those that JavaScript cannot count with become BigInt. @param {string} text */
export function jsonParsed(text) {
  const tokens = /("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;
  const marked = text.replace(tokens, (all, string, number) => (number && /^-?\d{16,}$/.test(number) ? `"\\u0000${number}"` : all));
  return JSON.parse(marked, (_, value) => {
    if (typeof value !== 'string' || !value.startsWith('\u0000')) return value;
    const number = Number(value.slice(1));
    return Number.isSafeInteger(number) ? number : BigInt(value.slice(1));
  });
}

/**
 * The fields of a request that differ from their defaults.
 *
 * @param {Record<string, unknown>} fields @param {{properties: Record<string, {default?: unknown}>}} schema
 */
export function changedFields(fields, schema) {
  const differs = ([name, value]) => {
    if (name === 'options') return Object.keys(value ?? {}).length > 0;
    return value !== (schema.properties[name]?.default ?? null);
  };
  return Object.fromEntries(Object.entries(fields).filter(differs));
}

/** @param {{task: string, name: string, title: string, seed?: unknown}} made */
export function fileName({ title, name, seed }) {
  const words = title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);
  let begin = '';
  for (const word of words) {
    if (begin.length + word.length >= 40) break;
    begin += `-${word}`;
  }
  const numbered = seed === undefined || seed === null ? '' : `-${seed}`;
  return `lullwave${begin}${numbered}-${name}`;
}

/**
 * The command that asks for the same in a shell, a part a line. A clip of text comes as a file at once; other tasks as a
 * job. A token is not in it, only the variable that would hold it.
 *
 * @param {{base: string, task: string, fields: Record<string, unknown>, file: string, withToken: boolean}} request
 */
export function curlLine({ base, task, fields, file, withToken }) {
  const { image, midi, stems, continue_from, melody, ...clip } = fields;
  const alone = task === 'text' && !midi && !stems && !continue_from && !melody;
  const [path, body] = alone ? ['api/generate', clip] : ['api/jobs', { task, fields }];
  const parts = [
    `curl -fsS ${quoted(new URL(path, base).href)}`,
    ...(withToken ? ['-H "Authorization: Bearer $LULLWAVE_TOKEN"'] : []),
    "-H 'Content-Type: application/json'",
    `-d ${quoted(jsonOf(body))}`,
    ...(alone ? [`-o ${quoted(file)}`] : []),
  ];
  return parts.join(' \\\n  ');
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
