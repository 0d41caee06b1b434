/**
 * Builds every component of the page and passes each new state to them.
 */

import { Ambience } from '../ambience/ambience.js';
import { layersHeard, PLAIN } from '../landscape/landscape.js';
import { DataSaver } from '../radio/data-saver.js';
import { Dots } from '../shared/dots.js';
import { FullWindow } from '../focus/full-window.js';
import { History } from '../station/history.js';
import { JustForMe } from '../station/just-for-me.js';
import { Kept, keptKeys } from '../kept/kept.js';
import { keyOf } from '../kept/kept-state.js';
import { Keys } from '../radio/keys.js';
import { Listeners } from '../station/listeners.js';
import { MediaControls } from '../player/media-session.js';
import { MeowingCat } from './meowing-cat.js';
import { NowPlaying } from '../player/now-playing.js';
import { PieceProgress } from '../player/piece-progress.js';
import { PlayButton } from '../player/play-button.js';
import { isWanted } from '../player/player-state.js';
import { PlayerStatus } from '../player/player-status.js';
import { RadioBar } from '../radio/radio-bar.js';
import { Scene } from './scene.js';
import { fadeGain } from '../player/sleep-state.js';
import { SleepTimer } from '../player/sleep-timer.js';
import { SleepingCat } from './sleeping-cat.js';
import { StationNote } from '../station/station-note.js';
import { Stations } from '../station/stations.js';
import { Steering } from '../station/steering.js';
import { Theme } from '../shared/theme.js';
import { Volume } from '../player/volume.js';
import { RequestChips } from '../request/request-chips.js';
import { RequestPreview } from '../request/request-preview.js';
import { RequestQueue } from '../station/request-queue.js';
import { lead, named, untitled } from '../radio/wording.js';
import { emit } from '../shared/emit.js';
import { showHeart } from '../kept/keep-button.js';
import { LanguageMenu } from '../shared/language-menu.js';
import { translate } from '../shared/strings.js';

/**
 * @param {HTMLElement} el
 * @param {ReturnType<import('../shared/strings.js').translator>} t
 * @param {ReturnType<import('../shared/preferences.js').Preferences>} preferences
 * @param {ReturnType<import('../shared/api.js').Api>} api
 * @param {() => number[]} levels what the skyline shows now
 * @param {(value: string) => string} fileUrl where a file that was kept is
 */
export function Room(el, t, preferences, api, levels, fileUrl) {
  const find = (selector) => el.querySelector(selector);
  translate(el, t);
  const ambience = Ambience(find('.ambience'), preferences, t, draw);
  const dataSaver = DataSaver(find('.data-saver'));
  const history = History(find('.history'), t);
  const justForMe = JustForMe(find('.just-for-me'), t);
  const keptList = Kept(find('.kept'), t, fileUrl, api.replayed);
  const heart = find('.now-playing > .keep-button');
  const listeners = Listeners(find('.listeners'), t);
  const media = MediaControls(el);
  const meowingCat = MeowingCat(find('.meowing-cat'), preferences, t);
  const note = StationNote(find('.station-note'), t);
  const nowPlaying = NowPlaying(find('.now-playing'), t);
  const playButton = PlayButton(find('.play-button'), { space: false, labels: { play: t('player.play'), pause: t('player.pause') } });
  const progress = PieceProgress(find('.piece-progress'));
  const scene = Scene(find('.scene'), levels);
  const sleepTimer = SleepTimer(find('.sleep-timer'), t);
  const sleepingCat = SleepingCat(find('.sleeping-cat'));
  const stationChoice = Stations(find('.stations'), t);
  const status = PlayerStatus(find('.player-status'), find('.try-now'), t);
  const steeringBox = Steering(find('.steering'), t);
  const themeSwitch = Theme(find('.theme'), t);
  const volumeSlider = Volume(find('.volume'), t);
  const request = find('.steering .input');
  const chips = RequestChips(find('.request-chips'), request, api.vocabulary, t);
  const preview = RequestPreview(find('.request-preview'), request, api.understand, t);
  const requestQueue = RequestQueue(find('.request-queue'), t);
  const bar = RadioBar(find('.radio-bar'), find('.player'), t);
  const fullWindow = FullWindow(find('.full-window'), el, find('.full-window-button'), preferences, t);
  let ids = [];
  let view = { playing: false, scenery: PLAIN };
  Keys(find('.keys'), find('.keys-button'), preferences, {
    play: () => find('.play-button').click(),
    mute: () => find('.volume > .mute').click(),
    station: (index) => emit(el, 'choose-station', ids[index]),
    'full-window': fullWindow.toggle,
    request: () => (find('.radio-bar .request').hidden ? request : bar).focus(),
  });
  Dots(find('.dots'));
  LanguageMenu(find('.language-menu'), preferences);
  heart.addEventListener('click', () => emit(heart, 'keep'));

  return {
    /**
     * The page's state, and what follows from it: `here` is the station that is chosen, `piece` and `prompt` are
     * what is heard, `share` how much of the piece has been, `past` what was played before, `entry` where the history has the piece.
     */
    update({ player, stations, station, listeners: count, queue, steering, sleep, volume, theme, savesData, ...heard }) {
      const { here, piece, prompt, share, past, canUndo, kept, keeping, entry } = heard;
      const keys = keptKeys(keeping);
      const isKept = (one) => keys.has(keyOf({ station: one.station ?? station, wall: one.wall }));
      const wanted = isWanted(player);
      const playing = player.phase === 'playing';
      const gain = fadeGain(sleep);
      themeSwitch.update({ theme });
      playButton.update({ wanted, busy: wanted && !playing });
      const told = { player, station: here?.state, elsewhere: heard.elsewhere, now: performance.now() };
      status.update(told);
      ids = stations.map((one) => one.id);
      justForMe.update({ stream: heard.private, offered: heard.hasPrivate });
      note.update({ station: player.clip ? undefined : here });
      volumeSlider.update({ volume });
      dataSaver.update({ savesData });
      nowPlaying.update({ piece, prompt, lead: lead(t, player, here?.name, here?.state, heard.moment !== null), untitled: untitled(t, player) });
      progress.update({ share: playing ? share : null });
      listeners.update({ count });
      stationChoice.update({ stations, station });
      steeringBox.update({
        steering,
        policy: queue && (heard.private.stream ? 'private' : queue.policy),
        frozen: queue?.frozen ?? false,
        maySteer: queue?.may_steer ?? true,
        canUndo,
        steered: here?.steered ?? false,
      });
      requestQueue.update({ queue });
      chips.update({ station: here && !here.pieces ? station : null });
      preview.update({ station: here?.id ?? null, allowed: queue?.may_steer ?? false });
      history.update({ past, clip: player.clip, kept, isKept });
      keptList.update(keeping, stations, heard.tape.shuffle !== null);
      heart.hidden = !entry;
      if (entry) showHeart(heart, { isKept: isKept(entry), title: named(t, entry).title }, t);
      sleepTimer.update(sleep);
      ambience.update({ playing: wanted, volume, gain });
      view = { playing, scenery: heard.scenery };
      draw();
      sleepingCat.update({ playing });
      meowingCat.update({ volume, mood: playing ? view.scenery.mood : 'calm' });
      bar.update({
        wanted,
        busy: wanted && !playing,
        volume,
        station: here?.name ?? '',
        title: piece?.title ?? '',
        allowed: queue?.may_steer ?? false,
        trouble: status.trouble(told),
        steering,
      });
      media.update({ title: piece?.title ?? 'Lullwave', station: here?.name ?? t('radio.endless'), playing, scenery: view.scenery });
      document.title = playing && piece?.title ? `${piece.title} · Lullwave` : t('radio.page-title');
    },
  };

  function draw() {
    scene.update({ ...view, layers: layersHeard(ambience.heard(), view.scenery, view.playing) });
  }
}
