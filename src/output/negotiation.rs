//! What a scraper asked for in its `Accept` and `Accept-Encoding` headers. Pure.

use super::exposition::Format;

/// The format for an `Accept` header. Text 0.0.4 unless OpenMetrics 1.0 is preferred to it: scrapers that ask for
/// protobuf first, and those that ask for nothing, get the text, which is complete.
pub fn format(accept: &str) -> Format {
    let (mut text, mut open) = (None, None);
    for (media, parameters) in options(accept) {
        let quality = quality(parameters);
        match media {
            "application/openmetrics-text" if is_version_1(parameters) => open = open.max(Some(quality)),
            "text/plain" | "text/*" | "*/*" => text = text.max(Some(quality)),
            _ => {}
        }
    }
    match open {
        Some(open) if open > 0 && text.is_none_or(|text| open > text) => Format::OpenMetrics,
        _ => Format::Text,
    }
}

/// Whether an `Accept-Encoding` header allows gzip.
pub fn allows_gzip(accept_encoding: &str) -> bool {
    let (mut named, mut any) = (None, None);
    for (coding, parameters) in options(accept_encoding) {
        match coding {
            "gzip" | "x-gzip" => named = Some(quality(parameters)),
            "*" => any = Some(quality(parameters)),
            _ => {}
        }
    }
    named.or(any).is_some_and(|quality| quality > 0)
}

fn options(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split(',').map(|option| option.split_once(';').unwrap_or((option, ""))).map(|(a, b)| (a.trim(), b))
}

/// No version means any.
fn is_version_1(parameters: &str) -> bool {
    parameter(parameters, "version").is_none_or(|version| version.starts_with("1."))
}

/// The q-value in thousandths; 1000 without one, 0 for one that is not a number.
fn quality(parameters: &str) -> u32 {
    parameter(parameters, "q")
        .map_or(1000, |q| q.parse::<f32>().map_or(0, |q| (q.clamp(0.0, 1.0) * 1000.0) as u32))
}

fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(found, _)| found.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::{allows_gzip, format};
    use crate::output::exposition::Format::{OpenMetrics, Text};

    #[test]
    fn scrapers_get_what_they_can_read() {
        // As sent by Prometheus 2.42 with and without native histograms, Prometheus 3.5, VictoriaMetrics, curl, a browser.
        let cases = [
            ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OpenMetrics),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OpenMetrics),
            ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,/;q=0.1", OpenMetrics),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", Text),
            ("*/*", Text),
            ("", Text),
            ("application/openmetrics-text;version=0.0.1", Text),
            ("application/openmetrics-text;q=0", Text),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Text),
        ];
        for (accept, expected) in cases {
            assert_eq!(format(accept), expected, "{accept}");
        }
    }

    #[test]
    fn gzip_only_where_it_is_allowed() {
        let cases = [
            ("gzip", true),
            ("deflate, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("*", true),
            ("", false),
            ("identity", false),
            ("*;q=1, gzip;q=0", false),
            ("br;q=1.0, gzip;q=0.8, *;q=0.1", true),
        ];
        for (accept, expected) in cases {
            assert_eq!(allows_gzip(accept), expected, "{accept}");
        }
    }
}
