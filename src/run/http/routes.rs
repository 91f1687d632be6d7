//! The routes:
//!
//! | path | what |
//! |---|---|
//! | `/` | this host's migrations and links, for a person |
//! | `/page/…` | the files that the page needs |
//! | `/metrics` | the newest frame; `collect[]` and `exclude[]` choose sources |
//! | `/api/v1/migrations` | running and finished migrations as JSON (`docs/api.md`) |
//! | `/api/v1/links` | the links that are shown, as JSON |
//! | `/api/v1/forecast` | how long a guest would take to move, over each link (`docs/api.md`) |
//! | `/-/healthy` | 200 while the process lives |
//! | `/-/ready` | 200 once there is a frame, 503 before |
//! | `/-/reload` | POST: reads the configuration again; only with `--web.enable-lifecycle` |

use super::answer::{Answer, AnswerGuard};
use super::chunks::Chunks;
use super::scrape::Scrape;
use crate::output::exposition::Exposition;
use crate::output::forecast::json_of;
use crate::output::gzip::Gzip;
use crate::output::page::{self, Place};
use crate::output::sink::Plain;
use crate::output::{api, negotiation};
use crate::run::asked::{Asked, Naming};
use crate::run::clock::Clock;
use crate::run::predict;
use crate::run::process::Process;
use crate::sample::frame::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::{watch, Notify, OwnedSemaphorePermit, Semaphore};

/// Scrapes at once (node_exporter's `--web.max-requests` has the same default).
const SCRAPES: usize = 40;

/// What an answer is made of.
pub type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// All that the routes need.
pub struct Routes {
    frames: watch::Receiver<Arc<Frame>>,
    process: Process,
    sources: Vec<&'static str>,
    place: Place,
    scrapes: Arc<Semaphore>,
    /// Told to reload; `None` without `--web.enable-lifecycle`.
    reload: Option<Arc<Notify>>,
}

impl Routes {
    /// Routes over the agent's frames. `sources` are the names that `collect[]` may use, `place` says where this is.
    pub fn new(
        frames: watch::Receiver<Arc<Frame>>,
        process: Process,
        sources: Vec<&'static str>,
        place: Place,
        reload: Option<Arc<Notify>>,
    ) -> Self {
        Self { frames, process, sources, place, scrapes: Arc::new(Semaphore::new(SCRAPES)), reload }
    }

    /// Answers a request at once; only the body of a scrape is made later, as it is sent.
    pub fn answer<B>(&self, request: &Request<B>, answer: &Answer) -> Reply {
        let guard = answer.begin();
        let path = request.uri().path();
        let reading = matches!(*request.method(), Method::GET | Method::HEAD);
        let reply = match path {
            path if path == self.place.metrics_path && reading => self.scrape(request, guard),
            "/" if reading => self.page(),
            "/api/v1/migrations" if reading => self.migrations(),
            "/api/v1/links" if reading => self.links(guard),
            "/api/v1/forecast" if reading => self.forecast(request.uri().query().unwrap_or_default()),
            "/-/healthy" if reading => text(StatusCode::OK, "miglink is alive.\n"),
            "/-/ready" if reading => self.ready(),
            "/-/reload" => self.reload(request.method()),
            "/" | "/api/v1/migrations" | "/api/v1/links" | "/api/v1/forecast" | "/-/healthy" | "/-/ready" => {
                not_allowed("GET, HEAD")
            }
            path if path == self.place.metrics_path => not_allowed("GET, HEAD"),
            path => file(path).filter(|_| reading).unwrap_or_else(|| self.nothing()),
        };
        self.process.count_request(reply.status());
        reply
    }

    fn nothing(&self) -> Reply {
        let path = &self.place.metrics_path;
        let try_these = format!(
            "There is nothing here. Try /, {path}, /api/v1/migrations, /api/v1/links or /api/v1/forecast.\n"
        );
        text(StatusCode::NOT_FOUND, &try_these)
    }

    fn scrape<B>(&self, request: &Request<B>, guard: AnswerGuard) -> Reply {
        let wanted = match self.wanted(request.uri().query().unwrap_or_default()) {
            Ok(wanted) => wanted,
            Err(problem) => return text(StatusCode::BAD_REQUEST, &problem),
        };
        let (frame, permit) = match self.frame().and_then(|frame| Ok((frame, self.permit()?))) {
            Ok(both) => both,
            Err(reply) => return *reply,
        };
        let header =
            |name: HeaderName| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let format = negotiation::format(header(header::ACCEPT));
        let tail = if wanted.contains("process") { self.process.text(format) } else { String::new() };
        let exposition = Exposition::new(frame, format, |source| wanted.contains(source), tail);
        let gzip = negotiation::allows_gzip(header(header::ACCEPT_ENCODING));
        let body = if gzip {
            Chunks::new(Scrape::new(exposition, Gzip::default()), permit, guard).boxed_unsync()
        } else {
            Chunks::new(Scrape::new(exposition, Plain::default()), permit, guard).boxed_unsync()
        };
        let mut reply = Response::new(body);
        set(&mut reply, header::CONTENT_TYPE, format.content_type());
        set(&mut reply, header::VARY, "Accept, Accept-Encoding");
        if gzip {
            set(&mut reply, header::CONTENT_ENCODING, "gzip");
        }
        reply
    }

    /// The newest frame; before there is one, the answer that says so.
    fn frame(&self) -> Result<Arc<Frame>, Box<Reply>> {
        let frame = Arc::clone(&self.frames.borrow());
        if frame.wall_ns == 0 {
            let problem = "Nothing has been sampled yet. Try again in a second.\n";
            return Err(Box::new(text(StatusCode::SERVICE_UNAVAILABLE, problem)));
        }
        Ok(frame)
    }

    /// Leave to send one large body.
    fn permit(&self) -> Result<OwnedSemaphorePermit, Box<Reply>> {
        Arc::clone(&self.scrapes).try_acquire_owned().map_err(|_| {
            let problem = format!("{SCRAPES} scrapes are running already. Try again later.\n");
            Box::new(text(StatusCode::SERVICE_UNAVAILABLE, &problem))
        })
    }

    fn migrations(&self) -> Reply {
        match self.frame() {
            Ok(frame) => json(Full::new(Bytes::from(api::migrations(&frame))).boxed_unsync()),
            Err(reply) => *reply,
        }
    }

    fn links(&self, guard: AnswerGuard) -> Reply {
        match self.frame().and_then(|frame| Ok((frame, self.permit()?))) {
            Ok((frame, permit)) => json(Chunks::new(api::Links::new(frame), permit, guard).boxed_unsync()),
            Err(reply) => *reply,
        }
    }

    fn forecast(&self, query: &str) -> Reply {
        let frame = match self.frame() {
            Ok(frame) => frame,
            Err(reply) => return *reply,
        };
        match forecast(&frame, query) {
            Ok(body) => json(Full::new(Bytes::from(body)).boxed_unsync()),
            Err(problem) => text(StatusCode::BAD_REQUEST, &format!("{problem}\n")),
        }
    }

    /// The sources that a query asks for: all, those of `collect[]`, or all but those of `exclude[]`.
    fn wanted(&self, query: &str) -> Result<HashSet<&'static str>, String> {
        let (mut collect, mut exclude) = (HashSet::new(), HashSet::new());
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let list = match key.as_ref() {
                "collect[]" => &mut collect,
                "exclude[]" => &mut exclude,
                _ => continue,
            };
            let known = self.sources.iter().find(|source| **source == value);
            list.insert(*known.ok_or_else(|| {
                format!("There is no source '{value}'. The sources are: {}.\n", self.sources.join(", "))
            })?);
        }
        match (collect.is_empty(), exclude.is_empty()) {
            (false, false) => Err("Use either collect[] or exclude[], not both.\n".into()),
            (false, true) => Ok(collect),
            _ => Ok(self.sources.iter().copied().filter(|source| !exclude.contains(source)).collect()),
        }
    }

    fn page(&self) -> Reply {
        let frame = Arc::clone(&self.frames.borrow());
        let mut reply = text(StatusCode::OK, &page::render(&frame, &self.place, Clock::default().wall_ns()));
        set(&mut reply, header::CONTENT_TYPE, "text/html; charset=utf-8");
        set(&mut reply, header::CONTENT_SECURITY_POLICY, page::POLICY);
        set(&mut reply, header::CACHE_CONTROL, "no-store");
        guard(&mut reply);
        reply
    }

    fn ready(&self) -> Reply {
        if self.frames.borrow().wall_ns == 0 {
            return text(StatusCode::SERVICE_UNAVAILABLE, "Nothing has been sampled yet.\n");
        }
        text(StatusCode::OK, "miglink is ready.\n")
    }

    fn reload(&self, method: &Method) -> Reply {
        match &self.reload {
            None => text(
                StatusCode::FORBIDDEN,
                "Reloading by HTTP is off. Start with --web.enable-lifecycle, or send SIGHUP.\n",
            ),
            Some(_) if *method != Method::POST => not_allowed("POST"),
            Some(reload) => {
                reload.notify_one();
                text(StatusCode::OK, "Reloading; the log says how it went.\n")
            }
        }
    }
}

/// The answer to a query; `link` may be given more than once.
fn forecast(frame: &Frame, query: &str) -> Result<String, String> {
    let (mut asked, mut names) = (Asked::default(), Vec::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "link" => names.push(value.into_owned()),
            name => asked.set(name, &value)?,
        }
    }
    let question = asked.question(Naming::Key)?;
    let is_given = question.bandwidth.is_some() && names.is_empty();
    let links = if is_given { Vec::new() } else { predict::links(frame, &names)? };
    let list = if links.is_empty() && !is_given { Vec::new() } else { predict::prospects(&links, &question) };
    Ok(format!("{:#}\n", json_of(&list)))
}

fn text(status: StatusCode, text: &str) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(text.to_owned())).boxed_unsync());
    *reply.status_mut() = status;
    set(&mut reply, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    reply
}

/// A file of the page.
fn file(path: &str) -> Option<Reply> {
    let (_, kind, body) = page::FILES.iter().find(|(known, ..)| *known == path)?;
    let mut reply = Response::new(Full::new(Bytes::from_static(body.as_bytes())).boxed_unsync());
    set(&mut reply, header::CONTENT_TYPE, kind);
    // Another version of the program has other files under the same names.
    set(&mut reply, header::CACHE_CONTROL, "no-cache");
    guard(&mut reply);
    Some(reply)
}

/// What a browser must not do with the page or its files.
fn guard(reply: &mut Reply) {
    set(reply, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(reply, header::REFERRER_POLICY, "no-referrer");
}

fn json(body: UnsyncBoxBody<Bytes, Infallible>) -> Reply {
    let mut reply = Response::new(body);
    set(&mut reply, header::CONTENT_TYPE, "application/json");
    set(&mut reply, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    reply
}

fn not_allowed(allowed: &'static str) -> Reply {
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, &format!("Use {allowed} here.\n"));
    set(&mut reply, header::ALLOW, allowed);
    reply
}

fn set(reply: &mut Reply, name: HeaderName, value: &'static str) {
    reply.headers_mut().insert(name, HeaderValue::from_static(value));
}
