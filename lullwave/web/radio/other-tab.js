/** One tab plays at a time: tabs of one browser tell each other, and the one that is played last goes on. */

const CHANNEL = 'lullwave-player';

/**
 * @param {{onTaken: () => void, onChange: (elsewhere: boolean) => void}} listeners `onTaken`: another tab plays now, so this
 *   one pauses; `onChange`: whether another tab plays
 * @param {new (name: string) => BroadcastChannel} [Channel] none in old browsers
 */
export function OtherTab({ onTaken, onChange }, Channel = globalThis.BroadcastChannel) {
  if (!Channel) return { update() {}, leave() {} };
  const channel = new Channel(CHANNEL);
  let wanted = false;
  let elsewhere = false;

  channel.addEventListener('message', ({ data }) => {
    if (data === 'who' && wanted) channel.postMessage('here');
    if (data === 'here' || data === 'mine') learn(true);
    if (data === 'free') learn(false);
    if (data === 'mine' && wanted) {
      wanted = false; // what is taken is not given away once more
      onTaken();
    }
  });
  channel.postMessage('who');

  function learn(now) {
    if (now === elsewhere) return;
    elsewhere = now;
    onChange(elsewhere);
  }

  function update(next) {
    if (next.wanted === wanted) return;
    wanted = next.wanted;
    channel.postMessage(wanted ? 'mine' : 'free');
    if (wanted) learn(false);
  }

  return {
    /** @param {{wanted: boolean}} next whether this tab plays */
    update,
    /** The tab goes. */
    leave: () => update({ wanted: false }),
  };
}
