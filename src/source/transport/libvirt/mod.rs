//! A client of libvirt's remote protocol (src/remote/remote_protocol.x, src/rpc/virnetprotocol.x) on its read-only
//! unix socket: only what a monitor asks, with a deadline for every call.
//!
//! `xdr`, `frame`, `procedure`, `notice` and `session` are pure; only `conversation` has a socket.

pub mod conversation;
pub mod frame;
pub mod notice;
pub mod procedure;
pub mod session;
pub mod xdr;

/// Why bytes are not what libvirt sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A value goes on behind the end of its message.
    #[error("a message ends in the middle of a value")]
    Short,
    /// A message's own length is shorter than its header or longer than we accept.
    #[error("a message of {0} bytes")]
    Length(u32),
    /// Another protocol, or another version of it.
    #[error("program {program:#x} version {version}")]
    Program {
        /// The program's number.
        program: u32,
        /// Its version.
        version: u32,
    },
    /// A list is longer than libvirt's own limit.
    #[error("a list of {0}")]
    Count(u32),
    /// A typed parameter of no type.
    #[error("a parameter of type {0}")]
    Type(i32),
}
