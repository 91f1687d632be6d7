//! The server's limits, with short ones in place of the real, over real sockets.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and may wait")]

use miglink::output::page::Place;
use miglink::run::http::routes::Routes;
use miglink::run::http::server::{serve, Limits};
use miglink::run::process::Process;
use miglink::sample::block::Block;
use miglink::sample::cell::Cell;
use miglink::sample::frame::Frame;
use miglink::sample::metric::{Column, Metric, Unit};
use miglink::sample::monotonic::Monotonic;
use miglink::sample::subject::SubjectsBuilder;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

static VALUE: Metric = Metric::gauge("value", "A value.", Unit::None);
static COLUMNS: [Column; 1] = [Column::of(&VALUE)];

/// A frame whose body is far larger than what sockets hold.
fn large_frame() -> Frame {
    let mut rows = SubjectsBuilder::default();
    for row in 0..400_000 {
        rows.row(row).label("device", &format!("a-rather-long-name-{row:08}"));
    }
    let mut block = Block::new("links", Monotonic::default(), &COLUMNS, Arc::new(rows.build()));
    block.column_mut(0).fill(Cell::integer(1).bits());
    Frame { wall_ns: 1, blocks: vec![Arc::new(block)], ..Frame::default() }
}

/// Runs a server with limits; `test` gets its address. Gives how long the stop took.
fn with_server(limits: Limits, test: impl FnOnce(&str)) -> Duration {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (_publish, frames) = watch::channel(Arc::new(large_frame()));
    let place = Place { metrics_path: "/metrics".into(), ..Place::default() };
    let routes = Routes::new(frames, Process::new().unwrap(), vec!["links"], place, None);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = runtime.spawn(serve(vec![listener], Arc::new(routes), limits, async move {
        stopped.await.ok();
    }));
    test(&address);
    stop.send(()).unwrap();
    let start = std::time::Instant::now();
    runtime.block_on(server).unwrap();
    start.elapsed()
}

/// Whether the other side closes the connection; the time-out only ends a test that has failed.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn silent_and_slow_clients_are_let_go() {
    let limits = Limits { headers: Duration::from_millis(300), ..Limits::default() };
    with_server(limits, |address| {
        let mut silent = TcpStream::connect(address).unwrap();
        let mut slow = TcpStream::connect(address).unwrap();
        slow.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: slow\r\nX-Never").unwrap();
        let mut idle = TcpStream::connect(address).unwrap();
        idle.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: idle\r\n\r\n").unwrap();
        let mut answer = [0; 512];
        assert!(idle.read(&mut answer).unwrap() > 0);
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        for stream in [&mut silent, &mut slow, &mut idle] {
            assert!(is_closed(stream));
        }
    });
}

#[test]
fn an_answer_that_is_not_taken_is_given_up() {
    let limits = Limits { answer: Duration::from_millis(300), connections: 1, ..Limits::default() };
    with_server(limits, |address| {
        let mut lazy = TcpStream::connect(address).unwrap();
        lazy.write_all(b"GET /metrics HTTP/1.1\r\nHost: lazy\r\n\r\n").unwrap();
        // The only place is free again once the lazy one is cut off.
        let mut next = TcpStream::connect(address).unwrap();
        next.write_all(b"GET /-/healthy HTTP/1.0\r\n\r\n").unwrap();
        next.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut answer = String::new();
        next.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    });
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let limits = Limits { drain: Duration::from_millis(300), ..Limits::default() };
    let mut lazy = None;
    let took = with_server(limits, |address| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: lazy\r\n\r\n").unwrap();
        assert!(stream.read(&mut [0; 64]).unwrap() > 0, "the answer has begun");
        lazy = Some(stream);
    });
    assert!(took < Duration::from_secs(10), "it took {took:?}");
}
