// Loading: the packed files come as scripts, because a page that was opened from the disk may load nothing else.
"use strict";

/** @type {Object<string, string[]>} the pieces that have arrived, by the name of their file */
const arrived = {};

/** Called by each piece's script. */
window.livePiece = (name, index, text) => {
  (arrived[name] ??= [])[index] = text;
};

/**
 * Load one script.
 * @param {string} address
 * @returns {Promise<void>}
 */
function loadScript(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => {
      script.remove();
      resolve();
    };
    script.onerror = () => reject(new Error(`${address} cannot be loaded`));
    document.head.append(script);
  });
}

/**
 * Load packed files.
 * @param {string} base the folder's address, with a slash at its end
 * @param {string[]} names the files
 * @param {(share: number) => void} progress called with a number from 0 to 1 after each piece
 * @returns {Promise<string[]>} the packed text of each file
 */
window.loadParts = async (base, names, progress) => {
  const addresses = names.flatMap((name) =>
    Array.from({ length: window.livePieces[name] }, (_, index) => `${base}${name}.${index}.js`),
  );
  let done = 0;
  await Promise.all(addresses.map((address) => loadScript(address).then(() => progress(++done / addresses.length))));
  return names.map((name) => {
    const text = arrived[name].join("");
    delete arrived[name];
    return text;
  });
};
