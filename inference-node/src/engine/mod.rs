//! Loads a model, generates from it and replays its answers.
