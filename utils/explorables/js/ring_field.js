// Two atoms on a ring, as one point on a square: the pull of each periodic copy of each peak.

const CENTRES = [[0.25, 0.75], [0.75, 0.25]]; // the crystal, in both orders of the atoms
const SIGMA_D = 0.01;
const MOST = 5; // copies to each side of the cell
const SHOWN = 0.004; // the smallest share of a copy that is drawn

/**
 * Return the pulls of all copies of both peaks on a point, with copies k = -copies … copies for each atom.
 * The score is the sum of share × pull.
 */
function pulls([x1, x2], sigma, copies) {
  const variance = sigma * sigma + SIGMA_D * SIGMA_D;
  const found = [];
  for (const [m1, m2] of CENTRES)
    for (let k = -copies; k <= copies; k++)
      for (let l = -copies; l <= copies; l++) {
        const [u, v] = [x1 - m1 + k, x2 - m2 + l];
        found.push({ at: [m1 - k, m2 - l], log: -(u * u + v * v) / (2 * variance), pull: [-u / variance, -v / variance] });
      }
  const highest = Math.max(...found.map((copy) => copy.log));
  let total = 0;
  for (const copy of found) total += copy.share = Math.exp(copy.log - highest);
  for (const copy of found) copy.share /= total;
  const sum = (i) => found.reduce((s, copy) => s + copy.share * copy.pull[i], 0);
  const density = (Math.exp(highest) * total) / (4 * Math.PI * variance);
  return { variance, copies: found, score: [sum(0), sum(1)], density };
}

/** The same score for many points: the copies of one atom do not depend on the other, so sums are short. */
function field(sigma, copies, x1, x2) {
  const variance = sigma * sigma + SIGMA_D * SIGMA_D;
  const wrapped = (x, m) => {
    let [highest, sum, pull] = [-Infinity, 0, 0];
    for (let k = -copies; k <= copies; k++) highest = Math.max(highest, -((x - m + k) ** 2) / (2 * variance));
    for (let k = -copies; k <= copies; k++) {
      const u = x - m + k;
      const share = Math.exp(-(u * u) / (2 * variance) - highest);
      sum += share;
      pull -= (share * u) / variance;
    }
    return [highest + Math.log(sum), pull / sum];
  };
  const [a1, b1] = [wrapped(x1, 0.25), wrapped(x1, 0.75)];
  const [a2, b2] = [wrapped(x2, 0.75), wrapped(x2, 0.25)];
  const first = 1 / (1 + Math.exp(b1[0] + b2[0] - a1[0] - a2[0]));
  const log = Math.max(a1[0] + a2[0], b1[0] + b2[0]);
  const density = (Math.exp(log) * (Math.exp(a1[0] + a2[0] - log) + Math.exp(b1[0] + b2[0] - log))) / (4 * Math.PI * variance);
  return { score: [0, 1].map((i) => first * [a1, a2][i][1] + (1 - first) * [b1, b2][i][1]), density };
}

start("ring_field", (frame) => {
  frame.state = { sigma: 0.2, x: 0.3, y: 0.35, copies: MOST };
  const stage = frame.stage({ label: "The square of the two atoms, with the pulls at the point", height: (w) => Math.min(w, 560) });
  const shown = [-0.33, 1.33]; // what is seen of the plane around the cell
  const inner = () => { // a square, in the middle of a wide card
    const side = stage.height;
    const left = (stage.width - side) / 2;
    return { left, side, x: scale(shown, [left, left + side]), y: scale(shown, [side, 0]) };
  };
  const wrap = (v) => v - Math.floor(v);
  stage.point({
    label: "The point: place of atom 1 to the right, of atom 2 upwards",
    get: () => [frame.state.x, frame.state.y],
    set: ([x, y]) => frame.change({ x: wrap(x), y: wrap(y) }),
    pixel: ([x, y]) => [inner().x(x), inner().y(y)],
    place: ([px, py]) => {
      const { left, side } = inner();
      return [scale([left, left + side], shown)(px), scale([side, 0], shown)(py)];
    },
    step: 0.01, min: 0, max: 1,
    text: () => `atom 1 at ${frame.state.x.toFixed(2)}, atom 2 at ${frame.state.y.toFixed(2)}`,
  });
  frame.slider({ key: "sigma", label: `Noise ${math("σ")}`, min: 0.01, max: 0.5, step: 0.01, show: (v) => v.toFixed(2) });
  frame.choice({ key: "copies", label: "Copies counted for each atom", options: [[0, "1"], [1, "3"], [2, "5"], [MOST, "11"]] });

  function drawDensity({ left, side, x, y }) {
    const context = stage.context();
    const n = 92;
    const [red, green, blue] = frame.rgb("blue");
    const image = new ImageData(n, n);
    const grid = Array.from({ length: n }, (_, i) => shown[0] + ((i + 0.5) / n) * (shown[1] - shown[0]));
    const density = [];
    for (let j = 0; j < n; j++)
      for (let i = 0; i < n; i++) density.push(field(frame.state.sigma, 2, wrap(grid[i]), wrap(grid[n - 1 - j])).density);
    const highest = density.reduce((a, b) => Math.max(a, b));
    density.forEach((p, i) => {
      const outside = [grid[i % n], grid[Math.floor(i / n)]].some((v) => v < 0 || v > 1);
      image.data.set([red, green, blue, (outside ? 70 : 190) * Math.sqrt(p / highest)], 4 * i);
    });
    const small = new OffscreenCanvas(n, n);
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(small, left, 0, side, side);
  }

  function draw() {
    const { sigma, x, y, copies } = frame.state;
    const area = inner();
    drawDensity(area);
    const parts = [`<rect x="${area.x(0)}" y="${area.y(1)}" width="${area.x(1) - area.x(0)}" height="${area.y(0) - area.y(1)}" class="frame"/>`];
    const many = area.side < 420 ? 11 : 15;
    for (let i = 0; i < many; i++)
      for (let j = 0; j < many; j++) {
        const [a, b] = [(i + 0.5) / many, (j + 0.5) / many];
        const { score } = field(sigma, copies, a, b);
        const size = Math.hypot(...score);
        if (size < 1e-9) continue;
        const reach = (0.32 / many) * Math.min(1, size * Math.hypot(sigma, SIGMA_D));
        const [dx, dy] = score.map((v) => (reach * v) / size);
        parts.push(arrow(area.x(a - dx), area.y(b - dy), area.x(a + dx), area.y(b + dy), "grey field", 4));
      }
    const at = pulls([x, y], sigma, copies);
    const [px, py] = [area.x(x), area.y(y)];
    const end = (vector, share = 1) => [area.x(x + at.variance * share * vector[0]), area.y(y + at.variance * share * vector[1])];
    const seen = at.copies.filter((copy) => copy.share > SHOWN).sort((a, b) => b.share - a.share);
    for (const { at: [cx, cy], share, pull } of seen) {
      parts.push(line(px, py, area.x(cx), area.y(cy), "guide"), `<circle cx="${area.x(cx)}" cy="${area.y(cy)}" r="4" class="fill orange"/>`);
      parts.push(arrow(px, py, ...end(pull, share), "orange", 8));
      if (share > 0.03) parts.push(text(area.x(cx), area.y(cy) - 9, `${(100 * share).toFixed(0)} %`, "middle tick strong halo"));
    }
    parts.push(arrow(px, py, ...end(at.score), "ink", 10));
    parts.push(text(area.x(0), area.y(0) + 16, "atom 1 →", "tick"), `<g transform="translate(${area.x(0) - 7} ${area.y(0)}) rotate(-90)">${text(0, 0, "atom 2 →", "tick")}</g>`);
    stage.draw(parts);
    const error = Math.hypot(...values().error);
    const missing = copies < MOST ? ` Counting ${2 * copies + 1} of 11 copies makes an error of <b>${error < 0.01 ? error.toExponential(0) : error.toFixed(2)}</b>.` : "";
    frame.say(`Orange: each copy's pull times its share, scaled by ${math("S")}². Black: their sum. The score is (<b>${number(at.score[0])}</b>, <b>${number(at.score[1])}</b>), ${math("S")} |${math("s")}| = <b>${(Math.hypot(...at.score) * Math.sqrt(at.variance)).toFixed(2)}</b>.${missing}`);
  }

  function values() {
    const { sigma, x, y, copies } = frame.state;
    const [at, exact] = [pulls([x, y], sigma, copies), pulls([x, y], sigma, MOST)];
    const orders = [0, 1].map((o) => at.copies.filter((_, i) => (i < at.copies.length / 2) === (o === 0)).reduce((s, c) => s + c.share, 0));
    return { score: at.score, density: at.density, orders, error: at.score.map((v, i) => v - exact.score[i]), field: field(sigma, copies, x, y).score };
  }
  return { draw, values };
});
