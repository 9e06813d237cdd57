//! Somebody who is told, over real HTTP.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use serde_json::Value as Json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A server that notes what it is told. It answers 200, or what was prepared.
pub(super) struct Receiver {
    port: u16,
    noted: Arc<Mutex<Noted>>,
}

#[derive(Default)]
struct Noted {
    received: Vec<Received>,
    answers: VecDeque<u16>,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Received {
    pub(super) line: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let noted = Arc::<Mutex<Noted>>::default();
        let own = noted.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &own).await;
            }
        });
        Self { port, noted }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/told", self.port)
    }

    /// What the next requests are answered with.
    pub(super) fn answer(&self, statuses: &[u16]) {
        self.noted.lock().unwrap().answers.extend(statuses);
    }

    /// What was received since the last time.
    pub(super) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.noted.lock().unwrap().received)
    }
}

impl Received {
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn serve(mut stream: TcpStream, noted: &Mutex<Noted>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let status = {
        let mut noted = noted.lock().unwrap();
        noted.received.push(Received {
            line,
            headers,
            body: String::from_utf8(body).unwrap(),
        });
        noted.answers.pop_front().unwrap_or(200)
    };
    let answer = format!(
        "HTTP/1.1 {status} Status\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
}
