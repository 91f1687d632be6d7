//! SHELL. The agent's tick, the server, start and stop, the subcommands. Only here a clock is read.

pub mod about;
pub mod agent;
pub mod arguments;
pub mod clock;
pub mod config;
pub mod http;
pub mod lane;
pub mod logging;
pub mod news;
pub mod process;
pub mod schedule;
pub mod serve;
pub mod signs;
pub mod state;
pub mod ticker;
pub mod totals;
