/**
 * The spectrogram as a landscape that comes towards the listener: WebGL 2, drawn in big pixels like the rest of the page.
 *
 * Bands run from left to right, time from the front to the horizon; a row of light is the playhead. Knows nothing of clips.
 */

import { BANDS } from './mel-levels.js';
import { FIELD_FRAGMENT, FIELD_VERTEX, SKY_FRAGMENT, SKY_VERTEX } from './shaders.js';

export const ROWS = 110;
export const PAST_ROWS = 16; // rows in front of the playhead, already heard
const UNIFORMS = ['shift', 'aspect', 'low', 'middle', 'high', 'sky', 'head', 'dark', 'bounce'];

/**
 * @param {HTMLCanvasElement} el
 * @returns {{draw: Function, resize: Function, recolour: Function, finish: () => void} | null} null without WebGL 2
 */
export function HeightField(el) {
  const gl = el.getContext('webgl2', { alpha: false, antialias: false, depth: true, powerPreference: 'low-power' });
  if (!gl) return null;
  const field = program(gl, FIELD_VERTEX, FIELD_FRAGMENT);
  const sky = program(gl, SKY_VERTEX, SKY_FRAGMENT);
  if (!field || !sky) return null;
  const places = new Map([field, sky].map((one) => [one, Object.fromEntries(UNIFORMS.map((n) => [n, gl.getUniformLocation(one, n)]))]));
  const count = grid(gl, field);
  const fieldShape = gl.getParameter(gl.VERTEX_ARRAY_BINDING);
  const skyShape = gl.createVertexArray();
  const ground = new Uint8Array(ROWS * BANDS * 2);
  const groundBuffer = gl.createBuffer();
  let colours = {};
  let dark = false;

  gl.bindBuffer(gl.ARRAY_BUFFER, groundBuffer);
  gl.bufferData(gl.ARRAY_BUFFER, ground.byteLength, gl.DYNAMIC_DRAW);
  attribute(gl, field, 'height', true);

  return {
    /** @param {number} width @param {number} height in its own pixels */
    resize(width, height) {
      if (el.width === width && el.height === height) return;
      el.width = width;
      el.height = height;
    },
    /** @param {Record<string, [number, number, number]>} next 0..255 each @param {boolean} isDark */
    recolour(next, isDark) {
      colours = next;
      dark = isDark;
    },
    /**
     * @param {Uint8Array} rows `ROWS` rows of `BANDS` levels, the oldest first @param {number} shift in 0..1, the share
     *   of a row that has passed since @param {number} bounce in 0..1, how loud it is
     */
    draw(rows, shift, bounce) {
      gl.viewport(0, 0, el.width, el.height);
      gl.clear(gl.DEPTH_BUFFER_BIT);
      gl.disable(gl.DEPTH_TEST);
      use(sky, shift, bounce);
      gl.bindVertexArray(skyShape);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
      gl.enable(gl.DEPTH_TEST);
      use(field, shift, bounce);
      survey(rows, ground);
      gl.bindBuffer(gl.ARRAY_BUFFER, groundBuffer);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, ground);
      gl.bindVertexArray(fieldShape);
      gl.drawElements(gl.TRIANGLES, count, gl.UNSIGNED_SHORT, 0);
    },
    /** Wait until everything is drawn, for measurements. */
    finish: () => gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)),
  };

  function use(which, shift, bounce) {
    gl.useProgram(which);
    const at = places.get(which);
    for (const name of ['low', 'middle', 'high', 'sky', 'head']) {
      if (at[name] && colours[name]) gl.uniform3f(at[name], ...colours[name].map((one) => one / 255));
    }
    gl.uniform1f(at.shift, shift);
    gl.uniform1f(at.bounce, bounce);
    gl.uniform1f(at.dark, dark ? 1 : 0);
    gl.uniform1f(at.aspect, el.width / Math.max(1, el.height));
  }
}

/** The grid of bands and rows, as a vertex array; returns the number of its indices. */
function grid(gl, field) {
  const vertices = new Uint8Array(BANDS * ROWS * 2);
  const indices = new Uint16Array((BANDS - 1) * (ROWS - 1) * 6);
  let n = 0;
  for (let row = 0; row < ROWS; row += 1) {
    for (let band = 0; band < BANDS; band += 1) {
      const corner = row * BANDS + band;
      vertices[2 * corner] = band;
      vertices[2 * corner + 1] = row;
      if (row === ROWS - 1 || band === BANDS - 1) continue;
      for (const other of [0, 1, BANDS, 1, BANDS + 1, BANDS]) indices[n++] = corner + other;
    }
  }
  gl.bindVertexArray(gl.createVertexArray());
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, vertices, gl.STATIC_DRAW);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, indices, gl.STATIC_DRAW);
  attribute(gl, field, 'place', false);
  return indices.length;
}

/** Two bytes a vertex from the bound buffer. */
function attribute(gl, field, name, normalized) {
  const place = gl.getAttribLocation(field, name);
  gl.enableVertexAttribArray(place);
  gl.vertexAttribPointer(place, 2, gl.UNSIGNED_BYTE, normalized, 0, 0);
}

/** The level and the slope of each place: what rises from the left and from behind is lit. */
export function survey(rows, ground) {
  for (let at = 0; at < rows.length; at += 1) {
    const band = at % BANDS;
    const left = band > 0 ? rows[at - 1] : rows[at];
    const right = band < BANDS - 1 ? rows[at + 1] : rows[at];
    const before = at >= BANDS ? rows[at - BANDS] : rows[at];
    const slope = left - right + 0.6 * (before - rows[at]);
    ground[2 * at] = rows[at];
    ground[2 * at + 1] = Math.max(0, Math.min(255, 128 + slope / 2));
  }
}

function program(gl, vertex, fragment) {
  const made = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  return gl.getProgramParameter(made, gl.LINK_STATUS) ? made : null;
}
