/**
 * Riff: holds the page's state, handles events of its components and of time, and shows the music.
 *
 * The music itself is in `music/`, the picture in `view/`, the cards in `panel/`; this one only connects.
 */

import { Volume } from '../player/volume.js';
import { PlayButton } from '../player/play-button.js';
import { keepShell } from '../radio/offline-shell.js';
import { Api } from '../shared/api.js';
import { audioContext } from '../shared/audio-context.js';
import { retryDelayMs } from '../shared/backoff.js';
import { Dots } from '../shared/dots.js';
import { LanguageMenu } from '../shared/language-menu.js';
import { strings } from '../shared/page-strings.js';
import { browserStorage, Preferences, visitStorage } from '../shared/preferences.js';
import { translate } from '../shared/strings.js';
import { Theme } from '../shared/theme.js';
import { isRefused, pace } from './music/clip-calls.js';
import { ClipPlayer } from './music/clip-player.js';
import { ClipSource, engineFor, learnRiffusion, learnServer, RIFFUSION } from './music/clip-source.js';
import { RiffMusic } from './music/riff-music.js';
import { fromAddress, MAX_SEED, toAddress, usual } from './music/riff-settings.js';
import * as Presence from './music/still-listening.js';
import { NextPrompt, another } from './panel/next-prompt.js';
import { Notice } from './panel/notice.js';
import { PromptList } from './panel/prompt-list.js';
import { SettingsForm } from './panel/settings-form.js';
import { Share } from './panel/share.js';
import { ClipLevels } from './view/clip-levels.js';
import { Spectrogram } from './view/spectrogram.js';
import * as Words from './wording.js';

const TICK_MS = 200;
const LOADED_MS = 1500; // a Riffusion that is loaded answers within this time; without it, another engine begins
const GLIDE_S = 0.03; // of the volume

const preferences = Preferences(browserStorage());
const visit = Preferences(visitStorage());

/** @param {HTMLElement} el @param {ReturnType<import('../shared/strings.js').translator>} t */
export function Riff(el, t) {
  const find = (selector) => el.querySelector(selector);
  translate(el, t);
  document.title = t('riff.page-title');
  const api = Api({ base: document.baseURI, t });
  const said = fromAddress(location.search);
  const settings = { ...usual(Math.floor(Math.random() * 1e6)), ...said.settings };
  const state = {
    settings,
    server: null,
    unreached: false,
    wanted: false,
    token: visit.read('token', ''),
    needsToken: false,
    presence: Presence.here(performance.now()),
    volume: preferences.read('volume', 0.7),
    theme: preferences.read('theme', 'auto'),
  };

  let sound = null; // {context, gain, player}, from the first press of play
  const music = RiffMusic({
    make: ClipSource({ api, decode: (bytes) => sound.context.decodeAudioData(bytes), levels: ClipLevels() }),
    context: () => sound?.context ?? null,
    player: () => sound?.player ?? { update() {}, clear() {} },
    nowMs: () => performance.now(),
    random: Math.random,
    onClip: tick,
    onProblem: withoutCheckpoint,
  });
  const first = said.prompts.length ? said.prompts : [another(Words.PROMPTS, [], Math.random)];
  music.begin(first, settings.seed);

  const parts = {
    theme: Theme(find('.theme'), t),
    play: PlayButton(find('.play-button'), { labels: { play: t('player.play'), pause: t('player.pause') } }),
    volume: Volume(find('.volume'), t),
    list: PromptList(find('.prompt-list'), t),
    form: SettingsForm(find('.riff-settings'), t),
    notice: Notice(find('.notice')),
    share: Share(find('.share'), t),
    picture: Spectrogram(find('.spectrogram'), music.view),
  };
  const dialog = find('.still-listening');
  Dots(find('.dots'));
  NextPrompt(find('.next-prompt'), t, Words.PROMPTS, Math.random);
  LanguageMenu(find('.language-menu'), preferences);

  const handlers = {
    play,
    pause,
    'set-volume': (volume) => remember('volume', volume),
    'set-theme': (theme) => remember('theme', theme),
    'ask-prompt': (prompt) => {
      music.ask(prompt);
      if (!state.wanted) play();
    },
    'jump-prompt': (id) => {
      music.jump(id);
      if (!state.wanted) play();
    },
    'remove-prompt': (id) => music.remove(id),
    'set-setting': set,
    'set-token': (token) => {
      visit.write('token', token);
      state.token = token;
      order();
    },
    'try-again': () => music.tryAgain(),
    'go-token': () => {
      state.needsToken = true;
      update();
      parts.form.focusToken();
    },
    'fewer-steps': () => set({ numInferenceSteps: Math.max(10, Math.round(state.settings.numInferenceSteps / 2)) }),
    'other-engine': () => set({ engine: otherEngine() }),
  };
  for (const [name, handle] of Object.entries(handlers)) {
    el.addEventListener(name, (event) => {
      handle(event.detail);
      update();
    });
  }
  for (const kind of ['pointerdown', 'keydown', 'wheel']) {
    addEventListener(kind, () => (state.presence = Presence.touched(state.presence, performance.now())), { passive: true });
  }
  dialog.addEventListener('close', stay);
  find('.still-listening .yes').addEventListener('click', () => dialog.close());
  addEventListener('online', () => music.tryAgain());
  setInterval(tick, TICK_MS);
  void learn(1);
  update();

  /** What the server can do; asked until it answers. While Riffusion loads, another engine makes the clips. */
  async function learn(attempt) {
    try {
      const riffusion = learnRiffusion(api);
      riffusion.catch(() => {}); // awaited below
      const server = await learnServer(api);
      const waited = new Promise((resolve) => setTimeout(() => resolve({}), LOADED_MS));
      state.server = { ...server, ...(await Promise.race([riffusion, waited])) };
      state.unreached = false;
      state.needsToken = state.server.needsToken;
      order();
      update();
      if (!state.server.riffusion.loading) return;
      const before = engine();
      state.server = { ...state.server, ...(await riffusion) };
      order();
      if (engine() !== before) music.remake();
    } catch {
      state.unreached = true;
      setTimeout(() => void learn(attempt + 1), retryDelayMs(attempt, Math.random()));
    }
    update();
  }

  function engine() {
    return state.server ? engineFor(state.server, state.settings.engine) : '';
  }

  function otherEngine() {
    const here = state.server.engines.filter(({ available }) => available).map(({ name }) => name);
    return here.includes('synth') ? 'synth' : here[0];
  }

  function order() {
    const made = engine();
    if (made) music.order({ settings: state.settings, server: state.server, engine: made, token: state.token });
  }

  /** @param {Partial<import('./music/riff-settings.js').Settings>} changes */
  function set(changes) {
    state.settings = { ...state.settings, ...changes };
    order();
    if ('seed' in changes) music.reseed(changes.seed % (MAX_SEED + 1));
    else music.remake();
  }

  /** A checkpoint that went away: whichever engine there is makes the clips. */
  function withoutCheckpoint({ field }) {
    if (field !== 'checkpoint' || engine() !== RIFFUSION) return;
    state.server = { ...state.server, riffusion: { available: false } };
    order();
  }

  function play() {
    state.wanted = true;
    state.presence = Presence.here(performance.now());
    if (!sound) {
      const context = audioContext();
      const gain = new GainNode(context, { gain: loudness() });
      gain.connect(context.destination);
      sound = { context, gain, player: ClipPlayer(context, gain) };
    }
    void sound.context.resume().then(tick);
  }

  function pause() {
    state.wanted = false;
    void sound?.context.suspend();
  }

  function loudness() {
    return state.volume ** 2; // nearer to what the ear takes for even
  }

  function remember(name, value) {
    state[name] = value;
    preferences.write(name, value);
    if (name === 'volume') sound?.gain.gain.setTargetAtTime(loudness(), sound.context.currentTime, GLIDE_S);
  }

  function stay() {
    const gone = state.presence.phase === 'gone';
    state.presence = Presence.here(performance.now());
    if (gone) play();
    update();
  }

  function tick() {
    state.presence = Presence.ticked(state.presence, performance.now(), state.wanted);
    const { phase } = state.presence;
    if (phase === 'gone' && state.wanted) pause();
    if (phase !== 'here' && !dialog.open) dialog.showModal();
    music.tick(state.wanted && Presence.mayAsk(state.presence));
    if (!document.hidden) update();
  }

  function update() {
    const view = music.view();
    const { step, walk } = view;
    const made = engine();
    const { prompt } = step ? (step.alpha > 0.5 ? step.end : step.start) : walk.entries.find(({ id }) => id === walk.at);
    const playing = state.wanted && view.segment !== null;
    parts.theme.update(state);
    parts.volume.update(state);
    parts.play.update({ wanted: state.wanted, busy: state.wanted && !view.segment });
    parts.picture.update({ playing, label: Words.pictureLabel(t, step, playing) });
    const told = Words.status(t, { ...state, view, gone: state.presence.phase === 'gone' });
    find('.player-status').dataset.phase = told.phase;
    write(find('.player-status .text'), told.text);
    write(find('.now-playing .lead'), Words.lead(t, { step, wanted: state.wanted }));
    write(find('.now-playing .title'), prompt);
    facts(Words.facts(t, step, made));
    parts.notice.update(noticed(view, made));
    parts.list.update({
      entries: walk.entries,
      heard: step && walk.entries.some(({ id }) => id === step.entry) ? step.entry : walk.at,
      toward: step?.toward ?? walk.at,
      share: step?.alpha ?? 0,
    });
    parts.form.update({ ...state, engine: made, imageUrl: api.seedImageUrl });
    write(find('.engine-note'), Words.engineNote(t, state.server, made));
    write(find('.picture-note'), Words.pictureNote(t, parts.picture.drawn()));
    parts.share.update({ url: address(walk, step, prompt) });
  }

  function noticed({ calls, behind }, made) {
    if (!state.wanted) return null;
    return Words.notice(t, {
      problem: calls.problem,
      refused: isRefused(calls),
      behind,
      pace: pace(calls),
      engine: made,
      settings: state.settings,
      online: navigator.onLine,
      tokenShown: state.token !== '',
    });
  }

  /** The link to what is heard, and the same for a reload. */
  function address(walk, step, prompt) {
    const here = walk.entries.findIndex(({ id }) => id === (step && prompt === step.end.prompt ? step.toward : step?.entry ?? walk.at));
    const next = walk.entries.slice(here + 1).map((entry) => entry.prompt);
    const search = toAddress([prompt, ...next], { ...state.settings, seed: step?.start.seed ?? state.settings.seed });
    const url = new URL(search, location.href).href;
    if (state.wanted && url !== location.href) history.replaceState(null, '', url);
    return url;
  }

  function facts(words) {
    const list = find('.now-playing .facts');
    if (list.dataset.words === words.join()) return;
    list.dataset.words = words.join();
    list.replaceChildren(...words.map((word) => Object.assign(document.createElement('li'), { textContent: word })));
  }
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

Riff(document.querySelector('.riff'), await strings);
void keepShell(['static/riff/view/levels-worker.js']); // made when the first clip is there
