/**
 * A canvas on which a spectrogram is painted: brush, eraser, bands, undo. The brush is heard while it paints, the painting
 * after each stroke.
 */

import { emit } from '../../shared/emit.js';
import { themeColours } from '../../shared/spectrogram-view.js';
import { BrushTone } from './brush-tone.js';
import { hzRow, levelsOf, MOST_COLUMNS, Painting, pixelsOf, rowHz, ROWS } from './painting.js';

const COLUMNS = 512; // 5.12 s
const FRET_HZ = [100, 200, 400, 800, 1600, 3200, 6400]; // lines that help the eye
const HEAR_AFTER_MS = 350; // without a further stroke

/** @param {HTMLElement} el @param {(key: string, values?: object) => string} t */
export function Painter(el, t) {
  const find = (selector) => el.querySelector(selector);
  const canvas = find('.canvas');
  const context = canvas.getContext('2d');
  const tone = BrushTone();
  let painting = Painting(COLUMNS);
  let colours = null;
  let tool = 'brush';
  let last = null; // the point of a stroke in progress
  let cursor = null; // where the keyboard paints
  let timer = 0;

  const brush = () => ({
    tool: tool === 'eraser' ? 'eraser' : 'brush',
    size: Number(find('.size').value),
    strength: Number(find('.strength').value),
    overtones: Number(find('.overtones').value),
  });

  for (const button of el.querySelectorAll('.tool')) {
    button.addEventListener('click', () => {
      tool = button.value;
      update();
    });
  }
  find('.undo').addEventListener('click', () => step('undo'));
  find('.redo').addEventListener('click', () => step('redo'));
  find('.clear').addEventListener('click', () => step('clear'));
  find('.hear').addEventListener('click', () => hear());
  canvas.addEventListener('pointerdown', begin);
  canvas.addEventListener('pointermove', go);
  canvas.addEventListener('pointerup', finish);
  canvas.addEventListener('pointercancel', finish);
  canvas.addEventListener('keydown', byKeyboard);
  el.addEventListener('drop', (event) => {
    event.preventDefault();
    void take(event.dataTransfer.files[0]);
  });
  canvas.addEventListener('blur', () => {
    cursor = null;
    draw();
  });

  /** Begin with an image file. @param {File | undefined} file */
  async function take(file) {
    if (!file) return;
    const url = URL.createObjectURL(file);
    try {
      await load(url);
      emit(el, 'image-dropped');
    } catch {
      say('paint.no-image', { name: file.name });
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  function step(name) {
    if (name === 'clear') {
      painting.begin();
      painting.clear();
      painting.end();
    } else painting[name]();
    changed();
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * painting.columns, y: ((event.clientY - box.top) / box.height) * ROWS };
  }

  function begin(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    last = at(event);
    painting.begin();
    if (tool === 'brush' && find('.at-once').checked) {
      find('.preview').pause();
      tone.begin(rowHz(last.y), brush());
    }
    if (tool === 'brush' || tool === 'eraser') painting.stroke(last.x, last.y, last.x, last.y, brush());
    else last.row = last.y;
    draw();
  }

  function go(event) {
    const now = at(event);
    find('.hz').textContent = t('paint.hz', { hz: Math.round(rowHz(now.y)), s: t.number(now.x / 100, 2) });
    if (!last) return;
    if (tool === 'brush' || tool === 'eraser') {
      painting.stroke(last.x, last.y, now.x, now.y, brush());
      tone.glide(rowHz(Math.max(0, Math.min(ROWS - 1, now.y))));
      last = now;
      draw();
    } else {
      last.y = now.y;
      draw();
    }
  }

  function finish() {
    if (!last) return;
    tone.end();
    if (last.row !== undefined && Math.abs(last.row - last.y) >= 1) painting.band(last.row, last.y, tool === 'keep');
    last = null;
    painting.end();
    changed();
  }

  function byKeyboard(event) {
    const undo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z';
    if (undo || ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'y')) {
      event.preventDefault();
      step(undo && !event.shiftKey ? 'undo' : 'redo');
      return;
    }
    const far = event.shiftKey ? 32 : 8;
    const move = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
    if (move) {
      event.preventDefault();
      cursor ??= { x: painting.columns / 2, y: ROWS / 2 };
      cursor = { x: within(cursor.x + move[0], painting.columns), y: within(cursor.y + move[1], ROWS) };
      find('.hz').textContent = t('paint.hz', { hz: Math.round(rowHz(cursor.y)), s: t.number(cursor.x / 100, 2) });
      draw();
    } else if ((event.key === ' ' || event.key === 'Enter') && cursor) {
      event.preventDefault();
      painting.begin();
      if (tool === 'brush' || tool === 'eraser') painting.stroke(cursor.x, cursor.y, cursor.x, cursor.y, brush());
      else painting.band(cursor.y - 16, cursor.y + 16, tool === 'keep');
      painting.end();
      changed();
    }
  }

  const within = (value, most) => Math.min(most - 1, Math.max(0, value));

  function changed() {
    update();
    draw();
    clearTimeout(timer);
    if (find('.at-once').checked && !painting.isEmpty) timer = setTimeout(() => hear(), HEAR_AFTER_MS);
  }

  function hear() {
    clearTimeout(timer);
    if (!painting.isEmpty) emit(el, 'hear-painting');
    else say('paint.empty');
  }

  function say(key, values) {
    find('.said').textContent = key ? t(key, values) : '';
  }

  function update() {
    for (const button of el.querySelectorAll('.tool')) button.setAttribute('aria-pressed', String(button.value === tool));
    find('.undo').disabled = !painting.canUndo;
    find('.redo').disabled = !painting.canRedo;
  }

  function draw() {
    colours ??= themeColours(canvas);
    const picture = new ImageData(painting.columns, ROWS);
    const { data } = picture;
    const { levels } = painting;
    for (let n = 0; n < levels.length; n += 1) {
      const colour = colours[levels[n]];
      data[4 * n] = colour[0];
      data[4 * n + 1] = colour[1];
      data[4 * n + 2] = colour[2];
      data[4 * n + 3] = 255;
    }
    context.putImageData(picture, 0, 0);
    context.fillStyle = `rgb(${colours[255].slice(0, 3).join(' ')} / 18%)`;
    for (const hz of FRET_HZ) context.fillRect(0, hzRow(hz), painting.columns, 1);
    if (last?.row !== undefined) context.fillRect(0, Math.min(last.row, last.y), painting.columns, Math.abs(last.y - last.row));
    if (cursor) {
      context.fillStyle = `rgb(${colours[255].slice(0, 3).join(' ')})`;
      context.fillRect(cursor.x - 8, cursor.y, 17, 1);
      context.fillRect(cursor.x, cursor.y - 8, 1, 17);
    }
  }

  async function load(url) {
    const image = new Image();
    image.src = url;
    await image.decode();
    const columns = Math.min(MOST_COLUMNS, Math.max(2, image.naturalWidth));
    const scratch = Object.assign(document.createElement('canvas'), { width: columns, height: ROWS }).getContext('2d');
    scratch.fillStyle = 'white';
    scratch.fillRect(0, 0, columns, ROWS);
    scratch.drawImage(image, 0, 0, columns, image.naturalHeight, 0, 0, columns, ROWS);
    show(Painting(columns, levelsOf(scratch.getImageData(0, 0, columns, ROWS).data)));
  }

  function show(next) {
    painting = next;
    Object.assign(canvas, { width: painting.columns, height: ROWS });
    cursor = null;
    say('');
    update();
    draw();
  }

  show(painting);
  return {
    say,
    /** The theme has changed. */
    recolour() {
      colours = null;
      draw();
    },
    get isEmpty() {
      return painting.isEmpty;
    },
    /** Whether something was painted since it began. */
    get isChanged() {
      return painting.canUndo;
    },
    /** Begin with an image in Riffusion's form. @param {string} url */
    load,
    /** What is painted, as PNG in Riffusion's form. @returns {Promise<Blob>} */
    png() {
      const { columns, levels } = painting;
      const sheet = Object.assign(document.createElement('canvas'), { width: columns, height: ROWS });
      sheet.getContext('2d').putImageData(new ImageData(pixelsOf(levels), columns, ROWS), 0, 0);
      return new Promise((done) => sheet.toBlob(done, 'image/png'));
    },
  };
}
