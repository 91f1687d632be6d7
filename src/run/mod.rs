//! SHELL. The agent's tick, the server, start and stop, the subcommands. Only here a clock is read.

pub mod agent;
pub mod amounts;
pub mod arguments;
pub mod asked;
pub mod check;
pub mod clock;
pub mod config;
pub mod explain;
pub mod http;
pub mod lane;
pub mod logging;
pub mod migrations;
pub mod news;
pub mod own;
pub mod predict;
pub mod process;
pub mod recorder;
pub mod schedule;
pub mod serve;
pub mod show;
pub mod signs;
mod slot;
pub mod state;
pub mod ticker;
pub mod totals;
pub mod vms;
