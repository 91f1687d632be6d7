//! What the rules say together: time accounting of each migration over its causes, and the leading one.

pub mod account;
pub mod course;
pub mod facts;
pub mod ledger;
mod measure;
mod snapshot;
pub mod surroundings;
pub mod table;
pub mod told;
