//! Migrations: found in what processes, flows and hypervisors tell, followed to their end, and put into tables.

mod ending;
pub mod entry;
mod hearing;
mod joining;
pub mod migration;
pub mod table;
pub mod tracker;
pub mod traffic;
mod words;
