//! Datagrams of the kernel, as messages, attributes and sockets: none may make it panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use miglink::source::transport::message::{attributes, messages};
use miglink::source::transport::sock_diag;

fuzz_target!(|bytes: &[u8]| {
    for message in messages(bytes).flatten() {
        sock_diag::parse(message.payload);
        for attribute in attributes(message.payload, 16) {
            attribute.nested().count();
        }
    }
    sock_diag::parse(bytes);
});
