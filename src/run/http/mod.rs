//! The server: connections and their limits, routes, and the body of a scrape.

pub mod answer;
pub mod chunks;
pub mod routes;
pub mod scrape;
pub mod server;
