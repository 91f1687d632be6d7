//! The page at `/`: this host's links, for a person.

use crate::sample::frame::Frame;

/// The page for the newest frame and the one before it.
pub fn render(now: &Frame, before: Option<&Frame>, metrics_path: &str) -> String {
    format!("{} {} {metrics_path}", now.blocks.len(), before.is_some())
}
