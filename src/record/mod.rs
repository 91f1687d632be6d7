//! The flight recorder's files: what every tick and every migration was, kept on disk and read back as the same values.
//!
//! Bytes are made and read by pure functions; only `store` and `reader` touch files, and nothing here reads a clock.
//! docs/recording.md describes the format.

mod cells;
mod coder;
pub mod envelope;
mod flat;
mod lists;
pub mod migration;
mod moment;
mod names;
pub mod reader;
pub mod retention;
mod schema;
pub mod segment;
pub mod store;
mod tables;
mod text;
mod things;
pub mod tick;
