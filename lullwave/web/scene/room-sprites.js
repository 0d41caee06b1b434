/** The things on the window sill, drawn for Lullwave. */

import { sprite } from './pixel-sprites.js';

export const PLANT = sprite(`
  .......gg.......
  ..gg..ghhg..gg..
  .ghhg.ghhg.ghhg.
  .ghhhgghggghhhg.
  ..gghhghgghhgg..
  .gg.gghggghg.gg.
  ghhg..ghgg..ghhg
  ghhhg.gghg.ghhhg
  .gghhggggghhhgg.
  ...ggghghgggg...
  .....gghgg......
  ......ggg.......
  ...oooooooooo...
  ...oTTTTTTtto...
  ...oooooooooo...
  ....oTTTTtto....
  ....oTTTTtto....
  ....oTTTTtto....
  .....oTTTto.....
  .....oooooo.....
`);

export const RADIO = sprite(`
  ......................o...
  .....................o....
  ....................o.....
  ...................o......
  .oooooooooooooooooooooooo.
  obbbbbbbbbbbbbbbbbbbbbbbbo
  obccccccccbllllllllllllbbo
  obcdcdcdccbllllllllllllbbo
  obccdcdcdcbllllllllllllbbo
  obcdcdcdccbbbbbbbbbbbbbbbo
  obccdcdcdcbbbbbbbbbbbbbbbo
  obcdcdcdccbbkkbbkkbbbrrbbo
  obccccccccbbkkbbkkbbbrrbbo
  oddddddddddddddddddddddddo
  .oooooooooooooooooooooooo.
  ..oo..................oo..
`);

export const MUG = sprite(`
  .ooooooo...
  oMMMMMMmoo.
  oMMMMMMmo.o
  oMpMpMMmo.o
  oMpppMMmoo.
  oMMpMMMmo..
  oMMMMMMmo..
  .ooooooo...
`);

export const BOOKS = sprite(`
  ...ooooooooooooooooo..
  ..ovvvvvvvvvvvvvvvwwo.
  ..ovvkkvvvvvvvvvvvwwo.
  ..ovvvvvvvvvvvvvvvwwo.
  .ooooooooooooooooooo..
  ouuuuuuuuuuuuuuuuwwo..
  ouuuuukkkkuuuuuuuwwo..
  ouuuuuuuuuuuuuuuuwwo..
  .oooooooooooooooooooo.
  .ottttttttttttttttwwwo
  .ottkkttttttttttttwwwo
  .ottttttttttttttttwwwo
  ..ooooooooooooooooooo.
`);

export const LANTERN = sprite(`
  ...ooo...
  ..o...o..
  ..ooooo..
  .odddddo.
  .olllllo.
  .olllllo.
  .olllllo.
  .olllllo.
  .olllllo.
  .olllllo.
  .odddddo.
  .ooooooo.
`);

export const NOTE = sprite(`
  ..LLL
  ..L.L
  ..L..
  LLL..
  LLL..
`);

export const CLOUD = sprite(`
  ........ccccc...........
  .....cccccccccc..cccc...
  ..cccccccccccccccccccc..
  cccccccccccccccccccccccc
  ..cccccccccccccccccccc..
`);
