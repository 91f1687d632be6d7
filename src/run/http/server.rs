//! Connections: accepts them, bounds them, ends them in order.
//!
//! Takes bound listeners and a future that ends it, so that tests need no fixed port and no signal.

use super::answer::Answer;
use super::routes::Routes;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at once. Prometheus keeps one or two; beyond this somebody is playing.
const CONNECTIONS: usize = 256;
/// A request's headers must be complete within this time; an idle connection is closed after it. Not a usual scrape
/// interval, so that a close and the next scrape do not meet.
const HEADERS: Duration = Duration::from_secs(45);
/// An answer must have been taken within this time. Prometheus gives a scrape 10 s by default.
const ANSWER: Duration = Duration::from_secs(60);
/// How long running requests may go on after the stop.
const DRAIN: Duration = Duration::from_secs(5);
/// Header bytes of a request.
const HEADER_BYTES: usize = 16 * 1024;

/// Serves until `stop` ends, then lets running requests end.
pub async fn serve(listeners: Vec<TcpListener>, routes: Arc<Routes>, stop: impl Future<Output = ()>) {
    let graceful = Arc::new(GracefulShutdown::new());
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let mut accepting = tokio::task::JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, Arc::clone(&routes), Arc::clone(&permits), Arc::clone(&graceful)));
    }
    stop.await;
    accepting.shutdown().await;
    if let Some(graceful) = Arc::into_inner(graceful) {
        if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not end within {DRAIN:?} and were cut off");
        }
    }
}

async fn accept(
    listener: TcpListener,
    routes: Arc<Routes>,
    permits: Arc<Semaphore>,
    graceful: Arc<GracefulShutdown>,
) {
    loop {
        // A permit first: what cannot be served stays in the kernel's queue instead of costing memory here.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => handle(stream, Arc::clone(&routes), permit, &graceful),
            Err(error) => {
                // Out of descriptors, usually. It passes; spinning on it would not help.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn handle(stream: TcpStream, routes: Arc<Routes>, permit: OwnedSemaphorePermit, graceful: &GracefulShutdown) {
    let answer = Answer::default();
    let watched = answer.clone();
    let service = service_fn(move |request| {
        let response = routes.answer(&request, &answer);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(HEADER_BYTES);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEADERS).max_concurrent_streams(8);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        tokio::select! {
            result = connection => {
                if let Err(error) = result {
                    tracing::debug!("a connection ended: {error}");
                }
            }
            () = watched.overdue(ANSWER) => tracing::debug!("a client did not take its answer within {ANSWER:?}"),
        }
        drop(permit);
    });
}
