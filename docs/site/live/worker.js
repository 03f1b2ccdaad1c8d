// The worker: it evaluates lab 4's network u(x, t, y) and walks from noise to a digit, so that the page never freezes.
// Messages in:  {type: "start", parts, backend} and {type: "sample", id, noise, labels, w, steps}. A new task ends the
// one before.
// Messages out: "ready", "step" (one for each step, and one for the end), and "failed".
"use strict";

const PIXELS = 32 * 32;
const NULL_LABEL = 10;
const SLOWEST = 500; // milliseconds for one evaluation; a graphics card that takes longer is emulated, or too old
const TOLERANCE = 0.01; // velocities are of size 1; PyTorch's and WebAssembly's differ by 0.00001

let ort, session;
let latest = 0;
let evaluations = 0; // of the network, one for each image of a batch

/** Undo base64, by the browser's own decoder where it has one. @param {string} text @returns {Uint8Array} */
const bytesOf = (text) => Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/**
 * Undo base64 and gzip.
 * @param {string} text
 * @returns {Promise<ArrayBuffer>}
 */
function unpack(text) {
  return new Response(new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/**
 * Evaluate the network once, on a batch.
 * @param {Float32Array} x images, one after the other
 * @param {number} t time in [0, 1]
 * @param {number[]} labels one for each image
 * @returns {Promise<Float32Array>} the velocities, as many numbers as x
 */
async function velocities(x, t, labels) {
  const n = labels.length;
  evaluations += n;
  const { u } = await session.run({
    x: new ort.Tensor("float32", x, [n, 1, 32, 32]),
    t: new ort.Tensor("float32", new Float32Array(n).fill(t), [n, 1, 1, 1]),
    y: new ort.Tensor("int64", BigInt64Array.from(labels, BigInt), [n]),
  });
  return u.data;
}

/**
 * Load the runtime and the network, and compare a velocity with PyTorch's.
 * @param {Object<string, string>} parts packed files: code, binary, model and reference
 * @param {"wasm" | "webgpu"} backend
 */
async function start(parts, backend) {
  const code = URL.createObjectURL(new Blob([await unpack(parts.code)], { type: "text/javascript" }));
  ort = await import(code);
  ort.env.wasm.numThreads = 1; // more threads need headers that a plain file server does not send
  ort.env.wasm.wasmBinary = await unpack(parts.binary);
  ort.env.logLevel = "error";
  session = await ort.InferenceSession.create(new Uint8Array(await unpack(parts.model)), {
    executionProviders: [backend],
  });
  const { x, u, t, labels } = JSON.parse(new TextDecoder().decode(await unpack(parts.reference)));
  const floats = (text) => new Float32Array(bytesOf(text).buffer);
  const [state, expected] = [floats(x), floats(u)];
  const error = (await velocities(state, t, labels)).reduce((e, v, i) => Math.max(e, Math.abs(v - expected[i])), 0);
  if (!(error < TOLERANCE)) throw new Error(`velocities differ from PyTorch's by ${error}`);
  const begun = performance.now();
  await velocities(state, t, labels); // the first evaluation prepared the graphics card
  const ms = performance.now() - begun;
  if (backend === "webgpu" && ms > SLOWEST) throw new Error(`WebGPU takes ${ms} ms for one evaluation`);
  postMessage({ type: "ready", backend, error });
}

/**
 * Walk from noise to digits with Euler's method. Each step evaluates the network once, on a doubled batch.
 * @param {{id: number, noise: Float32Array, labels: number[], w: number, steps: number}} task
 */
async function sample({ id, noise, labels, w, steps }) {
  const twice = [...labels.map(() => NULL_LABEL), ...labels];
  const size = labels.length * PIXELS;
  const begun = performance.now();
  const before = evaluations;
  let x = noise;
  for (let i = 0; i <= steps; i++) {
    const doubled = new Float32Array(2 * size);
    doubled.set(x);
    doubled.set(x, size);
    // At the end nothing is evaluated: the last velocities stay on the page.
    const u = i < steps ? await velocities(doubled, i / steps, twice) : null;
    const unconditional = u && u.slice(0, size);
    const conditional = u && u.slice(size);
    const spent = { calls: evaluations - before, ms: performance.now() - begun };
    postMessage({ type: "step", id, i, steps, x, unconditional, conditional, ...spent });
    if (u) x = x.map((v, k) => v + ((1 - w) * unconditional[k] + w * conditional[k]) / steps);
    await new Promise((next) => setTimeout(next)); // a newer task may have arrived
    if (id !== latest) return;
  }
}

onmessage = async ({ data }) => {
  try {
    if (data.type === "start") await start(data.parts, data.backend);
    if (data.type === "sample") {
      latest = data.id;
      await sample(data);
    }
  } catch (error) {
    postMessage({ type: "failed", message: String(error) });
  }
};
