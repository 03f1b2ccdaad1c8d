// Drawing: images of 32×32 numbers on canvases with a transparent paper, so that they suit a light and a dark page.
"use strict";

const SIDE = 32;
// Ink, and the colours of velocities that add ink and take it away; by the brightness of the page.
const COLOURS = {
  dark: { ink: [20, 20, 20], more: [0, 114, 178], less: [213, 94, 0] },
  light: { ink: [235, 235, 235], more: [86, 180, 233], less: [240, 140, 40] },
};
const FASTEST = 2.5; // a velocity of this size is drawn in full colour

/**
 * Draw an image: -1 is paper, 1 is ink.
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} pixels
 * @param {number} column where in a film strip, counted in images
 */
window.drawInk = (canvas, pixels, column = 0) => {
  const { ink } = coloursOf(canvas);
  draw(canvas, column, (i) => [...ink, ((pixels[i] + 1) / 2) * 255]);
};

/**
 * Draw a velocity: blue where ink is added, vermilion where it is taken away.
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} velocity
 */
window.drawVelocity = (canvas, velocity) => {
  const { more, less } = coloursOf(canvas);
  draw(canvas, 0, (i) => [...(velocity[i] > 0 ? more : less), (Math.abs(velocity[i]) / FASTEST) * 255]);
};

/** Return the colours that suit the page's theme, which the style sheet knows. @param {HTMLCanvasElement} canvas */
function coloursOf(canvas) {
  return COLOURS[getComputedStyle(canvas).getPropertyValue("--live-ink").trim()];
}

/**
 * Set the pixels of one image.
 * @param {HTMLCanvasElement} canvas
 * @param {number} column
 * @param {(i: number) => number[]} colour red, green, blue and opacity of pixel i; the canvas clips them to 0 … 255
 */
function draw(canvas, column, colour) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) image.data.set(colour(i), 4 * i);
  context.putImageData(image, column * SIDE, 0);
}

/**
 * Return normal random numbers, the same for the same seed: mulberry32, then Box and Muller.
 * @param {number} seed
 * @param {number} n an even number
 * @returns {Float32Array}
 */
window.normalNoise = (seed, n) => {
  let state = seed | 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
  const numbers = new Float32Array(n);
  for (let i = 0; i < n; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    numbers[i] = radius * Math.cos(angle);
    numbers[i + 1] = radius * Math.sin(angle);
  }
  return numbers;
};
