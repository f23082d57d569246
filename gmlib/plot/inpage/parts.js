// What the figures in a page are made of: elements, controls, marks.

const sigmoid = x => 1 / (1 + Math.exp(-x));
const softplus = x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const SVG = 'http://www.w3.org/2000/svg';

function el(tag, given = {}, ...children) {
  const plain = !['svg', 'circle', 'ellipse', 'path', 'text'].includes(tag);
  const e = plain ? document.createElement(tag) : document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(given)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

// Numbers from base64: of 4 bytes, or of 2 (half precision).
function numbers(text, half) {
  const raw = atob(text.slice(text.indexOf(',') + 1)), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  if (!half) return new Float32Array(bytes.buffer);
  const halves = new Uint16Array(bytes.buffer), all = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const b = halves[i], e = b >> 10 & 31, m = b & 1023;
    const size = e ? (1 + m / 1024) * 2 ** (e - 15) : m * 2 ** -24;
    all[i] = b >> 15 ? -size : size;
  }
  return all;
}

const described = box =>
  JSON.parse(box.querySelector('script[type="application/json"]').textContent);

const minus = text => text.replace('-', '−');
function written(x, digits = 2) {
  if (!Number.isFinite(x)) return x > 0 ? '∞' : x < 0 ? '−∞' : 'undefined';
  const words = x.toFixed(digits);
  return minus(+words === 0 ? (0).toFixed(digits) : words);  // not −0.00
}
const percent = p => `${(100 * p).toFixed(p > 0.0995 || p < 0.0005 ? 0 : 1)} %`;

// A native range with its name before it and its value behind it.
function range(name, { low, high, step, start, digits = 2, show }, act) {
  const words = show || (v => written(v, digits)), value = el('span');
  const input = el('input', { type: 'range', min: low, max: high, step, value: start });
  const tell = () => {
    value.textContent = words(+input.value);
    input.setAttribute('aria-valuetext', value.textContent);
  };
  input.addEventListener('input', () => { tell(); act(+input.value); });
  tell();
  const row = el('label', { class: 'gm-live-range' }, el('span', {}, name), input, value);
  return { row, input, set: v => { input.value = v; tell(); } };
}

// Let the names before ranges or bars take the room of the longest.
const names = (panel, words) => panel.style.setProperty(
  '--name', `${Math.min(10, 0.4 + 0.6 * Math.max(...words.map(w => w.length)))}em`);

function button(words, act) {
  const b = el('button', { type: 'button' }, words);
  b.addEventListener('click', act);
  return b;
}

// A native list to choose from; `act` gets the number of the choice.
function choice(name, words, act, start = 0) {
  const list = el('select', {}, ...words.map((w, i) => el('option', { value: i }, w)));
  list.value = start;
  list.addEventListener('change', () => act(+list.value));
  const row = el('label', { class: 'gm-live-choice' }, el('span', {}, name), list);
  return { row, list, set: i => { list.value = i; } };
}

// Standard normal numbers that begin from a seed (mulberry32, Box and Muller).
function normals(seed) {
  let a = seed >>> 0;
  const uniform = () => {
    a = a + 0x6D2B79F5 | 0;
    let t = Math.imul(a ^ a >>> 15, 1 | a);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  };
  const normal = () =>
    Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

// Where the pointer is in an element, from 0 to 1 in both directions.
function pointer(e, act, done = () => {}) {
  let down = false;
  const at = event => {
    const r = e.getBoundingClientRect();
    return [(event.clientX - r.left) / r.width, (event.clientY - r.top) / r.height];
  };
  e.addEventListener('pointerdown', event => {
    if (event.button) return;
    down = true;
    e.setPointerCapture(event.pointerId);
    act(...at(event), true);
    event.preventDefault();
  });
  e.addEventListener('pointermove', event => { if (down) act(...at(event), false); });
  for (const end of ['pointerup', 'pointercancel'])
    e.addEventListener(end, () => { if (down) { down = false; done(); } });
}

// The plane of two latents: the codes of data with their words, and a mark.
const SIDE = 300;
function codes({ lim, points, classes, words }) {
  const at = v => SIDE / 2 * (1 + v / lim);
  const svg = el('svg', { viewBox: `0 0 ${SIDE} ${SIDE}`, class: 'gm-live-plane' });
  const dots = words.map(() => []), colour = k => `var(--class-${k % 10})`;
  points.forEach(([x, y], i) => dots[classes[i]].push([at(x), at(-y)]));
  for (const [k, part] of dots.entries())
    for (const [cx, cy] of part)
      svg.append(el('circle', { cx, cy, r: 2.2, style: `fill:${colour(k)}` }));
  const middle = (part, i) => part.map(p => p[i]).sort((a, b) => a - b)[part.length >> 1];
  for (const [k, part] of dots.entries())
    if (part.length && words[k]) {
      const given = { x: middle(part, 0), y: middle(part, 1), dy: '.35em' };
      svg.append(el('text', given, words[k]));
    }
  return { svg, at };
}

// Shades 0 to 1 of pictures (n, c, h, w) as one sheet on a canvas.
function sheet(canvas, x, { n, c, h, w, columns, low, high }) {
  const pen = canvas.getContext('2d'), image = pen.createImageData(w, h);
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < h * w; i++)
      for (let d = 0; d < 3; d++) {
        const v = x[(k * c + (c === 3 ? d : 0)) * h * w + i];
        image.data[4 * i + d] = 255 * (v - low) / (high - low);
        image.data[4 * i + 3] = 255;
      }
    pen.putImageData(image, k % columns * (w + 1), Math.floor(k / columns) * (h + 1));
  }
}

// Strokes as MNIST has its digits: the longer side 20 of 28 pixels, the centre of mass
// in the middle, lines of one width whatever the size one draws in.
function centred(strokes) {
  const fine = 4, pen = el('canvas', { width: 28 * fine, height: 28 * fine })
    .getContext('2d', { willReadFrequently: true });
  const all = strokes.flat(), xs = all.map(p => p[0]), ys = all.map(p => p[1]);
  const side = values => [Math.min(...values), Math.max(...values)];
  const [left, right] = side(xs), [top, bottom] = side(ys);
  const width = 2.4, scale = (20 - width) / Math.max(right - left, bottom - top, 0.1);
  let shades = new Float32Array(784), move = [0, 0];
  for (let round = 0; round < 2; round++) {
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, 28 * fine, 28 * fine);
    pen.setTransform(fine, 0, 0, fine, fine * (14 + move[0]), fine * (14 + move[1]));
    Object.assign(pen, { lineWidth: width, lineCap: 'round', lineJoin: 'round' });
    for (const stroke of strokes) {
      pen.beginPath();
      for (const [x, y] of stroke.length > 1 ? stroke : [...stroke, ...stroke])
        pen.lineTo((x - (left + right) / 2) * scale, (y - (top + bottom) / 2) * scale);
      pen.stroke();
    }
    const data = pen.getImageData(0, 0, 28 * fine, 28 * fine).data;
    shades = new Float32Array(784);
    let mass = 0, mx = 0, my = 0;
    for (let y = 0; y < 28 * fine; y++) for (let x = 0; x < 28 * fine; x++) {
      const a = data[4 * (y * 28 * fine + x) + 3] / 255 / fine ** 2;
      const u = Math.floor(x / fine), v = Math.floor(y / fine);
      shades[v * 28 + u] += a;
      mass += a; mx += a * (u + 0.5); my += a * (v + 0.5);
    }
    move = [14 - mx / mass, 14 - my / mass];
  }
  return shades;
}
