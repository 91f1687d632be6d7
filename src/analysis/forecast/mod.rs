//! How long a migration takes and how long its guest pauses, before it begins and while it runs. Pure.
//!
//! `workload` is the guest, `way` what carries it, `model` QEMU's own rule of switching over played through, `needs` what
//! would make a migration converge that does not. Before it begins: `capacity` is what a link gives, `question` what is
//! asked, `prospect` the answer with its range, `what_if` what would shorten it, `evacuation` the same for many guests,
//! `outlook` the series of what profiles would take.

pub mod capacity;
pub mod evacuation;
pub mod model;
pub mod needs;
pub mod outlook;
pub mod prospect;
pub mod question;
pub mod way;
pub mod what_if;
pub mod workload;
