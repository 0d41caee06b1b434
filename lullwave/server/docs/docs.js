/** Draws openapi.json as a page, by groups, on which every route can be tried. */

import { browserStorage, Preferences } from '../static/shared/preferences.js';

const LIMIT_MS = 60_000; // for an answer
const ENDLESS_MS = 5000; // after which an endless answer is stopped

document.documentElement.dataset.theme = Preferences(browserStorage()).read('theme', 'auto');

/** An element with text and children. */
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Words in which backticks hold code, as nodes. @param {string} text */
function prose(text) {
  return text.split(/`+/).map((part, n) => (n % 2 ? el('code', {}, part) : part));
}

/** Follow `$ref` inside the document. */
function resolved(schema, document) {
  if (!schema?.$ref) return schema ?? {};
  return schema.$ref.slice(2).split('/').reduce((at, key) => at[key], document);
}

function typeOf(schema) {
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(' or ');
  const limits = [];
  if (schema.minimum !== undefined) limits.push(`from ${schema.minimum}`);
  if (schema.maximum !== undefined) limits.push(`to ${schema.maximum}`);
  if (schema.maxLength !== undefined) limits.push(`at most ${schema.maxLength} characters`);
  if (schema.enum) limits.push(schema.enum.join(', '));
  return [schema.type ?? 'anything', ...limits].join(' ');
}

function row(name, schema, required, description) {
  const fallback = schema.default === undefined ? '' : JSON.stringify(schema.default);
  return el('tr', {}, el('td', {}, el('code', {}, name)), el('td', {}, typeOf(schema)), el('td', {}, required ? 'required' : fallback), el('td', {}, ...prose(description ?? '')));
}

function table(rows) {
  const head = el('tr', {}, ...['name', 'type', 'default', 'meaning'].map((word) => el('th', {}, word)));
  return el('table', {}, head, ...rows);
}

function example(schema) {
  if (schema.examples?.length) return schema.examples[0];
  const made = {};
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    if (field.default !== undefined && field.default !== null) made[name] = field.default;
    else if (schema.required?.includes(name)) made[name] = '';
  }
  return made;
}

/** The form of one operation. */
function operation(path, method, op, document, known) {
  const inside = el('div', {}, el('p', {}, ...prose(op.description ?? op.summary ?? '')));
  const inputs = [];
  if (op.parameters?.length) {
    inside.append(table(op.parameters.map((p) => row(p.name, resolved(p.schema, document), p.required, p.description))));
    for (const parameter of op.parameters) {
      const input = el('input', { name: parameter.name, 'aria-label': parameter.name, placeholder: parameter.name });
      input.value = parameter.in === 'path' ? (known[parameter.name] ?? parameter.example ?? '') : '';
      inputs.push([parameter, input]);
      inside.append(input, ' ');
    }
  }
  const body = resolved(op.requestBody?.content?.['application/json']?.schema, document);
  let text = null;
  if (body.properties) {
    const rows = Object.entries(body.properties).map(([name, field]) => row(name, resolved(field, document), body.required?.includes(name), field.description));
    inside.append(table(rows));
    text = el('textarea', { 'aria-label': 'body', spellcheck: 'false' });
    text.value = JSON.stringify(example(body), null, 2);
    inside.append(text);
  }
  const button = el('button', { type: 'button', class: 'send' }, 'Try it');
  const answer = el('pre', { 'aria-live': 'polite', tabindex: '0', hidden: '' });
  button.addEventListener('click', () => attempt(path, method, inputs, text, answer));
  inside.append(el('div', {}, button), answer);
  const line = (op.description ?? op.summary ?? '').split(/\.\s|\n\n/)[0].replace(/\.$/, '');
  const summary = el('summary', {}, el('span', { class: 'method' }, method.toUpperCase()), el('code', {}, path), el('span', { class: 'line' }, ...prose(line)));
  return el('details', { class: 'route' }, summary, inside);
}

/** Call a route and show the answer: text as it is, sounds and images to hear and see. */
async function attempt(path, method, inputs, text, answer) {
  const query = new URLSearchParams();
  let address = path.slice(1);
  for (const [parameter, input] of inputs) {
    if (parameter.in === 'path') address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value) query.set(parameter.name, input.value);
  }
  if (query.size) address += `?${query}`;
  const limit = new AbortController();
  const endless = path.endsWith('stream.mp3') || path.endsWith('events');
  const timer = setTimeout(() => limit.abort(), endless ? ENDLESS_MS : LIMIT_MS);
  answer.hidden = false;
  answer.textContent = '…';
  try {
    const options = { method: method.toUpperCase(), signal: limit.signal };
    if (text) Object.assign(options, { body: text.value, headers: { 'content-type': 'application/json' } });
    const response = await fetch(address, options);
    const kind = response.headers.get('content-type') ?? '';
    answer.textContent = `${response.status} ${kind}\n`;
    if (kind.includes('json')) answer.textContent += JSON.stringify(await response.json(), null, 2);
    else if (kind.startsWith('text/')) await show(response, answer);
    else if (endless) answer.append(el('a', { href: address }, 'open the address in a player to hear it'));
    else if (kind.startsWith('audio/')) answer.append(el('audio', { controls: '', 'aria-label': path, src: URL.createObjectURL(await response.blob()) }));
    else if (kind.startsWith('image/')) answer.append(el('img', { alt: path, src: URL.createObjectURL(await response.blob()) }));
  } catch (error) {
    answer.textContent += error.name === 'AbortError' ? '\n(stopped: it goes on)' : `\n${error.message}`;
  } finally {
    clearTimeout(timer);
    limit.abort();
  }
}

async function show(response, answer) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) answer.textContent += part.value;
}

/** One section for each group: its name, a line about it, its routes. */
function draw(document_, known) {
  const routes = document.querySelector('.routes');
  const links = document.querySelector('.groups');
  const groups = new Map(document_.tags.map(({ name, description }) => [name, { description, operations: [] }]));
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const [method, op] of Object.entries(methods)) {
      const name = op.tags?.[0] ?? 'more';
      if (!groups.has(name)) groups.set(name, { description: '', operations: [] });
      groups.get(name).operations.push(operation(path, method, op, document_, known));
    }
  }
  routes.replaceChildren();
  for (const [name, { description, operations }] of groups) {
    links.append(el('a', { class: 'pill', href: `docs#${name}` }, name));
    routes.append(el('section', { class: 'group', id: name, 'aria-labelledby': `${name}-title` }, el('h2', { id: `${name}-title` }, name), el('p', { class: 'line' }, ...prose(description)), ...operations));
  }
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/** JSON of this server; examples name its own stations. */
const json = async (address) => (await fetch(address)).json();
const [openapi, stations] = await Promise.all([json('openapi.json'), json('api/stations')]);
draw(openapi, { station: stations.default });
