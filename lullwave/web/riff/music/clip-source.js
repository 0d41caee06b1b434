/** Where clips come from: what the server can do, and one clip with its sound, its beat and its picture. */

import { ApiError } from '../../shared/api.js';
import { bytesOf, clipRequest, riffusionRequest } from './clip-request.js';

export const RIFFUSION = 'riffusion';
const MP3_DELAY_S = 1105 / 44100; // what an MP3 decoder that ignores the encoder's tag puts before the sound
const PADDED_S = 0.02; // longer than told by this much: the decoder ignored it

/**
 * @typedef {{riffusion: {available: boolean, loading?: boolean, checkpoint?: string, why?: string}, engines: Object[],
 *   usual: string, images: {name: string, kind: string, tempo_bpm: number | null}[], needsToken: boolean}} Server
 */

/**
 * What the server has besides Riffusion, which may have to load its checkpoint first.
 *
 * @param {import('../../shared/api.js').Api} api @returns {Promise<Server>}
 */
export async function learnServer(api) {
  const told = await api.engines();
  return {
    riffusion: { available: false, loading: true },
    engines: told.engines.filter(({ name }) => name !== RIFFUSION),
    usual: told.default,
    images: [],
    needsToken: told.needs_token,
  };
}

/**
 * Whether Riffusion is here, once it is loaded, and its seed images.
 *
 * @param {import('../../shared/api.js').Api} api @returns {Promise<Pick<Server, 'riffusion' | 'images'>>}
 */
export async function learnRiffusion(api) {
  const [riffusion, { images }] = await Promise.all([api.riffusion(), api.seedImages()]);
  return { riffusion, images };
}

/** The engine that makes the clips: the one asked for, else Riffusion, else the server's own. @param {Server} server @param {string} asked */
export function engineFor(server, asked) {
  const here = server.engines.filter(({ available }) => available).map(({ name }) => name);
  if (asked === RIFFUSION ? server.riffusion.available : here.includes(asked)) return asked;
  if (server.riffusion.available) return RIFFUSION;
  return here.includes(server.usual) ? server.usual : here[0];
}

/**
 * Makes clips of a server.
 *
 * @param {{api: Object, decode: (bytes: ArrayBuffer) => Promise<AudioBuffer>, levels: Object}} parts
 */
export function ClipSource({ api, decode, levels }) {
  let serial = 0;

  /**
   * @param {Object} wanted @param {AbortSignal} signal
   * @returns {Promise<import('./clip-schedule.js').Clip & {buffer: AudioBuffer, levels: Uint8Array}>}
   */
  return async function make({ step, settings, server, engine, home, token }, signal) {
    const riffusion = engine === RIFFUSION;
    const options = Object.keys(server.engines.find(({ name }) => name === engine)?.options?.properties ?? {});
    const got = riffusion
      ? await inferred(riffusionRequest(step, settings), token, signal)
      : await generated(clipRequest(step, settings, engine, options, home), token, signal);
    const buffer = await decoded(got.sound);
    const seen = await levels.of(buffer, got.image);
    signal.throwIfAborted();
    serial += 1;
    const wraps = !riffusion && options.includes('loop');
    const bpm = riffusion ? seedTempo(server, settings) : wraps && options.includes('tempo_bpm') ? settings.tempoBpm : null;
    const padded = got.durationS && buffer.duration - got.durationS > PADDED_S;
    const beat = bpm ? { beatS: 60 / bpm, firstS: padded ? MP3_DELAY_S : 0 } : wraps ? null : seen.beat;
    return {
      id: serial,
      durationS: padded ? Math.min(buffer.duration, got.durationS + MP3_DELAY_S) : buffer.duration,
      beatS: beat?.beatS ?? null,
      firstS: beat?.firstS ?? 0,
      wraps,
      buffer,
      levels: seen.levels,
    };
  };

  async function inferred(body, token, signal) {
    const reply = await api.runInference(body, token, signal);
    if (typeof reply?.audio !== 'string') throw new ApiError('The reply holds no sound.', 0);
    return { sound: bytesOf(reply.audio).buffer, image: reply.image ? bytesOf(reply.image) : null, durationS: reply.duration_s };
  }

  async function generated(body, token, signal) {
    const reply = await api.generate(JSON.stringify(body), token, signal);
    return { sound: await reply.arrayBuffer(), image: null, durationS: null };
  }

  async function decoded(bytes) {
    try {
      return await decode(bytes);
    } catch {
      throw new ApiError('The clip arrived damaged.', 0);
    }
  }
}

function seedTempo(server, { seedImageId }) {
  return server.images.find(({ name }) => name === seedImageId)?.tempo_bpm ?? null;
}
