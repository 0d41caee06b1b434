/**
 * The small player that other sites put into a frame: plays one station, and changes nothing. Its address ends in
 * the station's id. It remembers nothing and holds no connection while it is paused.
 */

import { Api } from '../shared/api.js';
import { AudioStream } from '../player/audio-stream.js';
import { EventFeed } from '../station/event-feed.js';
import { listenerId } from '../shared/listener-id.js';
import { PlayButton } from '../player/play-button.js';
import * as Player from '../player/player-state.js';
import { languageOf, loadStrings, translate } from '../shared/strings.js';
import * as Time from '../player/timeline.js';
import { Volume } from '../player/volume.js';
import { embedStatus } from './embed-status.js';

const TICK_MS = 400;

/** @param {HTMLElement} el @param {ReturnType<import('../shared/strings.js').translator>} t */
function Embed(el, t) {
  const station = decodeURIComponent(location.pathname.split('/').pop());
  const api = Api({ base: new URL('..', document.baseURI).href, t, listener: listenerId() });
  const find = (selector) => el.querySelector(selector);

  let player = { ...Player.INITIAL, online: navigator.onLine };
  let timeline = Time.emptyTimeline();
  let name = station;
  let lastTitle = '';
  let volume = 0.7;

  const stream = AudioStream(find('.audio-stream'));
  const feed = EventFeed(hearNews);
  const button = PlayButton(find('.play-button'), { labels: { play: t('player.play'), pause: t('player.pause') } });
  const slider = Volume(find('.volume'), t);

  const handlers = {
    play: () => move((now) => Player.play(player, now)),
    pause: () => move(() => Player.pause(player)),
    'set-volume': (wanted) => {
      volume = wanted;
      update();
    },
    'audio-playing': () => move((now) => Player.sounding(player, now)),
    'audio-waiting': () => move((now) => Player.starved(player, now)),
    'audio-error': loseConnection,
    'audio-ended': loseConnection,
    'audio-timeupdate': tick,
    'audio-refused': () => move(() => Player.refuse(player)),
  };
  for (const [event, handle] of Object.entries(handlers)) el.addEventListener(event, (news) => handle(news.detail));
  window.addEventListener('online', () => move((now) => Player.network(player, true, now)));
  window.addEventListener('offline', () => move((now) => Player.network(player, false, now)));
  setInterval(tick, TICK_MS);
  update();
  void introduce();

  /** The station's name, and what it plays now. */
  async function introduce() {
    try {
      const here = await api.station(station);
      name = here.name;
      lastTitle = here.now?.title ?? '';
      update();
    } catch {
      // The id stands for the name; the player tells of its own trouble.
    }
  }

  function move(change) {
    const next = change(performance.now());
    if (next === player) return;
    if (next.connection !== player.connection) timeline = Time.begin(timeline, null);
    player = next;
    update();
  }

  function loseConnection({ connection }) {
    if (connection !== player.connection) return;
    const silent = player.phase === 'connecting';
    const url = api.streamUrl(station, connection, { hls: stream.hls, burstS: Player.burstS(player) });
    move((now) => Player.lost(player, now, Math.random()));
    if (silent) void askWhyNot(url, connection);
  }

  async function askWhyNot(url, connection) {
    const answer = await api.whyNot(url);
    if (answer) move((now) => Player.turnedAway(player, connection, answer, now, Math.random()));
  }

  function tick() {
    move((now) => Player.tick(player, now, stream.time, Math.random()));
    update();
  }

  function hearNews(kind, data) {
    if (kind === 'hello') timeline = Time.greet(timeline, data);
    else if (kind === 'first' && data.listener === api.listener) timeline = Time.begin(timeline, data.frame);
    else if (kind === 'piece') timeline = Time.stamp(timeline, { ...data, kind });
    else if (kind === 'bands') timeline = Time.advance(timeline, data.frame);
    else return;
    update();
  }

  function update() {
    const wanted = Player.isWanted(player);
    const open = Player.isOpen(player);
    const frame = Time.heardFrame(timeline, open ? stream.time : null, stream.startWall);
    const piece = Time.latest(timeline, 'piece', frame) ?? Time.oldest(timeline, 'piece');
    lastTitle = piece?.title ?? lastTitle;
    feed.update({ url: wanted ? api.eventsUrl(station) : null });
    stream.update({
      url: open ? api.streamUrl(station, player.connection, { hls: stream.hls, burstS: Player.burstS(player) }) : null,
      connection: player.connection,
      volume,
      sleepGain: 1,
    });
    button.update({ wanted, busy: wanted && player.phase !== 'playing' });
    slider.update({ volume });
    find('.player-status').dataset.phase = player.phase;
    say('.lead', name);
    say('.title', lastTitle || name);
    say('.player-status > .text', embedStatus(player, t));
    document.title = lastTitle ? `${lastTitle} · ${name}` : name;
  }

  function say(selector, words) {
    const place = find(selector);
    if (place.textContent !== words) place.textContent = words;
  }
}

const t = await loadStrings(languageOf(navigator.languages));
translate(document, t);
Embed(document.querySelector('.embed'), t);
