//! Deadlines, room and signs of life of a session, with a peer made by hand.

use super::{Dead, Happening, Session, DEADLINE, KEEPALIVE, MESSAGE, MOST, PING, PONG, REMOTE, REPLY};
use crate::sample::monotonic::Monotonic;
use crate::source::transport::libvirt::frame::{encode, Assembler, Header};
use crate::source::transport::libvirt::xdr::Writer;
use proptest::prelude::{any, proptest};
use proptest::{collection, prop_assert};
use std::time::Duration;

fn at(milliseconds: u64) -> Monotonic {
    Monotonic(Duration::from_millis(milliseconds))
}

fn reply(serial: u32, status: i32, body: &[u8]) -> Vec<u8> {
    encode(Header { program: REMOTE, procedure: 1, kind: REPLY, serial, status }, body)
}

fn keepalive(procedure: i32) -> Vec<u8> {
    encode(Header { program: KEEPALIVE, procedure, kind: MESSAGE, serial: 0, status: 0 }, &[])
}

/// Procedures of what the session wants to have written.
fn written(session: &mut Session<u8>) -> Vec<(u32, i32)> {
    let messages = Assembler::default().add(session.output()).unwrap();
    session.written(usize::MAX);
    messages.iter().map(|message| (message.header.program, message.header.procedure)).collect()
}

#[test]
fn a_late_call_keeps_its_place_until_it_is_answered() {
    let mut session = Session::new(at(0));
    for tag in 0..MOST as u8 {
        assert!(session.call(7, &[], tag, at(0)));
    }
    assert!(!session.call(7, &[], 9, at(0)), "the fifth request would stop the daemon's reading");
    assert_eq!(session.turn(at(899)), Ok(vec![]));
    assert_eq!(session.turn(at(900)).unwrap().len(), MOST);
    assert_eq!(session.turn(at(901)), Ok(vec![]), "late is said once");
    assert!(!session.has_room());
    assert_eq!(session.stuck_since(), Some(at(900)));
    assert_eq!(session.receive(&reply(2, 0, &[])), Ok(vec![Happening::Answer(1, Ok(vec![]))]));
    assert!(session.has_room() && session.stuck_since().is_none());
}

#[test]
fn refusals_and_unknown_serials() {
    let mut session = Session::new(at(0));
    session.call(7, &[], 3, at(0));
    let refusal = Writer::default().int(84).int(10).uint(1).string("only on the source").finish();
    let happened = session.receive(&reply(1, 1, &refusal)).unwrap();
    let [Happening::Answer(3, Err(said))] = happened.as_slice() else { panic!("{happened:?}") };
    assert_eq!((said.code, said.message.as_str()), (84, "only on the source"));
    assert_eq!(session.receive(&reply(77, 0, &[])), Ok(vec![]), "an answer to nothing");
}

#[test]
fn pings_are_answered_and_sent_and_missed() {
    let mut session: Session<u8> = Session::new(at(0));
    session.receive(&keepalive(PING)).unwrap();
    assert_eq!(written(&mut session), [(KEEPALIVE, PONG)]);
    session.turn(at(2000)).unwrap();
    assert_eq!(written(&mut session), [(KEEPALIVE, PING)]);
    session.receive(&keepalive(PONG)).unwrap();
    for second in [4, 6, 8] {
        assert_eq!(session.turn(at(second * 1000)), Ok(vec![]));
    }
    assert!(session.is_silent(at(8000)));
    assert_eq!(session.turn(at(10_000)), Err(Dead));
}

#[test]
fn a_late_call_asks_whether_the_daemon_lives() {
    let mut session = Session::new(at(0));
    session.call(7, &[], 1, at(0));
    written(&mut session);
    session.turn(at(900)).unwrap();
    assert_eq!(written(&mut session), [(KEEPALIVE, PING)]);
    assert!(!session.is_silent(at(1799)));
    assert!(session.is_silent(at(1800)));
    session.receive(&keepalive(PONG)).unwrap();
    assert!(!session.is_silent(at(1800)), "it lives; only the call hangs");
}

#[test]
fn single_bytes_are_no_sign_of_life() {
    let mut session: Session<u8> = Session::new(at(0));
    let message = reply(1, 0, &[0; 64]);
    let mut dead = false;
    for (second, byte) in message.iter().enumerate() {
        session.receive(&[*byte]).unwrap();
        dead |= session.turn(at(second as u64 * 1000)).is_err();
    }
    assert!(dead);
}

#[test]
fn a_peer_that_pings_without_reading_is_given_up() {
    let mut session: Session<u8> = Session::new(at(0));
    for _ in 0..10_000 {
        session.receive(&keepalive(PING)).unwrap();
    }
    assert_eq!(session.turn(at(1)), Err(Dead));
}

#[test]
fn waits_end_at_the_next_deadline() {
    let mut session = Session::new(at(0));
    assert_eq!(session.next_turn(at(500)), Duration::from_millis(1500));
    session.call(7, &[], 1, at(500));
    assert_eq!(session.next_turn(at(600)), DEADLINE.saturating_sub(Duration::from_millis(100)));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(pieces in collection::vec(collection::vec(any::<u8>(), 0..80), 0..5)) {
        let mut session: Session<u8> = Session::new(at(0));
        session.call(7, &[], 1, at(0));
        for piece in pieces {
            if session.receive(&piece).is_err() {
                break;
            }
        }
        prop_assert!(session.output().len() < 1000);
    }

    #[test]
    fn arbitrary_bodies_never_panic(procedure in 310..370i32, kind in 0..7i32, status in 0..3i32, body in collection::vec(any::<u8>(), 0..120)) {
        let mut session: Session<u8> = Session::new(at(0));
        session.call(7, &[], 1, at(0));
        let _ = session.receive(&encode(Header { program: REMOTE, procedure, kind, serial: 1, status }, &body));
    }
}
