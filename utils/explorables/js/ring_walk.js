// One walk of two atoms from noise to the crystal, with lab 2's exact score: predictor and corrector, step by step.

const CENTRES = [[0.25, 0.75], [0.75, 0.25]];
const [SIGMA_D, SIGMA_MIN, SIGMA_MAX] = [0.01, 0.001, 0.2];
const [STEPS, CORRECTORS, RATIO] = [21, 2, 0.12]; // as in utils.atoms.generate
const MOVES = STEPS * (1 + CORRECTORS);

/** The score of the two atoms, with 11 copies for each. */
function score(x, sigma) {
  const variance = sigma * sigma + SIGMA_D * SIGMA_D;
  const wrapped = (u) => { // log of the sum of the copies, and their mean pull
    const copies = Array.from({ length: 11 }, (_, k) => u + k - 5);
    const highest = Math.max(...copies.map((v) => -(v * v) / (2 * variance)));
    const shares = copies.map((v) => Math.exp(-(v * v) / (2 * variance) - highest));
    const total = shares.reduce((a, b) => a + b);
    return [highest + Math.log(total), -shares.reduce((s, share, i) => s + share * copies[i], 0) / total / variance];
  };
  const orders = CENTRES.map((centre) => x.map((v, i) => wrapped(v - centre[i])));
  const logs = orders.map(([a, b]) => a[0] + b[0]);
  const first = 1 / (1 + Math.exp(logs[1] - logs[0]));
  return [0, 1].map((i) => first * orders[0][i][1] + (1 - first) * orders[1][i][1]);
}

/** The distance on the torus to the nearer order of the crystal. */
function distance(x) {
  return Math.min(...CENTRES.map((centre) => Math.hypot(...x.map((v, i) => v - centre[i] - Math.round(v - centre[i])))));
}

/** All steps of one walk: state, noise level, and what the score and the noise added. */
function walk(seed) {
  const { uniform, normal } = normals(seed);
  const sigma = (t) => SIGMA_MIN * (SIGMA_MAX / SIGMA_MIN) ** t;
  const wrap = (v) => v - Math.floor(v);
  let x = [uniform(), uniform()];
  const states = [{ x, kind: "start", sigma: SIGMA_MAX }];
  for (let i = 0; i < STEPS; i++) {
    const [now, later] = [sigma(1 - i / STEPS), sigma(1 - (i + 1) / STEPS)];
    const move = (kind, drift, spread, level) => {
      const noise = [normal(), normal()];
      const pull = score(x, level).map((s) => drift * s);
      const kick = noise.map((z) => spread * z);
      x = x.map((v, j) => wrap(v + pull[j] + kick[j]));
      states.push({ x, kind, step: i + 1, sigma: later, before: now, pull, kick, noise });
    };
    move("predictor", now * now - later * later, Math.sqrt(now * now - later * later), now);
    const size = (RATIO * later) ** 2 / 2;
    for (let c = 0; c < CORRECTORS; c++) move("corrector", size, Math.sqrt(2 * size), later);
  }
  return states;
}

start("ring_walk", (frame) => {
  frame.state = { seed: 4, k: 30, playing: false };
  const pictures = frame.root.querySelector(".stages");
  pictures.classList.add("beside");
  const disc = frame.stage({ label: "The two atoms on the ring", height: (w) => Math.min(w, 330) });
  const chart = frame.stage({ label: "The distance to the crystal after each step", height: (w) => (w < 300 ? 220 : Math.min(w, 330)) });
  frame.slider({ key: "k", label: "Steps", min: 0, max: MOVES, step: 1, show: (v) => `${v} of ${MOVES}` });
  frame.player({ key: "k", from: 0, to: MOVES, seconds: 9 });
  const [back, next] = frame.buttons([
    ["Back", () => frame.change({ k: Math.max(0, frame.state.k - 1) })],
    ["Next step", () => frame.change({ k: Math.min(MOVES, frame.state.k + 1) })],
    ["New start", () => frame.change({ seed: frame.state.seed + 1, k: 0, playing: false })],
  ]);
  let [states, of] = [[], null];
  const current = () => {
    if (of !== frame.state.seed) [states, of] = [walk(frame.state.seed), frame.state.seed];
    return states;
  };
  const ATOMS = ["blue", "orange"];

  function drawDisc() {
    const { k } = frame.state;
    const [cx, cy] = [disc.width / 2, disc.height / 2];
    const rim = Math.min(disc.width, disc.height) / 2 - 26;
    const radius = (i) => rim * (0.22 + (0.78 * i) / MOVES);
    const place = (v, r) => [cx + r * Math.cos(2 * Math.PI * v), cy - r * Math.sin(2 * Math.PI * v)];
    const parts = [text(0, 12, "Outwards is later", "strong"), `<circle cx="${cx}" cy="${cy}" r="${rim}" class="frame"/>`, `<circle cx="${cx}" cy="${cy}" r="${radius(k)}" class="ringnow"/>`];
    for (const v of [0, 0.25, 0.5, 0.75]) {
      const [tx, ty] = place(v, rim + 14);
      parts.push(line(...place(v, rim - 4), ...place(v, rim + 4), "axis"), text(tx, ty + 4, ["0", "¼", "½", "¾"][v * 4], "tick middle"));
    }
    for (const v of [0.25, 0.75]) parts.push(line(cx, cy, ...place(v, rim), "guide"));
    const seen = current().slice(0, k + 1);
    ATOMS.forEach((colour, atom) => {
      const points = seen.map(({ x }, i) => place(x[atom], radius(i)));
      // The way around the ring is drawn as an arc, by its middle, where a step is long.
      const way = points.flatMap((point, i) => {
        if (!i) return [point];
        const [a, { pull, kick }] = [seen[i - 1].x[atom], seen[i]];
        const by = pull[atom] + kick[atom];
        return [0.25, 0.5, 0.75, 1].map((share) => place(a + share * by, radius(i - 1 + share)));
      });
      parts.push(path(way, `curve ${colour}`));
      points.slice(0, -1).forEach(([x, y], i) => parts.push(`<circle cx="${x}" cy="${y}" r="${seen[i].kind === "corrector" ? 1.6 : 2.6}" class="fill ${colour}"/>`));
      const [x, y] = points[k];
      parts.push(`<circle cx="${x}" cy="${y}" r="9" class="fill ${colour} atom"/>`, text(x, y + 4, atom + 1, "middle onatom"));
    });
    disc.draw(parts);
  }

  function drawChart() {
    const { k } = frame.state;
    const [left, right, top, ground] = [44, chart.width - 6, 30, chart.height - 44];
    const xOf = scale([0, MOVES], [left, right]);
    const yOf = (v) => scale([Math.log(0.001), Math.log(0.8)], [ground, top])(Math.log(clamp(v, 0.001, 0.8)));
    const parts = [0.001, 0.01, 0.1].map((v) => line(left, yOf(v), right, yOf(v), "guide light") + text(left - 7, yOf(v) + 4, v, "tick end"));
    parts.push(text(0, 12, "Distance to the crystal", "strong"), axis([0, 21, 42, 63], xOf, ground, [left, right]), text(right, ground + 34, "steps", "tick end"));
    const levels = current().flatMap((s, i) => [[xOf(Math.max(0, i - 1)), yOf(s.sigma)], [xOf(i), yOf(s.sigma)]]);
    parts.push(path(levels, "curve grey thin dashed"), text(xOf(45), yOf(0.0065), `noise ${variable("σ")}`, "quiet"));
    const seen = current().slice(0, k + 1).map(({ x }, i) => [xOf(i), yOf(distance(x))]);
    parts.push(path(seen, "curve green"), `<circle cx="${seen[k][0]}" cy="${seen[k][1]}" r="5" class="fill green"/>`);
    chart.draw(parts);
  }

  function draw() {
    const { k } = frame.state;
    back.disabled = k === 0;
    next.disabled = k === MOVES;
    drawDisc();
    drawChart();
    const now = current()[k];
    const signed = (v) => (v < 0 ? number(v, 4) : `+${number(v, 4)}`);
    const parts = k && [0, 1].map((i) => `atom ${i + 1}: score <b>${signed(now.pull[i])}</b>, noise <b>${signed(now.kick[i])}</b>`).join("; ");
    if (!k) frame.say("The start: both atoms lie anywhere on the ring.");
    else if (now.kind === "predictor") frame.say(`<b>Predictor ${now.step} of ${STEPS}</b>, from ${math("σ")} = ${now.before.toFixed(4)} to ${now.sigma.toFixed(4)}. It moves ${parts}.`);
    else frame.say(`<b>Corrector</b> at ${math("σ")} = ${now.sigma.toFixed(4)}. It moves ${parts}.`);
  }

  function values() {
    const all = current();
    return { states: all.map((s) => s.x), noise: all.slice(1).map((s) => s.noise), distance: all.map((s) => distance(s.x)), x: all[frame.state.k].x };
  }
  return { draw, values };
});
