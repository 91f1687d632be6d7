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

/// Header bytes of a request.
const HEADER_BYTES: usize = 16 * 1024;

/// What a client may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once. Prometheus keeps one or two; beyond this somebody is playing.
    pub connections: usize,
    /// A request's headers must be complete within this time; an idle connection is closed after it. Not a usual
    /// scrape interval, so that a close and the next scrape do not meet.
    pub headers: Duration,
    /// An answer must have been taken within this time. Prometheus gives a scrape 10 s by default.
    pub answer: Duration,
    /// How long running requests may go on after the stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            headers: Duration::from_secs(45),
            answer: Duration::from_secs(60),
            drain: Duration::from_secs(5),
        }
    }
}

/// What all connections share.
struct Server {
    routes: Arc<Routes>,
    limits: Limits,
    permits: Arc<Semaphore>,
    graceful: GracefulShutdown,
}

/// Serves until `stop` ends, then lets running requests end.
pub async fn serve(
    listeners: Vec<TcpListener>,
    routes: Arc<Routes>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let server = Arc::new(Server { routes, limits, permits, graceful: GracefulShutdown::new() });
    let mut accepting = tokio::task::JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, Arc::clone(&server)));
    }
    stop.await;
    accepting.shutdown().await;
    if let Some(server) = Arc::into_inner(server) {
        if tokio::time::timeout(limits.drain, server.graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not end within {:?} and were cut off", limits.drain);
        }
    }
}

async fn accept(listener: TcpListener, server: Arc<Server>) {
    loop {
        // A permit first: what cannot be served stays in the kernel's queue instead of costing memory here.
        let Ok(permit) = Arc::clone(&server.permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => server.handle(stream, permit),
            Err(error) => {
                // Out of descriptors, usually. It passes; spinning on it would not help.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

impl Server {
    fn handle(&self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        let (routes, limits, answer) = (Arc::clone(&self.routes), self.limits, Answer::default());
        let watched = answer.clone();
        let service = service_fn(move |request| {
            let response = routes.answer(&request, &answer);
            async move { Ok::<_, Infallible>(response) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.headers);
        builder.http1().max_buf_size(HEADER_BYTES);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(8);
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = self.graceful.watch(connection);
        tokio::spawn(async move {
            tokio::select! {
                result = connection => {
                    if let Err(error) = result {
                        tracing::debug!("a connection ended: {error}");
                    }
                }
                () = watched.overdue(limits.headers, limits.answer) => {
                    tracing::debug!("a client was too slow, or had nothing to ask");
                }
            }
            drop(permit);
        });
    }
}
