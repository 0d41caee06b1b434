/**
 * Pictures as rows of letters, and how they are turned and painted; knows nothing of the page.
 *
 * A letter is a colour of the palette, a dot is transparent.
 */

/** @param {string} rows @returns {string[]} rows without surrounding blank lines */
export const sprite = (rows) => rows.trim().split('\n').map((row) => row.trim());

/** A picture that is the same on both sides, from its left half. @param {string[]} half */
export const mirrored = (half) => half.map((row) => row + [...row].reverse().join(''));

/** One picture over another; both are anchored at the top left. @param {string[]} base @param {string[]} over */
export function overlay(base, over, x, y) {
  return base.map((row, j) => {
    const above = over[j - y];
    if (!above) return row;
    return [...row].map((letter, i) => (above[i - x] && above[i - x] !== '.' ? above[i - x] : letter)).join('');
  });
}

/** Runs of equal letters, which are fewer to paint than pixels. @param {string[]} rows */
export function runs(rows) {
  const found = [];
  for (const [y, row] of rows.entries()) {
    for (let x = 0; x < row.length; ) {
      let end = x + 1;
      while (end < row.length && row[end] === row[x]) end += 1;
      if (row[x] !== '.') found.push({ x, y, width: end - x, letter: row[x] });
      x = end;
    }
  }
  return found;
}

/** @param {CanvasRenderingContext2D} context @param {string[]} rows @param {Record<string, string>} palette */
export function paint(context, rows, palette, left = 0, top = 0) {
  for (const { x, y, width, letter } of runs(rows)) {
    context.fillStyle = palette[letter];
    context.fillRect(left + x, top + y, width, 1);
  }
}
