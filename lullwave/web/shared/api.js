/**
 * The server's HTTP interface and addresses; knows nothing of the page. Addresses are relative to the page, so
 * that the radio works behind a path prefix.
 */

const ANSWER_MS = 30_000; // for how long a request's answer is awaited: the next request waits for it

export class ApiError extends Error {
  /**
   * @param {string} message @param {number} status @param {string | null} field what was wrong @param {number} retryAfterS
   * @param {{field: string | null, message: string}[]} errors every field that is wrong, where the server names them all
   */
  constructor(message, status, field = null, retryAfterS = 0, errors = []) {
    super(message);
    this.status = status;
    this.field = field;
    this.retryAfterS = retryAfterS;
    this.errors = errors.length ? errors : [{ field, message }];
  }

  /** The server wants to see the admin token. */
  get wantsToken() {
    return this.status === 401 || (this.status === 403 && this.field === 'Authorization');
  }
}

/**
 * @param {{base: string, t: ReturnType<import('./strings.js').translator>, listener?: string, fetch?: typeof fetch}} options
 *   `t`: says what is wrong where the server says nothing
 */
export function Api({ base, t, listener, fetch = globalThis.fetch.bind(globalThis) }) {
  const address = (path) => new URL(path, base).href;
  const mine = (path) => `${address(path)}${path.includes('?') ? '&' : '?'}listener=${listener}`;

  async function reach(path, options = {}) {
    let response;
    try {
      response = await fetch(address(path), { headers: { accept: 'application/json' }, ...options });
    } catch {
      throw new ApiError(t('api.unreached'), 0);
    }
    if (response.ok) return response;
    const body = parsed(await response.text());
    const retryAfterS = Number(response.headers.get('retry-after')) || 0;
    throw new ApiError(complaint(t, body, response.status), response.status, body?.error?.field, retryAfterS, body?.errors);
  }

  const call = async (path, options) => parsed(await (await reach(path, options)).text());

  const posting = (body, token) => {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    if (token) headers.authorization = `Bearer ${token}`;
    return { method: 'POST', headers, body };
  };
  const post = (path, body, token) =>
    call(path, { ...posting(JSON.stringify(body), token), signal: AbortSignal.timeout(ANSWER_MS) });
  const station = (id) => `api/stations/${encodeURIComponent(id)}`;
  const replay = (id, { wall, seconds }, part = '') => `${station(id)}/replay${part}?at=${wall}&seconds=${seconds}`;

  return {
    listener,
    address,
    /**
     * @param {string} station @param {number} connection a new address for every connection: nothing is reused
     * @param {{savesData?: boolean, hls?: boolean, burstS?: number | null}} [how] `savesData`: MP3 at the low bit rate;
     *   `hls`: the browser plays HLS; `burstS`: seconds of MP3 that the server sends at once, null: as many as it likes
     */
    streamUrl: (station, connection, { savesData = false, hls = false, burstS = null } = {}) => {
      const isHls = hls && !savesData;
      const query = `connection=${connection}${savesData ? '&kbps=64' : ''}${burstS && !isHls ? `&burst_s=${burstS}` : ''}`;
      return mine(`stations/${encodeURIComponent(station)}/${isHls ? 'hls/index.m3u8' : 'stream.mp3'}?${query}`);
    },
    eventsUrl: (station) => mine(`api/events?station=${encodeURIComponent(station)}`),
    socketUrl: () => mine('ws').replace(/^http/, 'ws'),
    stations: () => call('api/stations'),
    station: (id) => call(station(id)),
    history: (id) => call(`${station(id)}/history?limit=60`),
    /** @param {string} id @param {{wall: number, seconds: number}} piece */
    replayUrl: (id, piece) => address(replay(id, piece)),
    /**
     * A past piece as a file, made now.
     *
     * @param {string} id @param {{wall: number, seconds: number}} piece
     * @param {string} format of the sound; `midi`: its notes, `stems`: its parts as an archive
     */
    async replayed(id, piece, format) {
      const isPart = format === 'midi' || format === 'stems';
      const path = isPart ? replay(id, piece, `/${format}`) : `${replay(id, piece)}&format=${format}`;
      return (await reach(path)).blob();
    },
    /**
     * Why there is no sound at an address: what the server says there now, or null where it says nothing.
     *
     * @param {string} url
     * @returns {Promise<{message: string, retryAfterS: number, status: number} | null>}
     */
    async whyNot(url) {
      const asked = new URL(url);
      asked.searchParams.delete('listener'); // this is no listening
      const giveUp = new AbortController();
      try {
        const reply = await fetch(asked.href, { signal: giveUp.signal });
        if (reply.ok) return null;
        const retryAfterS = Number(reply.headers.get('retry-after')) || 0;
        return { message: complaint(t, parsed(await reply.text()), reply.status), retryAfterS, status: reply.status };
      } catch {
        return null;
      } finally {
        giveUp.abort();
      }
    },
    /** Words to choose a request from, by kind. */
    vocabulary: async (id) => (await call(`${station(id)}/vocabulary`)).vocabulary,
    /** What a request would mean. */
    understand: (id, prompt) => post(`${station(id)}/understand`, { prompt }),
    /** A private stream that goes on with a station's music. @param {string} id @param {number} frame */
    fork: (id, frame) => post(`${station(id)}/private`, { frame }),
    steer: (id, prompt, token) => post(`${station(id)}/prompt`, { prompt, listener }, token),
    undo: (id, token) => post(`${station(id)}/undo`, { listener }, token),
    ownProgramme: (id, token) => post(`${station(id)}/own-programme`, { listener }, token),
    engines: () => call('api/engines'),
    /** Published models; the server measures itself at the first request. */
    models: () => call('api/models'),
    /** A response that is no error, as it is. @param {string} path @param {RequestInit} [options] */
    reach,
    /** Whether Riffusion is here; loads it. */
    riffusion: () => call('api/riffusion'),
    seedImages: () => call('api/riffusion/seed-images'),
    /** @param {string} name of a seed image or mask */
    seedImageUrl: (name) => address(`api/riffusion/seed-images/${encodeURIComponent(name)}`),
    /** A clip of Riffusion. @param {Object} body @param {string} token @param {AbortSignal} signal */
    runInference: (body, token, signal) => call('run_inference', { ...posting(JSON.stringify(body), token), signal }),
    /**
     * A clip: a reply whose body goes on while it is made.
     *
     * @param {string} json the request @param {string} token @param {AbortSignal} signal
     */
    generate: (json, token, signal) => reach('api/generate', { ...posting(json, token), signal }),
  };
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** What the server said was wrong, in its own words where it has any. */
export function complaint(t, body, status) {
  const said = body?.error ?? body?.detail ?? body;
  if (typeof said === 'string' && said) return said;
  if (Array.isArray(said) && said[0]?.msg) return said[0].msg;
  if (typeof said?.message === 'string') return said.message;
  return t('api.status', { status });
}
