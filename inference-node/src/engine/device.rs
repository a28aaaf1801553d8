//! Where answers of the class `tolerant-f32` are computed: the processor, or a GPU of a build with the feature
//! `cuda`. The class `exact` and every replay are computed on the processor.

use std::fmt;
use std::str::FromStr;

use candle_core::Device;
use serde::{Deserialize, Serialize};

use super::error::{Error, Result};

/// A place of computation; in a configuration `cpu`, `cuda` or `cuda:N`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// The processor.
    #[default]
    Cpu,
    /// The GPU of this number, from 0.
    Cuda(usize),
}

impl Place {
    /// The place, ready to compute.
    ///
    /// # Errors
    /// `E-MODEL-017` when this build or this machine has no such place.
    pub fn open(self) -> Result<Device> {
        let Place::Cuda(number) = self else { return Ok(Device::Cpu) };
        let refuse = |what: String| {
            Error::new(
                "E-MODEL-017",
                format!("nothing can be computed on {self}: {what}"),
                "Build openledger-node with --features cuda on a machine with CUDA, or set device = \"cpu\".",
            )
        };
        if !cfg!(feature = "cuda") {
            return Err(refuse("this build has no CUDA".into()));
        }
        Device::new_cuda(number).map_err(|e| refuse(e.to_string()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Cpu => f.write_str("cpu"),
            Place::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = match text {
            "cpu" => return Ok(Place::Cpu),
            "cuda" => Some(0),
            _ => text.strip_prefix("cuda:").and_then(|number| number.parse().ok()),
        };
        number.map(Place::Cuda).ok_or_else(|| format!("{text:?} is neither cpu, cuda nor cuda:N"))
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> String {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_written() {
        for (text, place) in [("cpu", Place::Cpu), ("cuda:0", Place::Cuda(0)), ("cuda:3", Place::Cuda(3))] {
            assert_eq!((text.parse(), place.to_string().as_str()), (Ok(place), text));
        }
        assert_eq!("cuda".parse(), Ok(Place::Cuda(0)));
        for bad in ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:x", "cpu:0"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_processor_is_always_there() {
        assert!(matches!(Place::Cpu.open(), Ok(Device::Cpu)));
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_so() {
        let refused = Place::Cuda(1).open().map(|_| ()).unwrap_err();
        assert_eq!((refused.code, refused.retry), ("E-MODEL-017", false));
        assert!(refused.what.contains("cuda:1") && refused.advice.contains("--features cuda"), "{refused}");
    }
}
