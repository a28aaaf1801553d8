//! Trains a small language model from sealed datanet versions.
