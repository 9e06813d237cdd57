//! A connection to the evaluation API that stays open: what is measured is the answer, and not the
//! start of a program that asks.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::TcpStream,
    time::timeout,
};

/// Longest wait for an answer. The server gives up after nine seconds, and whoever is still not
/// answered by then is told so.
const PATIENCE: Duration = Duration::from_mins(1);

/// Largest body of an answer: a result is at most eight million bytes, each of which takes up to
/// six when it is written as JSON.
const LARGEST: usize = 64 << 20;

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: BufStream<TcpStream>,
    address: String,
    /// A header of each request, with its line's end.
    header: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects to `127.0.0.1:12345`.
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufStream::new(stream),
            address: address.to_owned(),
            header: String::new(),
        })
    }

    /// The same, with a header such as `x-request-timeout: 2s` in each request.
    #[must_use]
    pub fn with_header(mut self, header: &str) -> Self {
        self.header = format!("{header}\r\n");
        self
    }

    /// Sends a request and reads its answer.
    pub async fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer> {
        let asked = async {
            self.send(method, path, body).await?;
            self.receive().await
        };
        timeout(PATIENCE, asked)
            .await
            .with_context(|| format!("no answer within {} s", PATIENCE.as_secs()))?
    }

    async fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<()> {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n{}\r\n",
            self.address, self.header
        );
        self.stream.write_all(head.as_bytes()).await?;
        // A body that is too large is refused before all of it is sent.
        if self.stream.write_all(body).await.is_ok() {
            let _ = self.stream.flush().await;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<Answer> {
        let line = self.line().await?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("`{line}` has no status"))?;
        let mut length = None;
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = Some(value.trim().parse::<usize>()?);
            }
        }
        let length = length.context("the answer has no length")?;
        ensure!(length <= LARGEST, "an answer of {length} bytes");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Answer { status, body })
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            bail!("the connection was closed");
        }
        Ok(line.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_is_asked_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = [0; 1024];
            for body in ["one", "three"] {
                let count = stream.read(&mut heard).await.unwrap();
                assert!(heard[..count].ends_with(b"\r\n\r\n?"));
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nx: y\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let client = async {
            let mut connection = Connection::open(&address).await.unwrap();
            for body in ["one", "three"] {
                let answer = connection.ask("POST", "/", b"?").await.unwrap();
                assert_eq!((answer.status, &*answer.body), (200, body.as_bytes()));
            }
            assert!(connection.ask("POST", "/", b"?").await.is_err());
        };
        let ((), ()) = tokio::join!(
            async {
                server.await;
            },
            client
        );
    }
}
