//! Bytes of a libvirt daemon, through framing and session, and bodies through every reader: none may make it panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use miglink::sample::monotonic::Monotonic;
use miglink::source::transport::libvirt::session::Session;
use miglink::source::transport::libvirt::{notice, procedure};

fuzz_target!(|bytes: &[u8]| {
    let now = Monotonic::default();
    let mut session: Session<u8> = Session::new(now);
    session.call(procedure::LIST_DOMAINS, &procedure::list_domains(), 1, now);
    for piece in bytes.chunks(13) {
        if session.receive(piece).is_err() {
            break;
        }
    }
    procedure::auth_types(bytes).ok();
    procedure::domains(bytes).ok();
    procedure::job(bytes).ok();
    procedure::state(bytes).ok();
    procedure::max_downtime(bytes).ok();
    procedure::refusal(bytes).ok();
    for event in [318, 359, 363] {
        notice::parse(event, bytes).ok();
    }
});
