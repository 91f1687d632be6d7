//! The flight recorder's files: what every tick and every migration was, kept on disk and read back as the same values.
//!
//! Bytes are made and read by pure functions (`coder` up to `segment`, and `migration`); only `store` and `reader` touch
//! files. docs/recording.md describes the format.

mod cells;
mod coder;
pub mod envelope;
mod flat;
mod lists;
mod moment;
mod schema;
pub mod segment;
mod tables;
mod text;
mod things;
pub mod tick;
