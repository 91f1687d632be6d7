//! PURE. Meaning becomes text. Imports only `sample`.

pub mod gzip;
mod line;
pub mod sink;
