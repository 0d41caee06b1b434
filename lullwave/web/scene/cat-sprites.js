/** Two cats, drawn for Lullwave: one asleep, one who has something to say. */

import { mirrored, overlay, sprite } from './pixel-sprites.js';

export const TABBY = { o: '#4a2623', a: '#e3924f', b: '#b9622f', c: '#f8dcb0', p: '#e88f86', k: '#4a2623' };
export const TUXEDO = { o: '#1c1624', a: '#4c4560', b: '#39334a', c: '#f4e9da', p: '#ee9a9a', k: '#1c1624', e: '#f5d36b', m: '#8c3244' };

const CURLED = sprite(`
  ..................oooooo........
  ...............oooabaabaooo.....
  ...oo...oo...ooaabaaabaaabaoo...
  ..oapo.oapo.oaaabaaabaaabaaaao..
  ..oappoappooaaaabaaabaaabaaaaao.
  ..oaaaaaaaaoaaaaaaaaaaaaaaabaao.
  .oabaabaabaaoaaaaaaaaaaaaaabaaao
  .oaaaaaaaaaaoaaaaaaaaaaaaaaaaaao
  .oakkaaakkaaoaaaaaaaaaaaaaaabaao
  .oaaaappaaaaoaaaaaaaaaaaaaaabaao
  ..oacccccaaoaaaaaaooooooaaaaaaao
  ...ooccccoooccaooobaabaaooaaaao.
  ..oaaaoooaaacccoaaabaabaaaoaaao.
  ..occcaaaaccccoaaabaabaabaaaoo..
  ...oooooooooooooooooooooooooo...
`);

const CURLED_BREATH = sprite(`
  ................................
  .................oooooooo.......
  ...oo...oo....oooaabaabaaooo....
  ..oapo.oapo.oaaabaaabaaabaaaoo..
  ..oappoappooaaaabaaabaaabaaaaao.
  ..oaaaaaaaaoaaaaaaaaaaaaaaabaao.
  .oabaabaabaaoaaaaaaaaaaaaaabaaao
  .oaaaaaaaaaaoaaaaaaaaaaaaaaaaaao
  .oakkaaakkaaoaaaaaaaaaaaaaaabaao
  .oaaaappaaaaoaaaaaaaaaaaaaaabaao
  ..oacccccaaoaaaaaaooooooaaaaaaao
  ...ooccccoooccaooobaabaaooaaaao.
  ..oaaaoooaaacccoaaabaabaaaoaaao.
  ..occcaaaaccccoaaabaabaabaaaoo..
  ...oooooooooooooooooooooooooo...
`);

/** Breathing out and in. */
export const SLEEPING = [CURLED, CURLED_BREATH];

const SITTING = mirrored(
  sprite(`
    .oo.......
    .oao......
    .opao.oooo
    .oppaoabaa
    .oaaaaabaa
    oaaaaaaaaa
    oaaaaaaaaa
    oaaeeeaaaa
    oaaekeaaac
    oaaekeaacp
    obaaaaaccc
    oaaaaacccc
    .oaaaaacco
    ..ooaaaaac
    ....oooaac
    ...oaaaccc
    ..oaaaaccc
    ..oabaaacc
    .oaabaaaac
    .oaaaaaoaa
    .oabaaaoaa
    .oaaaaocco
    ..oooooooo
  `),
);

const WIDE = SITTING.map((row) => `${row}.......`);
const TAIL = sprite(`
  ....oo.
  ...oaao
  ...oabo
  ....oao
  ....obo
  ...oaao
  ..oaao.
  oaaao..
  ooo....
`);
const TAIL_UP = sprite(`
  ..oo...
  .oaao..
  .obao..
  ..oao..
  ..oabo.
  ...oao.
  ..oaao.
  oaaao..
  ooo....
`);
const MOUTH = sprite(`
  ccoooocc
  coommooc
  .compmoc
  ..coooc.
`);
const LIDS = sprite(`
  aaa........aaa
  aaa........aaa
  kkk........kkk
`);

const AWAKE = overlay(WIDE, TAIL, 19, 13);
const WAGGING = overlay(WIDE, TAIL_UP, 19, 13);

export const AWAKE_CAT = {
  calm: AWAKE,
  wag: WAGGING,
  blink: overlay(AWAKE, LIDS, 3, 7),
  meow: overlay(overlay(WAGGING, LIDS, 3, 7), MOUTH, 6, 10),
};
