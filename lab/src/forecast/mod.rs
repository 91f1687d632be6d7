//! How good miglink's forecasts are: many real migrations drawn from a seed, what miglink said before and during each, and
//! what happened. `cargo xtask forecast`.
//!
//! ```text
//! seed ─> kinds ─> Case (a Plan, its scenario) ─> runner ─> Run (measured, said) ─> score ─> report, markdown
//!         └─────────── pure ───────────┘          └ real ┘                        └──── pure ────┘
//! ```
//!
//! **Seeds.** As for `accuracy`: the model may be tuned on what seeds 1 to 99 show; seeds from 1000 on are held out.
//!
//! **Truth.** What happened is by QEMU's own events: from the start of the setup until the guest runs at the destination,
//! and from its stop to its run. What the guest dirtied is by its own count of writes, what others took by the bytes that
//! their receiver counted.

pub mod case;
pub mod command;
pub mod kinds;
pub mod markdown;
pub mod measured;
pub mod plan;
pub mod predict;
pub mod report;
pub mod run;
pub mod runner;
pub mod said;
pub mod score;
#[cfg(test)]
mod tests;
