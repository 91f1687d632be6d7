//! Just enough of an HTTP/1.1 client to scrape as Prometheus does: one kept connection, plain or gzip.

use anyhow::{bail, ensure, Context, Result};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// An answer.
pub struct Answer {
    /// The body as it was sent.
    pub body: Vec<u8>,
    /// Whether the body is compressed.
    pub is_gzip: bool,
}

impl Answer {
    /// Lines of the body that are neither empty nor comments.
    pub fn series(&self) -> Result<usize> {
        let mut text = Vec::new();
        if self.is_gzip {
            flate2::read::GzDecoder::new(self.body.as_slice())
                .read_to_end(&mut text)
                .context("the body is no gzip")?;
        } else {
            text.extend_from_slice(&self.body);
        }
        Ok(text
            .split(|byte| *byte == b'\n')
            .filter(|line| !matches!(line.first(), None | Some(b'#')))
            .count())
    }
}

/// A connection that is kept.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to an exporter on this host.
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(1 << 16, stream) })
    }

    /// Scrapes; an error unless the answer is 200.
    pub fn scrape(&mut self, gzip: bool) -> Result<Answer> {
        let encoding = if gzip { "Accept-Encoding: gzip\r\n" } else { "" };
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain;version=0.0.4\r\n{encoding}\r\n"
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        read_answer(&mut self.stream)
    }
}

fn read_answer(stream: &mut impl BufRead) -> Result<Answer> {
    let status = read_line(stream)?;
    let (mut length, mut is_chunked, mut is_gzip) = (None, false, false);
    loop {
        let line = read_line(stream)?.to_ascii_lowercase();
        match line.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = Some(value.trim().parse::<usize>()?),
            Some(("transfer-encoding", value)) => is_chunked = value.contains("chunked"),
            Some(("content-encoding", value)) => is_gzip = value.contains("gzip"),
            Some(_) => {}
        }
    }
    let body = match length {
        Some(length) => read_exactly(stream, length)?,
        None if is_chunked => read_chunks(stream)?,
        None => bail!("the answer has neither a length nor chunks"),
    };
    ensure!(status.starts_with("HTTP/1.1 200"), "{status}");
    Ok(Answer { body, is_gzip })
}

fn read_chunks(stream: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?;
        let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)
            .with_context(|| format!("a chunk's size is {line:?}"))?;
        body.append(&mut read_exactly(stream, size)?);
        // A chunk ends with an empty line; so does the list of trailers, of which nobody sends any.
        ensure!(read_line(stream)?.is_empty(), "a chunk of {size} bytes is longer than it says");
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_exactly(stream: &mut impl BufRead, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).context("the connection ended within the body")?;
    Ok(bytes)
}

/// A line without its end; an error at the end of the stream.
fn read_line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    ensure!(stream.read_line(&mut line)? > 0, "the connection ended");
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::read_answer;
    use std::io::Write;

    #[test]
    fn both_framings_and_gzip_are_read() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n# HELP a\na 1\n";
        let answer = read_answer(&mut plain.as_slice()).unwrap();
        assert_eq!((answer.body.len(), answer.series().unwrap()), (13, 1));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"a 1\n\nb 2\n").unwrap();
        let body = gzip.finish().unwrap();
        let (front, back) = body.split_at(5);
        let mut chunked =
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for part in [front, back, &[]] {
            chunked.extend(format!("{:x}\r\n", part.len()).bytes());
            chunked.extend(part);
            chunked.extend(b"\r\n");
        }
        let answer = read_answer(&mut chunked.as_slice()).unwrap();
        assert_eq!((answer.body.len(), answer.series().unwrap()), (body.len(), 2));
    }

    #[test]
    fn what_is_not_an_answer_is_an_error() {
        for text in [
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "",
        ] {
            assert!(read_answer(&mut text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
