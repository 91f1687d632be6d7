//! How long a migration takes and how long its guest pauses, before it begins and while it runs. Pure.
//!
//! `workload` is the guest, `way` what carries it, `model` QEMU's own rule of switching over played through, `needs` what
//! would make a migration converge that does not.
//!
//! Before it begins: `capacity` is what a link gives, `question` what is asked, `prospect` the answer with its range, `what_if`
//! what would shorten it, `evacuation` the same for many guests, `profiles` the series of what guests of the configuration
//! would take. While it runs: `in_flight` plays it on from where it stands (`known`), at the rate of late (`pace`), with what was
//! seen of its guest (`dirtied`); `score` tells afterwards how good that was, `table` makes metrics of it.

pub mod capacity;
pub mod dirtied;
pub mod evacuation;
pub mod in_flight;
pub mod known;
pub mod model;
pub mod needs;
pub mod pace;
pub mod profiles;
pub mod prospect;
pub mod question;
pub mod score;
pub mod table;
pub mod way;
pub mod what_if;
pub mod workload;
