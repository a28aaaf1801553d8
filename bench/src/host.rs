//! The machine that measured.

use serde::Serialize;

/// What a reader must know of the machine.
#[derive(Clone, Debug, Serialize)]
pub struct Host {
    /// Name of the processor; empty where the system does not tell.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Load of the last minute at the start.
    pub load_before: f64,
    /// Load of the last minute at the end.
    pub load_after: f64,
}

/// The machine, with its load now as the load at the end.
pub fn describe(load_before: f64) -> Host {
    Host {
        cpu: cpu(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        load_before,
        load_after: load(),
    }
}

/// Load of the last minute; 0 where the system does not tell.
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").or_else(|_| output("sysctl", &["-n", "vm.loadavg"]));
    let text = text.unwrap_or_default();
    text.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0.0)
}

fn cpu() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = text.lines().find(|line| line.starts_with("model name"));
    match named.and_then(|line| line.split_once(':')) {
        Some((_, name)) => name.trim().into(),
        None => output("sysctl", &["-n", "machdep.cpu.brand_string"]).unwrap_or_default().trim().into(),
    }
}

fn output(program: &str, arguments: &[&str]) -> std::io::Result<String> {
    let output = std::process::Command::new(program).args(arguments).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
