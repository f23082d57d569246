// A GAN in the plane that trains in the page: forward, backward and a step by hand.

// [activation, its derivative by its input x and its output y, with a parameter a]
const ACTS = {
  none: [x => x, () => 1],
  relu: [x => x > 0 ? x : 0, x => +(x > 0)],
  leaky: [(x, a) => x > 0 ? x : a * x, (x, y, a) => x > 0 ? 1 : a],
  tanh: [Math.tanh, (x, y) => 1 - y * y],
  elu: [(x, a) => x > 0 ? x : a * Math.expm1(x), (x, y, a) => x > 0 ? 1 : y + a],
  softplus: [softplus, x => sigmoid(x)],
  sigmoid: [sigmoid, (x, y) => y * (1 - y)],
};

// A perceptron with all its weights in one list, layer after layer: W (out × in), b.
class Net {
  constructor({ layers, weights }) {
    this.layers = layers;
    this.first = doubles(weights);
    this.p = this.first.slice();
    this.g = new Float64Array(this.p.length);
  }

  forward(x, n) {
    this.kept = [];
    let at = 0;
    for (const [i, o, name, a] of this.layers) {
      const before = new Float64Array(n * o), after = new Float64Array(n * o);
      const f = ACTS[name][0], bias = at + i * o;
      for (let r = 0; r < n; r++) for (let k = 0; k < o; k++) {
        let s = this.p[bias + k];
        for (let j = 0; j < i; j++) s += this.p[at + k * i + j] * x[r * i + j];
        before[r * o + k] = s;
        after[r * o + k] = f(s, a);
      }
      this.kept.push([x, before, after]);
      at = bias + o;
      x = after;
    }
    return x;
  }

  // Add the gradients by the weights to `g`; return those by the input.
  backward(d, n) {
    let at = this.p.length;
    for (let l = this.layers.length - 1; l >= 0; l--) {
      const [i, o, name, a] = this.layers[l], [x, before, after] = this.kept[l];
      const slope = ACTS[name][1], below = new Float64Array(n * i), bias = at - o;
      at = bias - i * o;
      for (let r = 0; r < n; r++) for (let k = 0; k < o; k++) {
        const q = r * o + k, e = d[q] * slope(before[q], after[q], a);
        this.g[bias + k] += e;
        for (let j = 0; j < i; j++) {
          this.g[at + k * i + j] += e * x[r * i + j];
          below[r * i + j] += e * this.p[at + k * i + j];
        }
      }
      d = below;
    }
    return d;
  }

  // Start again: from the weights that came with the page, or from torch's law for a
  // linear layer, U(−1/√in, 1/√in).
  reset(uniform) {
    this.p.set(this.first);
    this.m = this.v = null;
    let at = 0;
    if (uniform) for (const [i, o] of this.layers)
      for (const end = at + i * o + o; at < end; at++)
        this.p[at] = (2 * uniform() - 1) / Math.sqrt(i);
  }

  // One step down the gradients, which are then zero: Adam's (0.5, 0.999), or plain.
  step(rate, adam) {
    const size = this.p.length;
    if (!this.m) Object.assign(this,
      { m: new Float64Array(size), v: new Float64Array(size), t: 0 });
    const [b, c] = [0.5, 0.999], t = ++this.t;
    for (let i = 0; i < size; i++) {
      const g = this.g[i];
      this.m[i] = b * this.m[i] + (1 - b) * g;
      this.v[i] = c * this.v[i] + (1 - c) * g * g;
      const most = Math.sqrt(this.v[i] / (1 - c ** t)) + 1e-8;
      this.p[i] -= rate * (adam ? this.m[i] / (1 - b ** t) / most : g);
    }
    this.g.fill(0);
  }

  clip(c) { for (let i = 0; i < this.p.length; i++)
    this.p[i] = Math.max(-c, Math.min(c, this.p[i])); }
}

function doubles(text) {
  return new Float64Array(numbers(text, false).buffer);
}

// Each loss: [of a real logit, of a generated one for D; for G], each as [value, slope].
const up = [t => softplus(-t), t => sigmoid(t) - 1]; // −log σ(t)
const down = [softplus, sigmoid]; // −log(1 − σ(t))
const LOSSES = {
  'non-saturating': [up, down, up],
  minimax: [up, down, [t => -softplus(t), t => -sigmoid(t)]],
  Wasserstein: [[t => -t, () => -1], [t => t, () => 1], [t => -t, () => -1]],
};

const mean = (t, f) => t.reduce((s, v) => s + f(v), 0) / t.length;

// The loss of D on data and samples; its gradients are added to D.g.
function lossOfD(D, G, loss, x, z, n) {
  const [real, fake] = LOSSES[loss], y = G.forward(z, n);
  let value = 0;
  for (const [points, [f, slope]] of [[x, real], [y, fake]]) {
    const t = D.forward(points, n);
    value += mean(t, f);
    D.backward(t.map(v => slope(v) / n), n);
  }
  return value;
}

// The loss of G; its gradients are added to G.g, those by the samples are returned.
function lossOfG(D, G, loss, z, n, keep = true) {
  const [f, slope] = LOSSES[loss][2], y = G.forward(z, n), t = D.forward(y, n);
  const kept = D.g.slice(), d = D.backward(t.map(v => slope(v) / n), n);
  D.g.set(kept);
  if (keep) G.backward(d, n);
  return { value: mean(t, f), y, d };
}
