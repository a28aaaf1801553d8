//! Implementations for vector units. Everything unsafe of this crate is here: instructions that the
//! processor must have, which a [`Path`](crate::Path) proves, and loads by address, whose bounds the safe
//! callers check.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop)] // An index names the same lane of several arrays.

#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;

use crate::matrix::{Group, Line, Scales};
use crate::path::{Isa, Path};

/// Runs a function compiled for the registers of `path`. The source is the law's, the compiler may not
/// reorder or fuse f32 arithmetic, hence equal bits.
macro_rules! wide {
    ($path:expr, $body:ident($($arg:ident: $type:ty),*) $(-> $out:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[allow(clippy::incompatible_msrv)] // Contracts are compiled for wasm, where this is left out.
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
            fn avx512($($arg: $type),*) $(-> $out)? {
                $body($($arg),*)
            }
            #[target_feature(enable = "avx2,f16c")]
            fn avx2($($arg: $type),*) $(-> $out)? {
                $body($($arg),*)
            }
            #[allow(unsafe_code)]
            match $path.0 {
                // SAFETY: a path exists only where its instructions do.
                crate::path::Isa::Avx512Vnni | crate::path::Isa::Amx => return unsafe { avx512($($arg),*) },
                // SAFETY: the same.
                crate::path::Isa::Avx2 => return unsafe { avx2($($arg),*) },
                crate::path::Isa::Scalar => {}
            }
        }
        let _ = $path;
        $body($($arg),*)
    }};
}
pub(crate) use wide;

/// Products of one tile of 16 rows with a group of at most 4 activations; false where the law does it.
pub(crate) fn tile(
    path: Path,
    weights: &[Line],
    scales: &[Scales],
    group: &Group,
    out: &mut [[f32; 16]; 4],
) -> bool {
    debug_assert!(weights.len() == scales.len() * 8);
    match path.0 {
        Isa::Scalar => {
            let _ = (weights, scales, group, out);
            false
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni | Isa::Amx => {
            avx512::tile(weights, scales, group, out);
            true
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => {
            avx2::tile(weights, scales, group, out);
            true
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => {
            neon::tile(weights, scales, group, out);
            true
        }
    }
}

/// See [`crate::scores`], whose caller has checked the shapes; false where the law does it.
pub(crate) fn scores(
    path: Path,
    queries: &[f32],
    width: usize,
    keys: &[u16],
    scale: f32,
    out: &mut [f32],
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if matches!(path.0, Isa::Avx512Vnni | Isa::Amx) {
        avx512::scores(queries, width, keys, scale, out);
        return true;
    }
    let _ = (path, queries, width, keys, scale, out);
    false
}

/// See [`crate::mix`], whose caller has checked the shapes; false where the law does it.
pub(crate) fn mix(
    path: Path,
    weights: &[f32],
    values: &[u16],
    count: usize,
    width: usize,
    out: &mut [f32],
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if matches!(path.0, Isa::Avx512Vnni | Isa::Amx) && width % 16 == 0 {
        avx512::mix(weights, values, count, width, out);
        return true;
    }
    let _ = (path, weights, values, count, width, out);
    false
}
