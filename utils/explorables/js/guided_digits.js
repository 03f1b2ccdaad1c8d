// Digits that lab 4's checkpoint drew in advance: four noises, ten labels, some w and some times.

const { w: SCALES, t: TIMES, noises: NOISES, side: SIDE, limit: LIMIT, noise_limit: NOISE_LIMIT } = STORED;
// The noises that the walks start from, one after the other: -4 is 255, 4 is 0.
const NOISE = Array.from(atob(STORED.noise), (c) => NOISE_LIMIT * (1 - c.charCodeAt(0) / 127.5));

/** Return the place of a picture in the stored sheet, in pictures: the column and the row. `w` and `t` are indices. */
function cell(digit, noise, w, t) {
  if (w === 0) return [NOISES * (t - 1) + noise, 0]; // without guidance the label does not matter
  return [NOISES * digit + noise, 1 + (w - 1) * (TIMES.length - 1) + (t - 1)];
}

/** Return the pixels of x_t, from -1 (paper) to 1 (ink): t times the stored picture, and 1 - t times the noise. */
function pixels(sheet, digit, noise, w, t) {
  const own = NOISE.slice(noise * SIDE * SIDE, (noise + 1) * SIDE * SIDE);
  if (t === 0) return own;
  const [column, row] = cell(digit, noise, w, t);
  const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d", { willReadFrequently: true });
  context.drawImage(sheet, column * SIDE, row * SIDE, SIDE, SIDE, 0, 0, SIDE, SIDE);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  return own.map((z, i) => TIMES[t] * LIMIT * (1 - data[4 * i] / 127.5) + (1 - TIMES[t]) * z);
}

start("guided_digits", (frame) => {
  frame.state = { digit: 7, w: 3, t: TIMES.length - 1, noise: 0 };
  const sheet = new Image();
  sheet.src = `data:image/webp;base64,${STORED.sprite}`;
  sheet.decode().then(() => {
    frame.ready = true;
    frame.refresh();
  });
  const four = frame.stage({ label: "The digit from four noises", height: (w) => Math.min((w - 36) / 4, 172) + 26 });
  const ten = frame.stage({ label: "All ten labels from one noise", height: (w) => tenRows(w) * (tenSide(w) + 22) + 18 });
  const tenRows = (w) => (w < 480 ? 2 : 1);
  const tenSide = (w) => (w - 6 * (10 / tenRows(w) - 1)) / (10 / tenRows(w));
  frame.choice({ key: "digit", label: "Label", narrow: true, options: Array.from({ length: 10 }, (_, d) => [d, String(d)]) });
  const list = (values) => ({ min: 0, max: values.length - 1, step: 1 });
  frame.slider({ key: "w", label: `Guidance scale ${math("w")}`, ...list(SCALES), show: (i) => String(SCALES[i]) });
  frame.slider({ key: "t", label: `Time ${math("t")}, from noise to data`, ...list(TIMES), show: (i) => TIMES[i].toFixed(1) });
  frame.choice({ key: "noise", label: "Noise of the row of ten", options: Array.from({ length: NOISES }, (_, i) => [i, String(i + 1)]) });

  /** Draw one picture of the sheet, with ink in the colour of the text. */
  function picture(context, x, y, side, digit, noise) {
    const small = new OffscreenCanvas(SIDE, SIDE);
    const image = new ImageData(SIDE, SIDE);
    const colour = frame.rgb("ink");
    pixels(sheet, digit, noise, frame.state.w, frame.state.t)
      .forEach((v, i) => image.data.set([...colour, ((clamp(v, -1, 1) + 1) / 2) * 255], 4 * i));
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingQuality = "high";
    context.drawImage(small, x, y, side, side);
  }

  const box = (x, y, side, chosen) => `<rect x="${x}" y="${y}" width="${side}" height="${side}" rx="4" class="${chosen ? "curve orange" : "ringnow"}"/>`;

  function draw() {
    if (!frame.ready) return;
    const { digit, w, t, noise } = frame.state;
    const side = Math.min((four.width - 36) / 4, 172);
    let context = four.context();
    let parts = [];
    for (let i = 0; i < NOISES; i++) {
      const x = i * (side + 12);
      picture(context, x, 0, side, digit, i);
      parts.push(box(x, 0, side, false), text(x + side / 2, side + 18, `noise ${i + 1}`, "tick middle"));
    }
    four.draw(parts);
    context = ten.context();
    parts = [text(0, 12, `All labels from noise ${noise + 1}`, "tick")];
    const [columns, small] = [10 / tenRows(ten.width), tenSide(ten.width)];
    for (let d = 0; d < 10; d++) {
      const [x, y] = [(d % columns) * (small + 6), 20 + Math.floor(d / columns) * (small + 22)];
      picture(context, x, y, small, d, noise);
      parts.push(box(x, y, small, d === digit), text(x + small / 2, y + small + 14, d, "tick middle"));
    }
    ten.draw(parts);
    const words = t === 0 ? "At the start there is only noise, the same for every label."
      : SCALES[w] === 0 ? "At w = 0 the label has no effect: the noise alone decides."
      : SCALES[w] === 1 ? "This is the conditional model: the label decides, and the noise gives each digit its own hand."
      : SCALES[w] < 10 ? "The label is exaggerated: strokes are clearer, and the four digits resemble each other more."
      : "Too much: strokes grow heavy, and the four digits look alike.";
    frame.say(`${math("w")} = <b>${SCALES[w]}</b>, ${math("t")} = <b>${TIMES[t].toFixed(1)}</b>. ${words}`);
  }

  /** The four pictures that are shown, from -1 (paper) to 1 (ink). */
  function values() {
    const { digit, w, t } = frame.state;
    return { w: SCALES[w], t: TIMES[t], digit, pixels: Array.from({ length: NOISES }, (_, i) => pixels(sheet, digit, i, w, t)) };
  }
  return { draw, values };
});
