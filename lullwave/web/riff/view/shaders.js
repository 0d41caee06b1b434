/** The shaders of the height field: the landscape, and the sky behind it. */

const BANDS = '96.0';
const ROWS = '110.0';
const PLAYHEAD = '16.0';

export const FIELD_VERTEX = `#version 300 es
precision highp float;
in vec2 place; // band, row
in vec2 height; // the level there, and the slope of the ground, 0.5 where it is flat
uniform float shift, aspect;
out float level, slope, depth, row, band;

void main() {
  band = place.x;
  row = place.y - shift;
  level = height.x;
  slope = (height.y - 0.5) * 2.0;
  float wide = clamp(aspect, 0.9, 3.2);
  float x = (place.x / (${BANDS} - 1.0) - 0.5) * 2.7 * wide;
  float ahead = (row - ${PLAYHEAD}) / (${ROWS} - ${PLAYHEAD});
  float y = 1.15 * level * level * (1.0 - 0.35 * max(0.0, ahead));
  float z = -ahead * 5.2;
  depth = ahead;
  // A camera above the near edge that looks a little down; no matrices are needed for one that never turns.
  vec3 eye = vec3(x, y - 1.05, z - 1.75);
  float tilt = 0.24;
  vec3 seen = vec3(eye.x, eye.y * cos(tilt) - eye.z * sin(tilt), eye.y * sin(tilt) + eye.z * cos(tilt));
  float focus = 1.65;
  gl_Position = vec4(seen.x * focus / aspect, seen.y * focus + 0.10 * -seen.z, (-seen.z - 2.0) * 0.5, -seen.z);
}
`;

export const FIELD_FRAGMENT = `#version 300 es
precision highp float;
in float level, slope, depth, row, band;
uniform vec3 low, middle, high, sky, head;
out vec4 colour;

void main() {
  float steps = floor(level * 9.0 + 0.5) / 9.0;
  vec3 ground = steps < 0.45 ? mix(low, middle, steps / 0.45) : mix(middle, high, (steps - 0.45) / 0.55);
  ground *= 1.0 + clamp(slope, -0.28, 0.22);
  float line = step(0.86, fract(band / 8.0)) * (1.0 - smoothstep(0.1, 0.7, depth));
  ground = mix(ground, middle, 0.22 * line);
  if (depth < 0.0) ground = mix(ground, low, 0.45);
  float far = smoothstep(0.25, 1.0, depth);
  ground = mix(ground, sky, far);
  float near = abs(row - ${PLAYHEAD});
  if (near < 0.75) ground = mix(head, high, 0.35 * level);
  else if (near < 4.0) ground = mix(ground, head, 0.28 * (1.0 - near / 4.0));
  colour = vec4(ground, 1.0);
}
`;

export const SKY_VERTEX = `#version 300 es
out vec2 spot;
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  spot = corner;
  gl_Position = vec4(corner, 0.0, 1.0);
}
`;

export const SKY_FRAGMENT = `#version 300 es
precision highp float;
in vec2 spot;
uniform vec3 low, middle, high, sky, head;
uniform float aspect, dark, bounce;
out vec4 colour;

float chance(vec2 at) {
  return fract(sin(dot(at, vec2(12.9898, 78.233))) * 43758.5453);
}

void main() {
  vec2 pixel = floor(gl_FragCoord.xy);
  float dither = mod(pixel.x + pixel.y, 2.0) * 0.5;
  float rise = floor((spot.y - 0.12) * 9.0 + dither) / 9.0;
  vec3 air = mix(sky, mix(sky, middle, 0.35), clamp(0.55 - rise, 0.0, 1.0));
  vec2 sun = vec2(spot.x * aspect, spot.y - 0.46) / (0.36 + 0.03 * bounce);
  float slats = step(0.0, sun.y + 0.25) + step(0.32, fract(sun.y * 4.0));
  if (length(sun) < 1.0 && slats > 0.5) air = mix(high, middle, floor(clamp(0.5 - 0.5 * sun.y, 0.0, 0.999) * 4.0) / 4.0);
  else if (dark > 0.5 && chance(pixel) > 0.9975 && spot.y > 0.2) air = mix(air, high, 0.7);
  colour = vec4(air, 1.0);
}
`;
