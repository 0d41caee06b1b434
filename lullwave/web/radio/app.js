/**
 * The radio: holds the page's state, handles events of components and of the server, and updates the room.
 *
 * What the state means and how it changes is in the `*-state.js` modules; this one only connects.
 */

import { Api } from '../shared/api.js';
import { AudioStream } from '../player/audio-stream.js';
import { BANDS, levelsAt } from '../scene/band-levels.js';
import { EventFeed } from '../station/event-feed.js';
import { entryOf, momentOf } from '../kept/kept-state.js';
import { HistoryFeed } from '../station/history-feed.js';
import { keepShell } from './offline-shell.js';
import { JobsApi } from '../studio/jobs-api.js';
import { keptHandlers } from '../kept/kept-handlers.js';
import { KeptPieces, NOTHING_KEPT } from '../kept/kept-pieces.js';
import { listenerId } from '../shared/listener-id.js';
import { ListenersSocket } from '../station/listeners-socket.js';
import { OtherTab } from './other-tab.js';
import * as Player from '../player/player-state.js';
import * as Private from '../station/private-state.js';
import * as Scenery from '../landscape/heard-scenery.js';
import { pastPieces } from '../station/past-pieces.js';
import { browserStorage, Preferences, visitStorage } from '../shared/preferences.js';
import { hashOf, stationIn, withoutServer } from './station-list.js';
import { named } from './wording.js';
import { Room } from '../scene/room.js';
import * as Sleep from '../player/sleep-state.js';
import { stationNews } from '../station/station-news.js';
import { SteeringRequests } from '../station/steering-requests.js';
import * as Steer from '../station/steering-state.js';
import { strings } from '../shared/page-strings.js';
import * as Tape from '../kept/tape-state.js';
import * as Time from '../player/timeline.js';

const TICK_MS = 400;
const STATIONS_MS = 20_000;
const PAST_PIECES = 6;

/** @param {HTMLElement} el @param {ReturnType<import('../shared/strings.js').translator>} t */
export function Radio(el, t) {
  const preferences = Preferences(browserStorage());
  const visit = Preferences(visitStorage());
  const api = Api({ base: document.baseURI, t, listener: listenerId() });
  const jobs = JobsApi(api, () => '');
  const moment = momentOf(location.search);

  const state = {
    player: Player.INITIAL,
    timeline: Time.emptyTimeline(),
    bands: [],
    stations: [],
    station: moment?.station ?? null,
    moment: moment && { ...moment, title: '' },
    private: Private.SHARED,
    hasPrivate: false,
    scenery: Scenery.NOTHING,
    listeners: null,
    queue: null,
    history: [],
    kept: true,
    elsewhere: false,
    keeping: NOTHING_KEPT,
    tape: { ...Tape.EMPTY_TAPE, shuffle: Tape.shuffleSeed(preferences.read('shuffles', false), Math.random()) },
    steering: Steer.NO_REQUEST,
    sleep: Sleep.remembered(visit.read('sleep', {})),
    volume: preferences.read('volume', 0.7),
    theme: preferences.read('theme', 'auto'),
    savesData: preferences.read('savesData', navigator.connection?.saveData === true),
  };

  const stream = AudioStream(el.querySelector('.audio-stream'));
  const heardTime = () => (Player.isOpen(state.player) ? stream.time : null);
  const heardFrame = () => Time.heardFrame(state.timeline, heardTime(), stream.startWall);
  const room = Room(el, t, preferences, api, shownLevels, jobs.fileUrl);
  const ask = SteeringRequests({ state, change, tuned, lagS: () => Time.lagS(state.timeline, heardFrame()) });
  const news = { state, listener: api.listener, tune, learn, refreshStations, refreshQueue, update };
  const feed = EventFeed(stationNews(news));
  const history = HistoryFeed((station) => api.history(station), change);
  const otherTab = OtherTab({ onTaken: () => movePlayer(Player.pause), onChange: (elsewhere) => change({ elsewhere }) });
  const socket = ListenersSocket(api.socketUrl(), (count) => change({ listeners: count }));

  const handlers = {
    play() {
      if (tape.isOn()) tape.play();
      else if (state.moment) playAgain(state.moment);
      else movePlayer((player, now) => Player.play(player, now));
    },
    pause: () => movePlayer(Player.pause),
    'try-now': () => movePlayer(Player.tryNow),
    'set-volume': (volume) => remember('volume', volume),
    'set-saves-data': (savesData) => {
      remember('savesData', savesData);
      if (!state.player.clip) movePlayer((player, now) => Player.retune(player, now));
    },
    'set-theme': (theme) => remember('theme', theme),
    'set-shuffles'(shuffles) {
      preferences.write('shuffles', shuffles);
      change({ tape: { ...state.tape, shuffle: Tape.shuffleSeed(shuffles, Math.random()) } });
    },
    'set-sleep': setSleep,
    'choose-station': chooseStation,
    'next-station': () => chooseStation(neighbour(1)),
    'previous-station': () => chooseStation(neighbour(-1)),
    'go-private': goPrivate,
    'leave-private': () => tune({ private: Private.SHARED }),
    steer: ({ prompt, token }) => ask({ prompt, token }, (station) => api.steer(station, prompt, token)),
    undo: ({ token }) => ask({ prompt: '', token }, (station) => api.undo(station, token)),
    'own-programme': ({ token }) => ask({ prompt: '', token }, (station) => api.ownProgramme(station, token)),
    'audio-playing': () => movePlayer((player, now) => Player.sounding(player, now)),
    'audio-waiting': () => movePlayer((player, now) => Player.starved(player, now)),
    'audio-error': loseConnection,
    'audio-timeupdate': tick,
    'audio-refused': () => movePlayer(Player.refuse),
  };
  const keptPieces = KeptPieces({ jobs, history: api.history, preferences, t, onNews: showKept });
  const page = { state, kept: keptPieces, history: api.history, change, playAgain, chooseStation, entryHeard, otherwise: loseConnection, fileUrl: jobs.fileUrl, t };
  const tape = keptHandlers(page);
  for (const [name, handle] of Object.entries({ ...handlers, ...tape.handlers })) el.addEventListener(name, (event) => handle(event.detail));

  window.addEventListener('online', () => {
    movePlayer((player, now) => Player.network(player, true, now));
    reopen();
    void refreshStations();
  });
  window.addEventListener('hashchange', () => {
    const linked = stationIn(location.hash);
    if (listed().some((one) => one.id === linked)) chooseStation(linked);
  });
  window.addEventListener('pagehide', otherTab.leave);
  window.addEventListener('offline', () => movePlayer((player, now) => Player.network(player, false, now)));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => change({}));
  document.addEventListener('visibilitychange', () => !document.hidden && tick());

  setInterval(tick, TICK_MS);
  setInterval(() => !document.hidden && refreshStations(), STATIONS_MS);
  change({ player: { ...state.player, online: navigator.onLine } });
  if (moment) void tape.nameMoment(moment);
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

  /** Once sound plays, reconnect everything else at once. */
  function reopen() {
    feed.wake();
    socket.wake();
  }

  function loseConnection(detail) {
    const { connection, phase } = state.player;
    if (detail.connection !== connection) return;
    const url = phase === 'connecting' ? audioUrl() : null;
    movePlayer((player, now) => Player.lost(player, now, Math.random()));
    if (url) void askWhyNot(url, connection);
  }

  /** A connection that never sounded may have been refused, and an audio element cannot say why. */
  async function askWhyNot(url, connection) {
    const answer = await api.whyNot(url);
    if (answer?.status === 404 && state.private.stream) tune({ private: Private.ended('gone') });
    else if (answer?.status === 404 && state.player.clip?.isOnTape) tape.skip(state.player.clip);
    else if (answer) movePlayer((player, now) => Player.turnedAway(player, connection, answer, now, Math.random()));
  }

  function audioUrl() {
    const { player, station } = state;
    if (!Player.isOpen(player) || !station) return null;
    const how = { savesData: state.savesData, hls: stream.hls && !state.private.stream, burstS: Player.burstS(player) };
    return player.clip?.url ?? (tape.isOn() ? null : api.streamUrl(tuned(), player.connection, how));
  }

  function tick() {
    if (Player.isOpen(state.player)) {
      const sleep = Sleep.listen(state.sleep, state.player.connection, stream.time);
      state.sleep = sleep;
      keepSleep();
      if (Sleep.isOver(sleep)) {
        state.sleep = Sleep.setTimer(sleep, null);
        keepSleep();
        movePlayer(Player.pause);
      }
    }
    movePlayer((player, now) => Player.tick(player, now, stream.time, Math.random()));
    update();
  }

  function setSleep(minutes) {
    change({ sleep: Sleep.setTimer(state.sleep, minutes) });
    keepSleep();
  }

  function keepSleep() {
    visit.write('sleep', Sleep.kept(state.sleep));
  }

  function neighbour(step) {
    const ids = listed().map((s) => s.id);
    return ids[(ids.indexOf(state.station) + step + ids.length) % ids.length];
  }

  function chooseStation(station) {
    if (!station || (station === state.station && !state.private.stream)) return;
    preferences.write('station', station);
    window.history.replaceState(null, '', location.pathname + hashOf(station)); // without a moment that was linked
    tune({ station, private: Private.SHARED });
  }

  /** What this page listens to: the private stream, or the station. */
  function tuned() {
    return Private.tuned(state.private, state.station);
  }

  async function goPrivate() {
    const { station } = state;
    const frame = Math.round(heardFrame() + Private.AHEAD_S * state.timeline.rate);
    change({ private: Private.asking() });
    let next;
    try {
      next = Private.begun(await api.fork(station, frame));
    } catch (error) {
      next = Private.refused(error);
    }
    if (station !== state.station || state.private.phase !== 'asking') return; // another one was chosen meanwhile
    if (next.stream) tune({ private: next });
    else change({ private: next });
  }

  /** Listen to something else: all that belongs to what was heard begins anew. */
  function tune(news) {
    history.update({ station: news.station ?? state.station, piece: null });
    const timeline = Time.emptyTimeline(state.timeline.rate);
    change({ timeline, moment: null, bands: [], queue: null, history: [], kept: true, steering: Steer.NO_REQUEST, ...news });
    if (!tape.isOn()) movePlayer((player, now) => Player.retune(player, now));
    else if (Player.isWanted(state.player)) tape.play();
    stampNow();
    update();
  }

  async function refreshStations() {
    try {
      const list = await api.stations();
      preferences.write('stations', withoutServer(list));
      showStations(list);
      stampNow();
      update();
    } catch {
      // The status line tells of the player's own trouble; this list is tried again soon. Until then, the last one holds.
      const last = preferences.read('stations', {});
      if (!state.stations.length && last.stations?.length) showStations(last);
    }
  }

  function showStations({ default: usual, stations, private: hasPrivate = false }) {
    const isRead = state.keeping.most.count > 0;
    const hasTape = isRead ? Tape.onTape(state.keeping, state.tape).length > 0 : preferences.read('keeps', false);
    const known = (id) => stations.some((s) => s.id === id) || (id === Tape.TAPE && hasTape);
    const linked = stationIn(location.hash);
    const wanted = state.station ?? (known(linked) ? linked : preferences.read('station', usual));
    change({ stations, hasPrivate, station: known(wanted) ? wanted : usual, scenery: Scenery.learnt(state.scenery, stations) });
  }

  function showKept(keeping) {
    change({ keeping });
    const isRead = keeping.most.count > 0;
    if (isRead && tape.isOn() && !here()) chooseStation(state.stations[0]?.id); // nothing is kept any more
  }

  /** The stations, and the visitor's own. */
  function listed() {
    return Tape.withTape(state.stations, state.keeping, state.tape, tape.clip(), t);
  }

  function stampNow() {
    const now = here()?.now;
    if (now?.started_frame == null) return;
    const stamped = Time.stamp(state.timeline, { ...now, kind: 'piece', frame: now.started_frame });
    state.timeline = Time.advance(stamped, now.frame);
  }

  async function refreshQueue() {
    const asked = tuned();
    try {
      const queue = await api.station(asked);
      if (asked === tuned()) change({ queue, scenery: Scenery.learnt(state.scenery, [queue]) });
    } catch {
      // As above: the next `hello` of the event stream asks again.
    }
  }

  function playAgain(piece) {
    const station = piece.station ?? state.station;
    const clip = { ...piece, station, url: piece.url ?? api.replayUrl(station, piece) };
    state.moment = null;
    movePlayer((player, now) => Player.playClip(player, clip, now));
  }

  /** Where the history has the piece that is heard, if it has it yet. */
  function entryHeard() {
    return entryOf(state.history, pieceHeard());
  }

  function pieceHeard() {
    const frame = heardFrame();
    const live = Time.latest(state.timeline, 'piece', frame) ?? Time.oldest(state.timeline, 'piece');
    return state.player.clip ?? state.moment ?? (tape.isOn() ? tape.clip() : live);
  }

  /** What this page listens to, with the fields of a station. */
  function here() {
    return state.private.stream ?? listed().find((s) => s.id === state.station);
  }

  /** Something new about it. */
  function learn(news) {
    if (state.private.stream) change({ private: Private.learned(state.private, news) });
    else change({ stations: state.stations.map((s) => (s.id === state.station ? { ...s, ...news } : s)) });
  }

  /** What the scene's skyline shows now: the sound that is heard, or silence. */
  function shownLevels() {
    if (state.player.phase !== 'playing' || state.player.clip) return new Array(BANDS).fill(0);
    return levelsAt(state.bands, heardFrame(), state.timeline.rate / 2);
  }

  function update() {
    const { player, station } = state;
    const isPrivate = state.private.stream !== null;
    const frame = heardFrame();
    const piece = named(t, pieceHeard());
    const steered = player.clip || state.moment ? null : Time.latest(state.timeline, 'steer', frame);
    const steeredSince = steered && steered.frame >= (piece?.frame ?? 0) ? steered.prompt : null;
    const isPast = player.clip !== null || state.moment !== null;
    const prompt = steeredSince ?? piece?.prompt ?? (isPast ? '' : here()?.prompt) ?? '';
    const playing = player.phase === 'playing';
    const isTape = tape.isOn();
    state.scenery = isTape && here() ? Scenery.brought(state.scenery, here()) : Scenery.heard(state.scenery, here(), prompt);
    if (!player.clip && !isPrivate && !state.moment && !isTape) history.update({ station, piece });
    if (steered) state.steering = Steer.heard(state.steering, steered);
    if (state.steering.frame !== null && player.phase === 'playing') {
      const leftS = Time.untilS(state.timeline, state.steering.frame, frame);
      state.steering = Steer.counted(state.steering, leftS);
      const againMs = 1000 * Steer.nextCountS(state.steering, leftS);
      if (againMs < TICK_MS) setTimeout(tick, againMs + 5);
    }

    if (station) feed.update({ url: isTape ? null : api.eventsUrl(tuned()) });
    stream.update({
      url: audioUrl(),
      connection: player.connection,
      volume: state.volume,
      sleepGain: Sleep.fadeGain(state.sleep),
      length: player.clip?.isOnTape ? player.clip.seconds : null,
    });
    otherTab.update({ wanted: Player.isWanted(player) });
    socket.update({ listening: playing || player.phase === 'buffering' });
    room.update({
      ...state,
      stations: listed(),
      hasPrivate: state.hasPrivate && !isTape,
      here: here(),
      piece,
      prompt,
      scenery: state.scenery.shown,
      share: player.clip ? stream.time / player.clip.seconds : Time.share(piece, frame),
      entry: entryHeard(),
      past: isTape ? Tape.earlierOnTape(state.tape, player.clip) : pastPieces(state.history, state.timeline.rate, frame, PAST_PIECES),
      canUndo: Time.oldest(state.timeline, 'steer') !== null,
    });
  }
}

Radio(document.querySelector('.radio'), await strings);
void keepShell(['static/ambience/ambience-worker.js']);
