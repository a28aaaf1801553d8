//! Which vector unit computes.

/// A way to compute, with equal bits on each. Made only by asking the processor, so that holding one
/// proves that its instructions exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path(pub(crate) Isa);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "std"), allow(dead_code))]
pub(crate) enum Isa {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "x86_64")]
    Amx,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Path {
    /// The law itself; everywhere.
    pub const SCALAR: Path = Path(Isa::Scalar);

    /// Names of all paths that exist on any processor.
    pub const NAMES: [&'static str; 5] = ["scalar", "avx2", "avx512-vnni", "amx", "neon"];

    /// The paths of this processor, the fastest last.
    pub fn available() -> impl DoubleEndedIterator<Item = Path> {
        let found: [Option<Path>; 4] = detect();
        found.into_iter().flatten()
    }

    /// The fastest path of this processor.
    pub fn best() -> Path {
        Path::available().next_back().unwrap_or(Path::SCALAR)
    }

    /// Its name, as logs and reports print it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Isa::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => "avx512-vnni",
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => "amx",
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => "neon",
        }
    }
}

#[cfg(all(feature = "std", target_arch = "x86_64"))]
fn detect() -> [Option<Path>; 4] {
    use std::is_x86_feature_detected as has;
    let avx2 = has!("avx2") && has!("f16c");
    let avx512 = avx2
        && has!("avx512f")
        && has!("avx512bw")
        && has!("avx512dq")
        && has!("avx512vl")
        && has!("avx512vnni");
    // Asked once: the answer holds for the whole process.
    static AMX: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    let amx = avx512 && *AMX.get_or_init(crate::simd::amx::granted);
    [
        Some(Path::SCALAR),
        avx2.then_some(Path(Isa::Avx2)),
        avx512.then_some(Path(Isa::Avx512Vnni)),
        amx.then_some(Path(Isa::Amx)),
    ]
}

#[cfg(all(feature = "std", target_arch = "aarch64"))]
fn detect() -> [Option<Path>; 4] {
    let neon = std::arch::is_aarch64_feature_detected!("neon");
    [Some(Path::SCALAR), neon.then_some(Path(Isa::Neon)), None, None]
}

#[cfg(not(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn detect() -> [Option<Path>; 4] {
    [Some(Path::SCALAR), None, None, None]
}
