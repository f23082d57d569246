// A figure of trained networks: inputs that one moves, outputs that follow.

// Each input: (what it says of itself, its panel, its numbers, what to call on a change)
// to {set: start, say: its state in words}.
const INPUTS = {
  plane(spec, panel, values, change) {
    const { svg, at } = codes(spec), mark = el('circle', { r: 7, class: 'gm-live-mark' });
    svg.append(mark);
    const limits = { low: -spec.lim, high: spec.lim, step: spec.lim / 100 };
    const sliders = spec.names.map((name, i) => range(name,
      { ...limits, start: spec.start[i] }, v => { values[i] = v; move(); }));
    const move = () => {
      mark.setAttribute('cx', at(values[0]));
      mark.setAttribute('cy', at(-values[1]));
      change();
    };
    const set = both => {
      both.forEach((v, i) => { values[i] = v; sliders[i].set(v); });
      move();
    };
    pointer(svg, (x, y) => set([2 * x - 1, 1 - 2 * y].map(
      v => Math.max(-1, Math.min(1, v)) * spec.lim)));
    svg.setAttribute('aria-hidden', 'true');
    panel.append(svg, ...sliders.map(s => s.row));
    set(spec.start);
    const say = (name, i) => `${name} ${written(values[i])}`;
    return { say: () => spec.names.map(say).join(', ') };
  },

  sliders(spec, panel, values, change) {
    names(panel, spec.names);
    const words = spec.names.map((name, i) => {
      values[i] = spec.start[i];
      const s = range(name, { ...spec, start: spec.start[i] },
        v => { values[i] = v; change(); });
      panel.append(s.row);
      return () => `${name} ${written(values[i], spec.digits)}`;
    });
    return { say: () => words.length > 4 ? '' : words.map(w => w()).join(', ') };
  },

  choice(spec, panel, values, change) {
    const all = numbers(spec.values, false), width = values.length;
    const set = i => { values.set(all.subarray(i * width, (i + 1) * width)); change(); };
    const { row, list } = choice(spec.label, spec.words, set);
    panel.replaceChildren(row);
    set(0);
    return { say: () => `${spec.label} ${spec.words[+list.value]}` };
  },

  noise(spec, panel, values, change) {
    const { normal } = normals(spec.seed), start = numbers(spec.start, false);
    let draw = 0;
    values.set(start);
    panel.replaceChildren(button(spec.label, () => {
      for (let i = 0; i < values.length; i++) values[i] = normal();
      draw++;
      change();
    }));
    return { say: () => draw ? `draw ${draw + 1}` : '' };
  },

  pad(spec, panel, values, change) {
    const side = 196, canvas = el('canvas', { width: side, height: side });
    const words = `${spec.label}: draw here with the pointer, or choose an example`;
    const pen = canvas.getContext('2d'), examples = numbers(spec.examples, false);
    const small = el('canvas', { width: 28, height: 28 });
    let strokes = [], word = '';
    Object.assign(canvas, { className: 'gm-live-paper' });
    Object.entries({ role: 'img', 'aria-label': words }).forEach(
      given => canvas.setAttribute(...given));
    const clear = () => {
      strokes = [];
      pen.fillStyle = '#000';
      pen.fillRect(0, 0, side, side);
    };
    const show = k => {
      clear();
      values.set(examples.subarray(784 * k, 784 * (k + 1)));
      const shape = { n: 1, c: 1, h: 28, w: 28, columns: 1, low: 0, high: 1 };
      sheet(small, values, shape);
      pen.imageSmoothingEnabled = false;
      pen.drawImage(small, 0, 0, side, side);
      strokes = null;
      word = `example ${spec.words[k]}`;
      change();
    };
    const empty = () => { clear(); values.fill(0); word = 'nothing drawn'; change(); };
    const list = choice('Example', spec.words, show);
    pointer(canvas, (x, y, begins) => {
      if (begins && !strokes) clear();
      if (begins || !strokes.length) strokes.push([]);
      const stroke = strokes.at(-1), [u, v] = stroke.at(-1) || [x, y];
      stroke.push([x, y]);
      Object.assign(pen, { lineWidth: side / 12, lineCap: 'round', strokeStyle: '#fff' });
      pen.beginPath();
      pen.moveTo(u * side, v * side);
      pen.lineTo(x * side, y * side + 0.01);
      pen.stroke();
      values.set(centred(strokes));
      word = 'your drawing';
      change();
    });
    const row = el('div', { class: 'gm-live-row' }, button('Clear', empty));
    if (spec.words.length) row.append(list.row);
    panel.append(canvas, row);
    if (spec.words.length) show(0); else empty();
    return { say: () => word };
  },
};

// Each output: (what it says of itself, its panel) to a function that shows numbers and
// returns what is to be said of them.
const OUTPUTS = {
  picture(spec, panel) {
    const rows = Math.ceil(spec.n / spec.columns);
    const width = spec.columns * (spec.w + 1) - 1, height = rows * (spec.h + 1) - 1;
    const canvas = el('canvas', { width, height, role: 'img', 'aria-label': spec.label });
    const times = Math.max(1, Math.round((spec.n > 1 ? 560 : 196) / width));
    canvas.style.width = `${times * width}px`;
    if (spec.n > 1) panel.style.flexBasis = '100%';
    panel.append(canvas);
    return x => { sheet(canvas, x, spec); return ''; };
  },

  bars(spec, panel) {
    const rows = spec.words.map(word => {
      const bar = el('i'), share = el('span');
      const row = el('li', {}, el('span', {}, word), el('span', {}, bar), share);
      return { row, bar, share };
    });
    names(panel, spec.words);
    panel.append(el('ul', { class: 'gm-live-bars' }, ...rows.map(r => r.row)));
    return x => {
      const top = one.argmax(x, 0, x.length);
      rows.forEach(({ row, bar, share }, k) => {
        bar.style.width = `${100 * x[k]}%`;
        share.textContent = percent(x[k]);
        row.className = k === top ? 'gm-live-top' : '';
      });
      return `${spec.label} ${spec.words[top]} (${percent(x[top])})`;
    };
  },

  number(spec, panel) {
    const value = el('span', { class: 'gm-live-number' });
    panel.append(value);
    return x => {
      value.textContent = `${written(x[0], spec.digits)} ${spec.unit}`.trim();
      return `${spec.label} ${value.textContent}`;
    };
  },

  curve(spec, panel) {
    const [w, h] = [300, 190], svg = el('svg', { viewBox: `0 0 ${w} ${h}`, role: 'img',
      'aria-label': `${spec.label}: ${spec.words.join(', ')}` });
    const up = y => h - (y - spec.low) / (spec.high - spec.low) * h;
    if (spec.low < 0 && spec.high > 0)
      svg.append(el('path', { class: 'gm-live-axis', d: `M0 ${up(0)}H${w}` }));
    const lines = spec.words.map((_, k) => el('path', { class: `gm-live-line-${k % 4}` }));
    svg.append(...lines);
    const keys = spec.words.map((word, k) => el('span', {}, el('svg',
      { viewBox: '0 0 24 8', class: 'gm-live-key', 'aria-hidden': 'true' },
      el('path', { class: `gm-live-line-${k % 4}`, d: 'M0 4H24' })), word));
    const ends = el('div', { class: 'gm-live-ends' },
      ...[spec.ends[0], spec.xlabel, spec.ends[1]].map(w => el('span', {}, w)));
    const limits = `${minus(spec.limits[0])} to ${minus(spec.limits[1])} in height`;
    panel.append(svg, ends, el('div', { class: 'gm-live-row' }, ...keys, limits));
    return x => {
      const n = x.length / lines.length;
      lines.forEach((line, k) => line.setAttribute('d', Array.from({ length: n }, (_, i) =>
        `${i ? 'L' : 'M'}${(w * i / (n - 1)).toFixed(1)} ${up(x[k * n + i]).toFixed(1)}`
      ).join('')));
      return '';
    };
  },

  posterior(spec, panel) {
    const { svg, at } = codes(spec), mark = el('ellipse', { class: 'gm-live-mark' });
    svg.append(mark);
    svg.setAttribute('role', 'img');
    panel.append(svg);
    return (mean, sd) => {
      const place = { cx: at(mean[0]), cy: at(-mean[1]) };
      const size = { rx: SIDE / spec.lim * sd[0], ry: SIDE / spec.lim * sd[1] };
      for (const [k, v] of Object.entries({ ...place, ...size })) mark.setAttribute(k, v);
      const words = `${spec.label} (${written(mean[0])}, ${written(mean[1])}) ± ` +
        `(${written(sd[0])}, ${written(sd[1])})`;
      svg.setAttribute('aria-label', words);
      return words;
    };
  },
};

function start(box) {
  box.setAttribute('data-alive', '');
  const spec = described(box), { program } = spec, { values, run } = build(program);
  const group = { class: 'gm-live-stage', role: 'group', 'aria-label': spec.alt };
  const stage = el('div', group);
  const state = el('figcaption', { 'aria-live': 'polite' });
  let together; // small controls share a panel
  const panel = ({ label, kind }) => {
    const made = el('div', { class: `gm-live-panel gm-live-${kind}` }, el('p', {}, label));
    if (!['sliders', 'choice', 'noise'].includes(kind)) stage.append(made);
    else if (together) together.append(made);
    else stage.append(together = el('div', { class: 'gm-live-panel gm-live-few' }, made));
    return made;
  };
  let asked = 0, timer = 0, inputs = [], outputs = [];
  const show = () => {
    asked = 0;
    run();
    const said = outputs.map(f => f());
    const words = [inputs.map(i => i.say()), said].map(
      part => part.filter(Boolean).join('; ')).filter(Boolean).join(': ');
    clearTimeout(timer);
    timer = setTimeout(() => { state.textContent = words; }, 250);
  };
  const change = () => { asked = asked || requestAnimationFrame(show); };
  inputs = spec.inputs.map(part => INPUTS[part.kind](
    part, panel(part), values[program.inputs[part.name]], change));
  outputs = spec.outputs.map(part => {
    const update = OUTPUTS[part.kind](part, panel(part));
    return () => update(...part.values.map(name => values[program.outputs[name]]));
  });
  box.append(stage, state);
  change();
  // What the networks answer to other inputs, for tests: {name: numbers} to the same.
  box.answer = given => {
    const before = Object.keys(given).map(k => values[program.inputs[k]].slice());
    for (const k in given) values[program.inputs[k]].set(given[k]);
    run();
    const found = Object.entries(program.outputs).map(([k, i]) => [k, [...values[i]]]);
    Object.keys(given).forEach((k, i) => values[program.inputs[k]].set(before[i]));
    run();
    return Object.fromEntries(found);
  };
}

for (const box of document.querySelectorAll('.gm-live[data-kind="net"]:not([data-alive])'))
  start(box);
