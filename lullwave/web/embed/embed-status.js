/** The state of the small player in one line; pure. */

/**
 * @param {import('../player/player-state.js').PlayerState} player
 * @param {(key: string, values?: Record<string, unknown>) => string} t
 */
export function embedStatus(player, t) {
  if (player.refused) return t('embed.refused');
  if (player.phase !== 'waiting') return t(`embed.${player.phase}`);
  if (!player.online) return t('embed.offline');
  if (!player.answer) return t('embed.waiting');
  const answer = player.answer[0].toUpperCase() + player.answer.slice(1).replace(/\.$/, '');
  return t('embed.answered', { answer });
}
