// The figure of a GAN that trains in the page.

const SHOWN = 200, FACE = 360;

class Game {
  constructor(spec) {
    this.G = new Net(spec.G);
    this.D = new Net(spec.D);
    this.spec = spec;
    this.data = spec.data.map(({ points }) => numbers(points, false));
    this.set = { data: 0, loss: spec.losses[0], adam: true, k: spec.k, clip: spec.clip,
      rates: { D: spec.rates[0], G: spec.rates[1] } };
    this.restart(1);
  }

  restart(seed, fresh = false) {
    const { uniform, normal } = normals(seed);
    Object.assign(this, { uniform, normal, round: 0, losses: { D: [], G: [] } });
    for (const net of [this.D, this.G]) net.reset(fresh && uniform);
    this.look = this.noise(SHOWN);
  }

  noise(n) {
    return Float64Array.from({ length: n * this.spec.z }, this.normal);
  }

  batch(n) {
    const points = this.data[this.set.data], x = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) {
      const k = Math.floor(this.uniform() * points.length / 2);
      x.set(points.subarray(2 * k, 2 * k + 2), 2 * i);
    }
    return x;
  }

  stepD(n = this.spec.batch, x = this.batch(n), z = this.noise(n)) {
    const { loss, rates, adam, clip } = this.set;
    this.lossD = lossOfD(this.D, this.G, loss, x, z, n);
    this.D.step(rates.D, adam);
    if (loss === 'Wasserstein') this.D.clip(clip);
  }

  stepG(n = this.spec.batch, z = this.noise(n)) {
    this.lossG = lossOfG(this.D, this.G, this.set.loss, z, n).value;
    this.G.step(this.set.rates.G, this.set.adam);
    this.round++;
    this.losses.D.push(this.lossD ?? NaN);
    this.losses.G.push(this.lossG);
  }

  play() {
    for (let i = 0; i < this.set.k; i++) this.stepD();
    this.stepG();
  }

  // Shares of samples near a point of the data, and of the data near a sample.
  near() {
    const y = this.G.forward(this.look, SHOWN), x = this.data[this.set.data];
    const close = new Uint8Array(SHOWN), found = new Uint8Array(x.length / 2);
    for (let i = 0; i < SHOWN; i++) for (let k = 0; k < found.length; k++)
      if ((y[2 * i] - x[2 * k]) ** 2 + (y[2 * i + 1] - x[2 * k + 1]) ** 2
        < this.spec.near ** 2) close[i] = found[k] = 1;
    return [close, found].map(part => part.reduce((s, v) => s + v, 0) / part.length);
  }
}

// What D holds each place for, the data, the samples and where they are sent.
function drawGame(pen, game, arrows) {
  const { lim } = game.spec, fine = 45, n = fine * fine, cell = FACE / fine;
  const at = v => FACE / 2 * (1 + v / lim), plane = new Float64Array(2 * n);
  for (let i = 0; i < n; i++) {
    plane[2 * i] = lim * (2 * (i % fine + 0.5) / fine - 1);
    plane[2 * i + 1] = lim * (1 - 2 * (Math.floor(i / fine) + 0.5) / fine);
  }
  const t = game.D.forward(plane, n), w = game.set.loss === 'Wasserstein';
  const low = w ? Math.min(...t) : 0, high = w ? Math.max(...t) : 1;
  for (let i = 0; i < n; i++) {
    const share = ((w ? t[i] : sigmoid(t[i])) - low) / (high - low || 1), far = 1 - share;
    const shade = [255 - 90 * share, 255 - 60 * far - 25 * share, 255 - 110 * far];
    pen.fillStyle = `rgb(${shade.map(Math.round)})`;
    pen.fillRect(i % fine * cell, Math.floor(i / fine) * cell, cell + 1, cell + 1);
  }
  const points = game.data[game.set.data];
  pen.strokeStyle = '#00507d';
  pen.lineWidth = 1;
  for (let i = 0; i < Math.min(points.length, 2 * SHOWN); i += 2)
    pen.strokeRect(at(points[i]) - 2, at(-points[i + 1]) - 2, 4, 4);
  const { y, d } = lossOfG(game.D, game.G, game.set.loss, game.look, SHOWN, false);
  const most = Math.max(1e-12, ...d.map(Math.abs)), scale = FACE / 8 / most;
  pen.strokeStyle = '#1f2328';
  pen.beginPath();
  if (arrows) for (let i = 0; i < y.length; i += 8) {
    pen.moveTo(at(y[i]), at(-y[i + 1]));
    pen.lineTo(at(y[i]) - scale * d[i], at(-y[i + 1]) + scale * d[i + 1]);
  }
  pen.stroke();
  pen.fillStyle = '#b34700';
  for (let i = 0; i < y.length; i += 2) {
    pen.beginPath();
    pen.arc(at(y[i]), at(-y[i + 1]), 2.6, 0, 7);
    pen.fill();
  }
}

function historyOf(panel) {
  const [w, h] = [300, 120], players = ['D', 'G'];
  const svg = el('svg', { viewBox: `0 0 ${w} ${h}`, role: 'img',
    'aria-label': 'The losses of the last rounds' });
  const lines = players.map((_, k) => el('path', { class: `gm-live-line-${k}` }));
  const words = el('div', { class: 'gm-live-row' });
  svg.append(...lines);
  panel.append(svg, words);
  return losses => {
    const all = players.map(k => losses[k].slice(-300));
    const seen = all.flat().filter(Number.isFinite);
    const low = Math.min(...seen, 0), high = Math.max(...seen, low + 0.1);
    lines.forEach((line, k) => line.setAttribute('d', all[k].map((v, i) =>
      Number.isFinite(v) && `${i && Number.isFinite(all[k][i - 1]) ? 'L' : 'M'}` +
        `${(w * i / 299).toFixed(1)} ${(h - (v - low) / (high - low) * h).toFixed(1)}`
    ).filter(Boolean).join('')));
    const span = `${written(low)} to ${written(high)} in height`;
    words.textContent = seen.length ? `D: line, G: dashes; ${span}` : 'No rounds yet';
  };
}

function controls(box, game, show, panel) {
  const { spec, set } = game, stop = () => { if (box.playing) play.click(); };
  const act = (words, f) => button(words, () => { f(); show(); });
  const play = button('Play', () => {
    box.playing = !box.playing;
    play.textContent = box.playing ? 'Pause' : 'Play';
    show();
  });
  let seed = 1;
  const row = (...parts) => panel.append(el('div', { class: 'gm-live-row' }, ...parts));
  row(play, act('Step D', () => game.stepD()), act('Step G', () => game.stepG()),
    act('One round', () => game.play()));
  row(act('Start again', () => { stop(); game.restart(seed = 1); }),
    act('Other weights', () => { stop(); game.restart(++seed, true); }));
  const pick = (name, words, f) => choice(name, words, i => { f(i); show(); }).row;
  row(pick('Data', spec.data.map(d => d.name), i => { set.data = i; }),
    pick('Loss', spec.losses, i => { set.loss = spec.losses[i]; }),
    pick('Optimiser', ['Adam', 'SGD'], i => { set.adam = !i; }));
  names(panel, ['Steps of D a round, k']);
  const rate = v => (10 ** v).toPrecision(2);
  for (const net of ['D', 'G'])
    panel.append(range(`Learning rate of ${net}`,
      { low: -4, high: -0.5, step: 0.1, start: Math.log10(set.rates[net]), show: rate },
      v => { set.rates[net] = 10 ** v; }).row);
  const whole = { low: 1, high: 10, step: 1, digits: 0 };
  panel.append(
    range('Steps of D a round, k', { ...whole, start: set.k }, v => { set.k = v; }).row,
    range('Rounds a picture', { ...whole, start: box.pace }, v => { box.pace = v; }).row);
  const tick = el('input', { type: 'checkbox', checked: '' });
  tick.addEventListener('change', () => { box.arrows = tick.checked; show(); });
  row(el('label', {}, tick, ' where the samples are sent'));
}

function startGame(box) {
  box.setAttribute('data-alive', '');
  const spec = described(box), game = new Game(spec), fine = { width: 2 * FACE, height: 2 * FACE };
  const canvas = el('canvas', fine);
  const group = { class: 'gm-live-stage', role: 'group', 'aria-label': spec.alt };
  const stage = el('div', group);
  const panel = (words, kind, into = stage) => {
    const made = el('div', { class: `gm-live-panel gm-live-${kind}` }, el('p', {}, words));
    into.append(made);
    return made;
  };
  const state = el('figcaption', { 'aria-live': 'polite' }), pen = canvas.getContext('2d');
  canvas.setAttribute('role', 'img');
  pen.scale(2, 2);
  Object.assign(box, { playing: false, arrows: true, pace: 1 });
  const face = panel('Data □ and samples ●; blue where D sees data', 'face');
  face.append(canvas);
  const history = historyOf(panel('Losses', 'losses', face));
  const side = panel('Train', 'game');
  let asked = 0, told = 0;
  const tell = () => {
    const losses = game.round ? `; losses: D ${written(game.lossD ?? 0)}, ` +
      `G ${written(game.lossG)}` : '';
    const [close, found] = game.near().map(percent);
    state.textContent = `Round ${game.round}${losses}; ${close} of the samples are near ` +
      `data, ${found} of the data near a sample.`;
    canvas.setAttribute('aria-label', state.textContent);
  };
  const frame = time => {
    asked = 0;
    if (box.playing) for (let i = 0; i < box.pace; i++) game.play();
    drawGame(pen, game, box.arrows);
    history(game.losses);
    state.setAttribute('aria-live', box.playing ? 'off' : 'polite');
    if (!box.playing || time - told > 500) { told = time; tell(); }
    if (box.playing && box.isConnected) show();
  };
  const show = () => { asked = asked || requestAnimationFrame(frame); };
  controls(box, game, show, side);
  box.append(stage, state);
  box.game = game;
  box.replay = (...given) => replayed(spec, ...given);
  show();
}

// For tests: the gradients of both losses on a batch, and the weights after rounds on it.
function replayed(spec, loss, x, z, rounds, rate, adam) {
  const [D, G] = [new Net(spec.D), new Net(spec.G)], n = x.length / 2;
  lossOfD(D, G, loss, x, z, n);
  lossOfG(D, G, loss, z, n);
  const gradients = { D: [...D.g], G: [...G.g] };
  D.g.fill(0);
  G.g.fill(0);
  for (let i = 0; i < rounds; i++) {
    lossOfD(D, G, loss, x, z, n);
    D.step(rate, adam);
    if (loss === 'Wasserstein') D.clip(spec.clip);
    lossOfG(D, G, loss, z, n);
    G.step(rate, adam);
  }
  return { gradients, after: { D: [...D.p], G: [...G.p] } };
}

for (const box of document.querySelectorAll('.gm-live[data-kind="gan"]:not([data-alive])'))
  startGame(box);
