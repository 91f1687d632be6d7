//! How long a migration takes and how long its guest pauses, before it begins and while it runs. Pure.
//!
//! `workload` is the guest, `way` what carries it, `model` QEMU's own rule of switching over played through, `needs` what
//! would make a migration converge that does not.
//! `in_flight` plays it on from where a running migration stands, at the rate of late (`pace`), with what was seen of its guest
//! (`dirtied`); `score` tells afterwards how good that was, `table` makes metrics of it.

pub mod dirtied;
pub mod in_flight;
pub mod model;
pub mod needs;
pub mod pace;
pub mod score;
pub mod table;
pub mod way;
pub mod workload;
