/** The page on which a listener makes a clip: its form is what the server says of its engines. */

import { Api } from '../shared/api.js';
import { curlLine, fileName, freshSeed, jsonOf } from './clip-request.js';
import { brokenWords, fieldWords, refusalWords } from './clip-wording.js';
import { Dots } from '../shared/dots.js';
import { MadeClip } from './made-clip.js';
import { MadeSoFar } from './made-so-far.js';
import { OptionForm } from './option-form.js';
import { browserStorage, Preferences, visitStorage } from '../shared/preferences.js';
import { Theme } from '../shared/theme.js';
import { sentence } from '../radio/wording.js';

const TICK_MS = 500;
const OWN_WORDS = {
  prompt: { label: 'How it should sound', placeholder: 'rainy night piano, slower, no drums' },
  duration_s: { label: 'Length in seconds' },
  seed: { placeholder: 'random' },
};

/** @param {HTMLElement} el */
export function MakeClip(el) {
  const find = (selector) => el.querySelector(selector);
  const preferences = Preferences(browserStorage());
  const visit = Preferences(visitStorage());
  const api = Api({ base: document.baseURI });
  const theme = Theme(find('.theme'));
  const form = find('.make-clip');
  const engine = find('.engine .box');
  const token = find('.token .box');
  const general = OptionForm(find('.general'));
  const own = OptionForm(find('.own'));
  const clip = MadeClip(find('.made-clip'));
  let engines = [];
  let needsToken = false;
  let making = null;
  let lastSeed = null;

  Dots(find('.dots'));
  theme.update({ theme: preferences.read('theme', 'auto') });
  token.value = visit.read('token', '');
  el.addEventListener('set-theme', ({ detail }) => {
    preferences.write('theme', detail);
    theme.update({ theme: detail });
  });
  el.addEventListener('keep-seed', () => general.put('seed', lastSeed));
  engine.addEventListener('change', chooseEngine);
  token.addEventListener('input', () => complainOf(find('.token'), ''));
  find('.cancel').addEventListener('click', () => making?.abort());
  find('.retry').addEventListener('click', () => void learn());
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!making) void make();
  });
  void learn();

  async function learn() {
    try {
      const told = await api.engines();
      engines = told.engines;
      showEngines(told.default);
      general.update(without(told.request, ['engine', 'options', 'kbps', 'lufs']), OWN_WORDS);
      needsToken = told.needs_token;
      find('.token').hidden = !needsToken;
      find('.unreached').hidden = true;
      form.hidden = false;
    } catch (error) {
      find('.unreached .why').textContent = refusalWords(error);
      find('.unreached').hidden = false;
    }
  }

  function showEngines(chosen) {
    const here = engines.filter(({ available }) => available);
    engine.replaceChildren(...here.map(({ name }) => new Option(name, name, name === chosen, name === chosen)));
    const absent = engines.filter(({ available }) => !available);
    find('.absent').hidden = absent.length === 0;
    find('.absent .list').replaceChildren(...absent.map(({ name, why }) => {
      const item = document.createElement('li');
      item.textContent = `${name}: ${sentence(why)}`;
      return item;
    }));
    chooseEngine();
  }

  function chooseEngine() {
    const chosen = engines.find(({ name }) => name === engine.value);
    complainOf(find('.engine'), '');
    find('.engine .help').textContent = chosen?.summary ? sentence(chosen.summary) : '';
    own.update(chosen?.options ?? {});
    find('.own-options').hidden = find('.own').childElementCount === 0;
  }

  async function make() {
    const [said, options] = [general.read(), own.read()];
    for (const where of ['.engine', '.token']) complainOf(find(where), '');
    const wrong = said.wrong ?? options.wrong;
    if (wrong) return wrong.focus();
    const changed = Object.entries(options.values).filter(([, value]) => value !== undefined);
    const request = {
      prompt: said.values.prompt ?? '',
      seed: said.values.seed ?? freshSeed(),
      duration_s: said.values.duration_s ?? general.unset('duration_s'),
      engine: engine.value,
      format: said.values.format ?? general.unset('format'),
      options: changed.length ? Object.fromEntries(changed) : undefined,
    };
    making = new AbortController();
    busy(true);
    clip.begin();
    const sofar = MadeSoFar(request.format, request.duration_s);
    try {
      const made = await fetched(request, sofar, making.signal);
      lastSeed = request.seed;
      clip.done(made);
      visit.write('token', token.value);
    } catch (error) {
      if (making.signal.aborted) clip.stop('Cancelled.');
      else refused(error, sofar.received);
    } finally {
      making = null;
      busy(false);
    }
  }

  async function fetched(request, sofar, signal) {
    const begun = performance.now();
    let sounding = begun;
    const show = () => {
      const now = performance.now();
      const [elapsedS, soundingS] = [(now - begun) / 1000, (now - sounding) / 1000];
      clip.progress({ bytes: sofar.received, share: sofar.share, elapsedS, soundingS, durationS: request.duration_s });
    };
    show();
    const ticking = setInterval(show, TICK_MS);
    try {
      const json = jsonOf(request);
      const reply = await api.generate(json, token.value, signal);
      const parts = [];
      const reader = reply.body.getReader();
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        if (parts.length === 0) sounding = performance.now();
        parts.push(next.value);
        sofar.add(next.value);
      }
      const file = fileName(request);
      return {
        blob: new Blob(parts, { type: reply.headers.get('content-type') }),
        file,
        curl: curlLine(api.address('api/generate'), json, file, needsToken),
        elapsedS: (performance.now() - begun) / 1000,
        request,
      };
    } finally {
      clearInterval(ticking);
    }
  }

  /** The server's words stand where they belong: at the field that they name, if it is on the page. */
  function refused(error, received) {
    if (error.status === undefined) return clip.stop(brokenWords(received));
    const words = refusalWords(error, token.value !== '');
    const about = fieldWords(error.message, error.field ?? '');
    let control = null;
    if (error.wantsToken) {
      needsToken = true;
      find('.token').hidden = false;
      control = complainOf(find('.token'), words);
    } else if (error.field?.startsWith('options.')) control = own.complain(error.field.slice(8), about);
    else if (error.field === 'engine' || error.field === 'checkpoint') control = complainOf(find('.engine'), about);
    else if (error.field) control = general.complain(error.field, about);
    clip.stop(control ? 'Please correct the marked field.' : words);
    control?.focus();
  }

  function busy(is) {
    const [send, cancel] = [find('.send'), find('.cancel')];
    const held = document.activeElement === send || document.activeElement === cancel;
    send.hidden = is;
    cancel.hidden = !is;
    if (held) (is ? cancel : send).focus({ preventScroll: true });
  }
}

function complainOf(row, words) {
  const control = row.querySelector('.box');
  const wrong = row.querySelector('.wrong');
  wrong.textContent = words;
  wrong.hidden = !words;
  if (words) control.setAttribute('aria-invalid', 'true');
  else control.removeAttribute('aria-invalid');
  return control;
}

function without(schema, names) {
  const kept = Object.entries(schema.properties).filter(([name]) => !names.includes(name));
  return { ...schema, properties: Object.fromEntries(kept) };
}

MakeClip(document.querySelector('.radio'));
