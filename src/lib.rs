//! miglink: a virtualization host's network links for Prometheus, and why a live migration is slow.
//!
//! Read the modules in this order; imports run the other way, never sideways (ARCHITECTURE.md).

pub mod sample;

pub mod source;
pub mod topology;

pub mod analysis;

pub mod record;

pub mod output;

pub mod run;
