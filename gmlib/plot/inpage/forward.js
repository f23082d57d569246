// The steps of a program over lists of numbers: what torch computed, once more.
// Each kind takes (result, operands, more) and returns a function without arguments.

const erf = x => {
  // a series, and a continued fraction where its terms grow
  const a = Math.abs(x);
  if (a < 2) {
    let term = a, sum = a;
    for (let n = 1; n < 40; n++) { term *= -a * a / n; sum += term / (2 * n + 1); }
    return Math.sign(x) * sum * 2 / Math.sqrt(Math.PI);
  }
  let f = a;
  for (let n = 40; n > 0; n--) f = a + n / 2 / f;
  return Math.sign(x) * (1 - Math.exp(-a * a) / f / Math.sqrt(Math.PI));
};
const even = x => {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
};

const MAPS = {
  tanh: Math.tanh, exp: Math.exp, log: Math.log, log1p: Math.log1p, expm1: Math.expm1,
  abs: Math.abs, sqrt: Math.sqrt, sin: Math.sin, cos: Math.cos, sign: Math.sign,
  floor: Math.floor, trunc: Math.trunc, round: even, erf, sigmoid,
  neg: x => -x, rsqrt: x => 1 / Math.sqrt(x), reciprocal: x => 1 / x,
  relu: x => x > 0 ? x : 0, silu: x => x * sigmoid(x),
  mish: x => x * Math.tanh(softplus(x)),
  hardsigmoid: x => Math.min(Math.max(x / 6 + 0.5, 0), 1),
  hardswish: x => x * Math.min(Math.max(x / 6 + 0.5, 0), 1),
  gelu: x => x / 2 * (1 + erf(x / Math.SQRT2)),
  gelutanh: x =>
    x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  leaky: (x, a) => x > 0 ? x : a * x,
  elu: (x, a, s, t) => s * (x > 0 ? x : a * Math.expm1(t * x)),
  softplus: (x, b, most) => b * x > most ? x : softplus(b * x) / b,
  threshold: (x, t, v) => x > t ? x : v,
  clamp: (x, a, b) => {
    if (a !== null && x < a) return a;
    return b !== null && x > b ? b : x;
  },
};

const TWO = {
  add: (a, b) => a + b, sub: (a, b) => a - b, mul: (a, b) => a * b,
  div: (a, b) => a / b, pow: (a, b) => a ** b, atan2: Math.atan2,
  maximum: Math.max, minimum: Math.min, gt: (a, b) => +(a > b), lt: (a, b) => +(a < b),
  ge: (a, b) => +(a >= b), le: (a, b) => +(a <= b), eq: (a, b) => +(a === b),
  ne: (a, b) => +(a !== b),
};

const fold = (start, f) => (x, at, n) => {
  let s = start;
  for (let i = 0; i < n; i++) s = f(s, x[at + i]);
  return s;
};
const best = better => (x, at, n) => {
  let k = 0;
  for (let i = 1; i < n; i++) if (better(x[at + i], x[at + k])) k = i;
  return k;
};
const one = { // a row of numbers to one
  sum: fold(0, (s, v) => s + v), prod: fold(1, (s, v) => s * v),
  max: fold(-Infinity, Math.max), min: fold(Infinity, Math.min),
  mean: (x, at, n) => one.sum(x, at, n) / n,
  argmax: best((a, b) => a > b), argmin: best((a, b) => a < b),
  lse: (x, at, n) => {
    const m = one.max(x, at, n);
    return m + Math.log(fold(0, (s, v) => s + Math.exp(v - m))(x, at, n));
  },
  var: (x, at, n, fewer) => {
    const m = one.mean(x, at, n);
    return fold(0, (s, v) => s + (v - m) ** 2)(x, at, n) / (n - fewer);
  },
};
const each = { // a row to the function that makes each of its numbers another
  softmax: (x, at, n) => { const m = one.lse(x, at, n); return v => Math.exp(v - m); },
  log_softmax: (x, at, n) => { const m = one.lse(x, at, n); return v => v - m; },
  cumsum: () => { let s = 0; return v => s += v; },
  norm: (x, at, n, eps) => {
    const m = one.mean(x, at, n), d = Math.sqrt(one.var(x, at, n, 0) + eps);
    return v => (v - m) / d;
  },
};

const KINDS = {
  map: (o, [x], [name, ...more]) => {
    const f = MAPS[name], [a, b, c] = more;
    return () => { for (let i = 0; i < o.length; i++) o[i] = f(x[i], a, b, c); };
  },
  two: (o, [a, b], [name]) => {
    const f = TWO[name], s = +(a.length > 1), t = +(b.length > 1);
    return () => { for (let i = 0; i < o.length; i++) o[i] = f(a[i * s], b[i * t]); };
  },
  where: (o, [c, a, b]) => {
    const r = +(c.length > 1), s = +(a.length > 1), t = +(b.length > 1);
    return () => {
      for (let i = 0; i < o.length; i++) o[i] = c[i * r] ? a[i * s] : b[i * t];
    };
  },
  affine: (o, [x, scale, shift], [channels, inner]) => () => {
    for (let i = 0; i < o.length; i++) {
      const c = Math.floor(i / inner) % channels;
      o[i] = x[i] * scale[c] + shift[c];
    }
  },
  strided: (o, [x], [shape, strides, start]) => () => {
    const at = shape.map(() => 0);
    for (let i = 0, p = start; i < o.length; i++) {
      o[i] = x[p];
      for (let d = shape.length - 1; d >= 0; d--) {
        p += strides[d];
        if (++at[d] < shape[d]) break;
        p -= strides[d] * shape[d];
        at[d] = 0;
      }
    }
  },
  gather: (o, [x, table], [fill]) => () => {
    for (let i = 0; i < o.length; i++) o[i] = table[i] < 0 ? fill : x[table[i]];
  },
  take: (o, [table, index], [width]) => () => {
    for (let i = 0; i < index.length; i++)
      for (let j = 0; j < width; j++) o[i * width + j] = table[index[i] * width + j];
  },
  cat: (o, parts, [widths]) => () => {
    const whole = widths.reduce((a, b) => a + b);
    for (let k = 0, from = 0; k < parts.length; from += widths[k++])
      for (let i = 0; i < parts[k].length; i++)
        o[Math.floor(i / widths[k]) * whole + from + i % widths[k]] = parts[k][i];
  },
  rows: (o, [x], [name, rows, n, more]) => () => {
    for (let r = 0; r < rows; r++) {
      const at = r * n;
      if (one[name]) { o[r] = one[name](x, at, n, more); continue; }
      const f = each[name](x, at, n, more);
      for (let i = 0; i < n; i++) o[at + i] = f(x[at + i]);
    }
  },
  linear: (o, [x, w], [batch, m, k, n]) => () => {
    const turned = w.length > n * k ? n * k : 0;
    for (let b = 0; b < batch; b++)
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          const from = (b * m + i) * k, row = b * turned + j * k;
          let s = 0;
          for (let l = 0; l < k; l++) s += x[from + l] * w[row + l];
          o[(b * m + i) * n + j] = s;
        }
  },
  conv: (o, parts, more) => () => convolve(o, parts, ...more),
  pool: (o, [x], more) => () => pool(o, x, ...more),
};

// A convolution adds w times the large side to the small one, a transposed one the
// other way round: the small side has a position a step of the stride.
function convolve(out, [x, w, bias], sizes, kernel, stride, pad, dilation, groups, up) {
  const [n, c, o, h, wide, oh, ow] = sizes, plane = oh * ow, area = kernel[0] * kernel[1];
  for (let i = 0; i < out.length; i++)
    out[i] = bias ? bias[Math.floor(i / plane) % o] : 0;
  const [sh, sw, bw] = up ? [h, wide, ow] : [oh, ow, wide], bh = up ? oh : h;
  const ci = c / groups, oi = o / groups;
  for (let b = 0; b < n; b++) for (let to = 0; to < o; to++) for (let k = 0; k < ci; k++) {
    const g = Math.floor(to / oi), from = g * ci + k;
    const filter = (up ? from * oi + to % oi : to * ci + k) * area;
    const input = (b * c + from) * h * wide, output = (b * o + to) * plane;
    for (let e = 0; e < area; e++) {
      const u = Math.floor(e / kernel[1]) * dilation[0] - pad[0];
      const v = e % kernel[1] * dilation[1] - pad[1], weight = w[filter + e];
      const first = Math.max(0, Math.ceil(-v / stride[1]));
      const last = Math.min(sw - 1, Math.floor((bw - 1 - v) / stride[1]));
      for (let y = 0; y < sh; y++) {
        const t = y * stride[0] + u;
        if (t < 0 || t >= bh) continue;
        const small = y * sw, big = t * bw + v, step = stride[1];
        if (up) for (let q = first; q <= last; q++)
          out[output + big + q * step] += weight * x[input + small + q];
        else for (let q = first; q <= last; q++)
          out[output + small + q] += weight * x[input + big + q * step];
      }
    }
  }
}

function pool(out, x, kind, [planes, h, wide, oh, ow], kernel, stride, pad, dilation) {
  for (let p = 0, i = 0; p < planes; p++)
    for (let y = 0; y < oh; y++) for (let z = 0; z < ow; z++, i++) {
      let most = -Infinity, sum = 0, inside = 0;
      for (let a = 0; a < kernel[0]; a++) for (let b = 0; b < kernel[1]; b++) {
        const u = y * stride[0] - pad[0] + a * dilation[0];
        const v = z * stride[1] - pad[1] + b * dilation[1];
        if (u < 0 || v < 0 || u >= h || v >= wide) continue;
        const value = x[(p * h + u) * wide + v];
        most = Math.max(most, value); sum += value; inside++;
      }
      const count = kind === 'mean' ? kernel[0] * kernel[1] : inside;
      out[i] = kind === 'max' ? most : sum / count;
    }
}

// Returns {values, run}: set the lists of the inputs, run, read those of the outputs.
function build(program) {
  const values = program.sizes.map(size => new Float32Array(size));
  const whole = numbers(program.whole, false), halves = numbers(program.halves, true);
  for (const [index, start, size, half] of program.constants)
    values[index] = (half ? halves : whole).subarray(start, start + size);
  const steps = program.steps.map(([kind, result, operands, ...more]) =>
    KINDS[kind](values[result], operands.map(i => values[i]), more));
  return { values, run: () => steps.forEach(step => step()) };
}
