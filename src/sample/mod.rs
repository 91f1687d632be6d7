//! PURE. The words of the house: what is measured (`Metric`, `Column`), what it is about (`Subjects`),
//! one source's table (`Block`) and one tick (`Frame`). Imports nothing of the project.

pub mod block;
pub mod cell;
pub mod choice;
pub mod continuity;
pub mod flag;
pub mod flow;
pub mod footing;
pub mod frame;
pub mod guest;
pub mod link;
pub mod metric;
pub mod migration;
pub mod monotonic;
pub mod outlook;
pub mod ports;
pub mod strip;
pub mod subject;
pub mod thread;
pub mod verdict;
