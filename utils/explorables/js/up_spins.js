// The number of up spins in a lattice of 36: the class, the distribution tilted by w, and guided samples of lab 1.

const SITES = 36;
// Of each world: the probability of an up spin in each component, and the components' weights in the two classes.
const WORLDS = [
  { ups: [0, 1, 0.1, 0.9, 0.5], weights: [[0.25, 0.25, 0.25, 0.25, 0], [0, 0, 0, 0, 1]] },
  { ups: [0, 0.1, 0.5, 1, 0.9], weights: [[0.5, 0.5, 0, 0, 0], [0, 0, 0.5, 0.25, 0.25]] },
];
const COUNTS = Array.from({ length: SITES + 1 }, (_, k) => k);
const WAYS = COUNTS.map((k) => { // log of the number of lattices with k up spins
  let log = 0;
  for (let j = 1; j <= k; j++) log += Math.log((SITES - k + j) / j);
  return log;
});

/** Return the distribution of the number of up spins in each of the two classes. */
function pmf({ ups, weights }) {
  const binomial = (q) => COUNTS.map((k) => {
    if (q === 0 || q === 1) return k === q * SITES ? 1 : 0;
    return Math.exp(WAYS[k] + k * Math.log(q) + (SITES - k) * Math.log(1 - q));
  });
  const components = ups.map(binomial);
  return weights.map((row) => COUNTS.map((k) => row.reduce((sum, share, c) => sum + share * components[c][k], 0)));
}

/** Return the distribution that is proportional to P(k) p(y | k)^w, for class 0. */
function tilted([own, other], w) {
  const whole = own.map((p, k) => (p + other[k]) / 2);
  const powers = whole.map((p, k) => (p > 0 ? p * Math.pow(own[k] / 2 / p, w) : 0));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((p) => p / total);
}

start("up_spins", (frame) => {
  frame.state = { world: 0, w: 3, samples: true };
  const classes = WORLDS.map(pmf);
  const bars = frame.stage({ label: "The distribution of the number of up spins", height: () => 236 });
  const curve = frame.stage({ label: "The probability of no up spin against w", height: () => 190 });
  frame.choice({ key: "world", label: "World", options: [[0, "2 · FM against noisy"], [1, "3 · down against the rest"]] });
  frame.slider({ key: "w", label: `Guidance scale ${math("w")}`, min: 0, max: 8, step: 0.1, show: (v) => v.toFixed(1) });
  frame.tick({ key: "samples", label: "Show what guided sampling gives (stored samples)" });

  /** The stored samples whose w is nearest. */
  const nearest = (w) => STORED.w.reduce((best, v, i) => (Math.abs(v - w) < Math.abs(STORED.w[best] - w) ? i : best), 0);
  const shares = (world, i) => STORED.counts[world][i].map((n) => n / STORED.samples);

  function drawBars() {
    const { world, w, samples } = frame.state;
    const [left, right, top, ground] = [36, bars.width - 4, 34, 200];
    const xOf = scale([-0.5, SITES + 0.5], [left, right]);
    const [own, tilt] = [classes[world][0], tilted(classes[world], w)];
    const sampled = samples ? shares(world, nearest(w)) : [];
    const highest = Math.max(...own, ...tilt, ...sampled, 0.3);
    const yOf = scale([0, 1.06 * highest], [ground, top]);
    const wide = Math.max(2, (right - left) / (SITES + 1) - 2);
    const parts = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8].filter((v) => v < highest * 1.05)
      .map((v) => line(left, yOf(v), right, yOf(v), "guide light") + text(left - 8, yOf(v) + 4, v.toFixed(1), "tick end"));
    COUNTS.forEach((k) => {
      parts.push(`<rect x="${xOf(k) - wide / 2}" y="${yOf(tilt[k])}" width="${wide}" height="${ground - yOf(tilt[k])}" class="fill orange"/>`);
      parts.push(line(xOf(k) - wide / 2 - 1, yOf(own[k]), xOf(k) + wide / 2 + 1, yOf(own[k]), "shaft blue slim"));
      if (samples) parts.push(`<circle cx="${xOf(k)}" cy="${yOf(sampled[k])}" r="3" class="fill ink"/>`);
    });
    parts.push(axis([0, 6, 12, 18, 24, 30, 36], xOf, ground, [left, right]), text(right, ground + 33, "spins up", "tick end"));
    parts.push(legend(0, 12, [["orange", `tilted by ${variable("w")}`], ["blue", "the class"], ...(samples ? [["ink", `guided, ${variable("w")} = ${STORED.w[nearest(w)]}`]] : [])]));
    bars.draw(parts);
  }

  /** A row of coloured squares with words. */
  function legend(x, y, items) {
    let at = x;
    return items.map(([colour, words]) => {
      const part = `<rect x="${at}" y="${y - 10}" width="11" height="11" rx="2" class="fill ${colour}"/>` + text(at + 17, y, words);
      at += 34 + 7 * words.replace(/<[^>]*>/g, "").length;
      return part;
    }).join("");
  }

  function drawCurve() {
    const { world, w, samples } = frame.state;
    const [left, right, top, ground] = [36, curve.width - 4, 32, 154];
    const xOf = scale([0, 8], [left + 6, right - 6]);
    const yOf = scale([0, world ? 1 : 0.5], [ground, top]);
    const steps = Array.from({ length: 81 }, (_, i) => i / 10);
    const parts = (world ? [0, 0.25, 0.5, 0.75, 1] : [0, 0.1, 0.2, 0.3, 0.4, 0.5])
      .map((v) => line(left, yOf(v), right, yOf(v), "guide light") + text(left - 8, yOf(v) + 4, v.toFixed(world ? 2 : 1), "tick end"));
    parts.push(text(0, 12, "P(no spin up)", "strong"), axis([0, 1, 2, 3, 4, 5, 6, 7, 8], xOf, ground, [left, right]));
    parts.push(text(right, ground + 33, `guidance scale ${variable("w")}`, "tick end"), line(xOf(w), top, xOf(w), ground, "guide"));
    parts.push(path(steps.map((v) => [xOf(v), yOf(tilted(classes[world], v)[0])]), "curve orange"));
    if (samples)
      STORED.w.forEach((v, i) => {
        const p = shares(world, i)[0];
        const error = Math.sqrt((p * (1 - p)) / STORED.samples);
        parts.push(line(xOf(v), yOf(p - error), xOf(v), yOf(p + error), "shaft ink slim"), `<circle cx="${xOf(v)}" cy="${yOf(p)}" r="3.5" class="fill ink"/>`);
      });
    parts.push(`<circle cx="${xOf(w)}" cy="${yOf(tilted(classes[world], w)[0])}" r="6" class="fill orange"/>`);
    curve.draw(parts);
  }

  function values() {
    const { world, w } = frame.state;
    const tilt = tilted(classes[world], w);
    return { of_class: classes[world][0], tilted: tilt, none_up: tilt[0], mean: tilt.reduce((sum, p, k) => sum + k * p, 0) };
  }

  function draw() {
    const { world, w, samples } = frame.state;
    drawBars();
    drawCurve();
    const { none_up: none } = values();
    const i = nearest(w);
    const p = shares(world, i)[0];
    const guided = samples ? ` Of ${STORED.samples.toLocaleString("en")} guided samples at ${math("w")} = ${STORED.w[i]}, a share of <b>${p.toFixed(3)} ± ${Math.sqrt((p * (1 - p)) / STORED.samples).toFixed(3)}</b> has none.${STORED.w[i] <= 1 ? ` The rest is the error of ${STORED.steps} steps.` : ""}` : "";
    frame.say(`Tilted by ${math("w")} = ${w.toFixed(1)}: P(no spin up) = <b>${none.toFixed(4)}</b>. In the class it is <b>${classes[world][0][0].toFixed(4)}</b>.${guided}`);
  }
  return { draw, values };
});
