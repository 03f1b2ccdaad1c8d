// Two Gaussians on a line under lab 1's noise: the three scores at a point, as arrows.

const MEAN = 1; // the class y lies at +1, the other one at -1
const VARIANCE = 0.25; // of each class
const [BETA_MIN, BETA_MAX] = [0.1, 20];
const RANGE = [-3.5, 3.5];

/** Everything that is known at the point x at time t. */
function scores({ t, w, x }) {
  const integral = BETA_MIN * t + ((BETA_MAX - BETA_MIN) * t * t) / 2;
  const alpha = Math.exp(-integral / 2);
  const variance = alpha * alpha * VARIANCE - Math.expm1(-integral);
  const centre = alpha * MEAN;
  const normal = (m) => Math.exp((-(x - m) * (x - m)) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance);
  const posterior = 1 / (1 + Math.exp((-2 * centre * x) / variance));
  const classScore = (centre - x) / variance;
  const score = (centre * (2 * posterior - 1) - x) / variance;
  const gradient = (2 * centre * (1 - posterior)) / variance;
  return {
    alpha, variance, centre, posterior, score, gradient, class_score: classScore, guided: score + w * gradient,
    density: (normal(centre) + normal(-centre)) / 2, of_class: normal(centre) / 2, other: normal(-centre) / 2,
  };
}

start("two_gaussians", (frame) => {
  frame.state = { t: 0.15, w: 2, x: -0.4 };
  const stage = frame.stage({ label: "Densities on a line, and below them the arrows at the point", height: () => 408 });
  const top = 18, ground = 190, firstRow = 226, row = 46;
  const xOf = (v) => scale(RANGE, [6, stage.width - 6])(v);
  stage.point({
    label: "The point x",
    get: () => [frame.state.x, 0],
    set: ([x]) => frame.change({ x: clamp(x, -3, 3) }),
    pixel: ([x]) => [xOf(x), ground],
    place: ([x]) => [scale([6, stage.width - 6], RANGE)(x), 0],
    step: 0.05, flat: true, min: -3, max: 3,
    text: () => `x = ${number(frame.state.x)}`,
  });
  frame.slider({ key: "t", label: `Time ${math("t")}, from data to noise`, min: 0, max: 1, step: 0.01, show: (v) => v.toFixed(2) });
  frame.slider({ key: "w", label: `Guidance scale ${math("w")}`, min: 0, max: 8, step: 0.1, show: (v) => v.toFixed(1) });

  /** Draw an arrow of the line's direction, cut at the edges of the picture. */
  function flat(from, to, y, colour) {
    const [a, b] = [from, to].map((v) => clamp(xOf(v), -2, stage.width + 2));
    return arrow(a, y, b, y, colour, 10);
  }

  function draw() {
    const { t, w, x } = frame.state;
    const at = scores(frame.state);
    const grid = Array.from({ length: 281 }, (_, i) => RANGE[0] + (i / 280) * (RANGE[1] - RANGE[0]));
    const curves = grid.map((v) => scores({ t, w, x: v }));
    const yOf = scale([0, 0.42], [ground, top]);
    const points = (key) => grid.map((v, i) => [xOf(v), yOf(curves[i][key])]);
    const parts = [
      path([[xOf(RANGE[0]), ground], ...points("of_class"), [xOf(RANGE[1]), ground]], "fill orange light", "Z"),
      path(points("other"), "curve grey thin dashed"), path(points("of_class"), "curve orange thin"), path(points("density"), "curve"),
      axis([-3, -2, -1, 0, 1, 2, 3], xOf, ground, [0, stage.width]),
      text(Math.max(xOf(at.centre) - 22, xOf(0) + 10), top - 4, `class ${variable("y")}`),
      text(Math.min(xOf(-at.centre) + 46, xOf(0) - 10), top - 4, "the other class", "end quiet"),
      line(xOf(x), ground, xOf(x), firstRow + 3 * row + 20, "guide"),
    ];
    const tip = x + at.variance * at.score;
    const rows = [
      [`${variable("s")} = ${number(at.score)}`, "score of all data", flat(x, tip, 0, "blue")],
      [`${variable("s", "y")} = ${number(at.class_score)}`, "score of the class: ends at its centre", flat(x, x + at.variance * at.class_score, 0, "orange")],
      [`${variable("w")} (${variable("s", "y")} − ${variable("s")}) = ${number(w * at.gradient)}`, "added at the tip of s", flat(tip, tip + w * at.variance * at.gradient, 0, "pink")],
      [`${variable("s", "w")} = ${number(at.guided)}`, "the guided score, the sum", flat(x, x + at.variance * at.guided, 0, "green")],
    ];
    rows.forEach(([formula, words, shape], i) => {
      const y = firstRow + i * row;
      const shown = stage.width < 420 ? words.split(":")[0] : words;
      parts.push(text(0, y, formula, "strong"), text(stage.width, y, shown, "end quiet"), `<g transform="translate(0 ${y + 14})">${shape}</g>`);
    });
    stage.draw(parts);
    const beyond = x + at.variance * at.guided - at.centre;
    const where = w < 0.05 ? "Without guidance the class does not matter." : Math.abs(w - 1) < 0.05
      ? "At <i class='var'>w</i> = 1 the sum is the score of the class, exactly."
      : `The green arrow ends ${number(Math.abs(beyond))} ${beyond > 0 ? "beyond" : "short of"} the centre of the class.`;
    frame.say(`At ${math("x")} = ${number(x)} the class has probability ${math("p")}(${math("y")} | ${math("x")}) = <b>${at.posterior.toFixed(3)}</b>. ${where}`);
  }
  return { draw, values: () => scores(frame.state) };
});
