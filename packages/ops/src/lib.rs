//! Fused operations with their derivatives, on f32 in main memory.
//!
//! candle's own fused RMSNorm, softmax and rotary embedding have no backward pass, and its plain ones
//! touch memory several times a step. These do each in one pass forward and one back; with them
//! training runs at about the speed of PyTorch on one thread. Every operand is made contiguous by
//! the caller.

use std::sync::{Arc, Mutex};

use candle_core::{bail, CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Storage, Tensor};

/// The values of a contiguous f32 operand.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("operand is not contiguous") };
    match storage.as_slice::<f32>()?.get(start..end) {
        Some(values) => Ok(values),
        None => bail!("operand is shorter than its shape"),
    }
}

fn on_cpu(storage: &Storage) -> Result<&CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => bail!("operand is not in main memory"),
    }
}

/// Calls `f` with the values of `tensor`.
fn with_values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    Ok(f(values(on_cpu(&storage)?, layout)?))
}

fn last_dim(layout: &Layout) -> usize {
    layout.dims().last().copied().unwrap_or(1).max(1)
}

/// e^x within 2 ulp for x <= 0 (Cephes' expf without its error cases; 0 far below).
#[inline(always)]
fn exp_negative(x: f32) -> f32 {
    let x = x.max(-87.0);
    // x * log2(e), rounded to the nearest integer by adding and taking away 1.5 * 2^23.
    let rounded = x * std::f32::consts::LOG2_E + 12_582_912.0;
    let power = rounded - 12_582_912.0;
    let r = x - power * 0.693_359_4 - power * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let y = p * r * r + r + 1.0;
    let scale = f32::from_bits((rounded.to_bits().wrapping_shl(23)).wrapping_add(0x3f80_0000));
    y * scale
}

/// 1 / (1 + e^-x).
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let e = exp_negative(-x.abs());
    let s = 1.0 / (1.0 + e);
    if x >= 0.0 {
        s
    } else {
        e * s
    }
}

/// Sum over `f(a, b)` in eight lanes, so that additions do not wait for one another.
#[inline(always)]
fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0f32; 8];
    let (ca, cb) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = ca.remainder().iter().zip(cb.remainder()).map(|(x, y)| f(*x, *y)).sum();
    for (x, y) in ca.zip(cb) {
        for i in 0..8 {
            lanes[i] += f(x[i], y[i]);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Root mean square norm over the last dimension: `x / sqrt(mean(x^2) + eps) * w`
/// (arXiv 1910.07467).
pub struct RmsNorm {
    /// Added to the mean of the squares.
    pub eps: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "openledger-rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (xs, ws) = (values(x, lx)?, values(w, lw)?);
        let d = last_dim(lx);
        let mut out = vec![0f32; xs.len()];
        for (row, to) in xs.chunks_exact(d).zip(out.chunks_exact_mut(d)) {
            let r = 1.0 / (sum2(row, row, |a, b| a * b) / d as f32 + self.eps).sqrt();
            for ((to, x), w) in to.iter_mut().zip(row).zip(ws) {
                *to = x * r * w;
            }
        }
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let d = w.elem_count().max(1);
        let (dx, dw) = with_values(x, |xs| {
            with_values(w, |ws| {
                with_values(g, |gs| {
                    let mut dx = vec![0f32; xs.len()];
                    let mut dw = vec![0f32; d];
                    let mut gw = vec![0f32; d];
                    for ((row, g), to) in
                        xs.chunks_exact(d).zip(gs.chunks_exact(d)).zip(dx.chunks_exact_mut(d))
                    {
                        let r = 1.0 / (sum2(row, row, |a, b| a * b) / d as f32 + self.eps).sqrt();
                        for (((gw, dw), x), (g, w)) in
                            gw.iter_mut().zip(dw.iter_mut()).zip(row).zip(g.iter().zip(ws))
                        {
                            *gw = g * w;
                            *dw += g * x * r;
                        }
                        let k = sum2(&gw, row, |a, b| a * b) * r * r * r / d as f32;
                        for ((to, x), gw) in to.iter_mut().zip(row).zip(&gw) {
                            *to = gw * r - x * k;
                        }
                    }
                    (dx, dw)
                })
            })
        })???;
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), x.device())?),
            Some(Tensor::from_vec(dw, w.shape(), w.device())?),
        ))
    }
}

/// Softmax of `scale * x` over the last dimension, where row `i` of the last two dimensions (T, T)
/// sees columns `0..=i` only.
pub struct CausalSoftmax {
    /// Factor of the scores before the exponential.
    pub scale: f32,
}

impl CustomOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "openledger-causal-softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let xs = values(x, l)?;
        let t = last_dim(l);
        let mut out = vec![0f32; xs.len()];
        for (i, (row, to)) in xs.chunks_exact(t).zip(out.chunks_exact_mut(t)).enumerate() {
            let seen = i % t + 1;
            let (row, to) = (&row[..seen], &mut to[..seen]);
            let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for (to, x) in to.iter_mut().zip(row) {
                *to = exp_negative((x - max) * self.scale);
            }
            let inverse = 1.0 / sum2(to, to, |a, _| a);
            for to in to.iter_mut() {
                *to *= inverse;
            }
        }
        Ok((CpuStorage::F32(out), l.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let t = x.dims().last().copied().unwrap_or(1).max(1);
        let dx = with_values(y, |ys| {
            with_values(g, |gs| {
                let mut dx = vec![0f32; ys.len()];
                let rows = ys.chunks_exact(t).zip(gs.chunks_exact(t)).zip(dx.chunks_exact_mut(t));
                for (i, ((y, g), to)) in rows.enumerate() {
                    let seen = i % t + 1;
                    let (y, g) = (&y[..seen], &g[..seen]);
                    let dot = sum2(y, g, |a, b| a * b);
                    for ((to, y), g) in to.iter_mut().zip(y).zip(g) {
                        *to = y * (g - dot) * self.scale;
                    }
                }
                dx
            })
        })??;
        Ok(Some(Tensor::from_vec(dx, x.shape(), x.device())?))
    }
}

/// `silu(gate) * up` (arXiv 2002.05202).
pub struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "openledger-swiglu"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        lg: &Layout,
        up: &CpuStorage,
        lu: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let out = values(gate, lg)?.iter().zip(values(up, lu)?).map(|(g, u)| g * sigmoid(*g) * u).collect();
        Ok((CpuStorage::F32(out), lg.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dg, du) = with_values(gate, |gates| {
            with_values(up, |ups| {
                with_values(g, |gs| {
                    let mut dg = vec![0f32; gates.len()];
                    let mut du = vec![0f32; gates.len()];
                    for ((dg, du), ((x, u), g)) in
                        dg.iter_mut().zip(du.iter_mut()).zip(gates.iter().zip(ups).zip(gs))
                    {
                        let s = sigmoid(*x);
                        *du = g * x * s;
                        *dg = g * u * s * (1.0 + x * (1.0 - s));
                    }
                    (dg, du)
                })
            })
        })???;
        Ok((
            Some(Tensor::from_vec(dg, gate.shape(), gate.device())?),
            Some(Tensor::from_vec(du, up.shape(), up.device())?),
        ))
    }
}

/// Angles of the rotary embedding (arXiv 2104.09864), in the half-split layout of Hugging Face.
pub struct Rotary {
    half: usize,
    /// cos and sin, (context, half) each.
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rotary {
    /// The angles for `context` positions and heads of width `head_dim`, in f32 like
    /// candle-transformers, so that both agree to the last bit of the angle.
    pub fn new(context: usize, head_dim: usize, theta: f32) -> Self {
        let half = head_dim / 2;
        let frequencies: Vec<f32> =
            (0..half).map(|i| 1f32 / theta.powf((2 * i) as f32 / head_dim as f32)).collect();
        let angles = (0..context).flat_map(|t| frequencies.iter().map(move |f| t as f32 * f));
        let (sin, cos) = angles.map(f32::sin_cos).unzip();
        Rotary { half, cos, sin }
    }
}

/// From (batch * T, heads * width) to (batch, heads, T, width), turned by the rotary angles if there
/// are any. Its derivative goes the same way back, so one operation serves queries, keys and values.
pub struct SplitHeads {
    /// Sequences.
    pub batch: usize,
    /// Positions of a sequence.
    pub len: usize,
    /// Heads.
    pub heads: usize,
    /// Width of a head.
    pub width: usize,
    /// Rotation by position, of queries and keys.
    pub rotary: Option<Arc<Rotary>>,
}

impl SplitHeads {
    /// Turns one head vector by the angles of position `t`; `sign` -1 turns it back.
    fn turn(&self, t: usize, from: &[f32], to: &mut [f32], sign: f32) {
        let Some(rotary) = &self.rotary else {
            to.copy_from_slice(from);
            return;
        };
        let half = rotary.half;
        let angles = t * half..(t + 1) * half;
        let (a, b) = from.split_at(half);
        let (to_a, to_b) = to.split_at_mut(half);
        let turned = to_a.iter_mut().zip(to_b.iter_mut()).zip(a.iter().zip(b));
        for (((to_a, to_b), (a, b)), (c, s)) in
            turned.zip(rotary.cos[angles.clone()].iter().zip(&rotary.sin[angles]))
        {
            let s = s * sign;
            *to_a = a * c - b * s;
            *to_b = b * c + a * s;
        }
    }

    fn check(&self, len: usize) -> Result<()> {
        let angles =
            self.rotary.as_ref().is_none_or(|r| r.cos.len() >= self.len * r.half && 2 * r.half == self.width);
        if len != self.batch * self.len * self.heads * self.width || !angles {
            bail!("heads do not fit the activations");
        }
        Ok(())
    }

    fn split(&self, xs: &[f32]) -> Result<Vec<f32>> {
        self.check(xs.len())?;
        let (row, w) = (self.heads * self.width, self.width);
        let mut out = vec![0f32; xs.len()];
        for (i, to) in out.chunks_exact_mut(w).enumerate() {
            let (t, h, b) = (i % self.len, i / self.len % self.heads, i / self.len / self.heads);
            let from = (b * self.len + t) * row + h * w;
            self.turn(t, &xs[from..from + w], to, 1.0);
        }
        Ok(out)
    }

    fn merge(&self, xs: &[f32]) -> Result<Vec<f32>> {
        self.check(xs.len())?;
        let (row, w) = (self.heads * self.width, self.width);
        let mut out = vec![0f32; xs.len()];
        for (i, from) in xs.chunks_exact(w).enumerate() {
            let (t, h, b) = (i % self.len, i / self.len % self.heads, i / self.len / self.heads);
            let to = (b * self.len + t) * row + h * w;
            self.turn(t, from, &mut out[to..to + w], -1.0);
        }
        Ok(out)
    }
}

impl CustomOp1 for SplitHeads {
    fn name(&self) -> &'static str {
        "openledger-split-heads"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let out = self.split(values(x, l)?)?;
        Ok((CpuStorage::F32(out), Shape::from((self.batch, self.heads, self.len, self.width))))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let dx = with_values(g, |gs| self.merge(gs))??;
        Ok(Some(Tensor::from_vec(dx, x.shape(), x.device())?))
    }
}

/// The way back of [`SplitHeads`] without angles: (batch, heads, T, width) to (batch * T, heads * width).
pub struct MergeHeads(pub SplitHeads);

impl CustomOp1 for MergeHeads {
    fn name(&self) -> &'static str {
        "openledger-merge-heads"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let out = self.0.merge(values(x, l)?)?;
        Ok((CpuStorage::F32(out), Shape::from((self.0.batch * self.0.len, self.0.heads * self.0.width))))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let dx = with_values(g, |gs| self.0.split(gs))??;
        Ok(Some(Tensor::from_vec(dx, x.shape(), x.device())?))
    }
}

/// In place of a row's target: nothing is learned from the row, which counts in the mean all the same.
pub const NO_TARGET: u32 = u32::MAX;

/// Mean cross-entropy of logits (N, V) in nats against `targets`. The derivative is computed in the
/// forward pass, where the exponentials are at hand, and kept until it is asked for.
pub struct CrossEntropy {
    /// One a row, or [`NO_TARGET`].
    pub targets: Vec<u32>,
    /// Kept by the forward pass for the backward one; empty at first.
    pub derivative: Mutex<Vec<f32>>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "openledger-cross-entropy"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let xs = values(x, l)?;
        let v = last_dim(l);
        if self.targets.is_empty() || xs.len() != self.targets.len() * v {
            bail!("one target a row is needed");
        }
        let share = 1.0 / self.targets.len() as f32;
        let mut derivative = vec![0f32; xs.len()];
        let mut total = 0f64;
        for ((row, to), target) in xs.chunks_exact(v).zip(derivative.chunks_exact_mut(v)).zip(&self.targets) {
            if *target == NO_TARGET {
                continue;
            }
            let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for (to, x) in to.iter_mut().zip(row) {
                *to = exp_negative(x - max);
            }
            let sum = sum2(to, to, |a, _| a);
            let scale = share / sum;
            for to in to.iter_mut() {
                *to *= scale;
            }
            let (Some(x), Some(to)) = (row.get(*target as usize), to.get_mut(*target as usize)) else {
                bail!("a target is outside the vocabulary")
            };
            *to -= share;
            total += f64::from(sum.ln() + max - x);
        }
        match self.derivative.lock() {
            Ok(mut kept) => *kept = derivative,
            Err(_) => bail!("the derivative's lock is poisoned"),
        }
        Ok((CpuStorage::F32(vec![(total * f64::from(share)) as f32]), Shape::from(())))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let Ok(mut kept) = self.derivative.lock() else { bail!("the derivative's lock is poisoned") };
        let mut derivative = std::mem::take(&mut *kept);
        if derivative.len() != x.elem_count() {
            bail!("the derivative is asked for twice");
        }
        let g = g.to_scalar::<f32>()?;
        if g != 1.0 {
            derivative.iter_mut().for_each(|d| *d *= g);
        }
        Ok(Some(Tensor::from_vec(derivative, x.shape(), x.device())?))
    }
}

/// Bits that `target` costs under the softmax of `logits`; `None` outside the vocabulary.
pub fn bits(logits: &[f32], target: u32) -> Option<f64> {
    let x = *logits.get(target as usize)?;
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from(exp_negative(l - max))).sum();
    Some((sum.ln() + f64::from(max) - f64::from(x)) / std::f64::consts::LN_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// Compares the derivative by `f` with finite differences at a few places.
    fn check_gradient(shape: &[usize], f: impl Fn(&Tensor) -> Tensor) {
        let n: usize = shape.iter().product();
        let start: Vec<f32> = (0..n).map(|i| ((i * 37 % 23) as f32 - 11.0) / 9.0).collect();
        let weigh = |y: &Tensor| {
            let m = y.elem_count();
            let w: Vec<f32> = (0..m).map(|i| ((i * 13 % 7) as f32 - 3.0) / 5.0).collect();
            (y.flatten_all().unwrap() * Tensor::from_vec(w, m, &Device::Cpu).unwrap())
                .unwrap()
                .sum_all()
                .unwrap()
        };
        let var = Var::from_vec(start.clone(), shape, &Device::Cpu).unwrap();
        let grads = weigh(&f(var.as_tensor())).backward().unwrap();
        let got = grads.get(&var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for i in (0..n).step_by(3) {
            let at = |delta: f32| {
                let mut x = start.clone();
                x[i] += delta;
                f64::from(
                    weigh(&f(&Tensor::from_vec(x, shape, &Device::Cpu).unwrap())).to_scalar::<f32>().unwrap(),
                )
            };
            let expected = (at(1e-2) - at(-1e-2)) / 2e-2;
            assert!((expected - f64::from(got[i])).abs() < 4e-3, "{i}: {expected} {}", got[i]);
        }
    }

    fn other(shape: &[usize]) -> Tensor {
        let n: usize = shape.iter().product();
        Tensor::from_vec((0..n).map(|i| ((i * 5 % 11) as f32 - 5.0) / 4.0).collect(), shape, &Device::Cpu)
            .unwrap()
    }

    #[test]
    fn derivatives_equal_finite_differences() {
        check_gradient(&[3, 10], |x| x.apply_op2(&other(&[10]), RmsNorm { eps: 1e-5 }).unwrap());
        check_gradient(&[10], |w| other(&[3, 10]).apply_op2(w, RmsNorm { eps: 1e-5 }).unwrap());
        check_gradient(&[2, 9, 9], |x| x.apply_op1(CausalSoftmax { scale: 0.7 }).unwrap());
        check_gradient(&[4, 9], |x| x.apply_op2(&other(&[4, 9]), SwiGlu).unwrap());
        check_gradient(&[4, 9], |x| other(&[4, 9]).apply_op2(x, SwiGlu).unwrap());
        let heads = |rotary| SplitHeads { batch: 2, len: 3, heads: 2, width: 4, rotary };
        let rotary = Arc::new(Rotary::new(3, 4, 10_000.0));
        check_gradient(&[6, 8], |x| x.apply_op1(heads(Some(rotary.clone()))).unwrap());
        check_gradient(&[2, 2, 3, 4], |x| x.apply_op1(MergeHeads(heads(None))).unwrap());
        check_gradient(&[4, 6], |x| {
            let op = CrossEntropy { targets: vec![0, 5, 2, 2], derivative: Mutex::new(Vec::new()) };
            x.apply_op1(op).unwrap().reshape(1).unwrap()
        });
    }

    #[test]
    fn exponential_is_within_two_ulp() {
        for i in 0..87_000 {
            let x = -(i as f32) / 1_000.0;
            let (got, want) = (exp_negative(x), f64::from(x).exp());
            assert!((f64::from(got) / want - 1.0).abs() < 2.4e-7, "{x}");
        }
        assert!(exp_negative(f32::NEG_INFINITY) < 1e-37);
    }
}
