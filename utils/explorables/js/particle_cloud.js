// Lab 3's plane of three clouds: 400 particles guided towards one of them, by DDIM (ODE) and by DDPM (SDE).

const STEPS = 1000; // of the noise schedule
const FRAMES = 100; // steps of DDIM, and states that are kept of DDPM
const ANGLES = [90, 210, 330].map((degrees) => (degrees * Math.PI) / 180);
const MEANS = ANGLES.map((a) => [1.6 * Math.cos(a), 1.6 * Math.sin(a)]);
const VARIANCE = 0.35 ** 2; // of each cloud
const CLASS = 2; // the lower right cloud
const ALONG = [Math.cos(ANGLES[CLASS]), Math.sin(ANGLES[CLASS])]; // from the middle to it
const RANGE = [-3.2, 3.2];
const PARTICLES = 400;

const BETAS = Array.from({ length: STEPS }, (_, i) => 1e-4 + ((0.02 - 1e-4) * i) / (STEPS - 1));
const BARS = [];
for (const beta of BETAS) BARS.push((BARS.at(-1) ?? 1) * (1 - beta));
// The times of DDIM's steps; -1 is the data.
const TIMES = [...Array.from({ length: FRAMES }, (_, i) => Math.round((STEPS - 1) * (1 - i / (FRAMES - 1)))), -1];
const bar = (t) => (t < 0 ? 1 : BARS[t]);

/** Write the guided noise estimate at (x, y) into `out`: the noise of score + w (score of the class - score). */
function guidedNoise(x, y, level, w, out) {
  const variance = level * VARIANCE + 1 - level;
  const root = Math.sqrt(level);
  // Three logarithms, the largest of which is taken out; without arrays, because this runs a million times.
  const log0 = -((x - root * MEANS[0][0]) ** 2 + (y - root * MEANS[0][1]) ** 2) / (2 * variance);
  const log1 = -((x - root * MEANS[1][0]) ** 2 + (y - root * MEANS[1][1]) ** 2) / (2 * variance);
  const log2 = -((x - root * MEANS[2][0]) ** 2 + (y - root * MEANS[2][1]) ** 2) / (2 * variance);
  const highest = Math.max(log0, log1, log2);
  const [share0, share1, share2] = [Math.exp(log0 - highest), Math.exp(log1 - highest), Math.exp(log2 - highest)];
  const total = share0 + share1 + share2;
  const mx = share0 * MEANS[0][0] + share1 * MEANS[1][0] + share2 * MEANS[2][0];
  const my = share0 * MEANS[0][1] + share1 * MEANS[1][1] + share2 * MEANS[2][1];
  const factor = Math.sqrt(1 - level) / variance;
  const [cx, cy] = MEANS[CLASS];
  out[0] = factor * (x - root * ((1 - w) * (mx / total) + w * cx));
  out[1] = factor * (y - root * ((1 - w) * (my / total) + w * cy));
}

/** The random numbers of all particles: where they begin, and the noise of each step of DDPM. */
function randomNumbers(count, seed) {
  const { normal } = normals(seed);
  return { begin: Float64Array.from({ length: 2 * count }, normal), noise: Float64Array.from({ length: 2 * count * STEPS }, normal) };
}

/** Walk from noise to data by DDIM, and return the state at each of TIMES. */
function walkOde(w, begin) {
  const states = [begin];
  const estimate = [0, 0];
  for (let i = 0; i < FRAMES; i++) {
    const [now, then] = [bar(TIMES[i]), bar(TIMES[i + 1])];
    const [x, next] = [states[i], new Float64Array(begin.length)];
    for (let p = 0; p < begin.length; p += 2) {
      guidedNoise(x[p], x[p + 1], now, w, estimate);
      for (let j = 0; j < 2; j++) {
        const clean = (x[p + j] - Math.sqrt(1 - now) * estimate[j]) / Math.sqrt(now);
        next[p + j] = Math.sqrt(then) * clean + Math.sqrt(1 - then) * estimate[j];
      }
    }
    states.push(next);
  }
  return states;
}

/** Walk from noise to data by DDPM, and return the state at each of TIMES. */
function walkSde(w, begin, noise) {
  const kept = new Map(TIMES.map((t, i) => [t, i]));
  const [states, x, estimate] = [[], begin.slice(), [0, 0]];
  let next = 0;
  for (let t = STEPS - 1; t >= 0; t--) {
    if (kept.has(t)) states[kept.get(t)] = x.slice();
    const [level, beta] = [BARS[t], BETAS[t]];
    const [factor, shrink, spread] = [beta / Math.sqrt(1 - level), Math.sqrt(1 - beta), t ? Math.sqrt(beta) : 0];
    for (let p = 0; p < x.length; p += 2) {
      guidedNoise(x[p], x[p + 1], level, w, estimate);
      for (let j = 0; j < 2; j++) x[p + j] = (x[p + j] - factor * estimate[j]) / shrink + spread * noise[next++];
    }
  }
  states[FRAMES] = x;
  return states;
}

/** The tilted density p_t(x) p_t(y | x)^w on n × n places of the plane; the first row is the lowest. */
function tiltedDensity(t, w, n) {
  const level = bar(t);
  const variance = level * VARIANCE + 1 - level;
  const root = Math.sqrt(level);
  const place = scale([-0.5, n - 0.5], RANGE);
  const logs = [];
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++) {
      const each = MEANS.map(([a, b]) => -((place(i) - root * a) ** 2 + (place(j) - root * b) ** 2) / (2 * variance));
      const highest = Math.max(...each);
      const all = highest + Math.log(each.reduce((sum, log) => sum + Math.exp(log - highest), 0));
      logs.push((1 - w) * all + w * each[CLASS]);
    }
  const highest = logs.reduce((a, b) => Math.max(a, b));
  return logs.map((log) => Math.exp(log - highest));
}

/** Mean and standard deviation along the direction of the class, of weighted places. */
function spread(places, weights) {
  const total = weights.reduce((a, b) => a + b);
  const mean = places.reduce((sum, v, i) => sum + weights[i] * v, 0) / total;
  return { mean, sd: Math.sqrt(places.reduce((sum, v, i) => sum + weights[i] * (v - mean) ** 2, 0) / total) };
}
const along = (flat) => Array.from({ length: flat.length / 2 }, (_, p) => flat[2 * p] * ALONG[0] + flat[2 * p + 1] * ALONG[1]);
const spreadOf = (flat) => spread(along(flat), new Array(flat.length / 2).fill(1));
function tiltedSpread(t, w, n = 200) {
  const place = scale([-0.5, n - 0.5], RANGE);
  const places = Array.from({ length: n * n }, (_, i) => place(i % n) * ALONG[0] + place(Math.floor(i / n)) * ALONG[1]);
  return spread(places, tiltedDensity(t, w, n));
}

start("particle_cloud", (frame) => {
  frame.state = { w: 4, frame: FRAMES, playing: false };
  frame.root.querySelector(".stages").classList.add("pair");
  const panels = [["ode", "ODE (DDIM)"], ["sde", "SDE (DDPM)"]].map(([key, name]) => {
    const stage = frame.stage({ label: `Particles of the ${name}`, height: (w) => w + 46 });
    return { key, name, stage };
  });
  frame.slider({ key: "w", label: `Guidance scale ${math("w")}`, min: 0, max: 8, step: 0.5, show: (v) => v.toFixed(1) });
  frame.slider({
    key: "frame", label: `Time ${math("t")}, from noise to data`, min: 0, max: FRAMES, step: 1,
    show: (i) => (TIMES[i] < 0 ? "data" : `t = ${TIMES[i]}`),
  });
  frame.player({ key: "frame", from: 0, to: FRAMES, seconds: 5 });
  let [walks, of] = [null, null];
  const { begin, noise } = randomNumbers(PARTICLES, 7);
  const current = () => {
    const { w } = frame.state;
    if (of !== w) [walks, of] = [{ ode: walkOde(w, begin), sde: walkSde(w, begin, noise) }, w];
    return walks;
  };

  function drawPanel({ key, name, stage }, density, n) {
    const side = stage.width;
    const [x, y] = [scale(RANGE, [0, side]), scale(RANGE, [side, 0])];
    const context = stage.context();
    const [red, green, blue] = frame.rgb("blue");
    const image = new ImageData(n, n);
    density.forEach((p, i) => {
      const [column, row] = [i % n, n - 1 - Math.floor(i / n)];
      image.data.set([red, green, blue, 170 * p], 4 * (row * n + column));
    });
    const small = new OffscreenCanvas(n, n);
    small.getContext("2d").putImageData(image, 0, 0);
    context.drawImage(small, 0, 0, side, side);
    context.fillStyle = `rgba(${frame.rgb("ink")}, 0.55)`;
    const cloud = current()[key][frame.state.frame];
    const size = side < 220 ? 1.5 : 2.1;
    for (let p = 0; p < cloud.length; p += 2) {
      if (Math.abs(cloud[p]) > RANGE[1] || Math.abs(cloud[p + 1]) > RANGE[1]) continue;
      context.beginPath();
      context.arc(x(cloud[p]), y(cloud[p + 1]), size, 0, 2 * Math.PI);
      context.fill();
    }
    const parts = [`<rect x=".5" y=".5" width="${side - 1}" height="${side - 1}" rx="4" class="ringnow"/>`];
    const root = Math.sqrt(bar(TIMES[frame.state.frame]));
    MEANS.forEach(([a, b], k) => {
      const [px, py] = [x(root * a), y(root * b)];
      parts.push(line(px - 6, py, px + 6, py, k === CLASS ? "cross mine" : "cross"), line(px, py - 6, px, py + 6, k === CLASS ? "cross mine" : "cross"));
    });
    const { mean, sd } = spreadOf(cloud);
    parts.push(text(0, side + 19, name, "strong"), text(0, side + 38, `mean ${number(mean)}, spread ${number(sd)}`, "tick"));
    stage.draw(parts);
  }

  function draw() {
    const { w, frame: i } = frame.state;
    const density = tiltedDensity(TIMES[i], w, 64);
    panels.forEach((panel) => drawPanel(panel, density, 64));
    const tilt = tiltedSpread(TIMES[i], w, 100);
    frame.say(`Along the line from the middle to the class, the tilted density has the mean <b>${number(tilt.mean)}</b> and the spread <b>${number(tilt.sd)}</b>. The crosses are the centres of the clouds.`);
  }

  function values() {
    const { w, frame: i } = frame.state;
    const both = current();
    return { w, t: TIMES[i], tilted: tiltedSpread(TIMES[i], w), ode: spreadOf(both.ode[i]), sde: spreadOf(both.sde[i]) };
  }
  /** A walk of few particles with all its random numbers, for tests. */
  const replay = (count) => {
    const few = randomNumbers(count, 3);
    const [ode, sde] = [walkOde(frame.state.w, few.begin), walkSde(frame.state.w, few.begin, few.noise)];
    const middle = FRAMES / 2;
    const all = { begin: few.begin, noise: few.noise, ode: ode[FRAMES], sde: sde[FRAMES], half: ode[middle], half_sde: sde[middle] };
    return Object.fromEntries(Object.entries(all).map(([key, numbers]) => [key, [...numbers]]));
  };
  return { draw, values, replay };
});
