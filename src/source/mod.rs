//! Where samples come from: what the kernel and its drivers tell of links, and what it means.

pub mod driver_table;
