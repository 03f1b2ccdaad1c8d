// The frame that all explorables share: a card with a picture, controls, and a sentence that says what is seen.
//
// Every card lives in a shadow root, so that neither its style nor its ids meet those of the page. It draws in pixels of
// the screen, so that text keeps its size on a phone. Nothing is loaded: no library, no network.
"use strict";

/**
 * Turn every placeholder of this name that has not been started yet into a card.
 * @param {string} name
 * @param {(frame: Frame) => {draw: () => void, values: () => object}} build
 */
function start(name, build) {
  for (const host of document.querySelectorAll(`[data-explorable="${name}"]:not([data-started])`)) {
    host.dataset.started = "";
    // JupyterLab would take arrow keys and letters for its own shortcuts.
    host.setAttribute("data-lm-suppress-shortcuts", "true");
    const frame = new Frame(host);
    Object.assign(frame, build(frame));
    frame.watch();
    host.explorable = frame;
  }
}

class Frame {
  /** @param {HTMLElement} host a placeholder with a title and a lead in its data attributes */
  constructor(host) {
    this.host = host;
    this.state = {};
    this.stages = [];
    this.syncs = [];
    this.root = host.attachShadow({ mode: "open" });
    this.root.innerHTML = `<style>${CSS}</style><section class="card" aria-labelledby="title">
      <p class="title" id="title">${host.dataset.title}</p><p class="lead">${host.dataset.lead}</p>
      <div class="stages"></div><div class="controls"></div><p class="says" role="status"></p></section>`;
    this.card = this.root.querySelector(".card");
    this.ids = 0;
  }

  /** Redraw when the size or the theme changes, and draw for the first time. */
  watch() {
    const theme = () => {
      this.host.dataset.scheme = isDark() ? "dark" : "light";
      this.refresh();
    };
    new ResizeObserver(() => this.refresh()).observe(this.card);
    const observer = new MutationObserver(theme);
    for (const node of [document.body, document.documentElement])
      observer.observe(node, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-theme", "theme", "class"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);
    theme();
  }

  /** Change the state and redraw. @param {object} patch */
  change(patch) {
    Object.assign(this.state, patch);
    this.refresh();
  }

  /** Bring controls and picture up to the state, once a frame of the screen. */
  refresh() {
    for (const sync of this.syncs) sync();
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      for (const stage of this.stages) stage.measure();
      if (this.stages.every((stage) => stage.width > 0)) this.draw();
    });
  }

  /** Return the red, green and blue of a colour of the style sheet. @param {string} name such as "blue" */
  rgb(name) {
    const hex = getComputedStyle(this.card).getPropertyValue(`--${name}`).trim();
    return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  }

  /** Say in a sentence what is seen; HTML. @param {string} html */
  say(html) {
    const says = this.root.querySelector(".says");
    if (says.innerHTML !== html) says.innerHTML = html;
  }

  /**
   * Add a picture.
   * @param {{label: string, height: (width: number) => number}} options the height in pixels for a width
   * @returns {Stage}
   */
  stage(options) {
    const stage = new Stage(this, options);
    this.stages.push(stage);
    return stage;
  }

  /** Return a new element among the controls. @param {string} className @param {string} html */
  control(className, html) {
    const box = document.createElement("div");
    box.className = className;
    box.innerHTML = html;
    this.root.querySelector(".controls").append(box);
    return box;
  }

  /**
   * Add a slider for state[key].
   * @param {{key: string, label: string, min: number, max: number, step: number, show: (value: number) => string,
   *   of?: (raw: number) => number, raw?: (value: number) => number}} options `of` and `raw` map the slider's position
   *   to the value and back, if they differ
   */
  slider({ key, label, min, max, step, show, of = (v) => v, raw = (v) => v }) {
    const id = `control${this.ids++}`;
    const box = this.control(
      "slider",
      `<label for="${id}">${label}</label><output for="${id}"></output>
       <input id="${id}" type="range" min="${min}" max="${max}" step="${step}" data-key="${key}">`,
    );
    const [output, input] = [box.querySelector("output"), box.querySelector("input")];
    input.addEventListener("input", () => this.change({ [key]: of(Number(input.value)) }));
    this.syncs.push(() => {
      const text = show(this.state[key]);
      if (of(Number(input.value)) !== this.state[key]) input.value = raw(this.state[key]);
      output.textContent = text;
      input.setAttribute("aria-valuetext", text);
      const share = (Number(input.value) - min) / (max - min);
      input.style.setProperty("--filled", `${100 * share}%`);
    });
  }

  /**
   * Add a choice of one value for state[key].
   * @param {{key: string, label: string, options: [any, string][], narrow?: boolean}} options values and their texts
   */
  choice({ key, label, options, narrow = false }) {
    const id = `control${this.ids++}`;
    const items = options.map(
      ([, text], i) => `<label><input type="radio" name="${id}" value="${i}"><span>${text}</span></label>`,
    );
    const box = this.control(
      `choice${narrow ? " narrow" : ""}`,
      `<fieldset><legend>${label}</legend><div class="options">${items.join("")}</div></fieldset>`,
    );
    const inputs = [...box.querySelectorAll("input")];
    inputs.forEach((input, i) => input.addEventListener("change", () => this.change({ [key]: options[i][0] })));
    this.syncs.push(() => inputs.forEach((input, i) => (input.checked = options[i][0] === this.state[key])));
  }

  /** Add a box to tick for state[key]. @param {{key: string, label: string}} options */
  tick({ key, label }) {
    const box = this.control("tick", `<label><input type="checkbox" data-key="${key}"><span>${label}</span></label>`);
    const input = box.querySelector("input");
    input.addEventListener("change", () => this.change({ [key]: input.checked }));
    this.syncs.push(() => (input.checked = this.state[key]));
  }

  /** Add buttons to the row of buttons. @param {[string, () => void][]} buttons texts and actions @returns {HTMLButtonElement[]} */
  buttons(buttons) {
    const box = this.root.querySelector(".buttons") ?? this.control("buttons", "");
    return buttons.map(([text, act]) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
      button.addEventListener("click", act);
      box.append(button);
      return button;
    });
  }

  /**
   * Play state[key] from its value, or from the start, to the end. With reduced motion it jumps to the end.
   * @param {{key: string, from: number, to: number, seconds: number}} options
   */
  player({ key, from, to, seconds }) {
    const stop = () => this.change({ playing: false });
    const frame = (last) => (now) => {
      if (!this.state.playing || !this.host.isConnected) return;
      const next = this.state[key] + Math.max(1, Math.round(((now - last) / 1000 / seconds) * (to - from)));
      this.change({ [key]: Math.min(to, next) });
      if (next >= to) return stop();
      requestAnimationFrame(frame(now));
    };
    const [button] = this.buttons([["Play", () => {
      if (this.state.playing) return stop();
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.change({ [key]: this.state[key] < to ? to : from });
      if (this.state[key] >= to) this.state[key] = from;
      this.change({ playing: true });
      requestAnimationFrame((now) => frame(now)(now));
    }]]);
    button.dataset.key = "play";
    this.syncs.push(() => (button.textContent = this.state.playing ? "Pause" : "Play"));
  }
}

/** One picture: a canvas for dense things below, an SVG for lines and text above, and points that are dragged. */
class Stage {
  constructor(frame, { label, height }) {
    this.frame = frame;
    this.heightOf = height;
    this.box = document.createElement("div");
    this.box.className = "stage";
    this.box.innerHTML = `<canvas aria-hidden="true"></canvas><svg role="group" aria-label="${label}"><g class="layer"></g></svg>`;
    frame.root.querySelector(".stages").append(this.box);
    [this.canvas, this.svg] = this.box.children;
    this.layer = this.svg.querySelector(".layer");
    this.moves = [];
  }

  /** Take the size of the screen. */
  measure() {
    this.width = Math.floor(this.box.clientWidth);
    this.height = Math.round(this.heightOf(this.width));
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.box.style.height = `${this.height}px`;
    const density = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(this.width * density), Math.round(this.height * density)];
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
  }

  /** Return the canvas's context, empty and in pixels of the screen. */
  context() {
    const context = this.canvas.getContext("2d");
    const density = this.canvas.width / this.width;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    return context;
  }

  /** Replace what is drawn as SVG, and move the points to their places. @param {string[]} parts */
  draw(parts) {
    this.layer.innerHTML = parts.join("");
    for (const move of this.moves) move();
  }

  /**
   * Add a point that is dragged, moved by the arrow keys, or sent to where one clicks.
   * @param {{label: string, get: () => number[], set: (place: number[]) => void, pixel: (place: number[]) => number[],
   *   place: (pixel: number[]) => number[], step: number, flat?: boolean, min: number, max: number,
   *   text: () => string}} options places in the units of the data; `flat` points move from left to right only
   */
  point({ label, get, set, pixel, place, step, flat = false, min, max, text }) {
    const handle = document.createElementNS("http://www.w3.org/2000/svg", "g");
    handle.setAttribute("class", flat ? "handle flat" : "handle");
    handle.innerHTML = `<circle class="touch" r="22"/><circle class="ring" r="13"/><circle class="dot" r="7"/>`;
    const attributes = { tabindex: 0, role: "slider", "aria-label": label, "aria-valuemin": min, "aria-valuemax": max };
    for (const [name, value] of Object.entries(attributes)) handle.setAttribute(name, value);
    this.svg.append(handle);
    const follow = (event) => {
      const frame = this.svg.getBoundingClientRect();
      set(place([event.clientX - frame.left, event.clientY - frame.top]));
    };
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      handle.focus({ preventScroll: true });
      event.preventDefault();
    });
    handle.addEventListener("pointermove", (event) => handle.hasPointerCapture(event.pointerId) && follow(event));
    this.svg.addEventListener("click", (event) => !handle.contains(event.target) && follow(event));
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      const size = step * (event.shiftKey ? 10 : 1);
      const clean = (v) => Number(v.toFixed(10)); // 0.1 + 0.2 is not 0.3
      const [dx, dy] = flat ? [by[0] + by[1], 0] : by;
      set(get().map((v, i) => clean(v + size * [dx, dy][i])));
    });
    this.moves.push(() => {
      const [x, y] = pixel(get());
      handle.setAttribute("transform", `translate(${x} ${y})`);
      handle.setAttribute("aria-valuenow", get()[0]);
      handle.setAttribute("aria-valuetext", text());
    });
  }
}

/** Return whether the page around is dark: JupyterLab, the site, Colab and VS Code say so, else the system does. */
function isDark() {
  const [body, html] = [document.body, document.documentElement];
  const jupyter = body.getAttribute("data-jp-theme-light");
  if (jupyter) return jupyter === "false";
  const theme = body.dataset.theme || html.dataset.theme || html.getAttribute("theme");
  if (theme === "dark" || theme === "light") return theme === "dark";
  if (/\bvscode-(dark|light)\b/.test(body.className)) return body.classList.contains("vscode-dark");
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

// --- pieces of SVG

/** Map numbers from one interval to another. @param {number[]} from @param {number[]} to */
const scale = ([a, b], [c, d]) => (v) => c + ((v - a) / (b - a)) * (d - c);
const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
const text = (x, y, content, className = "") => `<text x="${x}" y="${y}" class="${className}">${content}</text>`;
const line = (x1, y1, x2, y2, className) => `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" class="${className}"/>`;
const path = (points, className, end = "") =>
  `<path d="M${points.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join("L")}${end}" class="${className}"/>`;
/** A variable in the letters of formulas, with an index below. @param {string} name @param {string} [index] */
const variable = (name, index = "") =>
  `<tspan class="var">${name}</tspan>` +
  (index && `<tspan class="var index" dy="4">${index}</tspan><tspan dy="-4">&#8203;</tspan>`);
/** The same for HTML. */
const math = (name, index = "") => `<i class="var">${name}${index && `<sub>${index}</sub>`}</i>`;
/** A number with a minus sign that is as long as a plus. @param {number} v @param {number} digits */
function number(v, digits = 2) {
  const text = v.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** An arrow; one that is too short for a head becomes a dot. */
function arrow(x1, y1, x2, y2, className, head = 8) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (length < 1.5) return `<circle cx="${x1}" cy="${y1}" r="2.5" class="tip ${className}"/>`;
  const size = Math.min(head, length);
  const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
  const [bx, by] = [x2 - size * ux, y2 - size * uy];
  const tip = [[x2, y2], [bx - 0.5 * size * uy, by + 0.5 * size * ux], [bx + 0.5 * size * uy, by - 0.5 * size * ux]];
  return line(x1, y1, bx, by, `shaft ${className}`) + path(tip, `tip ${className}`, "Z");
}

/** A horizontal axis with ticks. */
function axis(ticks, x, y, ends, show = (v) => number(v, 0)) {
  const marks = ticks.map((v) => line(x(v), y, x(v), y + 5, "axis") + text(x(v), y + 18, show(v), "tick middle"));
  return line(ends[0], y, ends[1], y, "axis") + marks.join("");
}

// --- random numbers

/** Return a source of normal random numbers, the same for the same seed: mulberry32, then Box and Muller. */
function normals(seed) {
  let [state, spare] = [seed | 0, null];
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
  const normal = () => {
    if (spare !== null) {
      const kept = spare;
      spare = null;
      return kept;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return { uniform, normal };
}
