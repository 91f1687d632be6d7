//! QMP, QEMU's monitor protocol: lines of JSON over a unix socket. Lines and messages are pure; the session has the
//! socket. What is asked and what it means is the source's business.

pub mod lines;
pub mod message;
pub mod session;
