/** The dotted background: dots near the mouse swell and lean away. Rests when the mouse does. */

const GRID_PX = 26;
const REACH_PX = 150;
const EASE = 0.14;

/** @param {HTMLCanvasElement} el */
export function Dots(el) {
  const context = el.getContext('2d');
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const mouse = { x: 0, y: 0, strength: 0, wanted: 0, aimX: 0, aimY: 0 };
  let frame = 0;

  function fit() {
    const density = Math.min(2, devicePixelRatio || 1);
    el.width = Math.round(innerWidth * density);
    el.height = Math.round(innerHeight * density);
    context.setTransform(density, 0, 0, density, 0, 0);
    draw();
  }

  function draw() {
    context.clearRect(0, 0, innerWidth, innerHeight);
    const styles = getComputedStyle(el);
    const base = styles.color;
    const glow = styles.borderTopColor;
    for (let y = GRID_PX / 2; y < innerHeight; y += GRID_PX) {
      for (let x = GRID_PX / 2; x < innerWidth; x += GRID_PX) dot(x, y, base, glow);
    }
  }

  function dot(x, y, base, glow) {
    const dx = x - mouse.x;
    const dy = y - mouse.y;
    const distance = Math.hypot(dx, dy);
    const near = mouse.strength * Math.max(0, 1 - distance / REACH_PX) ** 2;
    const size = 2 + near * 4;
    const lean = (near * 9) / (distance || 1);
    context.fillStyle = near > 0.02 ? glow : base;
    context.globalAlpha = near > 0.02 ? 0.35 + 0.65 * near : 1;
    context.fillRect(x + dx * lean - size / 2, y + dy * lean - size / 2, size, size);
    context.globalAlpha = 1;
  }

  function move() {
    mouse.x += (mouse.aimX - mouse.x) * EASE * 2;
    mouse.y += (mouse.aimY - mouse.y) * EASE * 2;
    mouse.strength += (mouse.wanted - mouse.strength) * EASE;
    draw();
    const resting =
      Math.abs(mouse.wanted - mouse.strength) < 0.01 && Math.hypot(mouse.aimX - mouse.x, mouse.aimY - mouse.y) < 0.5;
    frame = resting ? 0 : requestAnimationFrame(move);
  }

  function wake() {
    if (!frame && !still.matches) frame = requestAnimationFrame(move);
  }

  addEventListener('pointermove', (event) => {
    if (event.pointerType !== 'mouse') return;
    if (mouse.strength < 0.01) Object.assign(mouse, { x: event.clientX, y: event.clientY });
    Object.assign(mouse, { aimX: event.clientX, aimY: event.clientY, wanted: 1 });
    wake();
  });
  document.documentElement.addEventListener('pointerleave', () => {
    mouse.wanted = 0;
    wake();
  });
  addEventListener('resize', fit);
  // Colours are CSS variables, so a change of theme is seen here as a transition's end or a media change.
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ['data-theme'] });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  fit();
}
