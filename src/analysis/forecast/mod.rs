//! How long a migration takes and how long its guest pauses, before it begins and while it runs. Pure.
//!
//! `workload` is the guest, `way` what carries it, `model` QEMU's own rule of switching over played through, `needs` what
//! would make a migration converge that does not.

pub mod model;
pub mod needs;
pub mod way;
pub mod workload;
