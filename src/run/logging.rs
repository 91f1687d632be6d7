//! The log: to standard error, as logfmt or JSON.

use super::arguments::{Level, LogFormat};
use std::fmt::Write;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::registry::LookupSpan;

/// Starts logging. A second call changes nothing.
pub fn start(level: Level, format: LogFormat) {
    let level = match level {
        Level::Debug => tracing::Level::DEBUG,
        Level::Info => tracing::Level::INFO,
        Level::Warn => tracing::Level::WARN,
        Level::Error => tracing::Level::ERROR,
    };
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level);
    let started = match format {
        LogFormat::Logfmt => log.event_format(Logfmt).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    // Only tests start it twice in one process.
    started.ok();
}

/// `ts=… level=… msg="…" key=value`, as Prometheus writes it.
struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        out.write_str("ts=")?;
        SystemTime.format_time(&mut out)?;
        write!(out, " level={}", event.metadata().level().as_str().to_ascii_lowercase())?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        writeln!(out, " msg={}{}", quoted(&fields.message), fields.others)
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let text = format!("{value:?}");
        self.add(field, &text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }
}

impl Fields {
    fn add(&mut self, field: &Field, text: &str) {
        if field.name() == "message" {
            text.clone_into(&mut self.message);
        } else {
            // Writing to a String cannot fail.
            write!(self.others, " {}={}", field.name(), quoted(text)).ok();
        }
    }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn values_are_quoted_where_they_must_be() {
        assert_eq!(quoted("eth0"), "eth0");
        assert_eq!(quoted("two words"), "\"two words\"");
        assert_eq!(quoted("a=\"b\"\n"), r#""a=\"b\"\n""#);
        assert_eq!(quoted(""), "\"\"");
    }
}
