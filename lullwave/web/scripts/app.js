/**
 * The radio: holds the page's state, hears wishes and news, and tells every component what is so.
 *
 * What the state means and how it changes is in the `*-state.js` modules; this one only connects.
 */

import { Ambience } from './ambience.js';
import { Api } from './api.js';
import { AudioStream } from './audio-stream.js';
import { BANDS, levelsAt, measure } from './band-levels.js';
import { Dots } from './dots.js';
import { EventFeed } from './event-feed.js';
import { History } from './history.js';
import { Listeners } from './listeners.js';
import { listenerId } from './listener-id.js';
import { ListenersSocket } from './listeners-socket.js';
import { MediaControls } from './media-session.js';
import { MeowingCat } from './meowing-cat.js';
import { NowPlaying } from './now-playing.js';
import { PlayButton } from './play-button.js';
import * as Player from './player-state.js';
import { pastPieces } from './past-pieces.js';
import { PieceProgress } from './piece-progress.js';
import { PlayerStatus } from './player-status.js';
import { browserStorage, Preferences } from './preferences.js';
import { Scene } from './scene.js';
import { SleepTimer } from './sleep-timer.js';
import * as Sleep from './sleep-state.js';
import { SleepingCat } from './sleeping-cat.js';
import { StationNote } from './station-note.js';
import { Stations } from './stations.js';
import { Steering } from './steering.js';
import * as Steer from './steering-state.js';
import { Theme } from './theme.js';
import * as Time from './timeline.js';
import { Volume } from './volume.js';
import { WishQueue } from './wish-queue.js';

const TICK_MS = 400;
const STATIONS_MS = 20_000;
const PAST_PIECES = 6;

/** @param {HTMLElement} el */
export function Radio(el) {
  const find = (selector) => el.querySelector(selector);
  const preferences = Preferences(browserStorage());
  const api = Api({ base: document.baseURI, listener: listenerId() });

  const state = {
    player: Player.INITIAL,
    timeline: Time.emptyTimeline(),
    bands: [],
    stations: [],
    station: null,
    listeners: null,
    desk: null,
    history: [],
    steering: Steer.NO_WISH,
    sleep: Sleep.AWAKE,
    volume: preferences.read('volume', 0.7),
    theme: preferences.read('theme', 'auto'),
  };

  const stream = AudioStream(find('.audio-stream'));
  const heardTime = () => (Player.isOpen(state.player) ? stream.time : null);
  const heardFrame = () => Time.heardFrame(state.timeline, heardTime());
  const parts = {
    playButton: PlayButton(find('.play-button')),
    status: PlayerStatus(find('.player-status')),
    note: StationNote(find('.station-note')),
    volume: Volume(find('.volume')),
    nowPlaying: NowPlaying(find('.now-playing')),
    progress: PieceProgress(find('.piece-progress')),
    listeners: Listeners(find('.listeners')),
    stations: Stations(find('.stations')),
    steering: Steering(find('.steering')),
    wishQueue: WishQueue(find('.wish-queue')),
    history: History(find('.history')),
    sleepTimer: SleepTimer(find('.sleep-timer')),
    ambience: Ambience(find('.ambience'), preferences),
    scene: Scene(find('.scene'), shownLevels),
    sleepingCat: SleepingCat(find('.sleeping-cat')),
    meowingCat: MeowingCat(find('.meowing-cat'), preferences),
    dots: Dots(find('.dots')),
    theme: Theme(find('.theme')),
    media: MediaControls(el),
  };
  let newest = null; // the first frame of the piece that was heard last
  const feed = EventFeed(hearNews);
  const socket = ListenersSocket(api.socketUrl(), (count) => change({ listeners: count }));

  const wishes = {
    play: () => movePlayer((player, now) => Player.play(player, now)),
    pause: () => movePlayer(Player.pause),
    'play-again': playAgain,
    'set-volume': (volume) => remember('volume', volume),
    'set-theme': (theme) => remember('theme', theme),
    'set-sleep': (minutes) => change({ sleep: Sleep.setTimer(state.sleep, minutes) }),
    'choose-station': chooseStation,
    'next-station': () => chooseStation(neighbour(1)),
    'previous-station': () => chooseStation(neighbour(-1)),
    steer: ({ prompt, token }) => ask(prompt, (station) => api.steer(station, prompt, token)),
    undo: ({ token }) => ask('', (station) => api.undo(station, token)),
    'audio-playing': () => movePlayer((player, now) => Player.sounding(player, now)),
    'audio-waiting': () => movePlayer((player, now) => Player.starved(player, now)),
    'audio-error': loseConnection,
    'audio-ended': loseConnection,
    'audio-timeupdate': tick,
    'audio-refused': () => movePlayer(Player.refuse),
  };
  for (const [name, grant] of Object.entries(wishes)) el.addEventListener(name, (event) => grant(event.detail));

  window.addEventListener('online', () => {
    movePlayer((player, now) => Player.network(player, true, now));
    reopen();
    void refreshStations();
  });
  window.addEventListener('offline', () => movePlayer((player, now) => Player.network(player, false, now)));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => change({}));
  document.addEventListener('visibilitychange', () => !document.hidden && tick());

  setInterval(tick, TICK_MS);
  setInterval(() => !document.hidden && refreshStations(), STATIONS_MS);
  change({ player: { ...state.player, online: navigator.onLine } });
  void refreshStations();

  function change(news) {
    Object.assign(state, news);
    update();
  }

  function remember(name, value) {
    preferences.write(name, value);
    change({ [name]: value });
  }

  function movePlayer(move) {
    const player = move(state.player, performance.now());
    if (player === state.player) return;
    const fresh = player.connection !== state.player.connection;
    change({ player, ...(fresh && { timeline: Time.begin(state.timeline, null), bands: [] }) });
    if (fresh) reopen();
  }

  /** Whatever else is broken need not wait longer than the sound. */
  function reopen() {
    feed.wake();
    socket.wake();
  }

  function loseConnection(detail) {
    if (detail.connection !== state.player.connection) return;
    movePlayer((player, now) => Player.lost(player, now, Math.random()));
  }

  function tick() {
    if (Player.isOpen(state.player)) {
      const sleep = Sleep.listen(state.sleep, state.player.connection, stream.time);
      state.sleep = sleep;
      if (Sleep.isOver(sleep)) {
        state.sleep = Sleep.setTimer(sleep, null);
        movePlayer(Player.pause);
      }
    }
    movePlayer((player, now) => Player.tick(player, now, stream.time, Math.random()));
    update();
  }

  function neighbour(step) {
    const ids = state.stations.map((s) => s.id);
    return ids[(ids.indexOf(state.station) + step + ids.length) % ids.length];
  }

  function chooseStation(station) {
    if (!station || station === state.station) return;
    preferences.write('station', station);
    const timeline = Time.emptyTimeline(state.timeline.rate);
    newest = null;
    change({ station, timeline, bands: [], desk: null, history: [], steering: Steer.NO_WISH });
    movePlayer((player, now) => Player.retune(player, now));
    stampNow();
    update();
  }

  async function refreshStations() {
    try {
      const { default: usual, stations } = await api.stations();
      const known = (id) => stations.some((s) => s.id === id);
      const wanted = state.station ?? preferences.read('station', usual);
      change({ stations, station: known(wanted) ? wanted : usual });
      stampNow();
      update();
    } catch {
      // The status line tells of the player's own trouble; this list is tried again soon.
    }
  }

  function stampNow() {
    const now = state.stations.find((s) => s.id === state.station)?.now;
    if (now?.started_frame == null) return;
    const stamped = Time.stamp(state.timeline, { ...now, kind: 'piece', frame: now.started_frame });
    state.timeline = Time.advance(stamped, now.frame);
  }

  async function refreshDesk() {
    const asked = state.station;
    try {
      const desk = await api.station(asked);
      if (asked === state.station) change({ desk });
    } catch {
      // As above: the next greeting of the event stream asks again.
    }
  }

  async function refreshHistory() {
    const asked = state.station;
    try {
      const { history } = await api.history(asked);
      if (asked === state.station) change({ history });
    } catch {
      // The list stays as it was until the next piece.
    }
  }

  function playAgain(piece) {
    const clip = { ...piece, url: api.replayUrl(state.station, piece) };
    movePlayer((player, now) => Player.playClip(player, clip, now));
  }

  async function ask(prompt, send) {
    change({ steering: Steer.sending(prompt) });
    try {
      const reply = await send(state.station);
      change({ steering: Steer.answered(state.steering, reply, Time.lagS(state.timeline, heardFrame())) });
    } catch (error) {
      change({ steering: Steer.refused(state.steering, error) });
    }
  }

  function hearNews(kind, data) {
    switch (kind) {
      case 'hello':
        state.timeline = Time.greet(state.timeline, data);
        void refreshStations();
        void refreshDesk();
        break;
      case 'queue':
        state.desk = data;
        break;
      case 'first':
        if (data.listener === api.listener) state.timeline = Time.begin(state.timeline, data.frame);
        break;
      case 'piece':
      case 'steer':
        state.timeline = Time.stamp(state.timeline, { ...data, kind });
        break;
      case 'bands':
        state.timeline = Time.advance(state.timeline, data.frame);
        state.bands = measure(state.bands, data);
        return;
      case 'listeners':
        learn({ listeners: data.count });
        return;
      case 'state':
        learn({ state: data.state, engine: data.engine });
        return;
      case 'rung':
        learn({ engine: data.engine, rung: data.rung, cause: data.cause });
        return;
      default:
        return;
    }
    update();
  }

  /** Something new about the station that is chosen. */
  function learn(news) {
    change({ stations: state.stations.map((s) => (s.id === state.station ? { ...s, ...news } : s)) });
  }

  /** What the scene's skyline shows now: the sound that is heard, or silence. */
  function shownLevels() {
    if (state.player.phase !== 'playing' || state.player.clip) return new Array(BANDS).fill(0);
    return levelsAt(state.bands, heardFrame(), state.timeline.rate / 2);
  }

  function update() {
    const { player, stations, station } = state;
    const frame = heardFrame();
    const here = stations.find((s) => s.id === station);
    const piece = player.clip ?? Time.latest(state.timeline, 'piece', frame) ?? Time.oldest(state.timeline, 'piece');
    const steered = player.clip ? null : Time.latest(state.timeline, 'steer', frame);
    const steeredSince = steered && steered.frame >= (piece?.frame ?? 0) ? steered.prompt : null;
    const prompt = steeredSince ?? piece?.prompt ?? here?.prompt ?? '';
    const open = Player.isOpen(player);
    const playing = player.phase === 'playing';
    if (!player.clip && piece && piece.frame !== newest) {
      newest = piece.frame;
      void refreshHistory();
    }
    if (steered) state.steering = Steer.heard(state.steering, steered);

    if (station) feed.update({ url: api.eventsUrl(station) });
    stream.update({
      url: open && station ? (player.clip?.url ?? api.streamUrl(station, player.connection)) : null,
      connection: player.connection,
      volume: state.volume,
      sleepGain: Sleep.fadeGain(state.sleep),
    });
    socket.update({ listening: playing || player.phase === 'buffering' });
    parts.theme.update({ theme: state.theme });
    parts.playButton.update({ wanted: Player.isWanted(player), busy: Player.isWanted(player) && !playing });
    parts.status.update({ player, station: here?.state });
    parts.note.update({ station: player.clip ? undefined : here });
    parts.volume.update({ volume: state.volume });
    parts.nowPlaying.update({ piece, prompt, lead: lead(player, here) });
    const share = player.clip ? stream.time / player.clip.seconds : Time.share(piece, frame);
    parts.progress.update({ share: playing ? share : null });
    parts.listeners.update({ count: state.listeners });
    parts.stations.update({ stations, station });
    parts.steering.update({
      steering: state.steering,
      policy: state.desk?.policy ?? null,
      canUndo: Time.oldest(state.timeline, 'steer') !== null,
    });
    parts.wishQueue.update({ desk: state.desk });
    parts.history.update({
      past: pastPieces(state.history, state.timeline.rate, frame, PAST_PIECES),
      clip: player.clip,
    });
    parts.sleepTimer.update({ remainingS: state.sleep.remainingS });
    parts.ambience.update({ playing: Player.isWanted(player), volume: state.volume, gain: Sleep.fadeGain(state.sleep) });
    parts.scene.update({ playing, rain: parts.ambience.level('rain') });
    parts.sleepingCat.update({ playing });
    parts.meowingCat.update({ volume: state.volume });
    parts.media.update({ title: piece?.title ?? 'Lullwave', station: here?.name ?? 'Endless lo-fi', playing });
    document.title = playing && piece?.title ? `${piece.title} · Lullwave` : 'Lullwave: endless lo-fi';
  }
}

function lead(player, station) {
  if (player.clip) return 'From a while ago';
  const name = station ? ` on ${station.name}` : '';
  return player.phase === 'playing' || player.phase === 'buffering' ? `Now playing${name}` : `On air now${name}`;
}

Radio(document.querySelector('.radio'));
